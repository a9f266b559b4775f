//! Layouts of packed texels: how channels become words, and words channels.

use crate::pack::PackParameters;

/// Bytes of a texel of one of the formats of [`PackParameters::format`].
#[must_use]
pub const fn bytes(format: u32) -> u32 {
    match format {
        PackParameters::R8 => 1,
        PackParameters::RG8 | PackParameters::R16 | PackParameters::R16F => 2,
        PackParameters::RGBA16 | PackParameters::RGBA16F => 8,
        _ => 4,
    }
}

/// The largest value of a channel; 1 of floats.
#[must_use]
pub(crate) const fn top(format: u32) -> u32 {
    match format {
        PackParameters::R8 | PackParameters::RG8 | PackParameters::RGBA8 => 255,
        PackParameters::R16 | PackParameters::RG16 | PackParameters::RGBA16 => 65_535,
        _ => 1,
    }
}

/// Whether channels are floats.
pub(crate) const fn is_float(format: u32) -> bool {
    matches!(format, PackParameters::R16F | PackParameters::RGBA16F | PackParameters::R32F)
}

/// Whether a texel has the first channel alone.
pub(crate) const fn has_one_channel(format: u32) -> bool {
    matches!(format, PackParameters::R8 | PackParameters::R16 | PackParameters::R16F | PackParameters::R32F)
}

/// Texels that are packed together: those of a word, at least one.
pub(crate) const fn together(format: u32) -> u32 {
    4_u32.div_ceil(bytes(format))
}

/// Packs a run of texels, which begins at a word. `values`: of red, green, blue, opacity, integers up to the format's top.
/// `second`: which of them is the second channel of two. Bits of the last word beyond the last texel are 0.
pub(crate) fn write(format: u32, values: [&[u32]; 4], second: usize, words: &mut [u32]) {
    let [red, green, blue, alpha] = values;
    match format {
        PackParameters::R8 => {
            for (out, four) in words.iter_mut().zip(red.chunks(4)) {
                *out = four.iter().rev().fold(0, |word, value| word << 8 | value);
            }
        }
        PackParameters::RG8 => {
            for (out, (red, green)) in words.iter_mut().zip(red.chunks(2).zip(values[second].chunks(2))) {
                let pair = |at: usize| red.get(at).zip(green.get(at)).map_or(0, |(r, g)| r | g << 8);
                *out = pair(0) | pair(1) << 16;
            }
        }
        PackParameters::RGBA8 => {
            let colours = red.iter().zip(green).zip(blue.iter().zip(alpha));
            for (out, ((r, g), (b, a))) in words.iter_mut().zip(colours) {
                *out = r | g << 8 | b << 16 | a << 24;
            }
        }
        PackParameters::R16 => {
            for (out, pair) in words.iter_mut().zip(red.chunks(2)) {
                *out = pair[0] | pair.get(1).map_or(0, |right| right << 16);
            }
        }
        PackParameters::RG16 => {
            for (out, (r, g)) in words.iter_mut().zip(red.iter().zip(values[second])) {
                *out = r | g << 16;
            }
        }
        _ => {
            let colours = red.iter().zip(green).zip(blue.iter().zip(alpha));
            for (out, ((r, g), (b, a))) in words.chunks_exact_mut(2).zip(colours) {
                out[0] = r | g << 16;
                out[1] = b | a << 16;
            }
        }
    }
}

/// The same for formats of floats: numbers from 0 to 1.
pub(crate) fn write_floats(format: u32, numbers: [&[f32]; 4], words: &mut [u32]) {
    let [red, green, blue, alpha] = numbers;
    match format {
        PackParameters::R32F => {
            for (out, red) in words.iter_mut().zip(red) {
                *out = red.to_bits();
            }
        }
        PackParameters::R16F => {
            for (out, pair) in words.iter_mut().zip(red.chunks(2)) {
                *out = to_half(pair[0]) | pair.get(1).map_or(0, |&right| to_half(right) << 16);
            }
        }
        _ => {
            let colours = red.iter().zip(green).zip(blue.iter().zip(alpha));
            for (out, ((&r, &g), (&b, &a))) in words.chunks_exact_mut(2).zip(colours) {
                out[0] = to_half(r) | to_half(g) << 16;
                out[1] = to_half(b) | to_half(a) << 16;
            }
        }
    }
}

/// The bits of the nearest 16-bit float, halves to even, of a number from 0 to 1.
pub(crate) fn to_half(number: f32) -> u32 {
    let bits = number.to_bits();
    if bits < LEAST_NORMAL {
        // Multiples of 2^-24; 1024 of them are the least normal number, whose bits are 1024.
        return (number * HALF_STEPS).round_ties_even() as u32;
    }
    (bits - REBIAS + 0xFFF + (bits >> 13 & 1)) >> 13
}

crate::shared::shared! {
    /// The bits of 2^-14, the least normal number of 16 bits.
    const LEAST_NORMAL: u32 = 0x3880_0000;
    /// Below it, numbers of 16 bits are multiples of one over this.
    const HALF_STEPS: f32 = 16777216.0;
    /// What exponents of 32-bit floats exceed those of 16-bit ones by.
    const REBIAS: u32 = 0x3800_0000;
}

