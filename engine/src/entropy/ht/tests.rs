//! The high-throughput decoder against a literal encoder.
#![allow(clippy::unwrap_used)]

use super::reference::{Known, Source};
use crate::codestream::code_block::{BlockCoder, Orientation};
use crate::codestream::header::CodeBlockStyle;
use crate::entropy::simd::Level;
use crate::entropy::{BlockOutcome, Scratch, decode_block, decode_blocks};
use crate::geometry::Size;
use crate::plan::MAX_BIT_PLANES;
use crate::plan::{BlockOrigin, PlannedBlock, Segment};
use wavetile_testing::random::Random;

const SIZES: [(usize, usize); 22] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (3, 3),
    (4, 4),
    (5, 7),
    (1, 64),
    (64, 1),
    (7, 5),
    (8, 6),
    (13, 64),
    (31, 33),
    (33, 31),
    (34, 9),
    (63, 17),
    (64, 64),
    (61, 61),
    (128, 32),
    (1024, 4),
    (1023, 3),
    (4, 1024),
    (3, 1021),
];

/// Values of at most `planes` bits. Some blocks are sparse, some have runs of large values, and some nothing
/// but the largest, whose bits need stuffing.
fn coefficients(random: &mut Random, count: usize, planes: u32) -> Vec<i32> {
    let (sparse, kind) = (random.below(6), random.below(4));
    let mut bits = 0;
    (0..count)
        .map(|at| {
            if at % 16 == 0 || kind == 0 {
                bits = if random.below(5) < sparse { 0 } else { random.below(planes + 1) };
            }
            let mask = (1_u64 << bits) - 1;
            let magnitude = (u64::from(random.word()) & mask) as i32;
            let magnitude = if kind == 3 { mask as i32 } else { magnitude };
            if random.below(2) == 0 { magnitude } else { -magnitude }
        })
        .collect()
}

/// A coded block and what it decodes to.
struct Case {
    block: PlannedBlock,
    segments: Vec<Segment>,
    data: Vec<u8>,
    known: Vec<Option<Known>>,
}

impl Case {
    /// `passes`: 1 to 3.
    fn new(
        (width, height): (usize, usize),
        planes: u32,
        plane: u32,
        passes: u32,
        causal: bool,
        truth: &[i32],
    ) -> Self {
        let source = Source { width, height, truth, plane, causal };
        let coded = source.clean_up();
        let (mut data, mut known) = (coded.clean_up, coded.samples);
        let mut segments = vec![Segment { passes: 1, bytes: 0..data.len() }];
        data.extend([0xFF, 0xFF]);
        if passes > 1 {
            let start = data.len();
            data.extend(source.refine(passes == 3, &mut known));
            segments.push(Segment { passes: passes - 1, bytes: start..data.len() });
            data.extend([0xFF, 0xFF]);
        }
        let style =
            CodeBlockStyle::HIGH_THROUGHPUT | if causal { CodeBlockStyle::VERTICALLY_CAUSAL } else { 0 };
        let block = PlannedBlock {
            size: Size::new(width as u32, height as u32),
            orientation: Orientation::Hl,
            coder: BlockCoder::HighThroughput,
            style: CodeBlockStyle(style),
            bit_planes: planes as u8,
            clean_up_plane: plane as u8,
            roi_shift: 0,
            fraction: false,
            packed_16: false,
            origin: BlockOrigin::default(),
            segments: 0..segments.len() as u32,
            staging: 0..0,
        };
        Self { block, segments, data, known }.with_output(false, false)
    }

    fn with_output(mut self, fraction: bool, packed_16: bool) -> Self {
        let Size { width, height } = self.block.size;
        let row = if packed_16 { width.div_ceil(2) } else { width };
        (self.block.fraction, self.block.packed_16) = (fraction, packed_16);
        self.block.staging = 0..(row * height) as usize;
        self
    }

    fn decode(&self, scratch: &mut Scratch) -> (BlockOutcome, Vec<i32>) {
        let mut out = vec![0xDEAD_BEEF; self.block.staging.len()];
        let outcome = decode_block(&self.block, &self.segments, &self.data, scratch, &mut out);
        (outcome, self.unpack(&out))
    }

    fn unpack(&self, words: &[u32]) -> Vec<i32> {
        let width = self.block.size.width as usize;
        if !self.block.packed_16 {
            return words.iter().map(|&word| word as i32).collect();
        }
        let row = |row: &[u32]| {
            let halves: Vec<i32> =
                row.iter().flat_map(|&word| [word as i16, (word >> 16) as i16]).map(i32::from).collect();
            assert!(halves[width..].iter().all(|&beyond| beyond == 0));
            halves[..width].to_vec()
        };
        words.chunks(width.div_ceil(2)).flat_map(row).collect()
    }

