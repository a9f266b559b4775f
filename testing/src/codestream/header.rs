//! Main headers (T.800 A.5 and A.6): SOC, SIZ, COD, QCD.

use super::{COD, EOC, QCD, SIZ, SOC, segment, tile_part};

/// A rectangle on the reference grid: `[x0, y0, x1, y1]`.
pub type Area = [u32; 4];

/// A component of SIZ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Bits of a sample, 1 to 38.
    pub depth: u8,
    /// Whether samples have a sign.
    pub signed: bool,
    /// Horizontal separation of samples on the reference grid ("XRsiz").
    pub dx: u8,
    /// Vertical separation ("YRsiz").
    pub dy: u8,
}

impl Component {
    /// 8 bits without a sign, at each place of the reference grid.
    pub const GREY: Self = Self { depth: 8, signed: false, dx: 1, dy: 1 };

    /// The same at every `dx`-th column and `dy`-th row.
    #[must_use]
    pub const fn separated(self, dx: u8, dy: u8) -> Self {
        Self { dx, dy, ..self }
    }
}

/// SOC and SIZ: a picture that covers `image`, in tiles like the first, `tile` (T.800 A.5.1).
pub fn size_segment(image: Area, tile: Area, components: &[Component]) -> Vec<u8> {
    let ([x0, y0, x1, y1], [tile_x0, tile_y0, tile_x1, tile_y1]) = (image, tile);
    let mut payload = vec![0, 0];
    for number in [x1, y1, x0, y0, tile_x1 - tile_x0, tile_y1 - tile_y0, tile_x0, tile_y0] {
        payload.extend(number.to_be_bytes());
    }
    payload.extend(u16::try_from(components.len()).expect("SIZ can count them").to_be_bytes());
    for component in components {
        let depth = (component.depth - 1) | (u8::from(component.signed) << 7);
        payload.extend([depth, component.dx, component.dy]);
    }
    [SOC.to_be_bytes().to_vec(), segment(SIZ, &payload)].concat()
}

/// What a main header says of a picture whose components are all coded alike.
#[derive(Clone, Debug)]
pub struct Header {
    /// The picture on the reference grid.
    pub image: Area,
    /// The first tile.
    pub tile: Area,
    /// Its components.
    pub components: Vec<Component>,
    /// 2: packets begin with SOP, 4: their headers end with EPH ("Scod", without the bit for precincts).
    pub delimiters: u8,
    /// 0 LRCP, 1 RLCP, 2 RPCL, 3 PCRL, 4 CPRL.
    pub progression: u8,
    /// Layers.
    pub layers: u16,
    /// Decomposition levels.
    pub levels: u8,
    /// Exponents of the sides of a code-block.
    pub code_block: (u8, u8),
    /// Code-block style.
    pub style: u8,
    /// Whether it is 9/7, not 5/3.
    pub irreversible: bool,
    /// "PPx | PPy << 4" of each resolution, coarsest first; none: as large as can be.
    pub precincts: Vec<u8>,
    /// Guard bits of all sub-bands.
    pub guard_bits: u8,
    /// Exponent of all sub-bands; with the guard bits, less one, their bit-planes.
    pub exponent: u8,
}

impl Default for Header {
    /// 64 x 64 grey samples in one code-block.
    fn default() -> Self {
        Self {
            image: [0, 0, 64, 64],
            tile: [0, 0, 64, 64],
            components: vec![Component::GREY],
            delimiters: 0,
            progression: 0,
            layers: 1,
            levels: 0,
            code_block: (6, 6),
            style: 0,
            irreversible: false,
            precincts: Vec::new(),
            guard_bits: 2,
            exponent: 8,
        }
    }
}

impl Header {
    /// `width` x `height` samples from the origin, in one tile.
    pub fn untiled(width: u32, height: u32) -> Self {
        let area = [0, 0, width, height];
        Self { image: area, tile: area, ..Self::default() }
    }

    /// Everything before the first tile-part.
    pub fn write(&self) -> Vec<u8> {
        let [high, low] = self.layers.to_be_bytes();
        let coding = self.delimiters | u8::from(!self.precincts.is_empty());
        let (width, height) = self.code_block;
        let wavelet = u8::from(!self.irreversible);
        let style =
            [coding, self.progression, high, low, 0, self.levels, width - 2, height - 2, self.style, wavelet];
        let bands = 3 * usize::from(self.levels) + 1;
        // Irreversible steps have a mantissa, of nothing here.
        let (kind, step) = match self.irreversible {
            true => (2, vec![self.exponent << 3, 0]),
            false => (0, vec![self.exponent << 3]),
        };
        [
            size_segment(self.image, self.tile, &self.components),
            segment(COD, &[&style, &self.precincts[..]].concat()),
            segment(QCD, &[vec![self.guard_bits << 5 | kind], step.repeat(bands)].concat()),
        ]
        .concat()
    }

    /// A codestream whose only tile-part, of the first tile, holds `packets`.
    pub fn codestream(&self, packets: &[u8]) -> Vec<u8> {
        [self.write(), tile_part(0, 0, 1, &[], packets), EOC.to_be_bytes().to_vec()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_that_of_the_standard() {
        let header = Header {
            image: [1, 2, 30, 40],
            tile: [0, 0, 16, 17],
            components: vec![Component { signed: true, depth: 12, ..Component::GREY.separated(2, 3) }],
            delimiters: 4,
            levels: 1,
            irreversible: true,
            precincts: vec![0x45, 0x56],
            ..Header::default()
        };
        let wanted = [
            &[0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0, 0, 0, 0, 30, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 2][..],
            &[0, 0, 0, 16, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x8B, 2, 3],
            &[0xFF, 0x52, 0, 14, 5, 0, 0, 1, 0, 1, 4, 4, 0, 0, 0x45, 0x56],
            &[0xFF, 0x5C, 0, 11, 0x42, 64, 0, 64, 0, 64, 0, 64, 0],
        ];
        assert_eq!(header.write(), wanted.concat());
    }
}
