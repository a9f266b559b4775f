//! The block decoder against a literal coder.
#![allow(clippy::unwrap_used)]

use super::reference::{Coefficient, Encoder, LiteralDecoder, Walk, segment_ends};
use super::*;
use crate::codestream::code_block::Orientation;
use crate::geometry::Size;
use crate::plan::BlockOrigin;
use wavetile_testing::random::Random;

pub(super) const ORIENTATIONS: [Orientation; 4] =
    [Orientation::Ll, Orientation::Hl, Orientation::Lh, Orientation::Hh];
pub(super) const SIZES: [(u32, u32); 14] = [
    (1, 1),
    (1, 9),
    (9, 1),
    (2, 4),
    (3, 5),
    (5, 3),
    (8, 8),
    (17, 6),
    (31, 33),
    (64, 7),
    (64, 64),
    (1024, 4),
    (4, 1024),
    (32, 20),
];

/// Mostly small values with some large ones, of at most `planes` bits.
pub(super) fn coefficients(random: &mut Random, count: u32, planes: u32) -> Vec<i32> {
    let sparse = random.below(4);
    (0..count)
        .map(|_| {
            let bits = if random.below(4) < sparse { 0 } else { random.below(planes + 1) };
            let magnitude = (random.word() as u64 & ((1 << bits) - 1)) as i32;
            if random.below(2) == 0 { magnitude } else { -magnitude }
        })
        .collect()
}

/// A block of one test: its parameters and coded bytes.
pub(super) struct Coded {
    pub(super) block: PlannedBlock,
    pub(super) segments: Vec<Vec<u8>>,
    pub(super) passes: Vec<u32>,
}

impl Coded {
    pub(super) fn new(
        size: (u32, u32),
        orientation: Orientation,
        style: u8,
        planes: u8,
        segments: Vec<Vec<u8>>,
    ) -> Self {
        let style = CodeBlockStyle(style);
        let count = 3 * u32::from(planes) - 2;
        let mut passes = vec![0];
        for pass in 0..count {
            *passes.last_mut().unwrap() += 1;
            if segment_ends(style, count)(pass) && pass + 1 < count {
                passes.push(0);
            }
        }
        let block = PlannedBlock {
            size: Size::new(size.0, size.1),
            orientation,
            coder: BlockCoder::BitPlane,
            style,
            bit_planes: planes,
            clean_up_plane: 0,
            roi_shift: 0,
            fraction: false,
            packed_16: false,
            origin: BlockOrigin::default(),
            segments: 0..passes.len() as u32,
            staging: 0..0,
        };
        Self { block, segments, passes }
    }

    /// Encodes all passes of `truth`.
    pub(super) fn encode(
        size: (u32, u32),
        orientation: Orientation,
        style: u8,
        planes: u8,
        truth: &[i32],
    ) -> Self {
        let mut encoder = Encoder::new();
        let count = 3 * u32::from(planes) - 2;
        let style_bits = CodeBlockStyle(style);
        Walk::new(size, orientation, style_bits, truth).passes(
            u32::from(planes),
            count,
            &mut encoder,
            &segment_ends(style_bits, count),
        );
        Self::new(size, orientation, style, planes, encoder.segments)
    }

    /// Decodes the first `count` passes; returns the staging words too.
    fn decode(&self, count: u32, scratch: &mut Scratch) -> (BlockOutcome, Vec<u32>) {
        let (mut data, mut segments, mut left) = (vec![], vec![], count);
        for (bytes, &passes) in self.segments.iter().zip(&self.passes) {
            let start = data.len();
            data.extend_from_slice(bytes);
            if left > 0 {
                segments.push(Segment { passes: passes.min(left), bytes: start..data.len() });
            }
            left -= passes.min(left);
            data.extend_from_slice(&[0xFF, 0xFF]);
        }
        let size = self.block.size;
        let row = if self.block.packed_16 { size.width.div_ceil(2) } else { size.width };
        let mut out = vec![0xDEAD_BEEF; (row * size.height) as usize];
        (decode_block(&self.block, &segments, &data, scratch, &mut out), out)
    }

    /// What the first `count` passes are, by the literal decoder.
    fn decode_literally(&self, count: u32) -> Vec<Coefficient> {
        let size = (self.block.size.width, self.block.size.height);
        let mut walk = Walk::new(size, self.block.orientation, self.block.style, &[]);
        let mut decoder = LiteralDecoder::new(&self.segments);
        walk.passes(self.block.bit_planes.into(), count, &mut decoder, &|pass| {
            segment_ends(self.block.style, 3 * u32::from(self.block.bit_planes) - 2)(pass)
        });
        walk.coefficients
    }
}

