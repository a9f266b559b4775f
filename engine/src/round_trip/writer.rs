//! A literal, lossless encoder of codestreams with one layer (T.800 Annexes A, B, D and F).

use super::wavelet::Plane;
use crate::codestream::code_block::Orientation;
use crate::codestream::header::{CodeBlockStyle, MainHeader};
use crate::codestream::progression::Packets;
use crate::codestream::sub_band::SubBand;
use crate::codestream::tile::Tile;
use crate::entropy::reference::{Encoder, Walk, segment_ends};
use crate::geometry::Rect;
use crate::limits::Limits;
use std::collections::HashMap;
use wavetile_testing::codestream::{BitWriter, Component, EOC, Header, TagTree, tile_part};

/// What to write.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) image: Rect,
    /// The first tile.
    pub(super) tile: Rect,
    pub(super) components: Vec<ComponentShape>,
    pub(super) levels: u8,
    /// Exponents of the code-block size.
    pub(super) code_block: (u8, u8),
    /// "PPx | PPy << 4" for each resolution; none: precincts are as large as can be.
    pub(super) precincts: Vec<u8>,
    pub(super) progression: u8,
    /// Code-block style.
    pub(super) style: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ComponentShape {
    pub(super) depth: u8,
    pub(super) signed: bool,
    pub(super) dx: u8,
    pub(super) dy: u8,
}

impl ComponentShape {
    /// What of `rect` (reference grid) this component has.
    pub(super) fn rect(&self, rect: Rect) -> Rect {
        rect.ceil_div(self.dx.into(), self.dy.into())
    }

    /// Added to every sample before the wavelet (T.800 G.1).
    fn level_shift(&self) -> i32 {
        if self.signed { 0 } else { (1i64 << (self.depth - 1)) as i32 }
    }
}

impl Shape {
    /// Everything before the first tile-part.
    pub(super) fn header(&self) -> Vec<u8> {
        let area = |rect: Rect| [rect.x0, rect.y0, rect.x1, rect.y1];
        let component = |&ComponentShape { depth, signed, dx, dy }: &_| Component { depth, signed, dx, dy };
        // Seven guard bits, and the bits of the deepest component: more than any coefficient needs.
        let exponent = self.components.iter().map(|component| component.depth).max().unwrap_or(1).min(31);
        Header {
            image: area(self.image),
            tile: area(self.tile),
            components: self.components.iter().map(component).collect(),
            progression: self.progression,
            levels: self.levels,
            code_block: self.code_block,
            style: self.style,
            precincts: self.precincts.clone(),
            guard_bits: 7,
            exponent,
            ..Header::default()
        }
        .write()
    }

    /// The codestream. `samples`: one list for each component, row by row.
    pub(super) fn write(&self, samples: &[Vec<i32>]) -> Vec<u8> {
        let mut bytes = self.header();
        let header = MainHeader::parse(&bytes, &Limits::trusted()).unwrap();
        let planes: Vec<Plane> = (self.components.iter().zip(samples))
            .map(|(component, samples)| Plane { rect: component.rect(self.image), samples: samples.clone() })
            .collect();
        for index in 0..header.tile_count() {
            let tile = Tile::new(&header, index, header.tile_parameters.clone()).unwrap();
            let body = self.tile(&header, &tile, &planes);
            bytes.extend(tile_part(index as u16, 0, 1, &[], &body));
        }
        bytes.extend(EOC.to_be_bytes());
        bytes
    }

    /// A component with its `reduce` finest levels left out, on the reduced grid: tile by tile the low-pass band.
    pub(super) fn reduced(&self, component: &ComponentShape, samples: &[i32], reduce: u32) -> Plane {
        let whole = Plane { rect: component.rect(self.image), samples: samples.to_vec() };
        let rect = whole.rect.ceil_shift(reduce);
        let mut reduced = Plane { rect, samples: vec![0; rect.area() as usize] };
        let header = MainHeader::parse(&self.header(), &Limits::trusted()).unwrap();
        let half = i64::from(component.level_shift());
        let (low, high) = (-(1i64 << (component.depth - 1)), (1i64 << (component.depth - 1)) - 1);
        for index in 0..header.tile_count() {
            let mut band = self.shifted(component, &whole, header.tile_rect(index));
            for _ in 0..reduce {
                let [low, ..] = band.analyse();
                band = low;
            }
            for y in band.rect.y0..band.rect.y1 {
                for x in band.rect.x0..band.rect.x1 {
                    let at = (y - rect.y0) as usize * rect.width() as usize + (x - rect.x0) as usize;
                    reduced.samples[at] = (i64::from(band.at(x, y)).clamp(low, high) + half) as i32;
                }
            }
        }
        reduced
    }

