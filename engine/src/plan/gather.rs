//! Collects the compressed code-blocks of a window into a plan.

use super::reach::{ResolutionWindow, band_window};
use super::source::PlanSource;
use super::work::{BandBlocks, TileBlocks};
use super::{Coverage, MAX_BIT_PLANES, Plan, PlannedBlock, ResolutionCoverage, Segment};
use crate::codestream::code_block::{BlockCoder, Orientation};
use crate::codestream::header::WaveletTransform;
use crate::codestream::precinct::{Contribution, Precinct};
use crate::codestream::sub_band::SubBand;
use crate::codestream::tile::Tile;
use crate::data_bin::{DataBinId, DataBins, PrecinctId};
use crate::error::{CodestreamError, Error, Result};
use crate::geometry::{Rect, Size};
use crate::limits::{Budget, Limits};
use wavetile_shaders::dequantise::DequantiseJob;

pub(super) struct Gatherer<'a> {
    bins: &'a dyn DataBins,
    codestream: u32,
    /// Components and tiles of the codestream: they number the precincts.
    counts: (u32, u32),
    layers: u16,
    limits: &'a Limits,
    coverage: Coverage,
    /// What the request holds so far.
    pub(super) budget: Budget,
    /// Precincts looked at.
    precincts: u64,
    /// Code-blocks that the packet headers read are about, and the bytes of those packets.
    work: u64,
    bytes: u64,
    /// Indices of a precinct's contributions, grouped by block.
    order: Vec<u32>,
    starts: Vec<u32>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(source: &PlanSource<'a>, layers: u16, budget: Budget) -> Self {
        Self {
            bins: source.bins,
            codestream: source.codestream,
            counts: (source.header.size.components.len() as u32, source.header.tile_count()),
            layers,
            limits: source.limits,
            coverage: Coverage::default(),
            budget,
            precincts: 0,
            work: 0,
            bytes: 0,
            order: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Adds the blocks that one tile-component's windows need.
    pub(super) fn component(
        &mut self,
        plan: &mut Plan,
        tile: &Tile,
        known: bool,
        component: u32,
        windows: &[ResolutionWindow],
    ) -> Result<TileBlocks> {
        let mut found = TileBlocks::default();
        let geometry = &tile.components[component as usize];
        let layers = self.layers.min(tile.parameters.style.layers);
        for (index, window) in windows.iter().enumerate() {
            let resolution = &geometry.resolutions[index];
            found.bands.push(vec![BandBlocks::new(); resolution.bands.len()]);
            if self.coverage.resolutions.len() <= index {
                self.coverage.resolutions.resize(index + 1, ResolutionCoverage::default());
            }
            for number in resolution.precincts_meeting(window.input) {
                self.precincts += 1;
                self.check_work()?;
                let id = PrecinctId {
                    tile: tile.index,
                    component,
                    precinct: resolution.first_precinct + u64::from(number),
                };
                self.coverage.resolutions[index].needed += u64::from(layers);
                let bin = match id.in_class_id(self.counts.0, self.counts.1) {
                    Some(id) if known => self.bins.bin(self.codestream, DataBinId::Precinct(id))?,
                    _ => None,
                };
                let Some(bin) = bin.filter(|bin| !bin.bytes.is_empty()) else {
                    self.count_needed(tile, component, index, number, window.input);
                    self.coverage.holes += u64::from(index == 0);
                    continue;
                };
                let mut precinct = Precinct::new(tile, component, index as u32, number, self.limits)?;
                match precinct.read(&bin.bytes, bin.complete) {
                    // The packets before the damage stay.
                    Err(Error::Codestream(damage @ CodestreamError::BadPacket { .. })) => {
                        self.coverage.damaged_precincts += 1;
                        self.note_damage(|| Some(damage));
                    }
                    outcome => outcome?,
                }
                self.work += precinct.work();
                self.bytes += bin.bytes.len() as u64;
                self.limits.check_work(self.work, self.bytes)?;
                self.coverage.holes += u64::from(index == 0 && precinct.layers == 0);
                self.coverage.resolutions[index].present += u64::from(precinct.layers.min(layers));
                self.precinct(
                    plan,
                    tile,
                    component,
                    index,
                    window.input,
                    &precinct,
                    &bin.bytes,
                    &mut found.bands[index],
                )?;
            }
            for blocks in &mut found.bands[index] {
                blocks.sort_unstable_by_key(|block| block.0);
            }
        }
        Ok(found)
    }

    /// Claims of a header must not keep the planner busy for longer than a picture within the limits may.
    fn check_work(&self) -> Result<()> {
        let limit = self.limits.max_code_blocks;
        Limits::check("precincts in a request", self.precincts, limit)?;
        Ok(Limits::check("code-blocks in a request", self.coverage.blocks_needed, limit)?)
    }

    /// Keeps the first damage.
    pub(super) fn note_damage(&mut self, find: impl FnOnce() -> Option<CodestreamError>) {
        if self.coverage.damage.is_none() {
            self.coverage.damage = find();
        }
    }

    /// Counts the blocks of a precinct of which nothing is there.
    fn count_needed(&mut self, tile: &Tile, component: u32, resolution: usize, number: u32, input: Rect) {
        let geometry = &tile.components[component as usize].resolutions[resolution];
        for (band, sub_band) in geometry.bands.iter().enumerate() {
            let window = window_of(sub_band, input);
            let rect = geometry.precinct_band_rect(number, band).intersect(window);
            if !rect.is_empty() {
                let (xcb, ycb) = (sub_band.code_block_width_exponent, sub_band.code_block_height_exponent);
                let columns = u64::from(((rect.x1 - 1) >> xcb) - (rect.x0 >> xcb) + 1);
                let rows = u64::from(((rect.y1 - 1) >> ycb) - (rect.y0 >> ycb) + 1);
                self.coverage.blocks_needed += columns * rows;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; each is a different thing")]
    fn precinct(
        &mut self,
        plan: &mut Plan,
        tile: &Tile,
        component: u32,
        resolution: usize,
        input: Rect,
        precinct: &Precinct,
        bin: &[u8],
        found: &mut [BandBlocks],
    ) -> Result<()> {
        self.group_by_block(precinct);
        let geometry = &tile.components[component as usize].resolutions[resolution];
        for (band, coded) in precinct.bands.iter().enumerate() {
            let sub_band = &geometry.bands[band];
            let window = window_of(sub_band, input);
            for index in 0..coded.grid.len() as u32 {
                let rect = coded.grid.rect(index);
                if !rect.meets(window) {
                    continue;
                }
                self.coverage.blocks_needed += 1;
                let number = (coded.first_block + index) as usize;
                let contributions = self.starts[number] as usize..self.starts[number + 1] as usize;
                let coder = precinct.coder(coded.first_block + index);
                let (contributions, skipped) = self.last_set(coder, precinct, contributions);
                let segments = self.segments(plan, precinct, contributions, bin)?;
                if segments.is_empty() {
                    continue;
                }
                let empty_planes = u32::from(precinct.zero_bit_planes(coded.first_block + index)) + skipped;
                let block = Block { size: rect.size(), coder, empty_planes, segments };
                let planned = self.block(plan, tile, component, sub_band, block)?;
                let place = (
                    rect.y0 >> sub_band.code_block_height_exponent,
                    rect.x0 >> sub_band.code_block_width_exponent,
                );
                found[band].push((place, planned, rect));
            }
        }
        Ok(())
    }

    /// Fills `order` and `starts`: contributions `order[starts[b]..starts[b + 1]]` belong to block `b`.
    fn group_by_block(&mut self, precinct: &Precinct) {
        let blocks = precinct.bands.iter().map(|band| band.grid.len()).sum::<u64>() as usize;
        self.starts.clear();
        self.starts.resize(blocks + 1, 0);
        let wanted = |layer: u16| layer < self.layers;
        for contribution in precinct.contributions().iter().filter(|c| wanted(c.layer)) {
            self.starts[contribution.block as usize + 1] += 1;
        }
        for block in 0..blocks {
            self.starts[block + 1] += self.starts[block];
        }
        let mut next: Vec<u32> = self.starts.clone();
        self.order.clear();
        self.order.resize(self.starts[blocks] as usize, 0);
        for (index, contribution) in precinct.contributions().iter().enumerate() {
            if wanted(contribution.layer) {
                let slot = &mut next[contribution.block as usize];
                self.order[*slot as usize] = index as u32;
                *slot += 1;
            }
        }
    }

    /// Of a high-throughput block, the contributions of its last HT set that has a clean-up pass, which all
    /// coefficients are made of, and the number of sets before it: each codes one bit-plane less (T.814). Of other blocks, all.
    fn last_set(
        &self,
        coder: BlockCoder,
        precinct: &Precinct,
        contributions: std::ops::Range<usize>,
    ) -> (std::ops::Range<usize>, u32) {
        if coder == BlockCoder::BitPlane {
            return (contributions, 0);
        }
        let contribution = |at: usize| &precinct.contributions()[self.order[at] as usize];
        let is_clean_up = |part: &Contribution| part.segment.is_multiple_of(2) && part.length > 0;
        match contributions.clone().rev().find(|&at| is_clean_up(contribution(at))) {
            Some(first) => {
                let set = contribution(first).segment / 2;
                let after = (first + 1..contributions.end).find(|&at| contribution(at).segment / 2 > set);
                (first..after.unwrap_or(contributions.end), set.into())
            }
            None => (0..0, 0),
        }
    }

    /// Copies one block's bytes, each codeword segment in one piece.
    fn segments(
        &mut self,
        plan: &mut Plan,
        precinct: &Precinct,
        contributions: std::ops::Range<usize>,
        bin: &[u8],
    ) -> Result<std::ops::Range<u32>> {
        let first = plan.segments.len() as u32;
        let held = plan.data.len();
        let mut current = None;
        for &index in &self.order[contributions] {
            let contribution = &precinct.contributions()[index as usize];
            let from = contribution.offset as usize;
            let Some(bytes) = bin.get(from..from + contribution.length as usize) else { break };
            if current != Some(contribution.segment) {
                close(plan, current.is_some());
                current = Some(contribution.segment);
                let start = plan.data.len();
                plan.segments.push(Segment { passes: 0, bytes: start..start });
            }
            plan.data.extend_from_slice(bytes);
            self.coverage.compressed_bytes += bytes.len() as u64;
            let end = plan.data.len();
            if let Some(segment) = plan.segments.last_mut() {
                segment.passes += u32::from(contribution.passes);
                segment.bytes.end = end;
            }
        }
        close(plan, current.is_some());
        let segments = first..plan.segments.len() as u32;
        let bytes = plan.data.len() - held + segments.len() * size_of::<Segment>();
        self.budget.take("bytes of a request, with its compressed data,", bytes as u64)?;
        Ok(segments)
    }

    fn block(
        &mut self,
        plan: &mut Plan,
        tile: &Tile,
        component: u32,
        sub_band: &SubBand,
        block: Block,
    ) -> Result<u32> {
        let Block { size, coder, empty_planes, segments } = block;
        let parameters = &tile.parameters.components[component as usize];
        let style = parameters.coding.code_block_style;
        let roi_shift = parameters.roi_shift;
        let all = u32::from(sub_band.bit_planes) + u32::from(roi_shift);
        let unsupported = |what: String| {
            let feature = format!("a code-block of tile {}, component {component} with {what}", tile.index);
            Error::from(CodestreamError::Unsupported { feature })
        };
        let coded = all.checked_sub(empty_planes);
        let coded = coded.ok_or_else(|| unsupported(format!("{empty_planes} empty bit-planes of {all}")))?;
        let (bit_planes, clean_up_plane) = match coder {
            BlockCoder::BitPlane => (coded, 0),
            BlockCoder::HighThroughput => {
                let plane = coded.checked_sub(1);
                (all, plane.ok_or_else(|| unsupported(format!("all {all} bit-planes empty")))?)
            }
        };
        if bit_planes > u32::from(MAX_BIT_PLANES) {
            return Err(unsupported(format!("{bit_planes} bit-planes (up to {MAX_BIT_PLANES} are)")));
        }
        let fraction = parameters.coding.transform == WaveletTransform::Irreversible97;
        // Bits of a magnitude once the region of interest is shifted down.
        let magnitude_bits = if roi_shift > 0 {
            bit_planes.min(u32::from(sub_band.bit_planes.max(roi_shift)))
        } else {
            bit_planes
        } + u32::from(fraction);
        let packed_16 = magnitude_bits <= 15;
        let row = if packed_16 { size.width.div_ceil(2) } else { size.width };
        let start = plan.staging_words;
        plan.staging_words += (row * size.height) as usize;
        let bytes = u64::from(row * size.height) * 4 + BLOCK_BYTES;
        self.budget.take("bytes of a request, with its coefficients,", bytes)?;
        Limits::check("code-blocks in a request", plan.blocks.len() as u64 + 1, self.limits.max_code_blocks)?;
        plan.blocks.push(PlannedBlock {
            size,
            orientation: sub_band.orientation,
            coder,
            style,
            bit_planes: bit_planes as u8,
            clean_up_plane: clean_up_plane as u8,
            roi_shift,
            fraction,
            packed_16,
            segments,
            staging: start..plan.staging_words,
        });
        Ok(plan.blocks.len() as u32 - 1)
    }

    pub(super) fn finish(mut self, plan: &mut Plan) -> (Coverage, Budget) {
        self.coverage.blocks_coded = plan.blocks.len() as u64;
        plan.data.shrink_to_fit();
        (self.coverage, self.budget)
    }
}

/// What a plan holds of a code-block beside its data: the block, its place, and its jobs in up to four cells.
const BLOCK_BYTES: u64 = (size_of::<PlannedBlock>()
    + size_of::<((u32, u32), u32, Rect)>()
    + 4 * (size_of::<DequantiseJob>() + size_of::<u32>())) as u64;

/// What a precinct tells of a coded block.
struct Block {
    size: Size,
    coder: BlockCoder,
    /// Most significant bit-planes that are empty or left out.
    empty_planes: u32,
    segments: std::ops::Range<u32>,
}

/// Ends a codeword segment so that the decoder may read two bytes past it.
fn close(plan: &mut Plan, open: bool) {
    if open {
        plan.data.extend_from_slice(&[0xFF, 0xFF]);
    }
}

/// The band window that an input window of its resolution needs.
fn window_of(sub_band: &SubBand, input: Rect) -> Rect {
    match sub_band.orientation {
        Orientation::Ll => input,
        high => {
            let (high_x, high_y) = high.high_pass();
            band_window(input, high_x, high_y)
        }
    }
}
