//! Lays out one cell: the arena, and the jobs of every pass.

use super::layout::Layout;
use super::reach::{band_window, component_windows};
use super::work::{ComponentWork, TileWork};
use super::{BlockPart, Cell, PlaneWindow};
use crate::codestream::header::WaveletTransform;
use crate::codestream::tile::Tile;
use crate::error::{CodestreamError, LimitError, Result};
use crate::geometry::Rect;
use std::ops::Range;
use wavetile_shaders::component_transform::ComponentTransformJob;
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_shaders::idwt::IdwtJob;

pub(super) struct CellBuilder<'a> {
    layout: &'a Layout<'a>,
    region: Rect,
    max_words: u64,
    words: u64,
    /// Samples of each of the cell's planes that some tile makes.
    covered: Vec<u64>,
    cell: Cell,
}

/// A rectangle of samples in the arena.
#[derive(Clone, Copy)]
struct Window {
    rect: Rect,
    offset: u32,
    /// Words in a row.
    row: u32,
}

impl Window {
    fn word(self, x: u32, y: u32) -> u32 {
        self.offset + (y - self.rect.y0) * self.row + (x - self.rect.x0)
    }

    /// `rect`, which lies inside, in the same memory.
    fn part(self, rect: Rect) -> Self {
        if rect.is_empty() {
            return Self { rect, ..self };
        }
        Self { rect, offset: self.word(rect.x0, rect.y0), row: self.row }
    }

    /// From its first word to its last.
    fn span(self) -> Range<u32> {
        if self.rect.is_empty() {
            return 0..0;
        }
        self.offset..self.word(self.rect.x1 - 1, self.rect.y1 - 1) + 1
    }
}

impl<'a> CellBuilder<'a> {
    pub(super) fn new(layout: &'a Layout<'a>, region: Rect) -> Self {
        let cell = Cell { rect: layout.grid.rect(region), ..Cell::default() };
        let most = layout.limits.max_bytes.min(layout.request.cells.buffer_bytes);
        let max_words = (most / 4).min(u64::from(u32::MAX));
        Self { layout, region, max_words, words: 0, covered: Vec::new(), cell }
    }

