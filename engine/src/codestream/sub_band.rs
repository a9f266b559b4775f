//! Sub-bands (T.800 B.5) and the code-blocks they are cut into (B.7).

use super::code_block::{CodeBlockGrid, Orientation};
use crate::geometry::Rect;

/// The geometry and the quantisation of one sub-band of a tile-component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubBand {
    /// Which filters it has passed.
    pub orientation: Orientation,
    /// Its coefficients on the sub-band's grid; possibly empty.
    pub rect: Rect,
    /// Bit-planes of a magnitude, without region of interest ("Mb" = G + exponent - 1, T.800 E-2).
    pub bit_planes: u8,
    /// Quantiser step ("Delta_b", T.800 E-3); 1 where the wavelet is reversible.
    pub step: f32,
    /// log2 of the code-block width in force ("xcb'", T.800 B-17), 0 to 10.
    pub code_block_width_exponent: u8,
    /// log2 of the code-block height in force ("ycb'", T.800 B-18), 0 to 10.
    pub code_block_height_exponent: u8,
}

impl SubBand {
    /// The code-blocks of a precinct, given its rectangle on this band's grid
    /// ([`Resolution::precinct_band_rect`](super::resolution::Resolution::precinct_band_rect)).
    #[must_use]
    pub const fn code_blocks(&self, precinct_band_rect: Rect) -> CodeBlockGrid {
        CodeBlockGrid::new(
            precinct_band_rect,
            self.code_block_width_exponent,
            self.code_block_height_exponent,
        )
    }

    /// The sub-band of a tile-component at decomposition `level`, 1 to 32 (or 0 for the LL band of a
    /// component that is not decomposed), T.800 B-15.
    pub(super) fn rect_at(tile_component: Rect, orientation: Orientation, level: u32) -> Rect {
        let (high_x, high_y) = orientation.high_pass();
        let edge = |position: u32, high: bool| {
            let offset = if high { 1i64 << (level - 1) } else { 0 };
            let scale = 1i64 << level;
            // Never negative: the offset is at most half the scale.
            ((i64::from(position) - offset + scale - 1) >> level) as u32
        };
        Rect::new(
            edge(tile_component.x0, high_x),
            edge(tile_component.y0, high_y),
            edge(tile_component.x1, high_x),
            edge(tile_component.y1, high_y),
        )
    }
}
