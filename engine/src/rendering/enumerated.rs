//! Enumerated colour spaces (T.800 I.5.3.3, T.801 M.11.7.3): what their channels are and how they become sRGB.

use super::conversion::{Affine, Conversion, Matrix, XYZ_D50_TO_SRGB};
use super::{RenderChannel, RenderColour};
use crate::boxes::{CieLab, EnumeratedColourSpace};

/// What the channels are in a colour space of this number; `None` if that is not supported.
pub(super) const fn colour_of(space: EnumeratedColourSpace) -> Option<RenderColour> {
    Some(match space.0 {
        0 => RenderColour::InvertedGrey,
        // The second has the full range, as sYCC.
        1 | 4 => RenderColour::VideoYcc,
        3 | 18 => RenderColour::Sycc,
        11 => RenderColour::Cmy,
        12 => RenderColour::Cmyk,
        13 => RenderColour::Ycck,
        14 => RenderColour::CieLab,
        15 | 17 => RenderColour::Grey,
        16 => RenderColour::Rgb,
        20 => RenderColour::EsRgb,
        21 => RenderColour::RommRgb,
        _ => return None,
    })
}

/// How the channels of a picture become sRGB; `None` if they are it.
///
/// # Errors
/// The name of what is not supported.
pub(super) fn conversion(
    colour: RenderColour,
    channels: &[RenderChannel],
    cie_lab: Option<CieLab>,
) -> Result<Option<Conversion>, String> {
    let depth = |c: usize| channels.get(c).map_or(8, |channel| channel.depth);
    let depths = [depth(0), depth(1), depth(2)];
    Ok(Some(match colour {
        RenderColour::Grey | RenderColour::Rgb => return Ok(None),
        RenderColour::InvertedGrey | RenderColour::Cmy => Conversion::affine(LIGHT_LEFT),
        RenderColour::Cmyk => Conversion::affine(LIGHT_LEFT).with_black(),
        RenderColour::Sycc => Conversion::affine(ycc(full_range(depths))),
        RenderColour::Ycck => Conversion::affine(ycc(full_range(depths))).with_black(),
        RenderColour::VideoYcc => Conversion::affine(ycc(video_range(depths))),
        RenderColour::EsRgb => Conversion::affine(extended(depths)),
        RenderColour::RommRgb => Conversion::shaper(None, [&romm, &romm, &romm], &product_with(&ROMM_TO_XYZ)),
        RenderColour::CieLab => cie_lab.unwrap_or_else(|| CieLab::default_for(depths)).conversion(depths)?,
    }))
}

/// Ink takes light away: one less each channel.
const LIGHT_LEFT: Affine = [[-1.0, 0.0, 0.0, 1.0], [0.0, -1.0, 0.0, 1.0], [0.0, 0.0, -1.0, 1.0]];

/// ROMM RGB's primaries (ISO 22028-2) as XYZ under D50.
const ROMM_TO_XYZ: Matrix = [[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0, 0.0, 0.8249]];

/// ROMM RGB's curve (ISO 22028-2): its values to linear light.
fn romm(value: f64) -> f64 {
    if value < 1.0 / 32.0 { value / 16.0 } else { value.powf(1.8) }
}

fn product_with(to_xyz: &Matrix) -> Matrix {
    super::conversion::product(&XYZ_D50_TO_SRGB, to_xyz)
}

/// The largest value of a channel.
fn most(depth: u8) -> f64 {
    2_f64.powi(depth.into()) - 1.0
}

/// A channel's place: `(factor, shift)` to luma from 0 to 1, or chroma from -1/2 to 1/2.
type Place = (f64, f64);

/// The whole range of values; no chroma is in the middle, at `2^(depth - 1)`.
fn full_range(depths: [u8; 3]) -> [Place; 3] {
    let chroma = |depth: u8| (1.0, -2_f64.powi(i32::from(depth) - 1) / most(depth));
    [(1.0, 0.0), chroma(depths[1]), chroma(depths[2])]
}

