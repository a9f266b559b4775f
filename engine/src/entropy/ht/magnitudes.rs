//! The other half of the clean-up pass: exponents, and from them the signs and magnitudes (T.814 7.3.7, 7.3.8).

use super::clean_up::{Lane, Shape};
use super::mag_sgn::MagSgn;
use super::tables::{KNOWN_SHIFT, ONES_SHIFT, SIGNIFICANT_SHIFT};

/// Decodes the samples of a block. `most_bits`: of a sample, at most 31. `put` is told the line and the column
/// of each quad, and its samples: top left, bottom left, top right, bottom right. A sample is twice its magnitude
/// in units of the clean-up pass's bit-plane, plus 1 if it is negative. `false`: one has more bits.
pub(crate) fn decode(
    lane: &Lane,
    shape: Shape,
    most_bits: u32,
    mag_sgn: &mut MagSgn,
    mut put: impl FnMut(usize, usize, [u32; 4]),
) -> bool {
    // What the samples above are, one column to the left and one to the right of the block too.
    let mut above = [0_u32; 1024 + 3];
    let (mut position, mut all) = (MagSgn::START, 0);
    for line in 0..shape.lines {
        let first = line * shape.stride;
        let (quads, residuals) = (&lane.quads()[first..], &lane.residuals()[first..]);
        let mut left = 0;
        for column in 0..shape.quads {
            let (quad, residual) = (quads[column], residuals[column]);
            let significant = quad >> SIGNIFICANT_SHIFT & 15;
            let exponent = if significant.count_ones() > 1 {
                let near = left | above[2 * column + 1] | above[2 * column + 2] | above[2 * column + 3];
                (near | 2).ilog2()
            } else {
                1
            };
            left = above[2 * column + 2];
            let bits = exponent + u32::from(residual);
            if bits > most_bits {
                return false;
            }
            let stream = mag_sgn.up_to(position + 4 * bits as usize);
            let mut sample = |n: u32| {
                if significant >> n & 1 == 0 {
                    return 0;
                }
                let known = quad >> (KNOWN_SHIFT + n) & 1;
                let length = bits - known;
                let low = MagSgn::window(stream, position) as u32 & ((1 << length) - 1);
                position += length as usize;
                low + ((quad >> (ONES_SHIFT + n) & 1) << length) + 2
            };
            let samples = [sample(0), sample(1), sample(2), sample(3)];
            all |= samples[0] | samples[1] | samples[2] | samples[3];
            // The highest bit of 2 m - 1 is the exponent.
            let exponent = |sample: u32| if sample == 0 { 0 } else { (sample - 2) | 1 };
            above[2 * column + 1] = exponent(samples[1]);
            above[2 * column + 2] = exponent(samples[3]);
            put(line, column, samples);
        }
    }
    // 2 m + 1 with m = 2^(most_bits - 1) is one bit too long.
    all >> most_bits == 0
}
