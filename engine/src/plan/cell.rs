//! Lays out one cell: the arena, and the jobs of every pass.

use super::builder::{
    ComponentWork, OutputGrid, PlanRequest, TileWork, component_windows, transforms_components,
};
use super::support::band_window;
use super::{Cell, Level, Plan, PlaneWindow};
use crate::codestream::header::{MainHeader, WaveletTransform};
use crate::codestream::tile::Tile;
use crate::error::{CodestreamError, LimitError, Result};
use crate::geometry::Rect;
use crate::limits::Limits;
use wavetile_shaders::component_transform::ComponentTransformJob;
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_shaders::idwt::IdwtJob;

pub(super) struct CellBuilder<'a> {
    header: &'a MainHeader,
    grid: &'a OutputGrid,
    request: &'a PlanRequest,
    region: Rect,
    plan: &'a Plan,
    max_words: u64,
    words: u64,
    cell: Cell,
}

/// A rectangle of samples in the arena.
#[derive(Clone, Copy)]
struct Window {
    rect: Rect,
    offset: u32,
}

impl Window {
    fn word(self, x: u32, y: u32) -> u32 {
        self.offset + (y - self.rect.y0) * self.rect.width() + (x - self.rect.x0)
    }
}

impl<'a> CellBuilder<'a> {
    pub(super) fn new(
        header: &'a MainHeader,
        grid: &'a OutputGrid,
        request: &'a PlanRequest,
        region: Rect,
        plan: &'a Plan,
        limits: &Limits,
    ) -> Self {
        let cell = Cell { rect: grid.rect(region), ..Cell::default() };
        let max_words = (limits.max_bytes / 4).min(u64::from(u32::MAX));
        Self { header, grid, request, region, plan, max_words, words: 0, cell }
    }

