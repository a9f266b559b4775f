//! Kernels for x86-64 with AVX2: 16 samples at a time.

use super::{ABOVE, ABOVE_BYTES, Memory, Packing, place};
use crate::entropy::ht::clean_up::{self, Above, CleanUp, Lane, Shape};
use crate::entropy::ht::mag_sgn::{Bytes, MagSgn};
use crate::entropy::ht::tables::{LEFT, RIGHT};
use crate::entropy::ht::unstuff::Writer;
use std::arch::x86_64::*;

/// [`clean_up::decode`], compiled for shifts by any register.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn clean_up<const N: usize>(
    blocks: [&CleanUp<'_>; N],
    shape: Shape,
    lanes: &mut [Lane; N],
) -> [bool; N] {
    clean_up::decode(blocks, shape, lanes, |above| contexts(above))
}

/// [`clean_up::contexts`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn contexts(above: &Above) -> u64 {
    // Both samples at the top of each quad: those of the quad before it, and its own.
    let near = |at: usize| {
        let own = _mm256_slli_epi32::<{ (RIGHT - LEFT) as i32 }>(load256(chunk(above, at + 1)));
        let near = _mm256_or_si256(own, load256(chunk(above, at)));
        _mm256_movemask_ps(_mm256_castsi256_ps(near)) as u32
    };
    let last = above[16] >> RIGHT | above[17] >> LEFT & 1;
    _pdep_u64((near(0) | near(8) << 8 | last << 16).into(), 0x5555_5555_5555)
}

/// Unstuffs a MagSgn stream.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn load(stream: &[u8], mag_sgn: &mut MagSgn) {
    mag_sgn.load(stream, |rest, writer| append_run(rest, writer));
}

/// Appends 32 bytes at a time as long as none of them is 0xFF. Returns how many.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn append_run(bytes: &[u8], writer: &mut Writer<'_>) -> usize {
    let Writer { out, at, kept, count } = writer;
    let (up, down) = (_mm_cvtsi32_si128(*count as i32), _mm_cvtsi32_si128(64 - *count as i32));
    let mut length = 0;
    while let Some(chunk) = bytes.get(length..).and_then(<[u8]>::first_chunk::<32>)
        && let Some(place) = out.get_mut(*at..).and_then(<[u8]>::first_chunk_mut)
    {
        let words = load256_bytes(chunk);
        let full = _mm256_cmpeq_epi8(words, _mm256_set1_epi8(-1));
        if _mm256_testz_si256(full, full) == 0 {
            break;
        }
        // What each word of 64 bits leaves for the next.
        let left = _mm256_srl_epi64(words, down);
        let carried = _mm256_permute4x64_epi64::<0b10_01_00_11>(left);
        let before = _mm256_castsi128_si256(_mm_cvtsi64_si128(*kept as i64));
        let carried = _mm256_blend_epi32::<0b11>(carried, before);
        store256_bytes(place, _mm256_or_si256(_mm256_sll_epi64(words, up), carried));
        *kept = _mm256_extract_epi64::<3>(left) as u64;
        *at += 32;
        length += 32;
    }
    length
}

/// Writes the coefficients of blocks, as [`super::pack`] says. The blocks take turns: a line has to wait for the
/// one above it.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
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
    longest: __m256i,
    /// All bits of all samples.
    all: __m256i,
    /// Shifts to the left and to the right.
    shifts: (__m128i, __m128i),
}

