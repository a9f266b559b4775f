//! Pictures of any size without an encoder in the way: each code-block is one of a few that were encoded once. Whatever is
//! asked for is made then, at a cost that does not grow with the picture.

mod packets;
mod stones;

pub use packets::Packets;

use crate::codestream::{Component, EOC, Header, tile_part};
use std::sync::Arc;
use stones::Stones;

/// A picture in one tile with the reversible wavelet, of 8 bits a component and without component transform. The coarsest
/// resolution is smooth; details are discs, lines and grains, fewer where the picture is calm.
#[derive(Clone, Debug)]
pub struct Mosaic {
    shape: Shape,
    stones: Arc<Stones>,
}

/// How large a mosaic is, and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Columns: a multiple of `64 << levels`.
    pub width: u32,
    /// Rows: a multiple of `64 << levels`.
    pub height: u32,
    /// 1 or 3.
    pub components: u8,
    /// Decomposition levels, at least 1.
    pub levels: u8,
    /// Quality layers, at least 1.
    pub layers: u16,
    /// Other pictures for other seeds.
    pub seed: u64,
}

impl Shape {
    /// 262 144 x 393 216 samples, 103 gigapixels, in six layers.
    pub const VAST: Self =
        Self { width: 1 << 18, height: 3 << 17, components: 3, levels: 11, layers: 6, seed: 1 };

    /// 4096 x 6144 samples with all else like [`VAST`](Self::VAST).
    pub const SMALL: Self = Self { width: 1 << 12, height: 3 << 11, levels: 5, ..Self::VAST };
}

/// log2 of the side of a precinct of any resolution.
const PRECINCT: u32 = 8;
/// log2 of the side of a code-block.
const BLOCK: u32 = 6;
/// Bit-planes of every sub-band, the empty ones included.
const BIT_PLANES: u32 = 11;

/// A resolution, and which precinct of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    component: u8,
    resolution: u8,
    column: u32,
    row: u32,
}

impl Mosaic {
    /// The picture of a shape.
    ///
    /// # Panics
    /// If there is no such shape.
    pub fn new(shape: Shape) -> Self {
        let side = 64 << shape.levels;
        assert!(shape.width.is_multiple_of(side) && shape.height.is_multiple_of(side), "{shape:?}: sides");
        assert!(matches!(shape.components, 1 | 3) && shape.levels > 0 && shape.layers > 0, "{shape:?}");
        Self { shape, stones: Arc::new(Stones::new(shape.seed)) }
    }

    /// Its shape.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The main header: its data-bin.
    pub fn main_header(&self) -> Vec<u8> {
        let Shape { width, height, components, levels, layers, .. } = self.shape;
        Header {
            components: vec![Component::GREY; components.into()],
            progression: 2,
            layers,
            levels,
            code_block: (BLOCK as u8, BLOCK as u8),
            precincts: vec![(PRECINCT << 4 | PRECINCT) as u8; usize::from(levels) + 1],
            guard_bits: 2,
            exponent: (BIT_PLANES - 1) as u8,
            ..Header::untiled(width, height)
        }
        .write()
    }

    /// The packets of a precinct, named as in T.808 A.3.2.1: `precinct` counts on through the resolutions. `None` if there is
    /// no such precinct.
    pub fn packets(&self, component: u32, precinct: u64) -> Option<Packets> {
        self.place(component, precinct).map(|place| Packets::new(self, place))
    }

    /// The picture as a file, for those that fit into memory.
    pub fn codestream(&self) -> Vec<u8> {
        let mut body = Vec::new();
        // By resolution, place and component, since all components are as large as the picture.
        let components = 0..u32::from(self.shape.components);
        let mut precinct = 0;
        while self.place(0, precinct).is_some() {
            body.extend(
                components
                    .clone()
                    .filter_map(|component| self.packets(component, precinct))
                    .flat_map(|it| it.bytes),
            );
            precinct += 1;
        }
        [self.main_header(), tile_part(0, 0, 1, &[], &body), EOC.to_be_bytes().to_vec()].concat()
    }

    /// Columns and rows of a resolution.
    fn size(&self, resolution: u8) -> (u32, u32) {
        let shift = self.shape.levels - resolution;
        (self.shape.width >> shift, self.shape.height >> shift)
    }

    /// Columns and rows of precincts of a resolution.
    fn precincts(&self, resolution: u8) -> (u32, u32) {
        let (width, height) = self.size(resolution);
        (width.div_ceil(1 << PRECINCT), height.div_ceil(1 << PRECINCT))
    }

    fn place(&self, component: u32, mut precinct: u64) -> Option<Place> {
        let component =
            u8::try_from(component).ok().filter(|&component| component < self.shape.components)?;
        for resolution in 0..=self.shape.levels {
            let (columns, rows) = self.precincts(resolution);
            let count = u64::from(columns) * u64::from(rows);
            if precinct < count {
                let (row, column) =
                    ((precinct / u64::from(columns)) as u32, (precinct % u64::from(columns)) as u32);
                return Some(Place { component, resolution, column, row });
            }
            precinct -= count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precinct_of_a_vast_picture_is_made_alone_and_the_same_each_time() {
        let (one, other) = (Mosaic::new(Shape::VAST), Mosaic::new(Shape::VAST));
        let precincts: u64 =
            (0..=11).map(|r| one.precincts(r)).map(|(x, y)| u64::from(x) * u64::from(y)).sum();
        assert!(precincts > 2_000_000, "{precincts}");
        let last = one.packets(2, precincts - 1).unwrap();
        assert_eq!(one.packets(2, precincts), None);
        assert_eq!(one.packets(3, 0), None);
        assert_eq!(last.ends.len(), 6);
        assert_eq!(last.ends.last(), Some(&(last.bytes.len() as u64)));
        assert!(last.ends.is_sorted());
        assert_eq!(other.packets(2, precincts - 1), Some(last));
        let seeded = Mosaic::new(Shape { seed: 2, ..Shape::VAST });
        assert_ne!(seeded.packets(0, 5), one.packets(0, 5));
    }

    #[test]
    fn places_follow_one_another() {
        let mosaic = Mosaic::new(Shape::SMALL);
        let place = |precinct| mosaic.place(1, precinct);
        assert_eq!(place(0), Some(Place { component: 1, resolution: 0, column: 0, row: 0 }));
        // 128 x 192, then 256 x 384, then 512 x 768.
        assert_eq!(place(2), Some(Place { component: 1, resolution: 1, column: 0, row: 1 }));
        assert_eq!(place(3), Some(Place { component: 1, resolution: 2, column: 0, row: 0 }));
        assert_eq!(place(6), Some(Place { component: 1, resolution: 2, column: 1, row: 1 }));
    }
}
