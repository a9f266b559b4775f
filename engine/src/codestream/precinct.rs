//! Precincts as data: the packets of one precinct, read from its data-bin (T.800 B.9, B.10).

use super::code_block::{BlockCoder, CodeBlockGrid};
use super::header::CodeBlockStyle;
use super::packet::{BitReader, PacketHeader, Stop, passes_in_segment, read_length, read_passes};
use super::tag_tree::{TagNode, TagTree};
use super::tile::Tile;
use crate::error::{CodestreamError, LimitError, Result};
use crate::geometry::Rect;
use crate::limits::Limits;

/// What the packets of one precinct say about its code-blocks. Use either [`read`](Self::read), for a
/// data-bin in which headers and bodies alternate, or [`read_packet_header`](Self::read_packet_header), for
/// headers found elsewhere, but not both on one precinct.
#[derive(Clone, Debug)]
pub struct Precinct {
    /// One entry for each sub-band of the resolution.
    pub bands: Vec<PrecinctBand>,
    /// Packets read whole: they are those of layers `0..layers`.
    pub layers: u16,
    place: Place,
    layer_count: u16,
    expect_eph: bool,
    style: CodeBlockStyle,
    /// Packet headers read; one more than `layers` while a body is awaited.
    headers: u16,
    state: State,
    /// Where a header that turns out cut off is taken up again.
    saved: State,
    contributions: Vec<Contribution>,
    /// How many of the contributions are held whole.
    whole: usize,
    /// Where the body of the last packet whose header was read ends in the bin.
    body_end: u64,
    failure: Option<CodestreamError>,
    /// Code-blocks that packet headers were about so far; those of the precinct count from the start.
    work: u64,
    limits: Limits,
}

/// The code-blocks of a precinct in one sub-band.
#[derive(Clone, Debug)]
pub struct PrecinctBand {
    /// Where they lie.
    pub grid: CodeBlockGrid,
    /// Number of the first code-block: numbers run on through the bands of a precinct.
    pub first_block: u32,
    tree: TagTree,
    /// The inclusion tree starts here in the nodes; the zero bit-planes tree follows it.
    first_node: usize,
    /// Bit-planes that can be empty, region of interest included.
    bit_planes: u16,
}

/// One code-block's bytes in one packet for one codeword segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// Code-block number in the precinct.
    pub block: u32,
    /// Quality layer of the packet.
    pub layer: u16,
    /// Coding passes, at least 1. Placeholder passes (T.814) do not count.
    pub passes: u8,
    /// Codeword segment number in the code-block; a segment may go on in later layers.
    pub segment: u16,
    /// First byte in the precinct's data-bin.
    pub offset: u64,
    /// Bytes; possibly none.
    pub length: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    tile: u32,
    component: u32,
    resolution: u32,
    precinct: u32,
}

/// What packet headers leave behind for those of later layers.
#[derive(Debug, Default)]
struct State {
    blocks: Vec<Block>,
    nodes: Vec<TagNode>,
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self { blocks: self.blocks.clone(), nodes: self.nodes.clone() }
    }

    /// Keeps its allocations.
    fn clone_from(&mut self, other: &Self) {
        self.blocks.clone_from(&other.blocks);
        self.nodes.clone_from(&other.nodes);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    zero_bit_planes: u8,
    /// `None` as long as its passes may all be placeholders (T.814).
    coder: Option<BlockCoder>,
    /// "Lblock"; 0 until the code-block is first included.
    length_bits: u8,
    /// Coding passes so far.
    passes: u8,
    /// Those of them in the current codeword segment.
    segment_passes: u8,
    segment: u16,
}

