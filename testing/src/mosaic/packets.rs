//! The packets of one precinct (T.800 B.9, B.10).

use super::stones::{DETAILS, GROUNDS};
use super::{BIT_PLANES, BLOCK, Mosaic, PRECINCT, Place};
use crate::codestream::{BitWriter, Contexts, EncodedBlock, TagTree};
use crate::random::Random;

/// All packets of a precinct, layer after layer: its data-bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packets {
    /// Headers and bodies.
    pub bytes: Vec<u8>,
    /// Where the packet of each layer ends.
    pub ends: Vec<u64>,
}

/// A code-block of the precinct.
struct Block<'a> {
    stone: &'a EncodedBlock,
    /// Bit-planes of the stone that are left out, from the least significant on.
    dropped: u32,
    /// Passes up to each layer, that included.
    passes: Vec<u32>,
    /// "Lblock" (T.800 B.10.7.1).
    length_bits: u32,
}

/// The code-blocks of the precinct in one sub-band.
struct Band<'a> {
    columns: u32,
    blocks: Vec<Block<'a>>,
    inclusion: TagTree,
    zero_planes: TagTree,
}

impl Packets {
    pub(super) fn new(mosaic: &Mosaic, place: Place) -> Self {
        let kinds: &[Contexts] = match place.resolution {
            0 => &[Contexts::Vertical],
            _ => &[Contexts::Horizontal, Contexts::Vertical, Contexts::Diagonal],
        };
        let mut bands: Vec<Band<'_>> =
            (0..).zip(kinds).map(|(band, &contexts)| Band::new(mosaic, place, band, contexts)).collect();
        let mut packets = Self { bytes: Vec::new(), ends: Vec::new() };
        for layer in 0..usize::from(mosaic.shape.layers) {
            packets.add(&mut bands, layer);
            packets.ends.push(packets.bytes.len() as u64);
        }
        packets
    }

    /// The packet of a layer.
    fn add(&mut self, bands: &mut [Band<'_>], layer: usize) {
        let mut bits = BitWriter::default();
        let mut body: Vec<u8> = Vec::new();
        let has_new =
            |band: &Band<'_>| band.blocks.iter().any(|block| block.before(layer) < block.passes[layer]);
        let is_empty = !bands.iter().any(has_new);
        bits.put(u32::from(!is_empty), 1);
        for band in bands.iter_mut().filter(|_| !is_empty) {
            for (index, block) in (0..).zip(&mut band.blocks) {
                let leaf = (index % band.columns, index / band.columns);
                let (before, after) = (block.before(layer), block.passes[layer]);
                if before == 0 {
                    band.inclusion.write(leaf, layer as u32 + 1, &mut bits);
                } else {
                    bits.put(u32::from(after > before), 1);
                }
                if after == before {
                    continue;
                }
                if before == 0 {
                    band.zero_planes.write(leaf, block.zero_planes() + 1, &mut bits);
                }
                bits.put_passes(after - before);
                let end =
                    |passes: u32| passes.checked_sub(1).map_or(0, |last| block.stone.ends[last as usize]);
                let part = &block.stone.bytes[end(before)..end(after)];
                // T.800 B.10.7.1.
                let room = (after - before).ilog2();
                let needed = (usize::BITS - part.len().leading_zeros()).saturating_sub(room);
                while block.length_bits < needed {
                    bits.put(1, 1);
                    block.length_bits += 1;
                }
                bits.put(0, 1);
                bits.put(part.len() as u32, block.length_bits + room);
                body.extend(part);
            }
        }
        self.bytes.extend(bits.finish());
        self.bytes.extend(body);
    }
}

impl Block<'_> {
    /// Passes before a layer.
    fn before(&self, layer: usize) -> u32 {
        layer.checked_sub(1).map_or(0, |before| self.passes[before])
    }

    fn zero_planes(&self) -> u32 {
        BIT_PLANES - (self.stone.planes - self.dropped)
    }
}

impl<'a> Band<'a> {
    fn new(mosaic: &'a Mosaic, place: Place, band: u32, contexts: Contexts) -> Self {
        let (width, height) = mosaic.size(place.resolution);
        // A high-pass band is half as dense as its resolution.
        let halved = u32::from(place.resolution > 0);
        let cut = |extent: u32, at: u32| {
            let side = 1 << (PRECINCT - halved - BLOCK);
            (at * side, (extent >> halved >> BLOCK).min((at + 1) * side))
        };
        let ((x0, x1), (y0, y1)) = (cut(width, place.column), cut(height, place.row));
        let blocks: Vec<Block<'a>> = (y0..y1)
            .flat_map(|y| (x0..x1).map(move |x| (x, y)))
            .map(|at| Block::new(mosaic, place, (band, contexts), at))
            .collect();
        let (columns, rows) = (x1 - x0, y1 - y0);
        let first_layer =
            |block: &Block<'_>| block.passes.iter().take_while(|&&passes| passes == 0).count() as u32;
        let inclusion = TagTree::new(columns, rows, blocks.iter().map(first_layer));
        let zero_planes = TagTree::new(columns, rows, blocks.iter().map(Block::zero_planes));
        Self { columns, blocks, inclusion, zero_planes }
    }
}

impl<'a> Block<'a> {
    fn new(mosaic: &'a Mosaic, place: Place, (band, contexts): (u32, Contexts), (x, y): (u32, u32)) -> Self {
        let shape = mosaic.shape;
        let number = |random: &mut Random, count: usize| random.below(count as u32) as usize;
        let own =
            u64::from(x) << 36 ^ u64::from(y) << 12 ^ u64::from(place.resolution) << 6 ^ u64::from(band) << 2;
        let mut random = Random::new(own ^ u64::from(place.component) ^ shape.seed << 56);
        let above = u32::from(shape.levels - place.resolution);
        let (stone, dropped) = if place.resolution == 0 {
            (mosaic.stones.ground(number(&mut random, GROUNDS)), 0)
        } else {
            let stone = mosaic.stones.detail(contexts, number(&mut random, DETAILS));
            // Details of coarse resolutions are large; those of the finest are small, and none where it is calm.
            let fine = 3u32.saturating_sub(above);
            let calm = 4 * u32::from(fine > 0 && is_calm(mosaic, (x, y), above + BLOCK + 1));
            (stone, fine + calm)
        };
        let dropped = dropped.min(stone.planes);
        let top = stone.planes - dropped;
        let layers = u32::from(shape.layers);
        let passes_of = |planes: u32| (3 * planes).saturating_sub(2);
        let mut so_far = 0;
        let passes = (0..layers).map(|layer| {
            // Planes that a layer leaves out: one less with each layer, and fewer in coarse resolutions.
            let left = (layers - 1 - layer).saturating_sub(above / 2);
            let whole = passes_of(top.saturating_sub(left));
            let more = if whole == 0 || left == 0 { 0 } else { random.below(3) };
            so_far = (whole + more).clamp(so_far, passes_of(top).max(so_far));
            so_far
        });
        let passes = passes.collect();
        Self { stone, dropped, passes, length_bits: 3 }
    }
}

/// Whether there is little to see at a block, whose samples are `2^shift` samples of the full size wide.
fn is_calm(mosaic: &Mosaic, (x, y): (u32, u32), shift: u32) -> bool {
    const REGION: u32 = 12;
    let region = |at: u32| u64::from(at) << shift >> REGION;
    let seed = mosaic.shape.seed << 48 ^ region(x) << 24 ^ region(y) ^ 0xCA1A << 32;
    Random::new(seed).below(4) == 0
}