    /// One tile of a component, level-shifted.
    fn shifted(&self, component: &ComponentShape, plane: &Plane, tile: Rect) -> Plane {
        let rect = component.rect(tile);
        let shift = component.level_shift();
        Plane {
            rect,
            samples: plane.crop(rect).into_iter().map(|sample| sample.wrapping_sub(shift)).collect(),
        }
    }

    /// All packets of a tile.
    fn tile(&self, header: &MainHeader, tile: &Tile, planes: &[Plane]) -> Vec<u8> {
        let mut bands = HashMap::new();
        for (index, (component, plane)) in (0..).zip(self.components.iter().zip(planes)) {
            let mut rest = self.shifted(component, plane, tile.rect);
            for resolution in (1..=u32::from(self.levels)).rev() {
                let [ll, hl, lh, hh] = rest.analyse();
                rest = ll;
                bands.extend(
                    [hl, lh, hh].into_iter().zip(0..).map(|(band, at)| ((index, resolution, at), band)),
                );
            }
            bands.insert((index, 0, 0), rest);
        }
        let mut bytes = Vec::new();
        for packet in Packets::new(tile, &header.size.components) {
            let resolution =
                &tile.components[packet.component as usize].resolutions[packet.resolution as usize];
            let mut bits = BitWriter::default();
            let mut body = Vec::new();
            bits.put(1, 1);
            for (at, band) in resolution.bands.iter().enumerate() {
                let plane = &bands[&(packet.component, packet.resolution, at)];
                assert_eq!(plane.rect.area(), band.rect.area());
                let rect = resolution.precinct_band_rect(packet.precinct, at);
                self.precinct_band(band, rect, plane, &mut bits, &mut body);
            }
            bytes.extend(bits.finish());
            bytes.extend(body);
        }
        bytes
    }

    fn precinct_band(
        &self,
        band: &SubBand,
        rect: Rect,
        plane: &Plane,
        bits: &mut BitWriter,
        body: &mut Vec<u8>,
    ) {
        let grid = band.code_blocks(rect);
        let blocks: Vec<CodedBlock> = (0..grid.len() as u32)
            .map(|index| CodedBlock::new(grid.rect(index), band.orientation, self.style, plane))
            .collect();
        let mut inclusion =
            TagTree::new(grid.columns, grid.rows, blocks.iter().map(|block| u32::from(block.planes == 0)));
        let empty = |block: &CodedBlock| u32::from(band.bit_planes) - block.planes;
        let mut zero_planes = TagTree::new(grid.columns, grid.rows, blocks.iter().map(empty));
        for (index, block) in (0..).zip(&blocks) {
            let leaf = (index % grid.columns, index / grid.columns);
            inclusion.write(leaf, 1, bits);
            if block.planes > 0 {
                zero_planes.write(leaf, empty(block) + 1, bits);
                block.write(bits, body);
            }
        }
    }
}

/// All passes of a code-block.
struct CodedBlock {
    planes: u32,
    /// Passes and bytes.
    segments: Vec<(u32, Vec<u8>)>,
}

impl CodedBlock {
    fn new(rect: Rect, orientation: Orientation, style: u8, plane: &Plane) -> Self {
        let truth = plane.crop(rect);
        let planes = 32 - truth.iter().fold(0, |bits, value| bits | value.unsigned_abs()).leading_zeros();
        let passes = (3 * planes).saturating_sub(2);
        let style = CodeBlockStyle(style);
        let mut encoder = Encoder::new();
        let ends = segment_ends(style, passes);
        Walk::new((rect.width(), rect.height()), orientation, style, &truth).passes(
            planes,
            passes,
            &mut encoder,
            &ends,
        );
        let mut lengths = vec![0];
        for pass in 0..passes {
            *lengths.last_mut().unwrap() += 1;
            if ends(pass) && pass + 1 < passes {
                lengths.push(0);
            }
        }
        Self { planes, segments: lengths.into_iter().zip(encoder.segments).collect() }
    }

    /// Its share of the packet header and of the body.
    fn write(&self, bits: &mut BitWriter, body: &mut Vec<u8>) {
        let passes = self.segments.iter().map(|(passes, _)| passes).sum::<u32>();
        bits.put_passes(passes);
        let needed = |(passes, bytes): &(u32, Vec<u8>)| {
            (usize::BITS - bytes.len().leading_zeros()).saturating_sub(passes.ilog2())
        };
        let length_bits = self.segments.iter().map(needed).max().unwrap_or(0).max(3);
        (3..length_bits).for_each(|_| bits.put(1, 1));
        bits.put(0, 1);
        for (passes, bytes) in &self.segments {
            bits.put(bytes.len() as u32, length_bits + passes.ilog2());
            body.extend(bytes);
        }
    }
}
