//! The twin of the kernels, for processors without them.

use super::{Packing, Wide};
use crate::entropy::ht::magnitudes;

/// Writes a block's coefficients, as [`super::pack`] says.
pub(super) fn pack(block: Packing<'_>) -> bool {
    let Packing { lane, mag_sgn, out, shape, width, height, most_bits, shift, .. } = block;
    let row = width.div_ceil(2);
    let value = |sample: u32| {
        let magnitude = match sample {
            0 => 0,
            _ if shift < 0 => sample >> 1,
            _ => (sample | 1) << shift,
        };
        if sample & 1 == 1 { magnitude.wrapping_neg() } else { magnitude }
    };
    magnitudes::decode(lane, shape, most_bits, mag_sgn, |line, column, samples| {
        let [top_left, bottom_left, top_right, bottom_right] = samples.map(value);
        let right = if 2 * column + 1 < width { 16 } else { u32::BITS };
        let word = |left: u32, sample: u32| left & 0xFFFF | sample.checked_shl(right).unwrap_or(0);
        let at = 2 * line * row + column;
        out[at] = word(top_left, top_right);
        if 2 * line + 1 < height {
            out[at + row] = word(bottom_left, bottom_right);
        }
    })
}

/// Writes a block's coefficients, as [`super::coefficients`] says.
pub(super) fn coefficients(block: Wide<'_>, out: &mut [u32]) -> bool {
    let Wide { lane, mag_sgn, shape, most_bits, plane, .. } = block;
    let stride = 2 * shape.stride;
    let value = |sample: u32| (sample & !1 | u32::from(sample != 0)) << plane | sample << 31;
    magnitudes::decode(lane, shape, most_bits, mag_sgn, |line, column, samples| {
        let [top_left, bottom_left, top_right, bottom_right] = samples.map(value);
        let at = 2 * line * stride + 2 * column;
        (out[at], out[at + 1]) = (top_left, top_right);
        (out[at + stride], out[at + stride + 1]) = (bottom_left, bottom_right);
    })
}