impl Precinct {
    /// Before the first packet. `precinct` is the raster index in the resolution.
    ///
    /// # Errors
    /// [`LimitError`] beyond [`Limits::max_code_blocks_per_precinct`]; [`CodestreamError::Unsupported`] for a
    /// reserved code-block style; [`CodestreamError::BadPacket`] if the tile has no such precinct.
    pub fn new(tile: &Tile, component: u32, resolution: u32, precinct: u32, limits: &Limits) -> Result<Self> {
        let place = Place { tile: tile.index, component, resolution, precinct };
        let found = (tile.components.get(component as usize))
            .zip(tile.parameters.components.get(component as usize))
            .and_then(|(geometry, parameters)| {
                Some((geometry.resolutions.get(resolution as usize)?, parameters))
            })
            .filter(|(geometry, _)| u64::from(precinct) < geometry.precinct_count());
        let (geometry, parameters) = found.ok_or_else(|| place.error(0, "no such precinct"))?;
        let style = parameters.coding.code_block_style;
        style.check_decodable(component)?;

        let grids: Vec<_> = (geometry.bands.iter().enumerate())
            .map(|(index, band)| band.code_blocks(geometry.precinct_band_rect(precinct, index)))
            .collect();
        let blocks = grids.iter().map(CodeBlockGrid::len).sum();
        let limit = limits.max_code_blocks_per_precinct.min(MAX_CODE_BLOCKS);
        let what = "the code-blocks of a precinct";
        Limits::check(what, blocks, limit)?;

        let (mut first_block, mut first_node) = (0, 0);
        let mut bands = Vec::with_capacity(grids.len());
        for (grid, band) in grids.iter().zip(&geometry.bands) {
            let tree = TagTree::new(grid.columns, grid.rows);
            let tree = tree.ok_or(LimitError { what, wanted: grid.len(), limit })?;
            let bit_planes = u16::from(band.bit_planes) + u16::from(parameters.roi_shift);
            bands.push(PrecinctBand { grid: *grid, first_block, tree, first_node, bit_planes });
            first_block += grid.len() as u32;
            first_node += 2 * tree.node_count() as usize;
        }
        Ok(Self {
            bands,
            layers: 0,
            place,
            layer_count: tile.parameters.style.layers,
            expect_eph: tile.parameters.style.eph,
            style,
            headers: 0,
            state: State {
                blocks: vec![Block::new(style); first_block as usize],
                nodes: vec![TagNode::default(); first_node],
            },
            saved: State::default(),
            contributions: Vec::new(),
            whole: 0,
            body_end: 0,
            failure: None,
            work: blocks,
            limits: limits.clone(),
        })
    }

    /// Reads on from where it stopped. `bin` is the contiguous start of the precinct's data-bin, at least as
    /// long as before; `complete` says that nothing follows it. Bytes that end early are no error: of a packet
    /// whose header is whole but whose body is not, the code-blocks that are whole contribute.
    ///
    /// # Errors
    /// [`CodestreamError::BadPacket`]; what was read before it stays, and every later call repeats it. [`LimitError`]
    /// beyond [`Limits::max_code_blocks_per_byte`].
    pub fn read(&mut self, bin: &[u8], complete: bool) -> Result<()> {
        let held = bin.len() as u64;
        loop {
            let arrived = |part: &&Contribution| part.offset + u64::from(part.length) <= held;
            self.whole += self.contributions[self.whole..].iter().take_while(arrived).count();
            if self.body_end > held {
                return Ok(());
            }
            self.layers = self.headers;
            if self.layers == self.layer_count {
                return Ok(());
            }
            self.limits.check_work(self.work, held)?;
            let first = self.contributions.len();
            let bytes = &bin[self.body_end as usize..];
            let Some(header) = self.next_header(bytes, complete, true)? else { return Ok(()) };
            let body_start = self.body_end + header.header_length as u64;
            for part in &mut self.contributions[first..] {
                part.offset += body_start;
            }
            self.body_end = body_start + header.body_length;
        }
    }