    pub(super) fn build<'w>(mut self, tiles: impl Iterator<Item = &'w TileWork>) -> Result<Cell> {
        for &component in &self.layout.request.components {
            let rect = self.plane_rect(component);
            if !rect.is_empty() {
                let Window { offset, row, .. } = self.allocate(rect)?;
                self.cell.planes.push(PlaneWindow { component, rect, offset, row });
                self.covered.push(0);
            }
        }
        for work in tiles {
            let mut made = Vec::new();
            for component in &work.components {
                made.push((component.component, self.component(&work.tile, component)?));
            }
            self.transforms(&work.tile, &made)?;
        }
        for (plane, &covered) in self.cell.planes.iter().zip(&self.covered) {
            if covered < plane.rect.area() {
                self.cell.clear.push(plane.window().span());
            }
        }
        merge(&mut self.cell.clear);
        self.cell.arena_words = self.words as u32;
        Ok(self.cell)
    }

    fn plane_rect(&self, component: u32) -> Rect {
        let Layout { header, grid, request, .. } = self.layout;
        grid.plane(header, component, self.region, request.widen)
    }

    fn allocate(&mut self, rect: Rect) -> Result<Window> {
        let offset = self.words;
        self.words += rect.area();
        if self.words > self.max_words {
            let (what, wanted, limit) = ("words of samples in a cell", self.words, self.max_words);
            return Err(LimitError { what, wanted, limit }.into());
        }
        Ok(Window { rect, offset: offset as u32, row: rect.width() })
    }

    /// Where the samples of a component end: in its plane, or, if only the component transform needs them,
    /// in memory of their own.
    fn target(&mut self, component: u32, output: Rect) -> Result<Window> {
        match self.cell.planes.iter().position(|plane| plane.component == component) {
            Some(index) => {
                self.covered[index] += output.area();
                Ok(self.cell.planes[index].window().part(output))
            }
            None => self.allocate(output),
        }
    }

    /// Dequantises and reconstructs this cell's part of one tile-component.
    fn component(&mut self, tile: &Tile, work: &ComponentWork) -> Result<Window> {
        let geometry = &tile.components[work.component as usize];
        let output = self.plane_rect(work.component).intersect(geometry.resolutions[work.finest].rect);
        if output.is_empty() {
            return Ok(Window { rect: output, offset: 0, row: 0 });
        }
        let transform = tile.parameters.components[work.component as usize].coding.transform;
        let windows = component_windows(tile, work.component, output, work.finest);
        let made = |cell: &mut Self, index: usize| match index == work.finest {
            true => cell.target(work.component, output),
            false => cell.allocate(windows[index].output),
        };
        let (jobs_before, clears_before) = (self.cell.dequantise.len(), self.cell.clear.len());
        let mut low = made(self, 0)?;
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
            let out = made(self, index)?;
            // Nothing coded so far: the wavelet of zeros is zeros.
            if window.output.is_empty() || self.cell.dequantise.len() == jobs_before {
                self.cell.clear.truncate(clears_before);
                self.cell.clear.push(out.span());
                low = out;
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
                out: out.offset,
                out_row: out.row,
                flags: match transform {
                    WaveletTransform::Reversible53 => 0,
                    WaveletTransform::Irreversible97 => IdwtJob::IRREVERSIBLE,
                },
                padding: 0,
            };
            if self.cell.levels.len() < index {
                self.cell.levels.resize_with(index, Vec::new);
            }
            self.cell.levels[index - 1].push(job);
            low = out;
        }
        Ok(low)
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
        let mut covered = 0;
        for (block, rect) in work.blocks.meeting(resolution, band, sub_band, target.rect) {
            let planned = &self.layout.plan.blocks[block as usize];
            let part = rect.intersect(target.rect);
            let irreversible = transform == WaveletTransform::Irreversible97;
            let flags = (u32::from(planned.packed_16) * DequantiseJob::PACKED_16)
                | (u32::from(irreversible) * DequantiseJob::IRREVERSIBLE);
            let width = planned.size.width;
            let job = DequantiseJob {
                // An upload beyond 2^32 words makes the cell too large, and it is laid out again.
                source: self.cell.upload_words as u32,
                source_row: if planned.packed_16 { width.div_ceil(2) } else { width },
                source_x: part.x0 - rect.x0,
                source_y: part.y0 - rect.y0,
                width: part.width(),
                height: part.height(),
                target: target.word(part.x0, part.y0),
                target_row: target.row,
                flags,
                // The staging keeps one bit below the last plane, so it counts half steps.
                step: sub_band.step * 0.5,
                padding: [0; 2],
            };
            let words = BlockPart::of(&job);
            self.cell.dequantise.push(words.cut(job));
            self.cell.parts.push(words);
            self.cell.blocks.push(block);
            self.cell.upload_words += words.len();
            covered += part.area();
        }
        if covered < target.rect.area() {
            self.cell.clear.push(target.span());
        }
    }

    /// The last pass of one tile: component transform where it is used, level shift, clamping.
    fn transforms(&mut self, tile: &Tile, made: &[(u32, Window)]) -> Result<()> {
        let together = self.layout.request.transforms_components(tile);
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
                self.transform_plane(&mut job, 0, tile, component, window);
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
            self.transform_plane(&mut job, slot, tile, component, window);
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
    ) {
        let size = self.layout.header.size.components[component as usize];
        if tile.parameters.components[component as usize].coding.transform == WaveletTransform::Irreversible97
        {
            job.flags |= ComponentTransformJob::FLOAT_0 << slot;
        }
        job.source[slot] = window.offset;
        job.source_row[slot] = window.row;
        job.target[slot] = window.offset;
        job.target_row[slot] = window.row;
        let depth = u32::from(size.depth);
        let half = 1i64 << (depth - 1);
        let (low, high) = if size.signed { (-half, half - 1) } else { (0, 2 * half - 1) };
        job.shift[slot] = if size.signed { 0 } else { half as i32 };
        job.low[slot] = low as i32;
        job.high[slot] = i32::try_from(high).unwrap_or(i32::MAX);
    }
}

impl PlaneWindow {
    const fn window(&self) -> Window {
        Window { rect: self.rect, offset: self.offset, row: self.row }
    }
}

/// Joins ranges that touch; more than a few become one that holds them all.
fn merge(ranges: &mut Vec<Range<u32>>) {
    /// Each is a command of its own.
    const MOST: usize = 64;
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, held| {
        let touch = next.start <= held.end;
        if touch {
            held.end = held.end.max(next.end);
        }
        touch
    });
    if ranges.len() > MOST {
        let end = ranges.last().map_or(0, |range| range.end);
        ranges.truncate(1);
        ranges[0].end = end;
    }
}
