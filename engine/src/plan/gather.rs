//! Collects the compressed code-blocks of a window into a plan.

use super::memory::Memory;
use super::packets::{ByBlock, Packets};
use super::reach::{ResolutionWindow, band_window};
use super::source::PlanSource;
use super::work::{BandBlocks, TileBlocks};
use super::{
    BlockKey, BlockOrigin, BlockPart, Coverage, MAX_BIT_PLANES, Plan, PlannedBlock, ResolutionCoverage,
    Segment,
};
use crate::codestream::code_block::{BlockCoder, Orientation};
use crate::codestream::header::WaveletTransform;
use crate::codestream::precinct::{Contribution, Precinct};
use crate::codestream::sub_band::SubBand;
use crate::codestream::tile::Tile;
use crate::data_bin::{BinView, DataBinId, DataBins, PrecinctId};
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
    /// What is remembered from plan to plan.
    memory: Option<&'a dyn Memory>,
    /// Memory of packets that are not remembered, for the next.
    spare: ByBlock,
}

/// One precinct that is gathered.
#[derive(Clone, Copy)]
struct Place<'a> {
    tile: &'a Tile,
    component: u32,
    resolution: usize,
    /// Raster index inside the resolution.
    number: u32,
    /// The window of the resolution's input.
    input: Rect,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(
        source: &PlanSource<'a>,
        layers: u16,
        budget: Budget,
        memory: Option<&'a dyn Memory>,
    ) -> Self {
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
            memory,
            spare: ByBlock::default(),
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
                let place = Place { tile, component, resolution: index, number, input: window.input };
                let Some(mut bin) = self.bin(id, known)?.filter(|bin| bin.length > 0) else {
                    self.count_needed(place);
                    self.coverage.holes += u64::from(index == 0);
                    continue;
                };
                let packets = self.packets(place, id, &mut bin)?;
                let precinct = &packets.precinct;
                if let Some(damage) = &packets.damage {
                    self.coverage.damaged_precincts += 1;
                    self.note_damage(|| Some(damage.clone()));
                }
                self.work += precinct.work();
                self.bytes += bin.length;
                self.limits.check_work(self.work, self.bytes)?;
                self.coverage.holes += u64::from(index == 0 && precinct.layers == 0);
                self.coverage.resolutions[index].present += u64::from(precinct.layers.min(layers));
                self.precinct(plan, place, &packets, &mut bin, &mut found.bands[index])?;
                self.put_away(id, packets);
            }
            for blocks in &mut found.bands[index] {
                blocks.sort_unstable_by_key(|block| block.0);
            }
        }
        Ok(found)
    }

    /// The bin of a precinct, if its packets can be read.
    fn bin(&self, id: PrecinctId, known: bool) -> Result<Option<Bin<'a>>> {
        let Some(number) = id.in_class_id(self.counts.0, self.counts.1) else { return Ok(None) };
        let bin = if known { self.known_bin(number)? } else { None };
        if bin.as_ref().is_none_or(|bin| bin.length == 0)
            && let Some(memory) = self.memory
        {
            let settled = bin.as_ref().is_some_and(|bin| bin.complete);
            memory.depends_on(DataBinId::Precinct(number), settled);
        }
        Ok(bin)
    }

    fn known_bin(&self, number: u64) -> Result<Option<Bin<'a>>> {
        let id = DataBinId::Precinct(number);
        // Of what is remembered, the bytes are perhaps not needed.
        if self.memory.is_some()
            && let Some((length, complete)) = self.bins.extent(self.codestream, id)?
        {
            return Ok(Some(Bin { number, length, complete, view: None }));
        }
        Ok(self.bins.bin(self.codestream, id)?.map(|view| Bin::of(number, view)))
    }

    /// The bytes of a bin; none if they have gone meanwhile.
    fn load<'b>(&self, bin: &'b mut Bin<'a>) -> Result<&'b [u8]> {
        if bin.view.is_none() {
            bin.view = self.bins.bin(self.codestream, DataBinId::Precinct(bin.number))?;
        }
        Ok(bin.view.as_ref().map_or(&[], |view| &view.bytes))
    }

    /// The packets in a bin, read as far as the bin goes.
    fn packets(&mut self, place: Place<'_>, id: PrecinctId, bin: &mut Bin<'a>) -> Result<Box<Packets>> {
        let Place { tile, component, resolution, number, .. } = place;
        let mut remembered = self.memory.and_then(|memory| memory.take_packets(id));
        let held = Some((bin.length, bin.complete));
        if remembered.as_ref().is_none_or(|packets| packets.read != held) {
            let held = self.load(bin)?.len() as u64;
            remembered = remembered.filter(|packets| packets.read_bytes() <= held);
        }
        let mut packets = match remembered {
            Some(packets) => packets,
            None => {
                let precinct = Precinct::new(tile, component, resolution as u32, number, self.limits)?;
                Box::new(Packets::new(precinct, std::mem::take(&mut self.spare)))
            }
        };
        if let Some(view) = &bin.view {
            (bin.length, bin.complete) = (view.bytes.len() as u64, view.complete);
            packets.read(&view.bytes, view.complete)?;
        }
        if let Some(memory) = self.memory {
            let all = packets.precinct.layers >= self.layers.min(tile.parameters.style.layers);
            let settled = all || bin.complete || packets.damage.is_some();
            memory.depends_on(DataBinId::Precinct(bin.number), settled);
        }
        Ok(packets)
    }

    /// Keeps packets for later plans, or their memory for the next precinct.
    fn put_away(&mut self, id: PrecinctId, mut packets: Box<Packets>) {
        match self.memory {
            Some(memory) => {
                packets.precinct.shrink();
                memory.keep_packets(id, packets);
            }
            None => self.spare = packets.into_memory(),
        }
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
    fn count_needed(&mut self, place: Place<'_>) {
        let Place { tile, component, resolution, number, input } = place;
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

    fn precinct(
        &mut self,
        plan: &mut Plan,
        place: Place<'_>,
        packets: &Packets,
        bin: &mut Bin<'a>,
        found: &mut [BandBlocks],
    ) -> Result<()> {
        let Place { tile, component, resolution, input, .. } = place;
        let precinct = &packets.precinct;
        let geometry = &tile.components[component as usize].resolutions[resolution];
        let layers = tile.parameters.style.layers;
        for (band, coded) in precinct.bands.iter().enumerate() {
            let sub_band = &geometry.bands[band];
            let window = window_of(sub_band, input);
            for index in coded.grid.meeting(window) {
                let rect = coded.grid.rect(index);
                self.coverage.blocks_needed += 1;
                let number = coded.first_block + index;
                let contributions = packets.of_block(number, self.layers);
                let passes = contributions.clone().map(|part| u16::from(part.passes)).sum();
                let coder = precinct.coder(number);
                let Some((set, skipped)) = last_set(coder, contributions) else { continue };
                let key = BlockKey {
                    tile: tile.index,
                    component: component as u16,
                    resolution: resolution as u8,
                    band: band as u8,
                    row: rect.y0 >> sub_band.code_block_height_exponent,
                    column: rect.x0 >> sub_band.code_block_width_exponent,
                };
                let grows = precinct.layers < layers && packets.damage.is_none();
                let block = Block {
                    size: rect.size(),
                    coder,
                    empty_planes: u32::from(precinct.zero_bit_planes(number)) + skipped,
                    origin: BlockOrigin { key, passes, grows },
                };
                let mut planned = self.block(plan, tile, component, sub_band, block)?;
                let held =
                    self.memory.is_some_and(|memory| memory.holds(block.origin, planned.staging.len()));
                if !held {
                    let (segments, whole) = self.segments(plan, set, self.load(bin)?)?;
                    planned.segments = segments;
                    // What went meanwhile is not taken for what was there.
                    planned.origin.passes *= u16::from(whole);
                }
                found[band].push(((key.row, key.column), plan.blocks.len() as u32, rect));
                plan.blocks.push(planned);
            }
        }
        Ok(())
    }

    /// Copies one block's bytes, each codeword segment in one piece. False: some of them are not there.
    fn segments<'c>(
        &mut self,
        plan: &mut Plan,
        contributions: impl Iterator<Item = &'c Contribution>,
        bin: &[u8],
    ) -> Result<(std::ops::Range<u32>, bool)> {
        let first = plan.segments.len() as u32;
        let held = plan.data.len();
        let (mut current, mut whole) = (None, true);
        for contribution in contributions {
            let from = contribution.offset as usize;
            let Some(bytes) = bin.get(from..from + contribution.length as usize) else {
                whole = false;
                break;
            };
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
        Ok((segments, whole))
    }

    /// Takes the place of a block's coefficients; its segments are still to be found.
    fn block(
        &mut self,
        plan: &mut Plan,
        tile: &Tile,
        component: u32,
        sub_band: &SubBand,
        block: Block,
    ) -> Result<PlannedBlock> {
        let Block { size, coder, empty_planes, origin } = block;
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
        Ok(PlannedBlock {
            size,
            orientation: sub_band.orientation,
            coder,
            style,
            bit_planes: bit_planes as u8,
            clean_up_plane: clean_up_plane as u8,
            roi_shift,
            fraction,
            packed_16,
            origin,
            segments: 0..0,
            staging: start..plan.staging_words,
        })
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
    + 4 * (size_of::<DequantiseJob>() + size_of::<BlockPart>() + size_of::<u32>()))
    as u64;

/// The bin of a precinct, whose bytes are looked at when they are needed.
struct Bin<'a> {
    number: u64,
    /// Bytes held without a gap from the start, and whether they are all.
    length: u64,
    complete: bool,
    view: Option<BinView<'a>>,
}

impl<'a> Bin<'a> {
    fn of(number: u64, view: BinView<'a>) -> Self {
        let (length, complete) = (view.bytes.len() as u64, view.complete);
        Self { number, length, complete, view: Some(view) }
    }
}

/// What a precinct tells of a coded block.
#[derive(Clone, Copy)]
struct Block {
    size: Size,
    coder: BlockCoder,
    /// Most significant bit-planes that are empty or left out.
    empty_planes: u32,
    origin: BlockOrigin,
}

/// What a block is decoded from, of its contributions. Of a high-throughput block, those of its last HT set that has a
/// clean-up pass, which all coefficients are made of, and the number of sets before it: each codes one bit-plane less
/// (T.814). Of other blocks, all. `None`: nothing.
fn last_set<'c, I>(
    coder: BlockCoder,
    contributions: I,
) -> Option<(impl Iterator<Item = &'c Contribution>, u32)>
where
    I: DoubleEndedIterator<Item = &'c Contribution> + Clone,
{
    let set = match coder {
        BlockCoder::BitPlane => contributions.clone().next().map(|_| None)?,
        BlockCoder::HighThroughput => {
            let is_clean_up = |part: &&Contribution| part.segment.is_multiple_of(2) && part.length > 0;
            Some(contributions.clone().rev().find(is_clean_up)?.segment / 2)
        }
    };
    let all = contributions.skip_while(move |part| match set {
        Some(set) => part.segment != 2 * set || part.length == 0,
        None => false,
    });
    let chosen = all.take_while(move |part| set.is_none_or(|set| part.segment / 2 <= set));
    Some((chosen, set.unwrap_or(0).into()))
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