/// The contract's reconstruction, from the formula.
fn expected(coefficient: &Coefficient, fraction: bool) -> i32 {
    let Coefficient { magnitude, plane, .. } = *coefficient;
    let magnitude = match (coefficient.significant, fraction, plane) {
        (false, _, _) => 0,
        (true, true, plane) => 2 * magnitude + (1 << plane),
        (true, false, 0) => magnitude,
        (true, false, plane) => magnitude + (1 << (plane - 1)),
    };
    if coefficient.negative { -(magnitude as i32) } else { magnitude as i32 }
}

fn unpack(width: u32, words: &[u32]) -> Vec<i32> {
    let row = |row: &[u32]| {
        let halves = row.iter().flat_map(|word| [*word as i16, (word >> 16) as i16]);
        halves.take(width as usize).map(i32::from).collect::<Vec<_>>()
    };
    words.chunks(width.div_ceil(2) as usize).flat_map(row).collect()
}

#[test]
fn every_style_and_orientation_decodes_to_what_was_encoded() {
    let mut random = Random::new(0x9E37_79B9_7F4A_7C15);
    let mut scratch = Scratch::new();
    for style in 0..64 {
        for orientation in ORIENTATIONS {
            for (index, size) in SIZES.into_iter().enumerate() {
                if size.0 * size.1 > 1100 && !(style as usize + index).is_multiple_of(4) {
                    continue;
                }
                let planes = 1 + random.below(if index % 2 == 0 { 8 } else { 16 }) as u8;
                let truth = coefficients(&mut random, size.0 * size.1, planes.into());
                let coded = Coded::encode(size, orientation, style, planes, &truth);
                let count = 3 * u32::from(planes) - 2;
                let (outcome, words) = coded.decode(count, &mut scratch);
                assert_eq!(outcome, BlockOutcome { passes_decoded: count, damaged: false });
                let decoded: Vec<i32> = words.iter().map(|&word| word as i32).collect();
                assert_eq!(decoded, truth, "style {style:#x} {orientation:?} {size:?} {planes} planes");
            }
        }
    }
}

#[test]
fn a_prefix_of_the_passes_decodes_to_the_middle_of_what_is_open() {
    let mut random = Random::new(0xD1B5_4A32_D192_ED03);
    let mut scratch = Scratch::new();
    for round in 0..300 {
        let size = SIZES[round % 10];
        let orientation = ORIENTATIONS[random.below(4) as usize];
        let planes = 1 + random.below(14) as u8;
        let truth = coefficients(&mut random, size.0 * size.1, planes.into());
        let mut coded = Coded::encode(size, orientation, random.below(64) as u8, planes, &truth);
        let count = random.below(3 * u32::from(planes) - 1);
        let literal = coded.decode_literally(count);
        for (coefficient, truth) in literal.iter().zip(&truth) {
            let open = (1 << coefficient.plane) - 1;
            assert!(!coefficient.significant || coefficient.magnitude == truth.unsigned_abs() & !open);
        }
        for (fraction, packed_16) in [(false, false), (false, true), (true, false), (true, true)] {
            (coded.block.fraction, coded.block.packed_16) = (fraction, packed_16);
            let (outcome, words) = coded.decode(count, &mut scratch);
            assert_eq!(outcome, BlockOutcome { passes_decoded: count, damaged: false });
            let decoded = if packed_16 {
                unpack(size.0, &words)
            } else {
                words.iter().map(|&word| word as i32).collect()
            };
            let expected: Vec<i32> = literal.iter().map(|c| expected(c, fraction)).collect();
            assert_eq!(decoded, expected, "round {round}: {count} passes of {planes} planes, {size:?}");
        }
    }
}

#[test]
fn noise_decodes_as_the_flow_charts_say() {
    let mut random = Random::new(0xA076_1D64_78BD_642F);
    let mut scratch = Scratch::new();
    for round in 0..1500 {
        let size = SIZES[round % 10];
        // Noise has no segmentation symbols.
        let style = random.below(64) as u8 & !CodeBlockStyle::SEGMENTATION_SYMBOLS;
        let planes = 1 + random.below(30) as u8;
        let mut coded = Coded::new(size, ORIENTATIONS[random.below(4) as usize], style, planes, vec![]);
        let markers = random.below(3);
        for _ in &coded.passes {
            let length = random.below(80);
            let byte = |random: &mut Random| match (markers, random.below(4)) {
                (1, 0) | (2, 0 | 1) => 0xFF,
                (2, 2) => 0x70 + random.below(0x30) as u8,
                _ => random.word() as u8,
            };
            coded.segments.push((0..length).map(|_| byte(&mut random)).collect());
        }
        coded.block.fraction = true;
        let count = 3 * u32::from(planes) - 2;
        let (outcome, words) = coded.decode(count, &mut scratch);
        assert_eq!(outcome, BlockOutcome { passes_decoded: count, damaged: false });
        let decoded: Vec<i32> = words.iter().map(|&word| word as i32).collect();
        let expected: Vec<i32> = coded.decode_literally(count).iter().map(|c| expected(c, true)).collect();
        assert_eq!(decoded, expected, "round {round}");
    }
}

