//! A kernel for x86-64 with AVX-512 and VBMI: 32 samples at a time.

use super::{ABOVE, ABOVE_BYTES, Memory, Packing, place};
use crate::entropy::ht::mag_sgn::{Bytes, MagSgn};
use std::arch::x86_64::*;

/// Bits of a sample: those of a quad are looked for in 64, less 7.
pub(super) const MOST_BITS: u32 = 14;

/// Writes the coefficients of blocks, as [`super::pack`] says. The blocks take turns: a line has to wait for the
/// one above it.
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi"
)]
pub(super) fn pack<const N: usize>(blocks: [Packing<'_>; N]) -> [bool; N] {
    let lines = blocks[0].shape.lines;
    let mut kernels = blocks.map(|block| Kernel::new(block));
    for line in 0..lines {
        for kernel in &mut kernels {
            kernel.decode(line);
        }
    }
    kernels.map(|kernel| kernel.sound && kernel.fits())
}

/// A block that is being decoded.
struct Kernel<'a> {
    block: Packing<'a>,
    /// Where the next line starts.
    position: usize,
    sound: bool,
    /// The most bits of any sample.
    longest: __m512i,
    /// All bits of all samples.
    all: __m512i,
    /// Shifts to the left and to the right.
    shifts: (__m128i, __m128i),
}

impl<'a> Kernel<'a> {
    #[target_feature(
        enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi"
    )]
    fn new(block: Packing<'a>) -> Self {
        block.memory.above[..3 * ABOVE + 4 * block.shape.quads].fill(0);
        let shifts = (_mm_cvtsi32_si128(block.shift.max(0)), _mm_cvtsi32_si128(-block.shift.min(0)));
        let (longest, all) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        Self { block, position: MagSgn::START, sound: true, longest, all, shifts }
    }

    #[inline]
    #[target_feature(
        enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi"
    )]
    fn decode(&mut self, line: usize) {
        if !self.sound {
            return;
        }
        let Packing { lane, shape, width, height, .. } = self.block;
        let first = line * shape.stride;
        self.measure(&lane.quads()[first..], &lane.residuals()[first..], shape.quads);
        self.sound = self.longest_fits();
        if !self.sound {
            return;
        }
        let Packing { mag_sgn, memory, out, .. } = &mut self.block;
        let stream = mag_sgn.up_to(self.position);
        let Memory { quads, positions, above, spare } = &mut **memory;
        place((width, height), 16, line, spare, out, |top, bottom| {
            let (top, bottom) = (top.as_chunks_mut().0, bottom.as_chunks_mut().0);
            fetch(stream, (quads, positions, above), self.shifts, &mut self.all, top, bottom);
        });
    }

    /// Works out how many bits the samples of each quad of a line have, and where they start.
    #[inline(never)]
    #[target_feature(
        enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi"
    )]
    fn measure(&mut self, quads: &[u32], residuals: &[u8], count: usize) {
        let Memory { quads: jobs, positions, above, .. } = &mut *self.block.memory;
        let ones_in_nibbles =
            _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
        let one = _mm512_set1_epi32(1);
        // The last sum of the 4 lanes before those of the second and fourth, and of the third and fourth.
        let odd = _mm512_setr_epi32(3, 3, 3, 3, 3, 3, 3, 3, 11, 11, 11, 11, 11, 11, 11, 11);
        let high = _mm512_set1_epi32(7);
        let last = _mm512_set1_epi32(15);
        let mut position = _mm512_set1_epi32(self.position as i32);
        let mut longest = self.longest;
        let mut left = _mm512_set1_epi32(count as i32);
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let told = quads[..count.next_multiple_of(16)].as_chunks().0.iter();
        let told = told.zip(residuals.as_chunks().0);
        let near = above[ABOVE - 2..].as_chunks().0.iter().zip(above[ABOVE + 2..].as_chunks().0);
        let jobs = jobs.as_chunks_mut().0.iter_mut().zip(positions.as_chunks_mut().0);
        for (((told, residuals), near), (jobs, positions)) in told.zip(near).zip(jobs) {
            // Beyond the row there may be the next one.
            let row = _mm512_cmpgt_epi32_mask(left, lanes);
            left = _mm512_sub_epi32(left, _mm512_set1_epi32(16));
            let told = _mm512_maskz_mov_epi32(row, load512(told));
            let residual = _mm512_maskz_cvtepu8_epi32(row, load128_bytes(residuals));
            // Four columns from the one on the left of the quad on, all in the low half.
            let near = _mm512_or_si512(load512_bytes(near.0), load512_bytes(near.1));
            let near = _mm512_or_si512(near, _mm512_srli_epi32::<16>(near));
            let near = _mm512_and_si512(near, _mm512_set1_epi32(0xFFFF));
            let near = _mm512_or_si512(near, _mm512_set1_epi32(2));
            // The place of the highest bit, less 1.
            let exponent = _mm512_sub_epi32(_mm512_set1_epi32(30), _mm512_lzcnt_epi32(near));
            // Byte 0: significant samples; byte 1: samples whose highest bit is known.
            let nibbles = _mm512_and_si512(_mm512_srli_epi32::<12>(told), _mm512_set1_epi32(0x0F0F));
            let counts = _mm512_shuffle_epi8(ones_in_nibbles, nibbles);
            let several = _mm512_cmpgt_epi32_mask(_mm512_and_si512(counts, _mm512_set1_epi32(0xFF)), one);
            let bits = _mm512_add_epi32(residual, one);
            let bits = _mm512_mask_add_epi32(bits, several, bits, exponent);
            longest = _mm512_max_epi32(longest, bits);
            let job = _mm512_and_si512(told, _mm512_set1_epi32(0x00FF_FF00));
            store512(jobs, _mm512_or_si512(job, bits));
            // Significant samples times bits less known bits.
            let total = _mm512_maddubs_epi16(counts, _mm512_or_si512(bits, _mm512_set1_epi32(0xFF00)));
            let sum = _mm512_add_epi32(total, _mm512_bslli_epi128::<4>(total));
            let sum = _mm512_add_epi32(sum, _mm512_bslli_epi128::<8>(sum));
            let sum = _mm512_mask_add_epi32(sum, 0xF0F0, sum, _mm512_permutexvar_epi32(odd, sum));
            let sum = _mm512_mask_add_epi32(sum, 0xFF00, sum, _mm512_permutexvar_epi32(high, sum));
            store512(positions, _mm512_add_epi32(position, _mm512_sub_epi32(sum, total)));
            position = _mm512_add_epi32(position, _mm512_permutexvar_epi32(last, sum));
        }
        self.longest = longest;
        self.position = _mm_cvtsi128_si32(_mm512_castsi512_si128(position)) as usize;
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn longest_fits(&self) -> bool {
        let most_bits = _mm512_set1_epi32(self.block.most_bits as i32);
        _mm512_cmpgt_epi32_mask(self.longest, most_bits) == 0
    }

    /// Twice a magnitude plus 1 has no more bits than a sample may have.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn fits(&self) -> bool {
        _mm512_test_epi16_mask(self.all, _mm512_set1_epi16(-1 << self.block.most_bits)) == 0
    }
}