/// The range of ITU-R BT.601: of 256 steps, 219 from 16 for luma, 224 around 128 for chroma.
fn video_range(depths: [u8; 3]) -> [Place; 3] {
    let place = |depth: u8, zero: f64, steps: f64| {
        let step = 2_f64.powi(i32::from(depth) - 8);
        (most(depth) / (steps * step), -zero / steps)
    };
    [place(depths[0], 16.0, 219.0), place(depths[1], 128.0, 224.0), place(depths[2], 128.0, 224.0)]
}

/// Luma and chroma to red, green and blue, by ITU-R BT.601's weights as sYCC and the ICT take them.
fn ycc(places: [Place; 3]) -> Affine {
    let weights = [[1.0, 0.0, 1.402], [1.0, -0.344_136, -0.714_136], [1.0, 1.772, 0.0]];
    weights.map(|row| {
        let [y, b, r] = [0, 1, 2].map(|c| row[c] * places[c].0);
        [y, b, r, (0..3).map(|c| row[c] * places[c].1).sum()]
    })
}

/// e-sRGB (PIMA 7667): sRGB's values with room below 0 and above 1, which sRGB does not have.
fn extended(depths: [u8; 3]) -> Affine {
    let mut rows = Affine::default();
    for (c, depth) in depths.into_iter().enumerate() {
        let power = |less: i32| 2_f64.powi(i32::from(depth) - less);
        let (zero, one) = (power(2) + power(3), 255.0 * power(9));
        rows[c][c] = most(depth) / one;
        rows[c][3] = -zero / one;
    }
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Samples of a colour to sRGB of 8 bits.
    fn convert(colour: RenderColour, depth: u8, samples: [u32; 4]) -> [f32; 3] {
        let channels = vec![RenderChannel::direct(0, depth, false, (1, 1)); 4];
        let conversion = conversion(colour, &channels, None).unwrap().unwrap();
        let [red, green, blue, black] = samples.map(|sample| sample as f32 / most(depth) as f32);
        conversion.convert([red, green, blue], black).map(|value| (value * 255.0).round())
    }

    #[test]
    fn known_colours() {
        let cases = [
            (RenderColour::InvertedGrey, 1, [1, 0, 0, 0], [0.0, 255.0, 255.0]),
            (RenderColour::Cmy, 8, [255, 0, 55, 0], [0.0, 255.0, 200.0]),
            (RenderColour::Cmyk, 8, [0, 255, 128, 51], [204.0, 0.0, 102.0]),
            (RenderColour::Sycc, 8, [76, 85, 255, 0], [254.0, 0.0, 0.0]),
            (RenderColour::Sycc, 12, [4095, 2048, 2048, 0], [255.0, 255.0, 255.0]),
            (RenderColour::Ycck, 8, [255, 128, 128, 128], [127.0, 127.0, 127.0]),
            (RenderColour::VideoYcc, 8, [235, 128, 128, 0], [255.0, 255.0, 255.0]),
            (RenderColour::VideoYcc, 10, [64, 512, 512, 0], [0.0, 0.0, 0.0]),
            (RenderColour::VideoYcc, 8, [81, 90, 240, 0], [254.0, 0.0, 0.0]),
            (RenderColour::EsRgb, 10, [384, 894, 640, 0], [0.0, 255.0, 128.0]),
            (RenderColour::EsRgb, 16, [24_576, 57_216, 65_535, 0], [0.0, 255.0, 255.0]),
            (RenderColour::RommRgb, 8, [255, 255, 255, 0], [255.0, 255.0, 255.0]),
            (RenderColour::RommRgb, 8, [0, 0, 0, 0], [0.0, 0.0, 0.0]),
        ];
        for (colour, depth, samples, wanted) in cases {
            assert_eq!(convert(colour, depth, samples), wanted, "{colour:?} {depth} {samples:?}");
        }
    }

    #[test]
    fn a_middle_grey_of_romm_rgb_is_grey() {
        // A reflectance of 18.4 %: 0.184^(1/1.8) is 99.6 of 255 there, 119.5 in sRGB.
        let [red, green, blue] = convert(RenderColour::RommRgb, 16, [25_590, 25_590, 25_590, 0]);
        assert!((119.0..=120.0).contains(&red) && red == green && green == blue, "{red} {green} {blue}");
    }
}
