//! Conversions of colours to sRGB: the tables and parameters that packing takes.

use std::fmt;
use std::sync::{Arc, LazyLock};
use wavetile_shaders::colour::{self, ColourParameters, Colours};

/// Rows for three results: factors of three channels from 0 to 1, and a constant.
pub(super) type Affine = [[f64; 4]; 3];
/// Rows of three factors.
pub(super) type Matrix = [[f64; 3]; 3];

/// Colour channels from 0 to 1 to sRGB.
#[derive(Clone, PartialEq)]
pub(super) struct Conversion {
    /// Table positions count from the first word of `tables`.
    parameters: ColourParameters,
    tables: Arc<[u32]>,
}

impl fmt::Debug for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameters, tables } = self;
        f.debug_struct("Conversion").field("parameters", parameters).field("words", &tables.len()).finish()
    }
}

/// Entries of a curve: between them a straight line is within a 16-bit step of the curve of sRGB.
const CURVE_ENTRIES: usize = 4096;

/// Linear light to sRGB's own values.
static ENCODING: LazyLock<Vec<u32>> = LazyLock::new(|| entries(encode));

/// CIE XYZ under D50 to linear light of sRGB's primaries: the inverse of the colorants that the usual ICC profiles of
/// sRGB hold (0x6FA2, 0x38F5, 0x0390 for red, and so on), so that those convert nothing.
pub(super) const XYZ_D50_TO_SRGB: Matrix = [
    [3.134_112_2, -1.617_392_5, -0.490_633_4],
    [-0.978_787_3, 1.916_279_6, 0.033_454_7],
    [0.071_983_0, -0.228_985_9, 1.405_385_1],
];

impl Conversion {
    /// An affine map is all there is.
    pub(super) fn affine(rows: Affine) -> Self {
        let parameters = ColourParameters {
            steps: ColourParameters::AFFINE,
            affine: rows.map(|row| row.map(|value| value as f32)),
            ..ColourParameters::default()
        };
        Self { parameters, tables: Arc::from([]) }
    }

    /// Light is taken away by black ink after that.
    #[must_use]
    pub(super) fn with_black(mut self) -> Self {
        self.parameters.steps |= ColourParameters::BLACK;
        self
    }

    /// An affine map (none: the channels as they are), a curve for each result, a matrix to linear light, and the
    /// curve of sRGB.
    pub(super) fn shaper(affine: Option<Affine>, curves: [&dyn Fn(f64) -> f64; 3], matrix: &Matrix) -> Self {
        let mut conversion = Self::affine(affine.unwrap_or_default());
        if affine.is_none() {
            conversion.parameters.steps = 0;
        }
        let mut tables: Vec<u32> = curves.into_iter().flat_map(entries).collect();
        let encoding = tables.len() as u32;
        tables.extend(&*ENCODING);
        conversion.parameters.steps |= ColourParameters::CURVES | ColourParameters::MATRIX;
        conversion.parameters.curve_length = CURVE_ENTRIES as u32;
        conversion.parameters.encoding = encoding;
        conversion.parameters.encoding_length = CURVE_ENTRIES as u32;
        conversion.parameters.matrix = matrix.map(|[r, g, b]| [r as f32, g as f32, b as f32, 0.0]);
        conversion.tables = tables.into();
        conversion
    }

    /// Colours looked up in a lattice of `side` points along each of three or four `dimensions`, the last of which
    /// (black, of four) moves fastest. `points`: red, green and blue of each.
    pub(super) fn lattice(dimensions: u32, side: u32, points: &[f32]) -> Self {
        let word = |value: f32| (value.clamp(0.0, 1.0) * 65_535.0).round() as u32;
        let tables = points.chunks_exact(3).flat_map(|point| {
            let [red, green, blue] = [point[0], point[1], point[2]].map(word);
            [red | green << 16, blue]
        });
        let parameters = ColourParameters {
            steps: ColourParameters::LATTICE,
            lattice_side: side,
            lattice_dimensions: dimensions,
            ..ColourParameters::default()
        };
        Self { parameters, tables: tables.collect() }
    }

    /// Whether it leaves all colours as they are, to less than a step of 8 bits.
    pub(super) fn changes_nothing(&self) -> bool {
        const SIDE: usize = 17;
        let value = |step: usize| step as f32 / (SIDE - 1) as f32;
        (0..SIDE.pow(3)).all(|n| {
            let colour = [value(n % SIDE), value(n / SIDE % SIDE), value(n / SIDE / SIDE)];
            let made = self.convert(colour, 0.0);
            made.iter().zip(colour).all(|(made, colour)| (made - colour).abs() < 1.0 / 255.0)
        })
    }

    /// One colour with this much black.
    pub(super) fn convert(&self, colour: [f32; 3], black: f32) -> [f32; 3] {
        let [mut red, mut green, mut blue] = colour.map(|value| [value]);
        let channels = [&mut red[..], &mut green[..], &mut blue[..]];
        colour::run(&self.parameters, &self.tables, Colours { channels, opacity: &[1.0], black: &[black] });
        [red[0], green[0], blue[0]]
    }

    /// The tables.
    pub(super) fn tables(&self) -> &[u32] {
        &self.tables
    }

    /// The parameters where the tables start at word `first`.
    pub(super) fn parameters(&self, first: u32) -> ColourParameters {
        let p = self.parameters;
        ColourParameters {
            curves: p.curves + first,
            encoding: p.encoding + first,
            lattice: p.lattice + first,
            ..p
        }
    }
}

/// sRGB's curve (IEC 61966-2-1): linear light to its values.
fn encode(light: f64) -> f64 {
    if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

fn entries(curve: impl Fn(f64) -> f64) -> Vec<u32> {
    let last = (CURVE_ENTRIES - 1) as f64;
    (0..CURVE_ENTRIES).map(|at| (curve(at as f64 / last) as f32).to_bits()).collect()
}

/// `a` after `b`.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    a.map(|row| [0, 1, 2].map(|column| (0..3).map(|k| row[k] * b[k][column]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(made: [f32; 3], wanted: [f32; 3]) -> bool {
        made.iter().zip(wanted).all(|(made, wanted)| (made - wanted).abs() < 2e-5)
    }

    #[test]
    fn the_curve_of_srgb_is_undone_within_a_step_of_16_bits() {
        let decode = |value: f64| {
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let conversion = Conversion::shaper(None, [&decode, &decode, &decode], &identity);
        assert!(conversion.changes_nothing());
        for n in 0..=1000 {
            let value = n as f32 / 1000.0;
            let colour = [value, 1.0 - value, 0.5 * value];
            assert!(close(conversion.convert(colour, 0.0), colour), "{colour:?}");
        }
        let squares = Conversion::shaper(None, [&|v| v * v, &decode, &decode], &identity);
        assert!(!squares.changes_nothing());
    }

    #[test]
    fn tables_may_stand_anywhere() {
        let conversion = Conversion::lattice(3, 2, &[0.25; 24]);
        assert_eq!(conversion.parameters(7).lattice, 7);
        assert!(close(conversion.convert([0.1, 0.2, 0.9], 0.0), [0.25; 3]));
    }

    #[test]
    fn white_stays_white() {
        // What the three colorants add up to.
        let white = [0.964_28, 0.999_97, 0.825_09];
        for row in XYZ_D50_TO_SRGB {
            let light: f64 = row.iter().zip(white).map(|(a, b)| a * b).sum();
            assert!((light - 1.0).abs() < 1e-4, "{light}");
        }
    }
}
