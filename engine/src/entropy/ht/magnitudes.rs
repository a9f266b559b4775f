//! The other half of the clean-up pass: exponents, and from them the signs and magnitudes (T.814 7.3.7, 7.3.8).

use super::clean_up::{Lane, MAX_QUADS, Shape};
use super::mag_sgn::MagSgn;
use super::tables::{KNOWN_SHIFT, ONES_SHIFT, SIGNIFICANT_SHIFT};

/// The samples of a block, in rows of whole quads: twice the magnitude, plus 1 if negative. The magnitude is
/// in units of the clean-up pass's bit-plane.
pub(crate) type Samples = [u32; 4 * MAX_QUADS];

/// Decodes the samples of a block, row by row `2 * shape.stride` apart. `most_bits`: of a sample, at most
/// 31. `false`: one has more.
pub(crate) fn decode(
    lane: &Lane,
    shape: Shape,
    most_bits: u32,
    mag_sgn: &mut MagSgn,
    samples: &mut Samples,
) -> bool {
    let width = 2 * shape.stride;
    // What the samples above are, one column to the left and one to the right of the block too.
    let mut above = [0_u32; 1024 + 16];
    let (mut position, mut all) = (0, 0);
    for line in 0..shape.lines {
        let first = line * shape.stride;
        let (quads, residuals) = (&lane.quads()[first..], &lane.residuals()[first..]);
        let (top, bottom) = samples[2 * line * width..][..2 * width].split_at_mut(width);
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
            let sample = |n: u32, position: &mut usize| {
                if significant >> n & 1 == 0 {
                    return 0;
                }
                let known = quad >> (KNOWN_SHIFT + n) & 1;
                let length = bits - known;
                let low = MagSgn::window(stream, *position) as u32 & ((1 << length) - 1);
                *position += length as usize;
                low + ((quad >> (ONES_SHIFT + n) & 1) << length) + 2
            };
            let mut place = |n| sample(n, &mut position);
            let quad = [place(0), place(1), place(2), place(3)];
            all |= quad[0] | quad[1] | quad[2] | quad[3];
            (top[2 * column], top[2 * column + 1]) = (quad[0], quad[2]);
            (bottom[2 * column], bottom[2 * column + 1]) = (quad[1], quad[3]);
            // The highest bit of 2 m - 1 is the exponent.
            above[2 * column + 1] = quad[1].saturating_sub(2) | u32::from(quad[1] != 0);
            above[2 * column + 2] = quad[3].saturating_sub(2) | u32::from(quad[3] != 0);
        }
        top[2 * shape.quads..].fill(0);
        bottom[2 * shape.quads..].fill(0);
    }
    // 2 m + 1 with m = 2^(most_bits - 1) is one bit too long.
    all >> most_bits == 0
}
