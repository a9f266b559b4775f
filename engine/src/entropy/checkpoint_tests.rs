//! Decoding on from a checkpoint gives what decoding from the first pass gives.
#![allow(clippy::unwrap_used)]

use super::tests::{Coded, ORIENTATIONS, SIZES, coefficients};
use super::*;
use crate::codestream::code_block::Orientation;
use crate::codestream::packet::passes_in_segment;
use crate::geometry::Size;
use wavetile_testing::random::Random;

/// What has come of a block: its passes, and how much of the segment of the last pass.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    passes: u32,
    last_bytes: usize,
}

/// Stages of an arrival, each with more than the one before: so many passes, and any bytes of the segment that is open.
fn stages(random: &mut Random, coded: &Coded) -> Vec<Arrived> {
    let count: u32 = coded.passes.iter().sum();
    let mut stages: Vec<Arrived> = Vec::new();
    let (mut passes, mut before) = (0, (usize::MAX, 0));
    while passes < count {
        passes += 1 + random.below((count - passes).min(5));
        let segment = place(coded, passes).0;
        let all = coded.segments[segment].len();
        let least = if before.0 == segment { before.1 } else { 0 };
        // The end of all, the beginning of what is new, and in between.
        let last_bytes = match random.below(4) {
            0 => all,
            1 => (least + 2).min(all),
            _ => least + random.below((all - least) as u32 + 1) as usize,
        };
        before = (segment, last_bytes);
        stages.push(Arrived { passes, last_bytes });
    }
    stages
}

/// The segment of the last of so many passes, and how many of them it has.
fn place(coded: &Coded, passes: u32) -> (usize, u32) {
    let mut left = passes;
    for (segment, &passes) in coded.passes.iter().enumerate() {
        if left <= passes {
            return (segment, left);
        }
        left -= passes;
    }
    unreachable!("there are fewer passes")
}

/// The segments of what has come, and their data. A segment to which nothing can be added is there as a whole.
fn segments(coded: &Coded, arrived: Arrived) -> (Vec<Segment>, Vec<u8>) {
    let (last, passes) = place(coded, arrived.passes);
    let (mut segments, mut data) = (Vec::new(), Vec::new());
    for (index, bytes) in coded.segments.iter().enumerate().take(last + 1) {
        let most = passes_in_segment(BlockCoder::BitPlane, coded.block.style, index as u16);
        let closed = index < last || most == Some(passes);
        let start = data.len();
        data.extend_from_slice(if closed { bytes } else { &bytes[..arrived.last_bytes] });
        let passes = if index < last { coded.passes[index] } else { passes };
        segments.push(Segment { passes, bytes: start..data.len() });
        data.extend([0xFF, 0xFF]);
    }
    (segments, data)
}

fn decode(
    coded: &Coded,
    (segments, data): &(Vec<Segment>, Vec<u8>),
    from: Option<&Checkpoint>,
    scratch: &mut Scratch,
) -> (WorkDone, Vec<u32>) {
    let mut out = vec![0xDEAD_BEEF; coded.block.size.area() as usize];
    let mut made = None;
    let work = BlockWork { block: &coded.block, segments, data, out: &mut out, from, save: true };
    decode_works(&mut [work], scratch, |done| made = Some(done));
    (made.unwrap(), out)
}

/// Decodes a block as it arrives: returns the passes of all stages, and how many of them were decoded.
fn arrive(coded: &Coded, stages: &[Arrived], scratch: &mut Scratch) -> (u64, u64) {
    let mut checkpoint: Option<Checkpoint> = None;
    let (mut all, mut decoded) = (0, 0);
    for &stage in stages {
        let come = segments(coded, stage);
        let (afresh, wanted) = decode(coded, &come, None, scratch);
        let (resumed, words) = decode(coded, &come, checkpoint.as_ref(), scratch);
        assert_eq!(resumed.outcome, afresh.outcome, "{:?} {stage:?} of {stages:?}", coded.block);
        assert!(words == wanted, "{:?} {stage:?} of {stages:?}", coded.block);
        assert_eq!(afresh.resumed_passes, 0);
        all += u64::from(stage.passes);
        decoded += u64::from(stage.passes - resumed.resumed_passes);
        checkpoint = resumed.checkpoint.or(checkpoint);
    }
    (all, decoded)
}

