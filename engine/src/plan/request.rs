//! What a plan is asked for.

use super::CellSize;
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::geometry::Rect;

/// What to plan for.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// On the reference grid, inside the image area, not empty.
    pub region: Rect,
    /// Resolution levels to discard.
    pub reduce: u32,
    /// Quality layers to use at most.
    pub layers: u16,
    /// Components to make, ascending, not empty.
    pub components: Vec<u32>,
    /// Undo the component transform where the tile uses one.
    pub component_transform: bool,
    /// Widen sub-sampled components so that every output pixel finds its sample (for rendering).
    pub widen: bool,
    /// How the output is cut.
    pub cells: CellSize,
    /// Bytes that the result takes.
    pub output_bytes: u64,
}

impl PlanRequest {
    /// Whether components 0 to 2 of this tile are to be transformed together.
    pub(super) fn transforms_components(&self, tile: &Tile) -> bool {
        self.component_transform
            && tile.parameters.style.component_transform
            && tile.components.len() >= 3
            && self.components.iter().any(|&c| c < 3)
    }

    /// The wanted components, and those that the component transform needs beside them.
    pub(super) fn needed_components(&self, tile: &Tile) -> Vec<u32> {
        let mut needed = self.components.clone();
        if self.transforms_components(tile) {
            needed.extend(0..3);
            needed.sort_unstable();
            needed.dedup();
        }
        needed
    }

    /// `region` grown to all tiles that widened planes may reach into.
    pub(super) fn reach(&self, header: &MainHeader, region: Rect) -> Rect {
        if !self.widen {
            return region;
        }
        let step = header.size.components.iter().map(|c| c.dx.max(c.dy)).max().unwrap_or(1);
        // Two samples, and one more of rounding.
        let margin = u32::try_from((3 * u64::from(step)) << self.reduce.min(31)).unwrap_or(u32::MAX);
        region.dilate(margin, header.size.image)
    }
}
