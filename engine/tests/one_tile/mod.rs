//! Writes codestreams of one tile and one layer whose code-blocks hold noise: any size costs no encoder.

/// What the file has beside the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointers {
    None,
    Plt,
    Tlm,
}

/// A codestream with 64 x 64 code-blocks and 8-bit components without component transform; resolution by
/// resolution, component by component.
#[derive(Clone, Debug)]
pub(crate) struct OneTile {
    pub(crate) size: (u32, u32),
    pub(crate) components: u8,
    pub(crate) levels: u8,
    pub(crate) irreversible: bool,
    /// Exponents of the side of precincts: of the coarsest resolution, and of the others; at least 7, or 6 for the
    /// coarsest.
    pub(crate) precincts: (u32, u32),
    /// Resolutions that hold data, coarsest first; in the others all packets are empty.
    pub(crate) coded: u8,
    /// Coding passes of each block, 1 to 31.
    pub(crate) passes: u8,
    /// Bytes of each block, 1 to 2047.
    pub(crate) bytes: u16,
    pub(crate) pointers: Pointers,
}

impl OneTile {
    /// The codestream.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut siz = vec![0, 0];
        for number in [self.size.0, self.size.1, 0, 0, self.size.0, self.size.1, 0, 0] {
            siz.extend(number.to_be_bytes());
        }
        siz.extend([0, self.components]);
        siz.extend([7, 1, 1].repeat(self.components.into()));
        let exponents = |exponent: u32| (exponent << 4 | exponent) as u8;
        let mut cod = vec![1, 1, 0, 1, 0, self.levels, 4, 4, 0, u8::from(!self.irreversible)];
        cod.push(exponents(self.precincts.0));
        cod.extend(vec![exponents(self.precincts.1); self.levels.into()]);
        // Two guard bits, an exponent of 10: 11 bit-planes.
        let bands = 3 * usize::from(self.levels) + 1;
        let (style, step) = if self.irreversible { (2, vec![10 << 3, 0]) } else { (0, vec![10 << 3]) };
        let qcd = [vec![2 << 5 | style], step.repeat(bands)].concat();

        let (packets, lengths) = self.packets();
        let mut tile_header = Vec::new();
        if self.pointers == Pointers::Plt {
            for (index, lengths) in (0u8..).zip(lengths.chunks(15_000)) {
                let coded = lengths.iter().flat_map(|&length| seven_bits(length));
                tile_header.extend(segment(0xFF58, &[index].into_iter().chain(coded).collect::<Vec<_>>()));
            }
        }
        let length = (12 + tile_header.len() + 2 + packets.len()) as u32;
        let mut main = vec![0xFF, 0x4F];
        main.extend(segment(0xFF51, &siz));
        main.extend(segment(0xFF52, &cod));
        main.extend(segment(0xFF5C, &qcd));
        if self.pointers == Pointers::Tlm {
            main.extend(segment(0xFF55, &[&[0, 0x40][..], &length.to_be_bytes()].concat()));
        }
        let sot = [&[0, 0][..], &length.to_be_bytes(), &[0, 1]].concat();
        [main, segment(0xFF90, &sot), tile_header, vec![0xFF, 0x93], packets, vec![0xFF, 0xD9]].concat()
    }

    /// Code-blocks that hold data.
    pub(crate) fn blocks(&self) -> u64 {
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
        bits.push(1, 1);
        for &(columns, rows) in grids {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                // All values of both tag trees are 0: a bit for each node that is met for the first time.
                let levels = 32 - (columns.max(rows) - 1).leading_zeros();
                let new = (0..=levels).filter(|level| (row | column) % (1 << level) == 0).count();
                bits.push((1 << new) - 1, new as u32);
                bits.push((1 << new) - 1, new as u32);
                match u32::from(self.passes) {
                    1 => bits.push(0, 1),
                    2 => bits.push(0b10, 2),
                    passes @ 3..=5 => bits.push(0b1100 | (passes - 3), 4),
                    passes => bits.push(0b1_1110_0000 | (passes - 6), 9),
                }
                // Eleven bits, less those that the number of passes adds ("Lblock" starts at 3).
                let more = 11 - 3 - self.passes.ilog2();
                bits.push((1 << (more + 1)) - 2, more + 1);
                bits.push(self.bytes.into(), 11);
            }
        }
        bits.finish()
    }
}

/// Bits with a 0 after each byte 0xFF (T.800 B.10.1).
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    current: u32,
    count: u32,
}

impl BitWriter {
    fn push(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.current = self.current << 1 | (value >> bit & 1);
            self.count += 1;
            let room = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
            if self.count == room {
                self.bytes.push(self.current as u8);
                (self.current, self.count) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count > 0 {
            self.push(0, 1);
        }
        if self.bytes.last() == Some(&0xFF) {
            self.bytes.push(0);
        }
        self.bytes
    }
}

fn segment(marker: u16, payload: &[u8]) -> Vec<u8> {
    [&marker.to_be_bytes()[..], &(payload.len() as u16 + 2).to_be_bytes(), payload].concat()
}

/// A length as in PLT: groups of seven bits, most significant first.
fn seven_bits(length: u32) -> Vec<u8> {
    let groups = (length | 1).ilog2() / 7;
    (0..=groups).rev().map(|group| (length >> (7 * group) & 0x7F) as u8 | u8::from(group > 0) << 7).collect()
}
