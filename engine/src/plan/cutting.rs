//! Cuts the output into cells, as large as they may be.

use super::cell::CellBuilder;
use super::layout::Layout;
use super::output_grid::OutputGrid;
use super::reach::covered_tiles;
use super::{Cell, CellSize};
use crate::error::{Error, Result};
use crate::geometry::Rect;
use crate::limits::Limits;

impl Layout<'_> {
    /// Lays out all cells.
    pub(super) fn cells(&self) -> Result<Vec<Cell>> {
        let Self { request, plan, .. } = *self;
        let mut size = request.cells;
        // Cells of the CPU are small: each of many workers has one.
        let share = if size.buffer_bytes <= CellSize::CPU.buffer_bytes { 16 } else { 4 };
        size.buffer_bytes = size.buffer_bytes.min(self.limits.max_bytes / share);
        // Three more: the component transform may need components that were not asked for.
        let mut side = size.first_side(plan.window.size(), request.components.len() as u64 + 3);
        loop {
            let smaller = CellSize::smaller_side(side, plan.window.size());
            match (self.cells_of_side(side), smaller) {
                (Ok(cells), Some(smaller)) if !cells.iter().all(|cell| size.holds(cell)) => side = smaller,
                (Err(Error::Limit(_)), Some(smaller)) => side = smaller,
                (result, _) => return result,
            }
        }
    }

    fn cells_of_side(&self, side: u32) -> Result<Vec<Cell>> {
        let regions = self.grid.cell_regions(self.request.region, side);
        Limits::check("cells of the output", regions.len() as u64, u64::from(u32::MAX))?;
        let mut cells = Vec::new();
        // Tiles and cells may be many: none of them looks at all of the others.
        let place = |tile: u32| self.work.binary_search_by_key(&tile, |work| work.tile.index).ok();
        for region in regions {
            let tiles = covered_tiles(self.header, self.request.reach(self.header, region));
            let tiles = tiles.filter_map(|tile| self.work.get(place(tile)?));
            let cell = CellBuilder::new(self, region).build(tiles)?;
            if !cell.planes.is_empty() {
                cells.push(cell);
            }
        }
        Ok(cells)
    }
}

impl OutputGrid {
    /// Cuts the region along multiples of the cell side on the output grid.
    fn cell_regions(&self, region: Rect, side: u32) -> Vec<Rect> {
        let step = |d: u32| {
            u32::try_from((u128::from(side) * u128::from(d)) << self.reduce.min(32)).unwrap_or(u32::MAX)
        };
        let rows = cuts(region.y0, region.y1, step(self.dy));
        let columns = cuts(region.x0, region.x1, step(self.dx));
        let mut cells = Vec::with_capacity(rows.len() * columns.len());
        for &(y0, y1) in &rows {
            cells.extend(columns.iter().map(|&(x0, x1)| Rect::new(x0, y0, x1, y1)));
        }
        cells
    }
}

fn cuts(from: u32, to: u32, step: u32) -> Vec<(u32, u32)> {
    let mut cuts = Vec::new();
    let mut start = from;
    while start < to {
        let end = (start - start % step).saturating_add(step).min(to);
        cuts.push((start, end));
        start = end;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::cuts;

    #[test]
    fn cuts_fall_on_absolute_multiples_and_cover_the_range() {
        assert_eq!(cuts(5, 21, 8), [(5, 8), (8, 16), (16, 21)]);
        assert_eq!(cuts(u32::MAX - 3, u32::MAX, 1 << 31), [(u32::MAX - 3, u32::MAX)]);
        assert_eq!(cuts(4, 4, 8), []);
    }
}