    /// The contract's reconstruction, from the formula.
    fn expected(&self) -> Vec<i32> {
        let value = |known: &Option<Known>| {
            let Some(Known { magnitude, negative, plane }) = *known else { return 0 };
            let magnitude = match (self.block.fraction, plane) {
                (true, plane) => 2 * magnitude + (1 << plane),
                (false, 0) => magnitude,
                (false, plane) => magnitude + (1 << (plane - 1)),
            };
            if negative { -(magnitude as i32) } else { magnitude as i32 }
        };
        self.known.iter().map(value).collect()
    }

    fn random(random: &mut Random, size: (usize, usize), planes: u32, plane: u32) -> Self {
        let truth = coefficients(random, size.0 * size.1, planes);
        let passes = if plane > 0 { 1 + random.below(3) } else { 1 };
        Self::new(size, planes, plane, passes, random.below(2) == 1, &truth)
    }
}

/// One for each level of this processor.
fn scratches() -> Vec<Scratch> {
    let at = |level| Scratch {
        high_throughput: Some(super::Scratch { level, ..super::Scratch::new() }),
        ..Scratch::new()
    };
    Level::all().into_iter().map(at).collect()
}

fn whole(case: &Case) -> BlockOutcome {
    BlockOutcome { passes_decoded: case.segments.iter().map(|s| s.passes).sum(), damaged: false }
}

#[test]
fn blocks_of_all_shapes_and_depths_decode_to_what_was_encoded() {
    for mut scratch in scratches() {
        let mut random = Random::new(0x9E37_79B9_7F4A_7C15);
        for round in 0..24 {
            for size in SIZES {
                let planes = 1 + random.below(MAX_BIT_PLANES.into());
                let plane = if round % 3 == 0 { 0 } else { random.below(planes) };
                let (fraction, packed_16) = (random.below(2) == 1, planes < 15 && random.below(3) > 0);
                let case = Case::random(&mut random, size, planes, plane).with_output(fraction, packed_16);
                let (outcome, decoded) = case.decode(&mut scratch);
                let what =
                    format!("{size:?}, {planes} planes, clean-up in {plane}, {} passes", case.segments.len());
                assert_eq!(outcome, whole(&case), "{what}");
                assert_eq!(decoded, case.expected(), "{what}");
            }
        }
    }
}

