//! What was found for a window, tile by tile: geometry, and the coded blocks in it.

use crate::codestream::sub_band::SubBand;
use crate::codestream::tile::Tile;
use crate::geometry::Rect;
use std::sync::Arc;

/// One tile with everything the window needs of it.
pub(super) struct TileWork {
    pub(super) tile: Arc<Tile>,
    /// Needed components in ascending order.
    pub(super) components: Vec<ComponentWork>,
}

pub(super) struct ComponentWork {
    pub(super) component: u32,
    pub(super) finest: usize,
    pub(super) blocks: TileBlocks,
}

/// The coded blocks of one sub-band: (row, column) of the code-block grid, plan index, rectangle. In that order
/// once all are found.
pub(super) type BandBlocks = Vec<((u32, u32), u32, Rect)>;

/// The coded blocks of one tile-component inside a window, by place.
#[derive(Default)]
pub(super) struct TileBlocks {
    /// One entry for each band of each resolution.
    pub(super) bands: Vec<Vec<BandBlocks>>,
}

impl TileBlocks {
    /// Blocks of one band that meet `window` (band grid), with their rectangles, in raster order.
    pub(super) fn meeting<'a>(
        &'a self,
        resolution: usize,
        band: usize,
        sub_band: &SubBand,
        window: Rect,
    ) -> impl Iterator<Item = (u32, Rect)> + use<'a> {
        let (xcb, ycb) = (sub_band.code_block_width_exponent, sub_band.code_block_height_exponent);
        let blocks =
            self.bands.get(resolution).and_then(|bands| bands.get(band)).map_or(&[][..], Vec::as_slice);
        let span = |from: u32, to: u32, exponent: u8| {
            if window.is_empty() || blocks.is_empty() {
                0..0
            } else {
                (from >> exponent)..((to - 1) >> exponent) + 1
            }
        };
        let columns = span(window.x0, window.x1, xcb);
        span(window.y0, window.y1, ycb).flat_map(move |row| {
            let first = blocks.partition_point(|block| block.0 < (row, columns.start));
            let end = (row, columns.end);
            blocks[first..]
                .iter()
                .take_while(move |block| block.0 < end)
                .map(|&(_, index, rect)| (index, rect))
        })
    }
}