    /// The contributions that are held whole, in the order of the bin: by layer, then by code-block.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions[..self.whole]
    }

    /// Code-blocks of all bands.
    #[must_use]
    pub fn block_count(&self) -> u32 {
        self.state.blocks.len() as u32
    }

    /// Code-blocks that the packet headers read so far were about: of each that is not of an empty packet, all
    /// code-blocks of the precinct. Those count once more for being there.
    pub(crate) const fn work(&self) -> u64 {
        self.work
    }

    /// Gives up what only packet headers need, if all have been read.
    pub(crate) fn shrink(&mut self) {
        if self.layers == self.layer_count {
            (self.state.nodes, self.saved) = (Vec::new(), State::default());
            self.contributions.shrink_to_fit();
        }
    }

    /// Bytes that it takes, roughly.
    pub(crate) fn held_bytes(&self) -> u64 {
        let state = |state: &State| {
            state.blocks.capacity() * size_of::<Block>() + state.nodes.capacity() * size_of::<TagNode>()
        };
        let bands = self.bands.capacity() * size_of::<PrecinctBand>();
        let contributions = self.contributions.capacity() * size_of::<Contribution>();
        (size_of::<Self>() + bands + contributions + state(&self.state) + state(&self.saved)) as u64
    }

    /// How a code-block is coded. Meaningful once the code-block has a contribution.
    #[must_use]
    pub fn coder(&self, block: u32) -> BlockCoder {
        self.state.blocks.get(block as usize).and_then(|block| block.coder).unwrap_or_default()
    }

    /// Empty most significant bit-planes of a code-block, counted from those of its band and of the region of
    /// interest together; placeholder passes of T.814 count as empty planes. Meaningful once the code-block has a
    /// contribution.
    #[must_use]
    pub fn zero_bit_planes(&self, block: u32) -> u8 {
        self.state.blocks.get(block as usize).map_or(0, |block| block.zero_bit_planes)
    }

    /// Reads one packet header, that of layer [`layers`](Self::layers), at the start of `bytes`, and keeps no
    /// contributions. `None`: `bytes` end inside it, and nothing has changed. `complete` says that no header
    /// bytes follow (it matters only where an EPH marker is missing).
    ///
    /// # Errors
    /// [`CodestreamError::BadPacket`], also beyond the last layer; every later call repeats it.
    pub fn read_packet_header(&mut self, bytes: &[u8], complete: bool) -> Result<Option<PacketHeader>> {
        if self.headers == self.layer_count {
            return Err(self.place.error(self.headers, "it lies beyond the last layer").into());
        }
        let header = self.next_header(bytes, complete, false)?;
        self.layers = self.headers;
        Ok(header)
    }

    /// Takes note that the packets of the first `layers` layers are empty, before any header is read.
    pub(super) fn pass_empty_layers(&mut self, layers: u16) {
        self.headers = layers.min(self.layer_count);
        self.layers = self.headers;
    }

    fn next_header(&mut self, bytes: &[u8], complete: bool, keep: bool) -> Result<Option<PacketHeader>> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        let kept = self.contributions.len();
        match self.try_header(bytes, complete, keep) {
            Ok(header) => {
                self.headers += 1;
                Ok(Some(header))
            }
            Err(stop) => {
                self.contributions.truncate(kept);
                match stop {
                    Stop::CutOff => Ok(None),
                    Stop::Bad(reason) => {
                        let failure = self.place.error(self.headers, reason);
                        Err(self.failure.insert(failure).clone().into())
                    }
                }
            }
        }
    }

    /// One packet header with its SOP and EPH. Contributions kept have offsets from the start of the body.
    fn try_header(&mut self, bytes: &[u8], complete: bool, keep: bool) -> Result<PacketHeader, Stop> {
        let start = sop_length(bytes)?;
        let mut bits = BitReader::new(&bytes[start..]);
        let mut body_length = 0;
        let ended = if bits.bit()? {
            self.work += self.state.blocks.len() as u64;
            self.saved.clone_from(&self.state);
            self.read_blocks(&mut bits, keep)
                .and_then(|length| {
                    body_length = length;
                    bits.finish()
                })
                .and_then(|length| self.header_end(bytes, start + length, complete))
                .inspect_err(|_| std::mem::swap(&mut self.saved, &mut self.state))
        } else {
            bits.finish().and_then(|length| self.header_end(bytes, start + length, complete))
        };
        Ok(PacketHeader { header_length: ended?, body_length })
    }

    /// Where the header ends whose bits end at `end`: after the EPH marker, if there is one.
    fn header_end(&self, bytes: &[u8], end: usize, complete: bool) -> Result<usize, Stop> {
        match &bytes[end..] {
            [0xFF, 0x92, ..] if self.expect_eph => Ok(end + 2),
            [] | [0xFF] if self.expect_eph && !complete => Err(Stop::CutOff),
            _ => Ok(end),
        }
    }

    /// Everything after the first bit of the header of a packet that is not empty; returns the body's length.
    fn read_blocks(&mut self, bits: &mut BitReader<'_>, keep: bool) -> Result<u64, Stop> {
        let layer = self.headers;
        let mut body_length = 0;
        for band in &self.bands {
            let nodes = &mut self.state.nodes[band.first_node..];
            let (inclusion, zero_planes) = nodes.split_at_mut(band.tree.node_count() as usize);
            let leaves = (0..band.grid.rows).flat_map(|row| (0..band.grid.columns).map(move |x| (x, row)));
            for (number, leaf) in (band.first_block..).zip(leaves) {
                let block = &mut self.state.blocks[number as usize];
                if block.length_bits > 0 {
                    if !bits.bit()? {
                        continue;
                    }
                } else {
                    if !band.tree.is_below(inclusion, leaf, layer + 1, bits)? {
                        continue;
                    }
                    let zeros = band.tree.value(zero_planes, leaf, band.bit_planes, bits)?;
                    block.zero_bit_planes =
                        zeros.and_then(|zeros| u8::try_from(zeros).ok()).ok_or_else(|| {
                            Stop::Bad(format!("more than {} bit-planes are empty", band.bit_planes))
                        })?;
                    block.length_bits = 3;
                }
                let mut passes = read_passes(bits)?;
                while bits.bit()? {
                    block.length_bits = block.length_bits.saturating_add(1);
                }
                while passes > 0 {
                    let (taken, length) = if block.coder.is_none() {
                        let Some(first) = block.identify(self.style, passes, bits)? else { break };
                        passes = first.left + u32::from(first.taken);
                        (first.taken, first.length)
                    } else {
                        let taken = block.start_segment(self.style, passes)?;
                        (taken, read_length(bits, block.length_bits, taken.into())?)
                    };
                    if keep {
                        self.contributions.push(Contribution {
                            block: number,
                            layer,
                            passes: taken,
                            segment: block.segment,
                            offset: body_length,
                            length,
                        });
                    }
                    body_length += u64::from(length);
                    passes -= u32::from(taken);
                }
            }
        }
        Ok(body_length)
    }
}

