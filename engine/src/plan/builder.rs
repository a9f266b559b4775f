//! Makes a [`Plan`]: gathers the compressed blocks that a window needs, then lays out its cells.

use super::gather::Gatherer;
use super::layout::Layout;
use super::memory::Memory;
use super::output_grid::OutputGrid;
use super::reach::{component_windows, covered_tiles, wanted_resolution};
use super::source::{PlanSource, PlannedTile};
use super::work::{ComponentWork, TileWork};
use super::{Cell, Coverage, Plan, PlanRequest};
use crate::error::{RequestError, Result};
use crate::limits::{Budget, Limits};

/// Plans a decode. Bins that are missing or cut leave their blocks out; [`Coverage`] says how many.
///
/// # Errors
/// Broken headers, a feature that is not supported, too few resolution levels, or a limit.
pub fn build(source: &PlanSource<'_>, request: &PlanRequest) -> Result<(Plan, Coverage)> {
    gather(source, request, None)?.cells(source, request)
}

/// What a window needs, before it is cut into cells.
pub(crate) struct Gathered {
    /// Without cells.
    pub(crate) plan: Plan,
    grid: OutputGrid,
    work: Vec<TileWork>,
    coverage: Coverage,
    budget: Budget,
}

/// Finds the blocks that a window needs; what `memory` holds of their coefficients, without their bytes.
///
/// # Errors
/// As [`build`].
pub(crate) fn gather<'a>(
    source: &PlanSource<'a>,
    request: &PlanRequest,
    memory: Option<&'a dyn Memory>,
) -> Result<Gathered> {
    let &PlanSource { header, tiles, bins, codestream, limits } = source;
    let grid = OutputGrid::new(header, &request.components, request.reduce);
    let mut plan = Plan { window: grid.rect(request.region), ..Plan::default() };
    let mut budget = Budget::new(limits);
    budget.take("bytes of a request, with its output,", request.output_bytes)?;
    let mut gatherer = Gatherer::new(source, request.layers, budget, memory);
    let mut work = Vec::new();
    let mut bands = 0u64;
    for index in covered_tiles(header, request.reach(header, request.region)) {
        let PlannedTile { tile, known } = match memory {
            Some(memory) => memory.tile(index, tiles)?,
            None => tiles(index)?,
        };
        let records = tile.resolution_count();
        bands += records;
        // A record costs more than a code-block.
        let most = limits.max_code_blocks / 4;
        Limits::check("resolution levels of tiles in a request", bands, most)?;
        gatherer.budget.take("bytes of a request, with its tiles,", records * RESOLUTION_BYTES)?;
        let mut components = Vec::new();
        for component in request.needed_components(&tile) {
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
    let (coverage, budget) = gatherer.finish(&mut plan);
    Ok(Gathered { plan, grid, work, coverage, budget })
}

impl Gathered {
    /// Cuts the window into cells.
    ///
    /// # Errors
    /// As [`build`].
    pub(crate) fn cells(self, source: &PlanSource<'_>, request: &PlanRequest) -> Result<(Plan, Coverage)> {
        let Self { mut plan, grid, work, coverage, mut budget } = self;
        let &PlanSource { header, limits, .. } = source;
        plan.cells = Layout { header, grid, request, plan: &plan, work: &work, limits }.cells()?;
        budget.take("bytes of a request, with its jobs,", plan.cells.iter().map(Cell::job_bytes).sum())?;
        let samples = plan.cells.iter().map(|cell| u64::from(cell.arena_words) * 4).max().unwrap_or(0);
        budget.fits("bytes of a request, with the samples of a cell,", samples)?;
        Ok((plan, coverage))
    }
}

/// What one resolution level of a tile-component takes, in the plan and in an indexed file: its geometry with that of
/// its bands, and its parameters.
pub(crate) const RESOLUTION_BYTES: u64 = 512;