/// Fetches the bits of the samples of a line, 16 columns at a time.
#[inline(never)]
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi"
)]
fn fetch(
    stream: &Bytes,
    (quads, positions, above): (&[u32; 512], &[u32; 512], &mut [u8; ABOVE_BYTES]),
    shifts: (__m128i, __m128i),
    every: &mut __m512i,
    top: &mut [[u32; 8]],
    bottom: &mut [[u32; 8]],
) {
    // Of each quad, bytes 1 and 2, or byte 0, for each of its samples.
    let take_told = _mm512_broadcast_i32x4(_mm_setr_epi8(1, 2, 1, 2, 1, 2, 1, 2, 9, 10, 9, 10, 9, 10, 9, 10));
    let take_bits =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, -1, 0, -1, 0, -1, 0, -1, 8, -1, 8, -1, 8, -1, 8, -1));
    let both_bytes =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14));
    // A bit for each sample, in the order top left, bottom left, top right, bottom right.
    let sample = _mm512_set1_epi64(0x0080_0040_0020_0010);
    let highest_one = _mm512_slli_epi16::<4>(sample);
    let highest_known = _mm512_slli_epi16::<8>(sample);
    let (one, two) = (_mm512_set1_epi16(1), _mm512_set1_epi16(2));
    // Top row, bottom row.
    let rows = _mm512_set_epi16(
        31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12,
        10, 8, 6, 4, 2, 0,
    );
    let mut all = *every;
    let above = above[ABOVE..].as_chunks_mut().0;
    let quads = quads.as_chunks().0;
    let positions = positions.as_chunks().0;
    for ((((top, bottom), above), quads), positions) in
        top.iter_mut().zip(bottom).zip(above).zip(quads).zip(positions)
    {
        let quads = _mm512_cvtepu32_epi64(load256(quads));
        let told = _mm512_shuffle_epi8(quads, take_told);
        let bits = _mm512_shuffle_epi8(quads, take_bits);
        let significant = _mm512_test_epi16_mask(told, sample);
        let known = _mm512_test_epi16_mask(told, highest_known);
        let high = _mm512_test_epi16_mask(told, highest_one);
        let length = _mm512_maskz_mov_epi16(significant, _mm512_mask_sub_epi16(bits, known, bits, one));
        // Where each sample starts in its quad, and 8 bits further.
        let sum = _mm512_add_epi16(length, _mm512_slli_epi64::<16>(length));
        let sum = _mm512_add_epi16(sum, _mm512_slli_epi64::<32>(sum));
        let start = _mm512_shuffle_epi8(_mm512_sub_epi16(sum, length), both_bytes);
        let start = _mm512_add_epi16(start, _mm512_set1_epi16(0x0800));
        let window = windows(stream, _mm512_cvtepu32_epi64(load256(positions)));
        let field = _mm512_multishift_epi64_epi8(start, window);
        let beyond = _mm512_sllv_epi16(one, length);
        let field = _mm512_and_si512(field, _mm512_sub_epi16(beyond, one));
        let field = _mm512_or_si512(field, _mm512_maskz_mov_epi16(high, beyond));
        let exact = _mm512_maskz_mov_epi16(significant, _mm512_or_si512(field, one));
        let exact_rows = _mm512_permutexvar_epi16(rows, exact);
        store256_bytes(above, _mm512_extracti64x4_epi64::<1>(exact_rows));
        let magnitude = _mm512_maskz_add_epi16(significant, exact, two);
        all = _mm512_or_si512(all, magnitude);
        let magnitude = _mm512_sll_epi16(magnitude, shifts.0);
        let magnitude = _mm512_srl_epi16(magnitude, shifts.1);
        let negative = _mm512_test_epi16_mask(field, one);
        let value = _mm512_mask_sub_epi16(magnitude, negative, _mm512_setzero_si512(), magnitude);
        let value = _mm512_permutexvar_epi16(rows, value);
        store256(top, _mm512_castsi512_si256(value));
        store256(bottom, _mm512_extracti64x4_epi64::<1>(value));
    }
    *every = all;
}