#[test]
fn blocks_decode_on_as_from_the_start_however_they_arrive() {
    let mut random = Random::new(0x8F1B_BCDC_BFA5_3E0B);
    let mut scratch = Scratch::new();
    for style in 0..64 {
        let (mut all, mut decoded) = (0, 0);
        for round in 0..24 {
            let size = SIZES[(round + style as usize) % 11];
            let planes = 2 + random.below(9) as u8;
            let truth = coefficients(&mut random, size.0 * size.1, planes.into());
            let orientation = ORIENTATIONS[round % 4];
            let mut coded = Coded::encode(size, orientation, style, planes, &truth);
            coded.block.fraction = round % 3 == 0;
            let stages = stages(&mut random, &coded);
            let (these, of_these) = arrive(&coded, &stages, &mut scratch);
            (all, decoded) = (all + these, decoded + of_these);
        }
        assert!(decoded < all, "style {style:#x}: all {all} passes were decoded again");
    }
}

#[test]
fn noise_decodes_on_as_from_the_start() {
    let mut random = Random::new(0xCA62_C1D6_6ED9_EBA1);
    let mut scratch = Scratch::new();
    for round in 0..600 {
        let style = random.below(64) as u8;
        let planes = 2 + random.below(12) as u8;
        let mut coded = Coded::new(SIZES[round % 11], ORIENTATIONS[round % 4], style, planes, vec![]);
        let markers = random.below(3);
        for _ in &coded.passes {
            let length = random.below(200);
            let byte = |random: &mut Random| match (markers, random.below(4)) {
                (1, 0) | (2, 0 | 1) => 0xFF,
                (2, 2) => 0x70 + random.below(0x30) as u8,
                _ => random.word() as u8,
            };
            coded.segments.push((0..length).map(|_| byte(&mut random)).collect());
        }
        let stages = stages(&mut random, &coded);
        arrive(&coded, &stages, &mut scratch);
    }
}

#[test]
fn layers_that_end_where_an_encoder_ends_them_cost_little_more_than_their_own_passes() {
    let mut random = Random::new(0x5BE0_CD19_137E_2179);
    let mut scratch = Scratch::new();
    let (planes, passes) = (9, 25);
    let truth = coefficients(&mut random, 64 * 64, planes.into());
    for style in [0, CodeBlockStyle::TERMINATE_ALL, CodeBlockStyle::BYPASS] {
        let coded = Coded::encode((64, 64), Orientation::Hl, style, planes, &truth);
        // Three passes a layer, and of an open segment as many bytes as those passes read.
        let mut stages = Vec::new();
        for passes in (1..=passes).step_by(3) {
            let (segment, taken) = place(&coded, passes);
            let all = coded.segments[segment].len();
            let last_bytes = all * taken as usize / coded.passes[segment] as usize;
            stages.push(Arrived { passes, last_bytes });
        }
        let (all, decoded) = arrive(&coded, &stages, &mut scratch);
        assert_eq!(all, (1..=25).step_by(3).sum::<u64>());
        assert!(decoded * 2 < all, "style {style:#x}: {decoded} of {all} passes");
    }
}

#[test]
fn a_checkpoint_of_another_block_is_not_used() {
    let mut random = Random::new(0x6A09_E667_F3BC_C908);
    let mut scratch = Scratch::new();
    let truth = coefficients(&mut random, 17 * 6, 6);
    let coded = Coded::encode((17, 6), Orientation::Hl, CodeBlockStyle::TERMINATE_ALL, 6, &truth);
    let at = |passes| segments(&coded, Arrived { passes, last_bytes: 0 });
    let checkpoint = decode(&coded, &at(8), None, &mut scratch).0.checkpoint.unwrap();
    assert_eq!(checkpoint.passes(), 8);
    let resumed = |coded: &Coded, passes| {
        decode(coded, &at(passes), Some(&checkpoint), &mut Scratch::new()).0.resumed_passes
    };
    assert_eq!((resumed(&coded, 8), resumed(&coded, 9), resumed(&coded, 7)), (8, 8, 0));
    let others: [fn(&mut PlannedBlock); 4] = [
        |block| block.size = Size::new(6, 17),
        |block| block.bit_planes += 1,
        |block| block.orientation = Orientation::Hh,
        |block| block.style = CodeBlockStyle(0),
    ];
    for other in others {
        let mut coded = Coded::encode((17, 6), Orientation::Hl, CodeBlockStyle::TERMINATE_ALL, 6, &truth);
        other(&mut coded.block);
        assert_eq!(resumed(&coded, 9), 0);
    }
}
