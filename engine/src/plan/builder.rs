//! Makes a [`Plan`]: gathers the compressed blocks that a window needs, then lays out its cells.

use super::cell::CellBuilder;
use super::coverage::{ResolutionWindow, covered_tiles, resolution_windows, wanted_resolution};
use super::gather::{Gatherer, TileBlocks};
use super::{Cell, CellSize, Plan};
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::data_bin::DataBins;
use crate::error::{CodestreamError, Error, RequestError, Result};
use crate::geometry::Rect;
use crate::limits::{Budget, Limits};
use std::sync::Arc;

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

/// One tile as far as its header is known.
#[derive(Clone, Debug)]
pub struct PlannedTile {
    /// Its parameters and geometry.
    pub tile: Arc<Tile>,
    /// Its header has arrived. If not, its packets cannot be read yet.
    pub known: bool,
}

/// How much of what the request needs was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// For each resolution level, coarsest first: packets present and packets needed.
    pub resolutions: Vec<(u64, u64)>,
    /// Precincts of the coarsest resolution of which nothing is there: the picture has holes.
    pub holes: u64,
    /// Precincts with a packet header that makes no sense; the packets before it are used.
    pub damaged_precincts: u64,
    /// The first broken packet header that was met, and where it is.
    pub damage: Option<CodestreamError>,
    /// Code-blocks whose support meets the window.
    pub blocks_needed: u64,
    /// Of those, blocks that hold coded data and are decoded.
    pub blocks_coded: u64,
    /// Compressed bytes of the code-blocks that are decoded.
    pub compressed_bytes: u64,
}

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

/// The output grid: reference grid divided by the finest sub-sampling of the components, and by
/// `2^reduce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutputGrid {
    pub(super) dx: u32,
    pub(super) dy: u32,
    pub(super) reduce: u32,
}

impl OutputGrid {
    fn new(header: &MainHeader, components: &[u32], reduce: u32) -> Self {
        let used = || components.iter().map(|&c| header.size.components[c as usize]);
        Self {
            dx: used().map(|c| u32::from(c.dx)).min().unwrap_or(1),
            dy: used().map(|c| u32::from(c.dy)).min().unwrap_or(1),
            reduce,
        }
    }

    pub(super) fn rect(self, region: Rect) -> Rect {
        region.ceil_div(self.dx, self.dy).ceil_shift(self.reduce)
    }

    /// The samples of a component that `region` (reference grid) needs, on the component's reduced grid.
    pub(super) fn plane(self, header: &MainHeader, component: u32, region: Rect, widen: bool) -> Rect {
        let size = header.size.components[component as usize];
        let (dx, dy) = (u32::from(size.dx), u32::from(size.dy));
        let whole = header.size.image.ceil_div(dx, dy).ceil_shift(self.reduce);
        let mut plane = region.ceil_div(dx, dy).ceil_shift(self.reduce);
        if widen {
            let output = self.rect(region);
            // Between which samples an output column or row lies, and with registrations one more on each side.
            let more = u32::from(!header.registrations.is_empty());
            let around = |from: u32, to: u32, step: u32, d: u32| {
                let floor = |x: u32| (u64::from(x) * u64::from(step) / u64::from(d)) as u32;
                let next = u32::from(step != d) + more;
                (floor(from).saturating_sub(more), floor(to.saturating_sub(1)).saturating_add(1 + next))
            };
            let (x0, x1) = around(output.x0, output.x1, self.dx, dx);
            let (y0, y1) = around(output.y0, output.y1, self.dy, dy);
            plane = Rect::new(plane.x0.min(x0), plane.y0.min(y0), plane.x1.max(x1), plane.y1.max(y1));
            // A last column or row may have no sample of its own: the nearest stands in.
            plane.x0 = plane.x0.min(whole.x1.saturating_sub(1)).max(whole.x0);
            plane.y0 = plane.y0.min(whole.y1.saturating_sub(1)).max(whole.y0);
        }
        plane.intersect(whole)
    }
}

/// Plans a decode. Bins that are missing or cut leave their blocks out; [`Coverage`] says how many.
///
/// # Errors
/// Broken headers, a feature that is not supported, too few resolution levels, or a limit.
pub fn build(
    header: &MainHeader,
    tiles: &dyn Fn(u32) -> Result<PlannedTile>,
    bins: &dyn DataBins,
    codestream: u32,
    request: &PlanRequest,
    limits: &Limits,
) -> Result<(Plan, Coverage)> {
    let grid = OutputGrid::new(header, &request.components, request.reduce);
    let mut plan = Plan { window: grid.rect(request.region), ..Plan::default() };
    let mut budget = Budget::new(limits);
    budget.take("bytes of a request, with its output,", request.output_bytes)?;
    let mut gatherer = Gatherer::new(bins, codestream, header, request.layers, limits, budget);
    let mut work = Vec::new();
    let mut bands = 0u64;
    for index in covered_tiles(header, reach(header, request, request.region)) {
        let PlannedTile { tile, known } = tiles(index)?;
        let records = tile.resolution_count();
        bands += records;
        // A record costs more than a code-block.
        let most = limits.max_code_blocks / 4;
        Limits::check("resolution levels of tiles in a request", bands, most)?;
        gatherer.budget.take("bytes of a request, with its tiles,", records * RESOLUTION_BYTES)?;
        let mut components = Vec::new();
        for component in needed_components(&tile, request) {
            let tile_component = &tile.components[component as usize];
            let finest = wanted_resolution(tile_component, request.reduce).ok_or_else(|| {
                RequestError::TooFewLevels {
                    reduce: request.reduce,
                    tile: index,
                    component,
                    levels: tile_component.resolutions.len() as u32 - 1,
                }
            })?;
            let plane = grid.plane(header, component, request.region, request.widen);
            let output = plane.intersect(tile_component.resolutions[finest].rect);
            let windows = component_windows(&tile, component, output, finest);
            let blocks = gatherer.component(&mut plan, &tile, known, component, &windows)?;
            components.push(ComponentWork { component, finest, blocks });
        }
        gatherer.note_damage(|| bins.damage(codestream, index));
        work.push(TileWork { tile, components });
    }
    let (coverage, mut budget) = gatherer.finish(&mut plan);
    plan.cells = cells(header, &grid, request, &plan, &work, limits)?;
    budget.take("bytes of a request, with its jobs,", plan.cells.iter().map(Cell::job_bytes).sum())?;
    let samples = plan.cells.iter().map(|cell| u64::from(cell.arena_words) * 4).max().unwrap_or(0);
    budget.fits("bytes of a request, with the samples of a cell,", samples)?;
    Ok((plan, coverage))
}