/// 57 bits from each position on.
#[inline]
#[target_feature(enable = "avx512f")]
fn windows(stream: &Bytes, positions: __m512i) -> __m512i {
    const { assert!((MagSgn::BYTES).is_power_of_two() && MagSgn::BYTES + 8 <= size_of::<Bytes>()) };
    let byte = _mm512_srli_epi64::<3>(positions);
    let byte = _mm512_and_si512(byte, _mm512_set1_epi64(MagSgn::BYTES as i64 - 1));
    // SAFETY: each lane reads 8 bytes from one of the first `BYTES` bytes on, and as many follow.
    let words = unsafe { _mm512_i64gather_epi64::<1>(byte, stream.as_ptr().cast()) };
    _mm512_srlv_epi64(words, _mm512_and_si512(positions, _mm512_set1_epi64(7)))
}

#[target_feature(enable = "avx512f")]
fn load128_bytes(from: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes can be read, at any alignment.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn load256(from: &[u32; 8]) -> __m256i {
    // SAFETY: 32 bytes can be read, at any alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn load512(from: &[u32; 16]) -> __m512i {
    // SAFETY: 64 bytes can be read, at any alignment.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn load512_bytes(from: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes can be read, at any alignment.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn store256(to: &mut [u32; 8], lanes: __m256i) {
    // SAFETY: 32 bytes can be written, at any alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), lanes) }
}

#[target_feature(enable = "avx512f")]
fn store256_bytes(to: &mut [u8; 32], lanes: __m256i) {
    // SAFETY: 32 bytes can be written, at any alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), lanes) }
}

#[target_feature(enable = "avx512f")]
fn store512(to: &mut [u32; 16], lanes: __m512i) {
    // SAFETY: 64 bytes can be written, at any alignment.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), lanes) }
}
