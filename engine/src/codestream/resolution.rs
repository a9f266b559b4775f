//! Resolution levels (T.800 B.5) and the precincts they are cut into (B.6).

use super::sub_band::SubBand;
use crate::error::LimitError;
use crate::geometry::{Rect, ceil_shift, floor_shift};
use crate::limits::Limits;

/// The geometry of one resolution level of a tile-component.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// Its samples on the resolution's grid (T.800 B-14); possibly empty.
    pub rect: Rect,
    /// log2 of the precinct width on the resolution's grid ("PPx"), 0 to 15.
    pub precinct_width_exponent: u8,
    /// log2 of the precinct height on the resolution's grid ("PPy"), 0 to 15.
    pub precinct_height_exponent: u8,
    /// Precincts in a row (T.800 B-16); 0 in an empty resolution.
    pub precincts_wide: u32,
    /// Precincts in a column (T.800 B-16); 0 in an empty resolution.
    pub precincts_high: u32,
    /// Precincts of all coarser resolutions of the tile-component.
    pub first_precinct: u64,
    /// LL in the coarsest resolution; HL, LH, HH in all others.
    pub bands: Vec<SubBand>,
}

impl Resolution {
    /// Cuts `rect` into precincts; `exponents` are (PPx, PPy), at most 15, and at least 1 unless the
    /// only band is LL.
    pub(super) fn new(
        rect: Rect,
        exponents: (u8, u8),
        first_precinct: u64,
        bands: Vec<SubBand>,
    ) -> Result<Self, LimitError> {
        let count = |start: u32, end: u32, exponent: u8| {
            if rect.is_empty() {
                0
            } else {
                ceil_shift(end, exponent.into()) - floor_shift(start, exponent.into())
            }
        };
        let resolution = Self {
            rect,
            precinct_width_exponent: exponents.0,
            precinct_height_exponent: exponents.1,
            precincts_wide: count(rect.x0, rect.x1, exponents.0),
            precincts_high: count(rect.y0, rect.y1, exponents.1),
            first_precinct,
            bands,
        };
        Limits::check("the precincts of a resolution", resolution.precinct_count(), u32::MAX.into())?;
        Ok(resolution)
    }

    /// Number of precincts; at most `u32::MAX`.
    #[must_use]
    pub const fn precinct_count(&self) -> u64 {
        self.precincts_wide as u64 * self.precincts_high as u64
    }

    /// The samples of a precinct (raster index) on the resolution's grid, cut to the resolution; empty if
    /// there is no such precinct.
    #[must_use]
    pub fn precinct_rect(&self, precinct: u32) -> Rect {
        self.cell(precinct, self.precinct_width_exponent, self.precinct_height_exponent).intersect(self.rect)
    }

    /// The coefficients of a precinct in band number `band`, on the band's grid, cut to the band; often empty
    /// at the edges, and if there is no such precinct or band.
    #[must_use]
    pub fn precinct_band_rect(&self, precinct: u32, band: usize) -> Rect {
        let Some(sub_band) = self.bands.get(band) else { return Rect::default() };
        // A high-pass band is half as dense as the resolution.
        let halved = u8::from(sub_band.orientation != super::code_block::Orientation::Ll);
        let width_exponent = self.precinct_width_exponent.saturating_sub(halved);
        let height_exponent = self.precinct_height_exponent.saturating_sub(halved);
        self.cell(precinct, width_exponent, height_exponent).intersect(sub_band.rect)
    }

    /// Raster indices of the precincts that hold a sample of `window` (on the resolution's grid), ascending.
    pub fn precincts_meeting(&self, window: Rect) -> impl Iterator<Item = u32> + use<> {
        let (x, y) = (u32::from(self.precinct_width_exponent), u32::from(self.precinct_height_exponent));
        let window = window.intersect(self.rect);
        let (columns, rows) = if window.is_empty() {
            (0..0, 0..0)
        } else {
            let (first_column, first_row) = (floor_shift(self.rect.x0, x), floor_shift(self.rect.y0, y));
            (
                floor_shift(window.x0, x) - first_column..ceil_shift(window.x1, x) - first_column,
                floor_shift(window.y0, y) - first_row..ceil_shift(window.y1, y) - first_row,
            )
        };
        let wide = self.precincts_wide;
        rows.flat_map(move |row| columns.clone().map(move |column| row * wide + column))
    }

    /// The whole cell of a precinct where cells are `2^width_exponent` by `2^height_exponent`.
    fn cell(&self, precinct: u32, width_exponent: u8, height_exponent: u8) -> Rect {
        if u64::from(precinct) >= self.precinct_count() {
            return Rect::default();
        }
        let column =
            floor_shift(self.rect.x0, self.precinct_width_exponent.into()) + precinct % self.precincts_wide;
        let row =
            floor_shift(self.rect.y0, self.precinct_height_exponent.into()) + precinct / self.precincts_wide;
        let edge = |index: u32, next: u64, exponent: u8| {
            u32::try_from((u64::from(index) + next) << exponent).unwrap_or(u32::MAX)
        };
        Rect::new(
            edge(column, 0, width_exponent),
            edge(row, 0, height_exponent),
            edge(column, 1, width_exponent),
            edge(row, 1, height_exponent),
        )
    }
}