impl<'a> Kernel<'a> {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn new(block: Packing<'a>) -> Self {
        block.memory.above[..3 * ABOVE + 4 * block.shape.quads].fill(0);
        let shifts = (_mm_cvtsi32_si128(block.shift.max(0)), _mm_cvtsi32_si128(-block.shift.min(0)));
        let (longest, all) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        Self { block, position: MagSgn::START, sound: true, longest, all, shifts }
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn decode(&mut self, line: usize) {
        if !self.sound {
            return;
        }
        let Packing { lane, shape, width, height, .. } = self.block;
        let first = line * shape.stride;
        let told = (&lane.quads()[first..], &lane.residuals()[first..], shape.quads);
        measure_narrow(told, self.block.memory, &mut self.position, &mut self.longest);
        self.sound = are_at_most(self.longest, self.block.most_bits);
        if !self.sound {
            return;
        }
        let Packing { mag_sgn, memory, out, .. } = &mut self.block;
        let stream = mag_sgn.up_to(self.position);
        let Memory { quads, positions, above, spare } = &mut **memory;
        place((width, height), 8, line, spare, out, |top, bottom| {
            let (top, bottom) = (top.as_chunks_mut().0, bottom.as_chunks_mut().0);
            fetch(stream, (quads, positions, above), self.shifts, &mut self.all, top, bottom);
        });
    }

    /// Twice a magnitude plus 1 has no more bits than a sample may have.
    #[target_feature(enable = "avx2")]
    fn fits(&self) -> bool {
        _mm256_testz_si256(self.all, _mm256_set1_epi16(-1 << self.block.most_bits)) == 1
    }
}

/// No lane is more than `most`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn are_at_most(lanes: __m256i, most: u32) -> bool {
    let beyond = _mm256_cmpgt_epi32(lanes, _mm256_set1_epi32(most as i32));
    _mm256_testz_si256(beyond, beyond) == 1
}

/// Works out how many bits the samples of each quad of a line have, and where they start, less 1. `near`: of
/// the columns above 8 quads, the highest bit of all that predict its exponent.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn measure(
    (quads, residuals, count): (&[u32], &[u8], usize),
    memory: &mut Memory,
    position: &mut usize,
    longest: &mut __m256i,
    near: impl Fn(&[u8; ABOVE_BYTES], usize) -> __m256i,
) {
    let Memory { quads: jobs, positions, above, .. } = memory;
    let ones_in_nibbles =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    let last = _mm256_set1_epi32(7);
    let mut end = _mm256_set1_epi32(*position as i32 - 1);
    let mut most = *longest;
    let mut left = _mm256_set1_epi32(count as i32);
    let told = quads[..count.next_multiple_of(8)].as_chunks().0.iter();
    let told = told.zip(residuals.as_chunks().0);
    let jobs = jobs.as_chunks_mut().0.iter_mut().zip(positions.as_chunks_mut().0);
    for (at, ((told, residuals), (jobs, positions))) in told.zip(jobs).enumerate() {
        // Beyond the row there may be the next one.
        let row = _mm256_cmpgt_epi32(left, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        left = _mm256_sub_epi32(left, _mm256_set1_epi32(8));
        let told = _mm256_and_si256(load256(told), row);
        let residual = _mm256_and_si256(_mm256_cvtepu8_epi32(load64(residuals)), row);
        // Four columns from the one on the left of the quad on. The highest bit counts, and must not be rounded up.
        let near = near(above, 8 * at);
        let near = _mm256_andnot_si256(_mm256_srli_epi32::<1>(near), near);
        let near = _mm256_or_si256(near, _mm256_set1_epi32(2));
        // The exponent of a float is the place of the highest bit; what is left is one less.
        let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(near)));
        let exponent = _mm256_sub_epi32(exponent, _mm256_set1_epi32(128));
        // Byte 0: significant samples; byte 1: samples whose highest bit is known.
        let nibbles = _mm256_and_si256(_mm256_srli_epi32::<12>(told), _mm256_set1_epi32(0x0F0F));
        let counts = _mm256_shuffle_epi8(ones_in_nibbles, nibbles);
        let several =
            _mm256_cmpgt_epi32(_mm256_and_si256(counts, _mm256_set1_epi32(0xFF)), _mm256_set1_epi32(1));
        let bits = _mm256_add_epi32(residual, _mm256_set1_epi32(1));
        let bits = _mm256_add_epi32(bits, _mm256_and_si256(exponent, several));
        most = _mm256_max_epi32(most, bits);
        let job = _mm256_and_si256(told, _mm256_set1_epi32(0x00FF_FF00));
        store256(jobs, _mm256_or_si256(job, bits));
        // Significant samples times bits less known bits.
        let total = _mm256_maddubs_epi16(counts, _mm256_or_si256(bits, _mm256_set1_epi32(0xFF00)));
        let sum = _mm256_add_epi32(total, _mm256_slli_si256::<4>(total));
        let sum = _mm256_add_epi32(sum, _mm256_slli_si256::<8>(sum));
        let low = _mm256_permutevar8x32_epi32(sum, _mm256_set1_epi32(3));
        let sum = _mm256_add_epi32(sum, _mm256_blend_epi32::<0xF0>(_mm256_setzero_si256(), low));
        store256(positions, _mm256_add_epi32(end, _mm256_sub_epi32(sum, total)));
        end = _mm256_add_epi32(end, _mm256_permutevar8x32_epi32(sum, last));
    }
    *longest = most;
    *position = _mm256_extract_epi32::<0>(end) as usize + 1;
}