#[test]
fn every_count_of_bit_planes_decodes_in_every_layout() {
    for mut scratch in scratches() {
        let mut random = Random::new(0xD1B5_4A32_D192_ED03);
        for planes in 1..=u32::from(MAX_BIT_PLANES) {
            for plane in [0, 1, 2, planes / 2, planes - 1] {
                if plane >= planes {
                    continue;
                }
                for size in [(16, 8), (32, 32), (19, 5)] {
                    for (fraction, packed_16) in [(false, false), (false, true), (true, false), (true, true)]
                    {
                        if packed_16 && planes + u32::from(fraction) > 15 {
                            continue;
                        }
                        let case =
                            Case::random(&mut random, size, planes, plane).with_output(fraction, packed_16);
                        let (outcome, decoded) = case.decode(&mut scratch);
                        assert_eq!(outcome, whole(&case), "{planes} planes, {plane}, {size:?}");
                        assert_eq!(decoded, case.expected(), "{planes} planes, {plane}, {size:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_run_of_blocks_decodes_as_they_do_alone() {
    let mut random = Random::new(0xA076_1D64_78BD_642F);
    let mut alone = Scratch::new();
    for mut scratch in scratches() {
        for _ in 0..40 {
            let mut cases = vec![];
            let mut size = SIZES[random.below(15) as usize];
            for _ in 0..1 + random.below(9) {
                if random.below(3) == 0 {
                    size = SIZES[random.below(15) as usize];
                }
                let planes = 1 + random.below(14);
                let plane = random.below(planes);
                let mut case = Case::random(&mut random, size, planes, plane).with_output(true, true);
                if random.below(6) == 0 {
                    case.data.iter_mut().for_each(|byte| *byte ^= 0x55);
                }
                cases.push(case);
            }
            let (mut data, mut segments, mut blocks, mut words) = (vec![], vec![], vec![], vec![]);
            for case in &cases {
                let first = segments.len() as u32;
                segments.extend(case.segments.iter().map(|segment| Segment {
                    bytes: segment.bytes.start + data.len()..segment.bytes.end + data.len(),
                    ..segment.clone()
                }));
                data.extend_from_slice(&case.data);
                let staging = words.len()..words.len() + case.block.staging.len();
                words.resize(staging.end, 0xDEAD_BEEF);
                blocks.push(PlannedBlock {
                    segments: first..segments.len() as u32,
                    staging,
                    ..case.block.clone()
                });
            }
            let damaged = decode_blocks(&blocks, &segments, &data, &mut scratch, &mut words);
            let outcomes: Vec<_> = cases.iter().map(|case| case.decode(&mut alone)).collect();
            assert_eq!(damaged, outcomes.iter().filter(|(outcome, _)| outcome.damaged).count() as u64);
            for ((case, block), (_, decoded)) in cases.iter().zip(&blocks).zip(outcomes) {
                assert_eq!(case.unpack(&words[block.staging.clone()]), decoded);
            }
        }
    }
}

#[test]
fn noise_and_cuts_do_not_leave_their_range() {
    let mut scratches = scratches();
    let mut random = Random::new(0xE703_7ED1_A0B4_28DB);
    let mut damaged = 0;
    for round in 0..2000 {
        let size = SIZES[round % SIZES.len()];
        let (fraction, packed_16) = (random.below(2) == 1, random.below(3) > 0);
        let planes = 1 + random.below(if packed_16 { 14 } else { MAX_BIT_PLANES.into() });
        let plane = random.below(planes);
        let small = (size.0.min(16), size.1.min(16));
        let mut case = Case::random(&mut random, small, planes, plane);
        case.block.size = Size::new(size.0 as u32, size.1 as u32);
        let mut case = case.with_output(fraction, packed_16);
        match round % 3 {
            0 => case.data.iter_mut().for_each(|byte| *byte = random.word() as u8 | random.word() as u8),
            1 => {
                for _ in 0..1 + random.below(4) {
                    let at = random.below(case.data.len() as u32) as usize;
                    case.data[at] ^= 1 << random.below(8);
                }
            }
            _ => {
                // A cut takes the end, which says where MEL starts; give it another.
                let end = random.below(case.segments[0].bytes.end as u32 + 1) as usize;
                case.segments[0].bytes.end = end;
                if let Some([low, high]) = case.data[..end].last_chunk_mut() {
                    (*low, *high) = (*low & 0xF0 | random.below(16) as u8, random.below(4) as u8);
                }
            }
        }
        let mut at_levels = scratches.iter_mut().map(|scratch| case.decode(scratch));
        let (outcome, decoded) = at_levels.next().unwrap();
        for other in at_levels {
            assert_eq!(other, (outcome, decoded.clone()), "round {round}");
        }
        damaged += u32::from(outcome.damaged);
        let limit = 1_i64 << (planes + u32::from(fraction));
        assert!(decoded.iter().all(|&value| i64::from(value).abs() < limit), "round {round}");
        if outcome.passes_decoded == 0 {
            assert!(outcome.damaged && decoded.iter().all(|&value| value == 0));
        }
    }
    assert!(damaged > 300, "{damaged}");
}

#[test]
fn a_region_of_interest_comes_down_and_its_background_stays() {
    for mut scratch in scratches() {
        // Background magnitudes have 5 bits; the region's are shifted up by 5.
        let truth = [3, -31, 9 << 5, -(17 << 5), 0, 1 << 5];
        let mut case = Case::new((3, 2), 10, 0, 1, false, &truth);
        case.block.roi_shift = 5;
        for packed_16 in [false, true] {
            case = case.with_output(false, packed_16);
            assert_eq!(case.decode(&mut scratch).1, [3, -31, 9, -17, 0, 1]);
            case = case.with_output(true, packed_16);
            assert_eq!(case.decode(&mut scratch).1, [7, -63, 19, -35, 0, 3]);
        }
    }
}

#[test]
fn what_a_block_cannot_hold_is_damage() {
    for mut scratch in scratches() {
        let mut random = Random::new(0xC2B2_AE3D_27D4_EB4F);
        let truth: Vec<i32> = (0..64).map(|_| random.below(64) as i32 + 64).collect();
        let case = |planes| Case::new((8, 8), planes, 2, 3, false, &truth);
        let nothing = BlockOutcome { passes_decoded: 0, damaged: true };
        assert_eq!(case(7).decode(&mut scratch), (whole(&case(7)), case(7).expected()));
        // Fewer bits than it has.
        assert_eq!(case(6).decode(&mut scratch), (nothing, vec![0; 64]));
        let mut broken = case(7);
        broken.block.clean_up_plane = 7;
        assert_eq!(broken.decode(&mut scratch).0, nothing);
        let mut broken = case(7);
        broken.segments[0].bytes.end = broken.data.len() + 1;
        assert_eq!(broken.decode(&mut scratch).0, nothing);
        broken.segments[0].bytes.end = 1;
        assert_eq!(broken.decode(&mut scratch).0, nothing);
        broken.segments.clear();
        assert_eq!(broken.decode(&mut scratch).0, nothing);
        // The refinement is lost, the clean-up pass stays.
        let mut broken = case(7);
        broken.segments[1].bytes.end = broken.data.len() + 1;
        let (outcome, decoded) = broken.decode(&mut scratch);
        assert_eq!(outcome, BlockOutcome { passes_decoded: 1, damaged: true });
        assert_eq!(decoded, Case::new((8, 8), 7, 2, 1, false, &truth).expected());
        let mut broken = case(7);
        broken.block.size = Size::new(585, 7);
        assert_eq!(broken.with_output(false, false).decode(&mut scratch).0, nothing);
    }
}