fn from_half(half: u16) -> f32 {
    let magnitude = u32::from(half & 0x7FFF);
    let sign = if half >> 15 == 0 { 1.0 } else { -1.0 };
    let number = match magnitude >> 10 {
        0 => magnitude as f32 / HALF_STEPS,
        31 => f32::from_bits(0x7F80_0000 | (magnitude & 0x3FF) << 13),
        _ => f32::from_bits((magnitude << 13) + REBIAS),
    };
    sign * number
}

/// The channels of a packed texel, as a texture gives them to a shader: scaled to 0 to 1, absent colours 0, absent opacity 1
/// (of formats of 16-bit integers, whose absent opacity is the integer 1, that over 65535). `srgb`: colours of 8 bits are made
/// linear, as an sRGB view does. `texel`: [`bytes`] bytes in little-endian order; what is missing counts as 0.
#[must_use]
pub fn unpack(format: u32, srgb: bool, texel: &[u8]) -> [f32; 4] {
    let byte = |at: usize| f32::from(texel.get(at).copied().unwrap_or(0)) / 255.0;
    let half_word = |at: usize| {
        let byte = |at: usize| texel.get(at).copied().unwrap_or(0);
        u16::from_le_bytes([byte(2 * at), byte(2 * at + 1)])
    };
    let colour = |at: usize| if srgb { linear(byte(at)) } else { byte(at) };
    let word = |at: usize| f32::from(half_word(at)) / 65_535.0;
    let one = 1.0 / 65_535.0;
    match format {
        PackParameters::R8 => [colour(0), 0.0, 0.0, 1.0],
        PackParameters::RG8 => [colour(0), colour(1), 0.0, 1.0],
        PackParameters::RGBA8 => [colour(0), colour(1), colour(2), byte(3)],
        PackParameters::R16 => [word(0), 0.0, 0.0, one],
        PackParameters::RG16 => [word(0), word(1), 0.0, one],
        PackParameters::RGBA16 => [0, 1, 2, 3].map(word),
        PackParameters::R16F => [from_half(half_word(0)), 0.0, 0.0, 1.0],
        PackParameters::RGBA16F => [0, 1, 2, 3].map(|at| from_half(half_word(at))),
        _ => {
            let bits = u32::from(half_word(0)) | u32::from(half_word(1)) << 16;
            [f32::from_bits(bits), 0.0, 0.0, 1.0]
        }
    }
}

/// An sRGB value as light (IEC 61966-2-1).
fn linear(value: f32) -> f32 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_from_0_to_1_comes_back_and_numbers_between_go_to_the_nearer() {
        let halves: Vec<f32> = (0..=0x3C00).map(from_half).collect();
        assert_eq!((halves[0], halves[0x3C00], halves[1]), (0.0, 1.0, 2.0_f32.powi(-24)));
        for (bits, pair) in (0..).zip(halves.windows(2)) {
            let [low, high] = [pair[0], pair[1]];
            assert!(low < high);
            assert_eq!((to_half(low), to_half(high)), (bits, bits + 1));
            let middle = f32::midpoint(low, high);
            assert_eq!(to_half(middle), bits + (bits & 1), "to even");
            assert_eq!([to_half(middle.next_down()), to_half(middle.next_up())], [bits, bits + 1]);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let values = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]];
        let slices = values.each_ref().map(|values| &values[..]);
        let numbers = values.map(|values| values.map(|value: u32| value as f32 / 16.0));
        let floats = numbers.each_ref().map(|numbers| &numbers[..]);
        for format in 0..PackParameters::FORMATS {
            let texel = bytes(format) as usize;
            let mut words = vec![0; (3 * texel).div_ceil(4)];
            if is_float(format) {
                write_floats(format, floats, &mut words);
            } else {
                write(format, slices, 1, &mut words);
            }
            let packed: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let scale = if is_float(format) { 16.0 } else { top(format) as f32 };
            for at in 0..3 {
                let channels = unpack(format, false, &packed[at * texel..]);
                let channels = channels.map(|channel| (channel * scale).round() as u32);
                let expected = [0, 1, 2, 3].map(|channel| values[channel][at]);
                let there = if has_one_channel(format) {
                    1
                } else if texel == 8 || format == PackParameters::RGBA8 {
                    4
                } else {
                    2
                };
                assert_eq!(channels[..there], expected[..there], "{format}");
            }
        }
    }

    #[test]
    fn an_srgb_view_makes_colours_linear_and_leaves_opacity() {
        let [red, green, blue, alpha] = unpack(PackParameters::RGBA8, true, &[0, 188, 255, 188]);
        assert_eq!([red, blue, alpha], [0.0, 1.0, 188.0 / 255.0]);
        assert!((green - 0.503).abs() < 0.001);
        assert_eq!(unpack(PackParameters::RGBA16, false, &[255]), [255.0 / 65_535.0, 0.0, 0.0, 0.0]);
    }
}