/// [`measure`] for columns of 2 bytes.
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn measure_narrow(
    line: (&[u32], &[u8], usize),
    memory: &mut Memory,
    position: &mut usize,
    longest: &mut __m256i,
) {
    measure(line, memory, position, longest, |above, quad| {
        let left = load256_bytes(chunk(above, ABOVE - 2 + 4 * quad));
        let near = _mm256_or_si256(left, load256_bytes(chunk(above, ABOVE + 2 + 4 * quad)));
        let near = _mm256_or_si256(near, _mm256_srli_epi32::<16>(near));
        _mm256_and_si256(near, _mm256_set1_epi32(0xFFFF))
    });
}

/// Fetches the bits of the samples of a line, 8 columns at a time.
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn fetch(
    stream: &Bytes,
    (quads, positions, above): (&[u32; 512], &[u32; 512], &mut [u8; ABOVE_BYTES]),
    shifts: (__m128i, __m128i),
    every: &mut __m256i,
    top: &mut [[u32; 4]],
    bottom: &mut [[u32; 4]],
) {
    // Of each quad, bytes 1 and 2, or byte 0, for each of its samples; of each pair of quads, bytes 0 and 1.
    let take_told = twice(_mm_setr_epi8(1, 2, 1, 2, 1, 2, 1, 2, 9, 10, 9, 10, 9, 10, 9, 10));
    let take_bits = twice(_mm_setr_epi8(0, -1, 0, -1, 0, -1, 0, -1, 8, -1, 8, -1, 8, -1, 8, -1));
    let take_first = twice(_mm_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
    // A bit for each sample, in the order top left, bottom left, top right, bottom right.
    let sample = _mm256_set1_epi64x(0x0080_0040_0020_0010);
    let highest_one = _mm256_slli_epi16::<4>(sample);
    let highest_known = _mm256_slli_epi16::<8>(sample);
    // 2^n in the low or in the high byte, 2^(7 - n).
    let powers = twice(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
    let falling = twice(_mm_setr_epi8(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0));
    // Top row, bottom row.
    let rows = twice(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    let one = _mm256_set1_epi16(1);
    let mut all = *every;
    let above = above[ABOVE..].as_chunks_mut().0;
    let quads = quads.as_chunks().0;
    let positions = positions.as_chunks().0;
    for ((((top, bottom), above), quads), positions) in
        top.iter_mut().zip(bottom).zip(above).zip(quads).zip(positions)
    {
        let quads = _mm256_cvtepu32_epi64(load128(quads));
        let told = _mm256_shuffle_epi8(quads, take_told);
        let bits = _mm256_shuffle_epi8(quads, take_bits);
        let has = |bit| _mm256_cmpeq_epi16(_mm256_and_si256(told, bit), bit);
        let (significant, known, high) = (has(sample), has(highest_known), has(highest_one));
        let length = _mm256_and_si256(_mm256_add_epi16(bits, known), significant);
        // Where each sample starts in the 16 bytes of its pair of quads, less 1.
        let sum = _mm256_add_epi16(length, _mm256_slli_si256::<2>(length));
        let sum = _mm256_add_epi16(sum, _mm256_slli_si256::<4>(sum));
        let sum = _mm256_add_epi16(sum, _mm256_slli_si256::<8>(sum));
        let window = _mm256_set_m128i(
            load128_bytes(MagSgn::bytes_at(stream, positions[2] as usize)),
            load128_bytes(MagSgn::bytes_at(stream, positions[0] as usize)),
        );
        let start = _mm256_shuffle_epi8(_mm256_cvtepu32_epi64(load128(positions)), take_first);
        let start = _mm256_and_si256(start, _mm256_set1_epi16(7));
        let start = _mm256_add_epi16(_mm256_sub_epi16(sum, length), start);
        // The 16 bits from there on and one more are in 3 bytes: two, shifted down by 1 to 8, and one.
        let byte = _mm256_srli_epi16::<3>(start);
        let pair =
            _mm256_add_epi16(_mm256_mullo_epi16(byte, _mm256_set1_epi16(0x0101)), _mm256_set1_epi16(0x0100));
        let third = _mm256_add_epi16(byte, _mm256_set1_epi16(0x8002_u16 as i16));
        let pair = _mm256_shuffle_epi8(window, pair);
        let third = _mm256_shuffle_epi8(window, third);
        let by = _mm256_and_si256(_mm256_slli_epi16::<8>(start), _mm256_set1_epi16(0x0700));
        let by = _mm256_shuffle_epi8(falling, _mm256_or_si256(by, _mm256_set1_epi16(0x0080)));
        let field = _mm256_or_si256(_mm256_mulhi_epu16(pair, by), _mm256_mullo_epi16(third, by));
        // 2^length.
        let place = _mm256_mullo_epi16(length, _mm256_set1_epi16(0x0101));
        let place = _mm256_add_epi16(place, _mm256_set1_epi16(0xF800_u16 as i16));
        let beyond = _mm256_shuffle_epi8(powers, place);
        let field = _mm256_and_si256(field, _mm256_sub_epi16(beyond, one));
        let field = _mm256_or_si256(field, _mm256_and_si256(beyond, high));
        let exact = _mm256_and_si256(_mm256_or_si256(field, one), significant);
        let exact_rows = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_shuffle_epi8(exact, rows));
        store128_bytes(above, _mm256_extracti128_si256::<1>(exact_rows));
        let two = _mm256_and_si256(significant, _mm256_set1_epi16(2));
        let magnitude = _mm256_add_epi16(exact, two);
        all = _mm256_or_si256(all, magnitude);
        let magnitude = _mm256_sll_epi16(magnitude, shifts.0);
        let magnitude = _mm256_srl_epi16(magnitude, shifts.1);
        let sign = _mm256_or_si256(_mm256_slli_epi16::<15>(field), one);
        let value = _mm256_shuffle_epi8(_mm256_sign_epi16(magnitude, sign), rows);
        let value = _mm256_permute4x64_epi64::<0b11_01_10_00>(value);
        store128(top, _mm256_castsi256_si128(value));
        store128(bottom, _mm256_extracti128_si256::<1>(value));
    }
    *every = all;
}

#[target_feature(enable = "avx2")]
pub(super) fn twice(lanes: __m128i) -> __m256i {
    _mm256_broadcastsi128_si256(lanes)
}

/// `N` items from `at` on.
#[inline(always)]
pub(super) fn chunk<T, const N: usize>(items: &[T], at: usize) -> &[T; N] {
    items[at..].first_chunk().expect("rows have room behind them")
}

#[target_feature(enable = "avx2")]
fn load64(from: &[u8; 8]) -> __m128i {
    _mm_cvtsi64_si128(i64::from_le_bytes(*from))
}

#[target_feature(enable = "avx2")]
pub(super) fn load128(from: &[u32; 4]) -> __m128i {
    // SAFETY: 16 bytes can be read, at any alignment.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
pub(super) fn load128_bytes(from: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes can be read, at any alignment.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
pub(super) fn load256(from: &[u32; 8]) -> __m256i {
    // SAFETY: 32 bytes can be read, at any alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
pub(super) fn load256_bytes(from: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes can be read, at any alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
pub(super) fn store128(to: &mut [u32; 4], lanes: __m128i) {
    // SAFETY: 16 bytes can be written, at any alignment.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), lanes) }
}

#[target_feature(enable = "avx2")]
pub(super) fn store128_bytes(to: &mut [u8; 16], lanes: __m128i) {
    // SAFETY: 16 bytes can be written, at any alignment.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), lanes) }
}

#[target_feature(enable = "avx2")]
fn store256_bytes(to: &mut [u8; 32], lanes: __m256i) {
    // SAFETY: 32 bytes can be written, at any alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), lanes) }
}

#[target_feature(enable = "avx2")]
fn store256(to: &mut [u32; 8], lanes: __m256i) {
    // SAFETY: 32 bytes can be written, at any alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), lanes) }
}
