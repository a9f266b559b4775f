//! The high-throughput block decoder's two halves, compiled and written for what the processor has.
//!
//! All `unsafe` of the engine is here: calls of functions for features that [`Level::detect`] found, and
//! loads and stores of arrays.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_wide;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

use super::ht::clean_up::{self, CleanUp, Lane, Shape};
use super::ht::mag_sgn::MagSgn;

/// What the processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing that is known of.
    Scalar,
    /// AVX2, and what came with it: BMI1, BMI2, LZCNT, POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Also AVX-512 F, BW, CD, DQ, VL and VBMI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The most of this processor.
    pub(super) fn detect() -> Self {
        *Self::all().last().unwrap_or(&Self::Scalar)
    }

    /// All levels of this processor, each above the one before.
    pub(super) fn all() -> Vec<Self> {
        let mut levels = Self::kernels();
        levels.insert(0, Self::Scalar);
        levels
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn kernels() -> Vec<Self> {
        vec![]
    }

    #[cfg(target_arch = "x86_64")]
    fn kernels() -> Vec<Self> {
        macro_rules! has {
            ($($feature:tt)*) => { $(is_x86_feature_detected!($feature))&&* };
        }
        if !has!("avx2" "bmi1" "bmi2" "lzcnt" "popcnt") {
            return vec![];
        }
        if !has!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl" "avx512vbmi") {
            return vec![Self::Avx2];
        }
        vec![Self::Avx2, Self::Avx512]
    }
}

/// A block whose samples become coefficients of 16 bits.
pub(super) struct Packing<'a> {
    pub(super) lane: &'a Lane,
    pub(super) mag_sgn: &'a mut MagSgn,
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only kernels need it"))]
    pub(super) memory: &'a mut Memory,
    /// Rows of `ceil(width / 2)` words.
    pub(super) out: &'a mut [u32],
    pub(super) shape: Shape,
    /// Columns and rows.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bits of a sample, sign included, 1 to [`MOST_BITS`].
    pub(super) most_bits: u32,
    /// Twice the magnitude plus 1 is shifted by this, to the left, or by 1 to the right.
    pub(super) shift: i32,
}

/// Bits of a sample that fit all kernels.
pub(super) const MOST_BITS: u32 = 15;

/// A block whose samples become coefficients of 32 bits.
pub(super) struct Wide<'a> {
    pub(super) lane: &'a Lane,
    pub(super) mag_sgn: &'a mut MagSgn,
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only kernels need it"))]
    pub(super) memory: &'a mut Memory,
    pub(super) shape: Shape,
    /// Bits of a sample, sign included, 1 to 31.
    pub(super) most_bits: u32,
    /// The bit-plane of the clean-up pass.
    pub(super) plane: u32,
}

/// What a kernel keeps of a line. Not cleared between blocks: it clears what it reads.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only kernels need it"))]
pub(super) struct Memory {
    /// Of each quad: bits of its samples, and 16 bits of what the serial half tells, from bit 8 on.
    quads: [u32; 512],
    /// Of each quad: where its first bit is.
    positions: [u32; 512],
    /// Of each column of the row above: 2 m - 1, or 0; from byte [`ABOVE`] on, 2 or 4 bytes each.
    above: [u8; ABOVE_BYTES],
    /// Two rows, for those that have no room where they belong.
    spare: [[u32; 512]; 2],
}

/// Bytes before the row above, and as many after it twice over may be read.
const ABOVE: usize = 64;
const ABOVE_BYTES: usize = 3 * ABOVE + 4 * 1024;

impl Memory {
    pub(super) fn new() -> Self {
        Self { quads: [0; _], positions: [0; _], above: [0; _], spare: [[0; _]; 2] }
    }
}

/// The serial half of the clean-up pass, [`clean_up::decode`].
pub(super) fn clean_up<const N: usize>(
    level: Level,
    blocks: [&CleanUp<'_>; N],
    shape: Shape,
    lanes: &mut [Lane; N],
) -> [bool; N] {
    match level {
        Level::Scalar => clean_up::decode(blocks, shape, lanes, clean_up::contexts),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: both levels have what the function is compiled for.
        Level::Avx2 | Level::Avx512 => unsafe { avx2::clean_up(blocks, shape, lanes) },
    }
}

/// Unstuffs a MagSgn stream.
pub(super) fn load(level: Level, stream: &[u8], mag_sgn: &mut MagSgn) {
    match level {
        Level::Scalar => mag_sgn.load(stream, |_, _| 0),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: both levels have what the function is compiled for.
        Level::Avx2 | Level::Avx512 => unsafe { avx2::load(stream, mag_sgn) },
    }
}

/// The parallel half: signs and magnitudes of blocks of one shape, as pairs of `i16`. `false`: a sample has more bits
/// than it may have, and what `out` holds is of no use.
pub(super) fn pack<const N: usize>(level: Level, blocks: [Packing<'_>; N]) -> [bool; N] {
    match level {
        Level::Scalar => blocks.map(scalar::pack),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level has what the function is compiled for.
        Level::Avx512 if blocks.iter().all(|block| block.most_bits <= avx512::MOST_BITS) => unsafe {
            avx512::pack(blocks)
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: both levels have what the function is compiled for.
        Level::Avx2 | Level::Avx512 => unsafe { avx2::pack(blocks) },
    }
}

/// The parallel half for any block: coefficients in half units and in the middle of what they leave open, bit 31 the
/// sign, in rows of whole quads, `2 * shape.stride` apart. `false` as [`pack`] has it.
pub(super) fn coefficients(level: Level, block: Wide<'_>, out: &mut [u32]) -> bool {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: both levels have what the function is compiled for.
        Level::Avx2 | Level::Avx512 if block.most_bits <= avx2_wide::MOST_BITS => unsafe {
            avx2_wide::coefficients(block, out)
        },
        _ => scalar::coefficients(block, out),
    }
}

/// Has a line decoded to the two rows of `out` where it belongs, or to `spare` where they have no room for it.
/// `columns`: the two rows that `decode` is given have a multiple of this.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn place(
    (width, height): (usize, usize),
    columns: usize,
    line: usize,
    spare: &mut [[u32; 512]; 2],
    out: &mut [u32],
    decode: impl FnOnce(&mut [u32], &mut [u32]),
) {
    let row = width.div_ceil(2);
    let rows = &mut out[2 * line * row..];
    if width.is_multiple_of(columns) && 2 * line + 1 < height {
        let (top, rest) = rows.split_at_mut(row);
        return decode(top, &mut rest[..row]);
    }
    let padded = width.next_multiple_of(columns) / 2;
    let [top, bottom] = &mut *spare;
    decode(&mut top[..padded], &mut bottom[..padded]);
    for (words, decoded) in rows.chunks_mut(row).zip(&*spare) {
        words.copy_from_slice(&decoded[..row]);
        if let Some(last) = words.last_mut().filter(|_| width % 2 == 1) {
            *last &= 0xFFFF;
        }
    }
}