impl Block {
    fn new(style: CodeBlockStyle) -> Self {
        let undecided = style.has(CodeBlockStyle::HIGH_THROUGHPUT);
        Self { coder: (!undecided).then_some(BlockCoder::BitPlane), ..Self::default() }
    }

    /// Adds to the current codeword segment as many of `passes` (1 to 164) as it takes, at least 1; to the next
    /// segment if this one is complete.
    fn start_segment(&mut self, style: CodeBlockStyle, passes: u32) -> Result<u8, Stop> {
        let coder = self.coder.unwrap_or_default();
        let room = |block: &Self| {
            passes_in_segment(coder, style, block.segment)
                .map_or(u32::MAX, |whole| whole.saturating_sub(block.segment_passes.into()))
        };
        if room(self) == 0 {
            self.segment += 1;
            self.segment_passes = 0;
        }
        let taken = passes.min(room(self)) as u8;
        self.count_passes(taken.into())?;
        self.segment_passes += taken;
        Ok(taken)
    }

    fn count_passes(&mut self, passes: u32) -> Result<(), Stop> {
        let total = u32::from(self.passes) + passes;
        if total > u32::from(MAX_PASSES) {
            return Err(Stop::Bad("a code-block has too many coding passes".into()));
        }
        self.passes = total as u8;
        Ok(())
    }