    pub(super) fn build<'w>(mut self, tiles: impl Iterator<Item = &'w TileWork>) -> Result<Cell> {
        for &component in &self.request.components {
            let rect = self.plane_rect(component);
            if !rect.is_empty() {
                let offset = self.allocate(rect)?.offset;
                self.cell.planes.push(PlaneWindow { component, rect, offset, row: rect.width() });
            }
        }
        for work in tiles {
            let mut made = Vec::new();
            for component in &work.components {
                made.push((component.component, self.component(&work.tile, component)?));
            }
            self.transforms(&work.tile, &made)?;
        }
        self.cell.arena_words = self.words as u32;
        Ok(self.cell)
    }

    fn plane_rect(&self, component: u32) -> Rect {
        self.grid.plane(self.header, component, self.region, self.request.widen)
    }

    fn allocate(&mut self, rect: Rect) -> Result<Window> {
        let offset = self.words;
        self.words += rect.area();
        if self.words > self.max_words {
            let (what, wanted, limit) = ("words of samples in a cell", self.words, self.max_words);
            return Err(LimitError { what, wanted, limit }.into());
        }
        Ok(Window { rect, offset: offset as u32 })
    }

    /// Dequantises and reconstructs this cell's part of one tile-component.
    fn component(&mut self, tile: &Tile, work: &ComponentWork) -> Result<Window> {
        let geometry = &tile.components[work.component as usize];
        let output = self.plane_rect(work.component).intersect(geometry.resolutions[work.finest].rect);
        if output.is_empty() {
            return Ok(Window { rect: output, offset: 0 });
        }
        let transform = tile.parameters.components[work.component as usize].coding.transform;
        let windows = component_windows(tile, work.component, output, work.finest);
        let jobs_before = self.cell.dequantise.len();
        let mut low = self.allocate(windows[0].output)?;
        self.dequantise(tile, work, 0, 0, low, transform);
        for (index, window) in windows.iter().enumerate().skip(1) {
            let bands = &geometry.resolutions[index].bands;
            let mut highs = [0u32; 3];
            for (high, (band, sub_band)) in highs.iter_mut().zip(bands.iter().enumerate()) {
                let (high_x, high_y) = sub_band.orientation.high_pass();
                let target = self.allocate(band_window(window.input, high_x, high_y))?;
                self.dequantise(tile, work, index, band, target, transform);
                *high = target.offset;
            }
            let made = self.allocate(window.output)?;
            // Nothing coded so far: the wavelet of zeros is zeros, which is what a cleared arena holds.
            if window.output.is_empty() || self.cell.dequantise.len() == jobs_before {
                low = made;
                continue;
            }
            let job = IdwtJob {
                x0: window.input.x0,
                y0: window.input.y0,
                x1: window.input.x1,
                y1: window.input.y1,
                out_x0: window.output.x0,
                out_y0: window.output.y0,
                out_x1: window.output.x1,
                out_y1: window.output.y1,
                ll: low.offset,
                hl: highs[0],
                lh: highs[1],
                hh: highs[2],
                out: made.offset,
                out_row: window.output.width(),
                padding: [0; 2],
            };
            self.level(index - 1, transform).push(job);
            low = made;
        }
        Ok(low)
    }

    fn level(&mut self, index: usize, transform: WaveletTransform) -> &mut Vec<IdwtJob> {
        if self.cell.levels.len() <= index {
            self.cell.levels.resize_with(index + 1, Level::default);
        }
        match transform {
            WaveletTransform::Reversible53 => &mut self.cell.levels[index].reversible,
            WaveletTransform::Irreversible97 => &mut self.cell.levels[index].irreversible,
        }
    }

    fn dequantise(
        &mut self,
        tile: &Tile,
        work: &ComponentWork,
        resolution: usize,
        band: usize,
        target: Window,
        transform: WaveletTransform,
    ) {
        let sub_band = &tile.components[work.component as usize].resolutions[resolution].bands[band];
        for (block, rect) in work.blocks.meeting(resolution, band, sub_band, target.rect) {
            let planned = &self.plan.blocks[block as usize];
            let part = rect.intersect(target.rect);
            let irreversible = transform == WaveletTransform::Irreversible97;
            let flags = (u32::from(planned.packed_16) * DequantiseJob::PACKED_16)
                | (u32::from(irreversible) * DequantiseJob::IRREVERSIBLE);
            let width = planned.size.width;
            self.cell.dequantise.push(DequantiseJob {
                source: self.cell.upload_words,
                source_row: if planned.packed_16 { width.div_ceil(2) } else { width },
                source_x: part.x0 - rect.x0,
                source_y: part.y0 - rect.y0,
                width: part.width(),
                height: part.height(),
                target: target.word(part.x0, part.y0),
                target_row: target.rect.width(),
                flags,
                // The staging keeps one bit below the last plane, so it counts half steps.
                step: sub_band.step * 0.5,
                padding: [0; 2],
            });
            self.cell.blocks.push(block);
            self.cell.upload_words += planned.staging.len() as u32;
        }
    }

    /// The last pass of one tile: component transform where it is used, level shift, clamping.
    fn transforms(&mut self, tile: &Tile, made: &[(u32, Window)]) -> Result<()> {
        let together = transforms_components(tile, self.request);
        if together {
            self.transform_three(tile, made)?;
        }
        for &(component, window) in made {
            if (!together || component >= 3) && !window.rect.is_empty() {
                let mut job = ComponentTransformJob {
                    width: window.rect.width(),
                    height: window.rect.height(),
                    count: 1,
                    ..ComponentTransformJob::default()
                };
                self.transform_plane(&mut job, 0, tile, component, window)?;
                self.cell.transform.push(job);
            }
        }
        Ok(())
    }

    fn transform_three(&mut self, tile: &Tile, made: &[(u32, Window)]) -> Result<()> {
        let first = made[0].1.rect;
        let kernel = |c: usize| tile.parameters.components[c].coding.transform;
        if made.iter().take(3).any(|(_, window)| window.rect != first)
            || (1..3).any(|c| kernel(c) != kernel(0))
        {
            return Err(CodestreamError::Unsupported {
                feature: format!(
                    "the component transform of tile {} on components of different sizes or wavelets",
                    tile.index
                ),
            }
            .into());
        }
        if first.is_empty() {
            return Ok(());
        }
        let mut job = ComponentTransformJob {
            width: first.width(),
            height: first.height(),
            count: 3,
            flags: match kernel(0) {
                WaveletTransform::Reversible53 => ComponentTransformJob::RCT,
                WaveletTransform::Irreversible97 => ComponentTransformJob::ICT,
            },
            ..ComponentTransformJob::default()
        };
        for (slot, &(component, window)) in made.iter().take(3).enumerate() {
            self.transform_plane(&mut job, slot, tile, component, window)?;
        }
        self.cell.transform.push(job);
        Ok(())
    }

    fn transform_plane(
        &mut self,
        job: &mut ComponentTransformJob,
        slot: usize,
        tile: &Tile,
        component: u32,
        window: Window,
    ) -> Result<()> {
        let size = self.header.size.components[component as usize];
        if tile.parameters.components[component as usize].coding.transform == WaveletTransform::Irreversible97
        {
            job.flags |= ComponentTransformJob::FLOAT_0 << slot;
        }
        job.source[slot] = window.offset;
        job.source_row[slot] = window.rect.width();
        // Components that only the transform needs get a target that nobody reads.
        let wanted = self.cell.planes.iter().find(|plane| plane.component == component).copied();
        let target = match wanted {
            Some(plane) => Window { rect: plane.rect, offset: plane.offset },
            None => self.allocate(window.rect)?,
        };
        job.target[slot] = target.word(window.rect.x0, window.rect.y0);
        job.target_row[slot] = target.rect.width();
        let depth = u32::from(size.depth);
        let half = 1i64 << (depth - 1);
        let (low, high) = if size.signed { (-half, half - 1) } else { (0, 2 * half - 1) };
        job.shift[slot] = if size.signed { 0 } else { half as i32 };
        job.low[slot] = low as i32;
        job.high[slot] = i32::try_from(high).unwrap_or(i32::MAX);
        Ok(())
    }
}
