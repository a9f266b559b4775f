//! Codestreams of any size, made up: every code-block has as many bytes as wanted in each layer, and what they decode to is
//! noise. Sizes, tiles, progressions and pointers are as a test wants them.

#![allow(unreachable_pub)]

use wavetile_engine::Limits;
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::precinct::Precinct;
use wavetile_engine::low_level::codestream::progression::{PacketId, Packets};
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_testing::codestream::{BitWriter, EOC, Header, TLM, packet_lengths, segment, tile_part};
use wavetile_testing::random::Random;

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

impl MadeUp {
    fn header(&self) -> Vec<u8> {
        Header {
            tile: [0, 0, self.tile, self.tile],
            progression: self.progression,
            layers: self.layers,
            levels: self.levels,
            precincts: vec![0x88; usize::from(self.levels) + 1],
            exponent: 9,
            ..Header::untiled(self.size, self.size)
        }
        .write()
    }

    /// The codestream.
    pub fn write(&self) -> Vec<u8> {
        let head = self.header();
        let header = MainHeader::parse(&head, &Limits::trusted()).unwrap();
        let mut noise = Random::new(1);
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
            let sizes: Vec<u32> = packets.iter().map(|packet| packet.len() as u32).collect();
            let pointers = if self.plt { packet_lengths(&sizes) } else { Vec::new() };
            let count = if self.tile_parts == TileParts::Whole { 1 } else { self.levels + 1 };
            let part = tile_part(tile as u16, number as u8, count, &pointers, &packets.concat());
            lengths.extend((tile as u16).to_be_bytes());
            lengths.extend((part.len() as u32).to_be_bytes());
            body.extend(part);
        }
        let mut bytes = head;
        if self.tlm {
            for (index, lengths) in (0u8..).zip(lengths.chunks(6 * 10_000)) {
                bytes.extend(segment(TLM, &[&[index, 0x60], lengths].concat()));
            }
        }
        bytes.extend(body);
        bytes.extend(EOC.to_be_bytes());
        bytes
    }

    /// A packet with one pass of every code-block; the first has the most significant bit-plane.
    fn packet(&self, tile: &Tile, id: PacketId, noise: &mut Random) -> Vec<u8> {
        let precinct =
            Precinct::new(tile, id.component, id.resolution, id.precinct, &Limits::trusted()).unwrap();
        let (mut bits, mut body) = (BitWriter::default(), Vec::new());
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
                body.extend((0..self.bytes).map(|_| noise.coded_byte()));
            }
        }
        [bits.finish(), body].concat()
    }
}