/// The coded bytes of T.800 J.10.4.
#[test]
fn the_standards_example_decodes_to_the_standards_coefficients() {
    let mut scratch = Scratch::new();
    let low = vec![0x01, 0x8F, 0x0D, 0xC8, 0x75, 0x5D];
    let low = Coded::new((1, 5), Orientation::Ll, 0, 6, vec![low]);
    let (_, words) = low.decode(16, &mut scratch);
    assert_eq!(words, [-26, -22, -30, -32, -19].map(|value: i32| value as u32));
    let high = Coded::new((1, 4), Orientation::Lh, 0, 3, vec![vec![0x0F, 0xB1, 0x76]]);
    let (_, words) = high.decode(7, &mut scratch);
    assert_eq!(words, [1, 5, 1, 0]);
}

#[test]
fn a_region_of_interest_comes_down_and_its_background_stays() {
    let mut scratch = Scratch::new();
    // Background magnitudes have 5 bits; the region's are shifted up by 5.
    let truth = [3, -31, 9 << 5, -(17 << 5), 0, 1 << 5];
    let mut coded = Coded::encode((3, 2), Orientation::Hh, 0, 10, &truth);
    coded.block.roi_shift = 5;
    let (_, words) = coded.decode(28, &mut scratch);
    assert_eq!(words, [3, -31, 9, -17, 0, 1].map(|value: i32| value as u32));
    coded.block.fraction = true;
    let (_, words) = coded.decode(28, &mut scratch);
    assert_eq!(words, [7, -63, 19, -35, 0, 3].map(|value: i32| value as u32));
    // All planes above the lowest two of the region: 4 units are open.
    let (_, words) = coded.decode(3 * 3 - 2, &mut scratch);
    assert_eq!(words, [0, 0, 16 + 4, -(32 + 4), 0, 0].map(|value: i32| value as u32));
}

#[test]
fn a_wrong_segmentation_symbol_drops_its_plane_and_ends_the_block() {
    let mut random = Random::new(0xE703_7ED1_A0B4_28DB);
    let mut scratch = Scratch::new();
    let style = CodeBlockStyle::SEGMENTATION_SYMBOLS | CodeBlockStyle::TERMINATE_ALL;
    let truth = coefficients(&mut random, 32 * 20, 8);
    let mut coded = Coded::encode((32, 20), Orientation::Hl, style, 8, &truth);
    // The cleanup pass of the fourth plane.
    let cut = coded.segments[9].len() / 2;
    coded.segments[9].truncate(cut);
    let (outcome, words) = coded.decode(22, &mut scratch);
    assert_eq!(outcome, BlockOutcome { passes_decoded: 7, damaged: true });
    assert_eq!(words, coded.decode(7, &mut scratch).1);
}

#[test]
fn what_a_block_cannot_hold_is_damage() {
    let mut scratch = Scratch::new();
    let truth = [5, -3, 0, 7];
    let mut coded = Coded::encode((2, 2), Orientation::Ll, 0, 3, &truth);
    let damaged = |passes_decoded| BlockOutcome { passes_decoded, damaged: true };
    coded.passes[0] = 8;
    let (outcome, words) = coded.decode(8, &mut scratch);
    assert_eq!(outcome, damaged(7));
    assert_eq!(words, truth.map(|value| value as u32));

    let mut out = [1; 4];
    let outside = [Segment { passes: 1, bytes: 3..9 }];
    assert_eq!(decode_block(&coded.block, &outside, &[0; 5], &mut scratch, &mut out), damaged(0));
    assert_eq!(out, [0; 4]);
    assert_eq!(decode_block(&coded.block, &[], &[], &mut scratch, &mut [1; 5]), damaged(0));
    let large = PlannedBlock { size: Size::new(1025, 1), ..coded.block.clone() };
    assert_eq!(decode_block(&large, &[], &[], &mut scratch, &mut [1; 1025]), damaged(0));
    coded.block.bit_planes = MAX_BIT_PLANES + 1;
    assert_eq!(decode_block(&coded.block, &[], &[], &mut scratch, &mut out), damaged(0));
    coded.block.bit_planes = 6;
    // The tenth pass ends an arithmetic segment with bypass; eleven in one are a contradiction.
    coded.block.style = CodeBlockStyle(CodeBlockStyle::BYPASS);
    let mixed = [Segment { passes: 11, bytes: 0..2 }];
    assert_eq!(decode_block(&coded.block, &mixed, &[7, 7], &mut scratch, &mut out), damaged(10));
    coded.block.bit_planes = 0;
    assert_eq!(decode_block(&coded.block, &mixed, &[7, 7], &mut scratch, &mut out), damaged(0));
}
