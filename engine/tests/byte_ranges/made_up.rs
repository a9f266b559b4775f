//! Codestreams of any size, made up: every code-block has as many bytes as wanted in each layer, and what they decode to is
//! noise. Sizes, tiles, progressions and pointers are as a test wants them.

#![allow(unreachable_pub)]

use wavetile_engine::Limits;
use wavetile_engine::codestream::header::MainHeader;
use wavetile_engine::codestream::precinct::Precinct;
use wavetile_engine::codestream::progression::{PacketId, Packets};
use wavetile_engine::codestream::tile::Tile;

/// In which order tile-parts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileParts {
    /// One for each tile.
    Whole,
    /// One for each resolution of each tile, tile after tile.
    ByTile,
    /// The same, but the lowest resolutions of all tiles first.
    ByResolution,
}

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct MadeUp {
    /// Columns and rows of the picture, of one component.
    pub size: u32,
    /// Columns and rows of a tile.
    pub tile: u32,
    pub levels: u8,
    pub layers: u16,
    /// As in COD: 0 LRCP, 1 RLCP, 2 RPCL, 3 PCRL, 4 CPRL.
    pub progression: u8,
    pub tile_parts: TileParts,
    pub tlm: bool,
    pub plt: bool,
    /// Bytes of a code-block in each layer, up to 500.
    pub bytes: u32,
}

fn segment(marker: u16, payload: &[u8]) -> Vec<u8> {
    [&marker.to_be_bytes()[..], &(payload.len() as u16 + 2).to_be_bytes(), payload].concat()
}

impl MadeUp {
    fn header(&self) -> Vec<u8> {
        let numbers = [self.size, self.size, 0, 0, self.tile, self.tile, 0, 0];
        let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
        let size: Vec<u8> = [0, 0].into_iter().chain(numbers).chain([0, 1, 7, 1, 1]).collect();
        let [high, low] = self.layers.to_be_bytes();
        // Precincts of 256 x 256, code-blocks of 64 x 64, 5/3.
        let style = [1, self.progression, high, low, 0, self.levels, 4, 4, 0, 1];
        let precincts = vec![0x88; usize::from(self.levels) + 1];
        let steps = vec![9 << 3; 3 * usize::from(self.levels) + 1];
        [
            vec![0xFF, 0x4F],
            segment(0xFF51, &size),
            segment(0xFF52, &[&style[..], &precincts].concat()),
            segment(0xFF5C, &[vec![2 << 5], steps].concat()),
        ]
        .concat()
    }

    /// The codestream.
    pub fn write(&self) -> Vec<u8> {
        let head = self.header();
        let header = MainHeader::parse(&head, &Limits::trusted()).unwrap();
        let mut noise = Noise(1);
        // (resolution, tile, its packets) of each tile-part.
        let mut parts: Vec<(u32, u32, Vec<Vec<u8>>)> = Vec::new();
        for index in 0..header.tile_count() {
            let tile = Tile::new(&header, index, header.tile_parameters.clone()).unwrap();
            let by_resolution = self.tile_parts != TileParts::Whole;
            let count = if by_resolution { u32::from(self.levels) + 1 } else { 1 };
            let first = parts.len();
            parts.extend((0..count).map(|resolution| (resolution, index, Vec::new())));
            for packet in Packets::new(&tile, &header.size.components) {
                let part = if by_resolution { packet.resolution as usize } else { 0 };
                parts[first + part].2.push(self.packet(&tile, packet, &mut noise));
            }
        }
        if self.tile_parts == TileParts::ByResolution {
            parts.sort_by_key(|part| part.0);
        }
        let (mut body, mut lengths) = (Vec::new(), Vec::new());
        for (number, tile, packets) in parts {
            let pointers = if self.plt { packet_lengths(&packets) } else { Vec::new() };
            let length = 12 + pointers.len() + 2 + packets.iter().map(Vec::len).sum::<usize>();
            let count = if self.tile_parts == TileParts::Whole { 1 } else { self.levels + 1 };
            let tile = (tile as u16).to_be_bytes();
            let length = (length as u32).to_be_bytes();
            let sot = [&tile[..], &length, &[number as u8, count]].concat();
            body.extend(segment(0xFF90, &sot));
            body.extend(pointers);
            body.extend([0xFF, 0x93]);
            body.extend(packets.concat());
            lengths.extend([&tile[..], &length].concat());
        }
        let mut bytes = head;
        if self.tlm {
            for (index, lengths) in (0u8..).zip(lengths.chunks(6 * 10_000)) {
                bytes.extend(segment(0xFF55, &[&[index, 0x60], lengths].concat()));
            }
        }
        bytes.extend(body);
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    /// A packet with one pass of every code-block; the first has the most significant bit-plane.
    fn packet(&self, tile: &Tile, id: PacketId, noise: &mut Noise) -> Vec<u8> {
        let precinct =
            Precinct::new(tile, id.component, id.resolution, id.precinct, &Limits::trusted()).unwrap();
        let (mut bits, mut body) = (Bits::default(), Vec::new());
        bits.put(1, 1);
        for band in &precinct.bands {
            let (columns, rows) = (band.grid.columns, band.grid.rows);
            let mut visited = std::collections::HashSet::new();
            for (column, row) in (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))) {
                if id.layer == 0 {
                    // Both tag trees hold nothing but zeros: a 1 for each node that is new.
                    let levels = 32 - (columns.max(rows) - 1).leading_zeros();
                    let new =
                        (0..=levels).filter(|level| visited.insert((*level, column >> level, row >> level)));
                    let new = new.count() as u32;
                    (0..2 * new).for_each(|_| bits.put(1, 1));
                    // One pass; lengths of 9 bits from now on.
                    bits.put(0, 1);
                    bits.put(0b111_1110, 7);
                } else {
                    bits.put(0b100, 3);
                }
                bits.put(self.bytes, 9);
                body.extend((0..self.bytes).map(|_| noise.next() % 255));
            }
        }
        [bits.finish(), body].concat()
    }
}

fn packet_lengths(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut coded: Vec<Vec<u8>> = Vec::new();
    for packet in packets {
        let mut groups = vec![packet.len() as u8 & 0x7F];
        let mut rest = packet.len() >> 7;
        while rest > 0 {
            groups.push(rest as u8 & 0x7F | 0x80);
            rest >>= 7;
        }
        groups.reverse();
        coded.push(groups);
    }
    let chunks = (0u8..).zip(coded.chunks(12_000));
    chunks.flat_map(|(index, coded)| segment(0xFF58, &[&[index][..], &coded.concat()].concat())).collect()
}

/// Bits with the stuffing of T.800 B.10.1.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.free = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
                self.bytes.push(0);
            }
            self.free -= 1;
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << self.free;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.bytes.last() == Some(&0xFF) {
            self.bytes.push(0);
        }
        self.bytes
    }
}

/// SplitMix64.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 56) as u8
    }
}
