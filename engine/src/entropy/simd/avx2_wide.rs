//! A kernel for x86-64 with AVX2 and samples of up to 30 bits: 8 samples at a time.

use super::avx2::{
    are_at_most, chunk, load128_bytes, load256_bytes, measure, store128, store128_bytes, twice,
};
use super::{ABOVE, Memory, Wide};
use crate::entropy::ht::mag_sgn::{Bytes, MagSgn};
use std::arch::x86_64::*;

/// Bits of a sample: those of a quad are looked for in 128, less 8.
pub(super) const MOST_BITS: u32 = 30;

/// Writes a block's coefficients, as [`super::coefficients`] says.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn coefficients(block: Wide<'_>, out: &mut [u32]) -> bool {
    let Wide { lane, mag_sgn, memory, shape, most_bits, plane } = block;
    memory.above[..3 * ABOVE + 8 * shape.quads].fill(0);
    let (mut position, mut longest) = (MagSgn::START, _mm256_setzero_si256());
    let mut all = _mm256_setzero_si256();
    for (line, rows) in out.chunks_exact_mut(4 * shape.stride).enumerate() {
        let first = line * shape.stride;
        let told = (&lane.quads()[first..], &lane.residuals()[first..], shape.quads);
        measure_wide(told, memory, &mut position, &mut longest);
        if !are_at_most(longest, most_bits) {
            return false;
        }
        let (top, bottom) = rows.split_at_mut(2 * shape.stride);
        let pairs = shape.quads.div_ceil(2);
        let (top, bottom) = (&mut top.as_chunks_mut().0[..pairs], &mut bottom.as_chunks_mut().0[..pairs]);
        let stream = mag_sgn.up_to(position);
        all = _mm256_or_si256(all, fetch(stream, memory, _mm_cvtsi32_si128(plane as i32), top, bottom));
    }
    // Twice a magnitude plus 1 has no more bits than a sample may have.
    _mm256_testz_si256(all, _mm256_set1_epi32(-1 << most_bits)) == 1
}

/// [`measure`] for columns of 4 bytes.
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn measure_wide(
    line: (&[u32], &[u8], usize),
    memory: &mut Memory,
    position: &mut usize,
    longest: &mut __m256i,
) {
    measure(line, memory, position, longest, |above, quad| {
        // Of 4 quads, in the low half of 64 bits each.
        let four = |quad: usize| {
            let left = load256_bytes(chunk(above, ABOVE - 4 + 8 * quad));
            let near = _mm256_or_si256(left, load256_bytes(chunk(above, ABOVE + 4 + 8 * quad)));
            _mm256_castsi256_ps(_mm256_or_si256(near, _mm256_srli_epi64::<32>(near)))
        };
        let near = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(four(quad), four(quad + 4)));
        _mm256_permute4x64_epi64::<0b11_01_10_00>(near)
    });
}

/// Fetches the bits of the samples of a line, 4 columns at a time. Gives all bits of them.
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn fetch(
    stream: &Bytes,
    memory: &mut Memory,
    plane: __m128i,
    top: &mut [[u32; 4]],
    bottom: &mut [[u32; 4]],
) -> __m256i {
    let Memory { quads, positions, above, .. } = memory;
    // A bit for each sample, in the order top left, bottom left, top right, bottom right.
    let sample = twice(_mm_setr_epi32(1 << 12, 2 << 12, 4 << 12, 8 << 12));
    let highest_one = _mm256_slli_epi32::<4>(sample);
    let highest_known = _mm256_slli_epi32::<8>(sample);
    let (one, two) = (_mm256_set1_epi32(1), _mm256_set1_epi32(2));
    let low_byte = _mm256_set1_epi32(0xFF);
    let every_byte = twice(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
    let mut all = _mm256_setzero_si256();
    let above = above[ABOVE..].as_chunks_mut().0;
    for ((((top, bottom), above), quads), positions) in
        top.iter_mut().zip(bottom).zip(above).zip(quads.as_chunks::<2>().0).zip(positions.as_chunks::<2>().0)
    {
        let each = |pair: &[u32; 2]| {
            _mm256_set_m128i(_mm_set1_epi32(pair[1] as i32), _mm_set1_epi32(pair[0] as i32))
        };
        let told = each(quads);
        let bits = _mm256_and_si256(told, low_byte);
        let has = |bit| _mm256_cmpeq_epi32(_mm256_and_si256(told, bit), bit);
        let (significant, known, high) = (has(sample), has(highest_known), has(highest_one));
        let length = _mm256_and_si256(_mm256_add_epi32(bits, known), significant);
        // Where each sample starts in the 16 bytes of its quad.
        let sum = _mm256_add_epi32(length, _mm256_slli_si256::<4>(length));
        let sum = _mm256_add_epi32(sum, _mm256_slli_si256::<8>(sum));
        let start = _mm256_add_epi32(_mm256_and_si256(each(positions), _mm256_set1_epi32(7)), one);
        let start = _mm256_add_epi32(_mm256_sub_epi32(sum, length), start);
        let window = _mm256_set_m128i(
            load128_bytes(MagSgn::bytes_at(stream, positions[1] as usize)),
            load128_bytes(MagSgn::bytes_at(stream, positions[0] as usize)),
        );
        // The bits are in 5 bytes: four, shifted down by up to 7, and one.
        let byte = _mm256_srli_epi32::<3>(start);
        let four = _mm256_add_epi8(_mm256_shuffle_epi8(byte, every_byte), _mm256_set1_epi32(0x0302_0100));
        let fifth = _mm256_add_epi32(byte, _mm256_set1_epi32(0x8080_8004_u32 as i32));
        let by = _mm256_and_si256(start, _mm256_set1_epi32(7));
        let four = _mm256_srlv_epi32(_mm256_shuffle_epi8(window, four), by);
        let up = _mm256_sub_epi32(_mm256_set1_epi32(32), by);
        let fifth = _mm256_sllv_epi32(_mm256_shuffle_epi8(window, fifth), up);
        let beyond = _mm256_sllv_epi32(one, length);
        let field = _mm256_and_si256(_mm256_or_si256(four, fifth), _mm256_sub_epi32(beyond, one));
        let field = _mm256_or_si256(field, _mm256_and_si256(beyond, high));
        let exact = _mm256_and_si256(_mm256_or_si256(field, one), significant);
        let exact_rows = _mm256_shuffle_epi32::<0b11_01_10_00>(exact);
        let exact_rows = _mm256_permute4x64_epi64::<0b11_01_10_00>(exact_rows);
        store128_bytes(above, _mm256_extracti128_si256::<1>(exact_rows));
        let magnitude = _mm256_add_epi32(exact, _mm256_and_si256(significant, two));
        all = _mm256_or_si256(all, magnitude);
        let value = _mm256_or_si256(_mm256_sll_epi32(magnitude, plane), _mm256_slli_epi32::<31>(field));
        let value = _mm256_shuffle_epi32::<0b11_01_10_00>(value);
        let value = _mm256_permute4x64_epi64::<0b11_01_10_00>(value);
        store128(top, _mm256_castsi256_si128(value));
        store128(bottom, _mm256_extracti128_si256::<1>(value));
    }
    all
}
