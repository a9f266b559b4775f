//! From CIELab to sRGB.

use super::conversion::{Affine, Conversion, Matrix, XYZ_D50_TO_SRGB, product};
use crate::boxes::CieLab;

impl CieLab {
    /// The conversion for samples of these depths; an error tells why there is none.
    pub(super) fn conversion(&self, depths: [u8; 3]) -> Result<Conversion, String> {
        let white = white_of(self.illuminant)
            .ok_or_else(|| format!("CIELab under illuminant {:#010x}", self.illuminant))?;
        // A channel from 0 to 1 is scale * channel + shift in L*, a* or b*.
        let place = |c: usize| {
            let range = f64::from(self.ranges[c]);
            let most = f64::from(u32::MAX >> 32_u32.saturating_sub(u32::from(depths[c])));
            (range, -f64::from(self.offsets[c]) * range / most)
        };
        let [l, a, b] = [place(0), place(1), place(2)];
        // f(X), f(Y), f(Z) of the CIE's definition, halved so that a curve takes them up to 2.
        let y = [l.0 / 116.0, (l.1 + 16.0) / 116.0];
        let halved: Affine = [
            [y[0], a.0 / 500.0, 0.0, y[1] + a.1 / 500.0],
            [y[0], 0.0, 0.0, y[1]],
            [y[0], 0.0, -b.0 / 200.0, y[1] - b.1 / 200.0],
        ]
        .map(|row| row.map(|value| value / 2.0));
        let curve = |half: f64| {
            let t = 2.0 * half;
            if t > 6.0 / 29.0 { t.powi(3) } else { 3.0 * (6.0_f64 / 29.0).powi(2) * (t - 4.0 / 29.0) }
        };
        let from_ratios: Matrix = [[white[0], 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, white[1]]];
        let to_d50 = product(&adaptation(white), &from_ratios);
        let matrix = product(&XYZ_D50_TO_SRGB, &to_d50);
        Ok(Conversion::shaper(Some(halved), [&curve, &curve, &curve], &matrix))
    }
}

/// X and Z of the illuminants that have a number of their own, for Y = 1 (CIE 15, 2 degree observer).
fn white_of(illuminant: u32) -> Option<[f64; 2]> {
    Some(match illuminant {
        CieLab::D50 => D50,
        // "D65", "D75", "SA", "SC", "F2", "F7", "F11".
        0x0044_3635 => [0.950_47, 1.088_83],
        0x0044_3735 => [0.949_72, 1.226_38],
        0x0000_5341 => [1.098_50, 0.355_85],
        0x0000_5343 => [0.980_74, 1.182_32],
        0x0000_4632 => [0.991_86, 0.673_93],
        0x0000_4637 => [0.950_41, 1.087_47],
        0x0046_3131 => [1.009_62, 0.643_50],
        _ => return None,
    })
}

const D50: [f64; 2] = [0.9642, 0.8249];

/// XYZ under a white to XYZ under D50, by the Bradford transform.
fn adaptation(white: [f64; 2]) -> Matrix {
    const BRADFORD: Matrix =
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
    const INVERSE: Matrix = [
        [0.986_992_9, -0.147_054_3, 0.159_962_7],
        [0.432_305_3, 0.518_360_3, 0.049_291_2],
        [-0.008_528_7, 0.040_042_8, 0.968_486_7],
    ];
    let cones = |[x, z]: [f64; 2]| BRADFORD.map(|row| row[0] * x + row[1] + row[2] * z);
    let (from, to) = (cones(white), cones(D50));
    let mut scale = Matrix::default();
    for c in 0..3 {
        scale[c][c] = to[c] / from[c];
    }
    product(&INVERSE, &product(&scale, &BRADFORD))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 8-bit samples of a colour.
    fn convert(lab: &CieLab, colour: [u8; 3]) -> [f32; 3] {
        let colour = colour.map(|value| f32::from(value) / 255.0);
        lab.conversion([8; 3]).unwrap().convert(colour, 0.0).map(|value| (value * 255.0).round())
    }

    #[test]
    fn default_parameters_give_known_colours() {
        let lab = CieLab::default_for([8; 3]);
        assert_eq!((lab.ranges, lab.offsets), ([100, 170, 200], [0, 128, 96]));
        assert_eq!(convert(&lab, [255, 128, 96]), [255.0; 3]);
        assert_eq!(convert(&lab, [0, 128, 96]), [0.0; 3]);
        // L* 50 is a reflectance of 18.4 %: sRGB 119.
        let [red, green, blue] = convert(&lab, [128, 128, 96]);
        assert!((119.0..=120.0).contains(&red) && red == green && (red - blue).abs() <= 1.0);
        // sRGB red is L* 54.29, a* 80.81, b* 69.89 under D50: 138, 249, 185.
        let [red, green, blue] = convert(&lab, [138, 249, 185]);
        assert!(red >= 253.0 && green <= 6.0 && blue <= 4.0, "{red} {green} {blue}");
    }

    #[test]
    fn explicit_parameters_say_where_zero_is_and_which_white() {
        let lab = CieLab { ranges: [100, 256, 256], offsets: [0, 128, 128], illuminant: 0x0044_3635 };
        assert_eq!(convert(&lab, [255, 128, 128]), [255.0; 3]);
        let [red, green, blue] = convert(&lab, [128, 128, 128]);
        assert!((red - green).abs() <= 1.0 && (red - blue).abs() <= 1.0);
        let unknown = CieLab { illuminant: 0x4354_1388, ..lab };
        assert_eq!(unknown.conversion([8; 3]).unwrap_err(), "CIELab under illuminant 0x43541388");
    }
}