    /// Reads the first length of a code-block of T.814 among its `passes`, and learns from it which coder the
    /// block has. High-throughput blocks may begin with placeholder passes: three, of no bytes, for each further
    /// empty bit-plane. `None`: there are only such so far.
    ///
    /// Where coders are mixed, a high-throughput block is told by the length of its first clean-up pass: its most
    /// significant bit is 0, in a field widened for that. Any other length is that of all `passes` together.
    fn identify(
        &mut self,
        style: CodeBlockStyle,
        passes: u32,
        bits: &mut BitReader<'_>,
    ) -> Result<Option<FirstSegment>, Stop> {
        let mixed = style.has(CodeBlockStyle::MIXED);
        self.count_passes(passes)?;
        let after = u32::from(self.passes - 1) % 3;
        let up_to_clean_up = passes.saturating_sub(after);
        let shorter = if up_to_clean_up == 0 { passes } else { up_to_clean_up };
        let count = u32::from(self.length_bits) + shorter.ilog2();
        let length = read_length(bits, self.length_bits, shorter)?;
        let marked = self.length_bits > 3 && length >> (count - 1) == 0;
        if up_to_clean_up > 0 && length > 0 && (marked || !mixed) {
            if length < 2 {
                return Err(Stop::Bad("a clean-up pass of one byte".into()));
            }
            self.coder = Some(BlockCoder::HighThroughput);
            let planes = (u32::from(self.passes) - after - 1) / 3;
            self.zero_bit_planes = self.zero_bit_planes.saturating_add(planes as u8);
            self.segment_passes = 1;
            self.passes -= after as u8;
            return Ok(Some(FirstSegment { taken: 1, length, left: after }));
        }
        let more = passes.ilog2() - shorter.ilog2();
        let length = length.checked_shl(more).unwrap_or(0) | bits.bits(more)?;
        if length == 0 {
            return Ok(None);
        }
        if !mixed {
            return Err(Stop::Bad("placeholder passes of a code-block have a length".into()));
        }
        // What passed for placeholders were passes of no bytes.
        let coder = BlockCoder::BitPlane;
        if passes_in_segment(coder, style, 0).is_some_and(|most| u32::from(self.passes) > most) {
            let reason = "several codeword segments where block coders are mixed";
            return Err(Stop::Bad(reason.into()));
        }
        self.coder = Some(coder);
        self.segment_passes = self.passes;
        Ok(Some(FirstSegment { taken: self.passes, length, left: 0 }))
    }
}

/// What [`Block::identify`] reads.
struct FirstSegment {
    /// Passes of the segment, placeholders aside.
    taken: u8,
    length: u32,
    /// Passes of the packet after them.
    left: u32,
}

impl PrecinctBand {
    /// Code-block number `block` of the precinct on the band's grid; `None` if it is in another band.
    #[must_use]
    pub fn block_rect(&self, block: u32) -> Option<Rect> {
        let index = block.checked_sub(self.first_block)?;
        (u64::from(index) < self.grid.len()).then(|| self.grid.rect(index))
    }
}

impl Place {
    fn error(self, layer: u16, reason: impl Into<String>) -> CodestreamError {
        CodestreamError::BadPacket {
            tile: self.tile,
            component: self.component,
            resolution: self.resolution,
            precinct: self.precinct,
            layer: layer.into(),
            reason: reason.into(),
        }
    }
}

/// Length of the SOP marker segment (T.800 A.8.1) in front of a packet. It may stand there or not, but no
/// packet header begins like it: after 0xFF a header's next byte is below 0x80.
fn sop_length(bytes: &[u8]) -> Result<usize, Stop> {
    match bytes {
        [] | [0xFF] => Err(Stop::CutOff),
        [0xFF, 0x91, ..] if bytes.len() < 6 => Err(Stop::CutOff),
        [0xFF, 0x91, 0, 4, ..] => Ok(6),
        _ => Ok(0),
    }
}

/// Numbers of code-blocks and tag-tree nodes stay well inside 32 bits.
const MAX_CODE_BLOCKS: u64 = 1 << 29;
/// Three passes for each of more bit-planes than any block coder holds.
const MAX_PASSES: u8 = 3 * 80;

#[cfg(test)]
mod tests;
