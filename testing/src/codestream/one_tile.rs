//! Writes codestreams of one tile and one layer whose code-blocks hold noise: any size costs no encoder.

use super::{BitWriter, Component, EOC, Header, TLM, packet_lengths, segment, tile_part};

/// What the file has beside the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointers {
    /// Nothing.
    None,
    /// The length of each packet.
    Plt,
    /// The lengths of the tile-parts.
    Tlm,
}

/// A codestream with 64 x 64 code-blocks and 8-bit components without component transform; resolution by
/// resolution, component by component.
#[derive(Clone, Debug)]
pub struct OneTile {
    /// Columns and rows.
    pub size: (u32, u32),
    /// How many.
    pub components: u8,
    /// Decomposition levels.
    pub levels: u8,
    /// 9/7, not 5/3.
    pub irreversible: bool,
    /// Exponents of the side of precincts: of the coarsest resolution, and of the others; at least 7, or 6 for the
    /// coarsest.
    pub precincts: (u32, u32),
    /// Resolutions that hold data, coarsest first; in the others all packets are empty.
    pub coded: u8,
    /// Coding passes of each block, 1 to 31.
    pub passes: u8,
    /// Bytes of each block, 1 to 2047.
    pub bytes: u16,
    /// What tells where packets are.
    pub pointers: Pointers,
}

impl OneTile {
    /// The codestream.
    pub fn write(&self) -> Vec<u8> {
        let exponents = |exponent: u32| (exponent << 4 | exponent) as u8;
        let mut precincts = vec![exponents(self.precincts.0)];
        precincts.extend(vec![exponents(self.precincts.1); self.levels.into()]);
        // Two guard bits, an exponent of 10: 11 bit-planes.
        let header = Header {
            components: vec![Component::GREY; self.components.into()],
            progression: 1,
            levels: self.levels,
            irreversible: self.irreversible,
            precincts,
            exponent: 10,
            ..Header::untiled(self.size.0, self.size.1)
        };
        let (packets, lengths) = self.packets();
        let pointers = if self.pointers == Pointers::Plt { packet_lengths(&lengths) } else { Vec::new() };
        let tile_part = tile_part(0, 0, 1, &pointers, &packets);
        let mut bytes = header.write();
        if self.pointers == Pointers::Tlm {
            let length = (tile_part.len() as u32).to_be_bytes();
            bytes.extend(segment(TLM, &[&[0, 0x40][..], &length].concat()));
        }
        [bytes, tile_part, EOC.to_be_bytes().to_vec()].concat()
    }

    /// Code-blocks that hold data.
    pub fn blocks(&self) -> u64 {
        let resolutions = (0..self.coded).flat_map(|resolution| self.bands(resolution));
        let blocks =
            resolutions.map(|(width, height)| width.div_ceil(64) as u64 * height.div_ceil(64) as u64);
        blocks.sum::<u64>() * u64::from(self.components)
    }

    /// Columns and rows of the sub-bands of a resolution.
    fn bands(&self, resolution: u8) -> Vec<(u32, u32)> {
        let shift = u32::from(self.levels - resolution);
        let (width, height) = (self.size.0.div_ceil(1 << shift), self.size.1.div_ceil(1 << shift));
        if resolution == 0 {
            return vec![(width, height)];
        }
        let (low, high) = ((width.div_ceil(2), height.div_ceil(2)), (width / 2, height / 2));
        vec![(high.0, low.1), (low.0, high.1), high]
    }

    /// All packets, and the length of each.
    fn packets(&self) -> (Vec<u8>, Vec<u32>) {
        let (mut packets, mut lengths) = (Vec::new(), Vec::new());
        let mut noise = 1u64;
        for resolution in 0..=self.levels {
            let shift = u32::from(self.levels - resolution);
            let exponent = if resolution == 0 { self.precincts.0 } else { self.precincts.1 };
            let count = |length: u32| length.div_ceil(1 << shift).div_ceil(1 << exponent);
            let side = 1 << (exponent - u32::from(resolution > 0));
            for _ in 0..self.components {
                for index in 0..count(self.size.0) * count(self.size.1) {
                    let (column, row) = (index % count(self.size.0), index / count(self.size.0));
                    let start = packets.len();
                    if resolution < self.coded {
                        let inside =
                            |length: u32, at: u32| length.saturating_sub(at * side).min(side).div_ceil(64);
                        let grids = self.bands(resolution).into_iter();
                        let grids = grids.map(|(width, height)| (inside(width, column), inside(height, row)));
                        let grids: Vec<_> = grids.collect();
                        packets.extend(self.header(&grids));
                        let blocks: u32 = grids.iter().map(|(columns, rows)| columns * rows).sum();
                        packets.extend((0..blocks * u32::from(self.bytes)).map(|_| {
                            noise = noise.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                            (noise >> 57) as u8
                        }));
                    } else {
                        packets.push(0);
                    }
                    lengths.push((packets.len() - start) as u32);
                }
            }
        }
        (packets, lengths)
    }

    /// The header of a packet that includes all blocks of its bands.
    fn header(&self, grids: &[(u32, u32)]) -> Vec<u8> {
        let mut bits = BitWriter::default();
        bits.put(1, 1);
        for &(columns, rows) in grids {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                // All values of both tag trees are 0: a bit for each node that is met for the first time.
                let levels = 32 - (columns.max(rows) - 1).leading_zeros();
                let new = (0..=levels).filter(|level| (row | column) % (1 << level) == 0).count();
                bits.put((1 << new) - 1, new as u32);
                bits.put((1 << new) - 1, new as u32);
                bits.put_passes(self.passes.into());
                // Eleven bits, less those that the number of passes adds ("Lblock" starts at 3).
                let more = 11 - 3 - self.passes.ilog2();
                bits.put((1 << (more + 1)) - 2, more + 1);
                bits.put(self.bytes.into(), 11);
            }
        }
        bits.finish()
    }
}
