//! Tile-components (T.800 B.3, B.5): one component's samples in one tile, and their resolutions.

use super::code_block::Orientation;
use super::header::{ComponentParameters, ComponentSize, Quantisation, QuantisationStyle, WaveletTransform};
use super::resolution::Resolution;
use super::sub_band::SubBand;
use crate::error::{CodestreamError, Error, LimitError};
use crate::geometry::Rect;

/// The geometry of one tile-component.
#[derive(Clone, Debug, PartialEq)]
pub struct TileComponent {
    /// The samples on the component's grid (T.800 B-12); empty where sub-sampling leaves none.
    pub rect: Rect,
    /// Resolution levels, coarsest first: one more than decomposition levels.
    pub resolutions: Vec<Resolution>,
    /// Precincts of all resolutions together.
    pub precincts: u64,
}

/// Why there is no such tile-component.
#[derive(Debug)]
pub(super) enum Contradiction {
    Reason(String),
    Limit(LimitError),
}

impl Contradiction {
    pub(super) fn at(self, tile: u32, component: u32) -> Error {
        match self {
            Self::Reason(reason) => CodestreamError::BadTileParameters { tile, component, reason }.into(),
            Self::Limit(error) => error.into(),
        }
    }
}

impl From<String> for Contradiction {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl TileComponent {
    /// `tile`: on the reference grid.
    pub(super) fn new(
        tile: Rect,
        size: ComponentSize,
        parameters: &ComponentParameters,
    ) -> Result<Self, Contradiction> {
        check(parameters)?;
        let rect = tile.ceil_div(size.dx.into(), size.dy.into());
        let levels = u32::from(parameters.coding.levels);
        let mut precincts = 0;
        let mut resolutions = Vec::with_capacity(levels as usize + 1);
        for (r, &(width, height)) in parameters.coding.precinct_exponents.iter().enumerate() {
            let r = r as u32;
            let bands = bands(rect, size, parameters, r)?;
            let resolution = Resolution::new(rect.ceil_shift(levels - r), (width, height), precincts, bands)
                .map_err(Contradiction::Limit)?;
            precincts += resolution.precinct_count();
            resolutions.push(resolution);
        }
        Ok(Self { rect, resolutions, precincts })
    }
}

/// Everything the geometry below takes for granted.
fn check(parameters: &ComponentParameters) -> Result<(), String> {
    let ComponentParameters { coding, quantisation, .. } = parameters;
    if coding.levels > 32 || coding.precinct_exponents.len() != usize::from(coding.levels) + 1 {
        return Err(format!(
            "{} precinct sizes for {} levels",
            coding.precinct_exponents.len(),
            coding.levels
        ));
    }
    if let Some(r) = coding.precinct_exponents.iter().position(|&(w, h)| w > 15 || h > 15) {
        return Err(format!("precincts of resolution {r} exceed 2^15"));
    }
    if let Some(r) = coding.precinct_exponents.iter().skip(1).position(|&(w, h)| w == 0 || h == 0) {
        return Err(format!(
            "precincts of resolution {} are one sample wide or high, which only resolution 0 may have",
            r + 1
        ));
    }
    let (width, height) = (coding.code_block_width_exponent, coding.code_block_height_exponent);
    if !(2..=10).contains(&width) || !(2..=10).contains(&height) || width + height > 12 {
        return Err(format!("code-blocks of 2^{width} x 2^{height}"));
    }
    let reversible = coding.transform == WaveletTransform::Reversible53;
    if reversible && quantisation.style != QuantisationStyle::None {
        return Err("quantisation together with the reversible wavelet".into());
    }
    let bands = 3 * usize::from(coding.levels) + 1;
    let wanted = if quantisation.style == QuantisationStyle::Derived { 1 } else { bands };
    if quantisation.steps.len() < wanted {
        return Err(format!("{} step sizes for {bands} sub-bands (QCD or QCC)", quantisation.steps.len()));
    }
    Ok(())
}

/// The sub-bands of resolution `r`: LL of the coarsest, else HL, LH, HH.
fn bands(
    rect: Rect,
    size: ComponentSize,
    parameters: &ComponentParameters,
    r: u32,
) -> Result<Vec<SubBand>, Contradiction> {
    let ComponentParameters { coding, quantisation, .. } = parameters;
    let levels = u32::from(coding.levels);
    let (orientations, level): (&[Orientation], _) = if r == 0 {
        (&[Orientation::Ll], levels)
    } else {
        (&[Orientation::Hl, Orientation::Lh, Orientation::Hh], levels - r + 1)
    };
    let (precinct_width, precinct_height) = coding.precinct_exponents[r as usize];
    let split = u8::from(r > 0);
    let one = |(i, &orientation): (usize, &Orientation)| {
        let index = if r == 0 { 0 } else { 3 * (r as usize - 1) + 1 + i };
        let (exponent, mantissa) =
            step(quantisation, index, r).ok_or_else(|| format!("no step size for sub-band {index}"))?;
        Ok(SubBand {
            orientation,
            rect: SubBand::rect_at(rect, orientation, level),
            bit_planes: quantisation.guard_bits.saturating_add(exponent).saturating_sub(1),
            step: match coding.transform {
                WaveletTransform::Reversible53 => 1.0,
                WaveletTransform::Irreversible97 => {
                    let range = i32::from(size.depth) + orientation.gain_log2();
                    (1.0 + f32::from(mantissa) / 2048.0) * 2f32.powi(range - i32::from(exponent))
                }
            },
            // T.800 B-17, B-18: a code-block lies inside a precinct.
            code_block_width_exponent: coding.code_block_width_exponent.min(precinct_width - split),
            code_block_height_exponent: coding.code_block_height_exponent.min(precinct_height - split),
        })
    };
    orientations.iter().enumerate().map(one).collect()
}

/// Exponent and mantissa of a sub-band. Where one step is given the others follow from it (T.800 E-5), the
/// exponent falling by one with each resolution after the first two; it stops at 0.
fn step(quantisation: &Quantisation, band: usize, r: u32) -> Option<(u8, u16)> {
    match quantisation.style {
        QuantisationStyle::Derived => {
            let &(exponent, mantissa) = quantisation.steps.first()?;
            Some((exponent.saturating_sub(r.saturating_sub(1) as u8), mantissa))
        }
        QuantisationStyle::None | QuantisationStyle::Expounded => quantisation.steps.get(band).copied(),
    }
}