/// Lays out all cells, as large as they may be.
fn cells(
    header: &MainHeader,
    grid: &OutputGrid,
    request: &PlanRequest,
    plan: &Plan,
    work: &[TileWork],
    limits: &Limits,
) -> Result<Vec<Cell>> {
    let mut size = request.cells;
    // Cells of the CPU are small: each of many workers has one.
    let share = if size.buffer_bytes <= CellSize::CPU.buffer_bytes { 16 } else { 4 };
    size.buffer_bytes = size.buffer_bytes.min(limits.max_bytes / share);
    // Three more: the component transform may need components that were not asked for.
    let mut side = size.first_side(plan.window.size(), request.components.len() as u64 + 3);
    loop {
        let smaller = CellSize::smaller_side(side, plan.window.size());
        match (cells_of_side(header, grid, request, plan, work, limits, side), smaller) {
            (Ok(cells), Some(smaller)) if !cells.iter().all(|cell| size.holds(cell)) => side = smaller,
            (Err(Error::Limit(_)), Some(smaller)) => side = smaller,
            (result, _) => return result,
        }
    }
}

fn cells_of_side(
    header: &MainHeader,
    grid: &OutputGrid,
    request: &PlanRequest,
    plan: &Plan,
    work: &[TileWork],
    limits: &Limits,
    side: u32,
) -> Result<Vec<Cell>> {
    let regions = cell_regions(grid, request.region, side);
    Limits::check("cells of the output", regions.len() as u64, u64::from(u32::MAX))?;
    let mut cells = Vec::new();
    // Tiles and cells may be many: none of them looks at all of the others.
    let place = |tile: u32| work.binary_search_by_key(&tile, |work| work.tile.index).ok();
    for region in regions {
        let tiles = covered_tiles(header, reach(header, request, region));
        let cell = CellBuilder::new(header, grid, request, region, plan, limits)
            .build(tiles.filter_map(|tile| work.get(place(tile)?)))?;
        if !cell.planes.is_empty() {
            cells.push(cell);
        }
    }
    Ok(cells)
}

/// What one resolution level of a tile-component takes, in the plan and in an indexed file: its geometry with that of
/// its bands, and its parameters.
const RESOLUTION_BYTES: u64 = 512;

/// Windows of all resolutions of one tile-component; empty ones if `output` is.
pub(super) fn component_windows(
    tile: &Tile,
    component: u32,
    output: Rect,
    finest: usize,
) -> Vec<ResolutionWindow> {
    let transform = tile.parameters.components[component as usize].coding.transform;
    resolution_windows(&tile.components[component as usize], transform, output, finest)
}

/// Whether components 0 to 2 of this tile are to be transformed together.
pub(super) fn transforms_components(tile: &Tile, request: &PlanRequest) -> bool {
    request.component_transform
        && tile.parameters.style.component_transform
        && tile.components.len() >= 3
        && request.components.iter().any(|&c| c < 3)
}

/// The wanted components, and those that the component transform needs beside them.
fn needed_components(tile: &Tile, request: &PlanRequest) -> Vec<u32> {
    let mut needed = request.components.clone();
    if transforms_components(tile, request) {
        needed.extend(0..3);
        needed.sort_unstable();
        needed.dedup();
    }
    needed
}

/// `region` grown to all tiles that widened planes may reach into.
fn reach(header: &MainHeader, request: &PlanRequest, region: Rect) -> Rect {
    if !request.widen {
        return region;
    }
    let step = header.size.components.iter().map(|c| c.dx.max(c.dy)).max().unwrap_or(1);
    // Two samples, and one more of rounding.
    let margin = u32::try_from((3 * u64::from(step)) << request.reduce.min(31)).unwrap_or(u32::MAX);
    region.dilate(margin, header.size.image)
}

/// Cuts the region along multiples of the cell side on the output grid.
fn cell_regions(grid: &OutputGrid, region: Rect, side: u32) -> Vec<Rect> {
    let step =
        |d: u32| u32::try_from((u128::from(side) * u128::from(d)) << grid.reduce.min(32)).unwrap_or(u32::MAX);
    let rows = cuts(region.y0, region.y1, step(grid.dy));
    let columns = cuts(region.x0, region.x1, step(grid.dx));
    let mut cells = Vec::with_capacity(rows.len() * columns.len());
    for &(y0, y1) in &rows {
        cells.extend(columns.iter().map(|&(x0, x1)| Rect::new(x0, y0, x1, y1)));
    }
    cells
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

/// What a decode of `components` gives on the output grid: the reference grid divided by their finest
/// sub-sampling and by `2^reduce`.
#[must_use]
pub fn output_rect(header: &MainHeader, components: &[u32], region: Rect, reduce: u32) -> Rect {
    OutputGrid::new(header, components, reduce).rect(region)
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
