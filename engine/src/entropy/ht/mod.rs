//! High-throughput block decoding (T.814, ISO/IEC 15444-15): a clean-up pass that codes most bit-planes of a
//! block at once, and up to two passes that refine one more.

pub(super) mod clean_up;
mod codewords;
pub(super) mod mag_sgn;
pub(super) mod magnitudes;
mod mel;
#[cfg(test)]
mod reference;
mod refinement;
pub(super) mod tables;
#[cfg(test)]
mod tests;
pub(super) mod unstuff;

use super::simd::{self, Level, Memory, Packing, Wide};
use super::{BlockOutcome, value, without_roi_shift};
use crate::codestream::header::CodeBlockStyle;
use crate::plan::{PlannedBlock, Segment};
use clean_up::{CleanUp, Lane, MAX_QUADS, Shape};
use mag_sgn::MagSgn;
use refinement::{Bits, Refined};

/// Blocks whose serial halves may be decoded side by side.
pub(super) const LANES: usize = 4;

/// Working memory, about 280 kB.
pub(super) struct Scratch {
    level: Level,
    lanes: Box<[Lane; LANES]>,
    mag_sgns: [MagSgn; LANES],
    memories: Box<[Memory; LANES]>,
    /// Of one block, in rows of whole quads.
    samples: Box<[u32; 4 * MAX_QUADS]>,
    refinement: Bits,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            level: Level::detect(),
            lanes: Box::new([(); LANES].map(|()| Lane::new())),
            mag_sgns: [(); LANES].map(|()| MagSgn::new()),
            memories: Box::new([(); LANES].map(|()| Memory::new())),
            samples: Box::new([0; 4 * MAX_QUADS]),
            refinement: Bits::new(),
        }
    }
}

/// A block that is to be decoded, and where to.
pub(super) struct Job<'a> {
    pub(super) block: &'a PlannedBlock,
    pub(super) segments: &'a [Segment],
    pub(super) data: &'a [u8],
    /// As long as the block's size demands.
    pub(super) out: &'a mut [u32],
}

/// A job whose parameters and segments go together.
struct Prepared<'a> {
    shape: Shape,
    clean_up: CleanUp<'a>,
    /// The segment that both refinement passes share, and how many there are.
    refinement: Option<(&'a [u8], u32)>,
    /// There should have been more.
    truncated: bool,
}

impl<'a> Prepared<'a> {
    /// `None`: nothing can be decoded.
    fn new(job: &Job<'a>) -> Option<Self> {
        let Job { block, segments, data, .. } = job;
        let shape = Shape::new(block.size.width as usize, block.size.height as usize)?;
        let (first, others) = segments.split_first()?;
        if block.clean_up_plane >= block.bit_planes || first.passes != 1 {
            return None;
        }
        let clean_up = CleanUp::new(data.get(first.bytes.clone())?)?;
        let (refinement, truncated) = match others {
            [] => (None, false),
            [Segment { passes: passes @ 1..=2, bytes }] if block.clean_up_plane > 0 => {
                let segment = data.get(bytes.clone());
                (segment.map(|segment| (segment, *passes)), segment.is_none())
            }
            _ => (None, true),
        };
        Some(Self { shape, clean_up, refinement, truncated })
    }

    /// Whether the clean-up pass is all there is, and a kernel can write its coefficients.
    fn packs(&self, block: &PlannedBlock) -> bool {
        block.packed_16
            && most_bits(block) <= simd::MOST_BITS
            && block.roi_shift == 0
            && self.refinement.is_none()
    }

    fn packing<'b>(
        &self,
        job: &'b mut Job<'_>,
        lane: &'b Lane,
        mag_sgn: &'b mut MagSgn,
        memory: &'b mut Memory,
    ) -> Packing<'b> {
        let block = job.block;
        Packing {
            lane,
            mag_sgn,
            memory,
            out: job.out,
            shape: self.shape,
            width: block.size.width as usize,
            height: block.size.height as usize,
            most_bits: most_bits(block),
            shift: i32::from(block.clean_up_plane) + i32::from(block.fraction) - 1,
        }
    }

    fn outcome(&self, passes_decoded: u32) -> BlockOutcome {
        BlockOutcome { passes_decoded, damaged: self.truncated }
    }
}

/// Bits of a sample, sign included: twice a magnitude, in units of the clean-up pass's plane.
fn most_bits(block: &PlannedBlock) -> u32 {
    u32::from(block.bit_planes - block.clean_up_plane) + 1
}

/// Decodes a block.
pub(super) fn decode(job: Job<'_>, scratch: &mut Scratch) -> BlockOutcome {
    let [outcome] = decode_together([job], scratch);
    outcome
}

/// Decodes blocks of one size, their serial halves side by side. At most [`LANES`].
pub(super) fn decode_together<const N: usize>(
    jobs: [Job<'_>; N],
    scratch: &mut Scratch,
) -> [BlockOutcome; N] {
    const { assert!(N <= LANES) };
    let prepared = jobs.each_ref().map(Prepared::new);
    if prepared.iter().any(Option::is_none) {
        return jobs.map(|job| match Prepared::new(&job) {
            Some(prepared) => decode_prepared([(job, prepared)], scratch)[0],
            None => damaged(job.out),
        });
    }
    let mut prepared = prepared.into_iter().flatten();
    decode_prepared(jobs.map(|job| (job, prepared.next().expect("there is one for each job"))), scratch)
}

fn decode_prepared<const N: usize>(
    jobs: [(Job<'_>, Prepared<'_>); N],
    scratch: &mut Scratch,
) -> [BlockOutcome; N] {
    let level = scratch.level;
    let clean_ups = jobs.each_ref().map(|(_, prepared)| &prepared.clean_up);
    let lanes = scratch.lanes.first_chunk_mut().expect("there are as many as may be asked for");
    let broken = simd::clean_up(level, clean_ups, jobs[0].1.shape, lanes);
    for (clean_up, mag_sgn) in clean_ups.into_iter().zip(&mut scratch.mag_sgns) {
        simd::load(level, clean_up.mag_sgn, mag_sgn);
    }
    let mut jobs = jobs;
    let packable =
        jobs.iter().zip(broken).all(|((job, prepared), broken)| !broken && prepared.packs(job.block));
    if packable {
        let mut memory = scratch.mag_sgns.iter_mut().zip(&mut *scratch.memories).zip(&*scratch.lanes);
        let sound = simd::pack(
            level,
            jobs.each_mut().map(|(job, prepared)| {
                let ((mag_sgn, memory), lane) = memory.next().expect("there are as many as may be asked for");
                prepared.packing(job, lane, mag_sgn, memory)
            }),
        );
        let mut sound = sound.into_iter();
        return jobs.map(|(job, prepared)| match sound.next() {
            Some(true) => prepared.outcome(1),
            _ => damaged(job.out),
        });
    }
    let mut lane = 0..N;
    jobs.map(|(job, prepared)| {
        let lane = lane.next().expect("there is one for each job");
        if broken[lane] { damaged(job.out) } else { finish(job, &prepared, lane, scratch) }
    })
}

fn damaged(out: &mut [u32]) -> BlockOutcome {
    out.fill(0);
    BlockOutcome { passes_decoded: 0, damaged: true }
}

/// The parallel half of the clean-up pass, and refinement.
fn finish(mut job: Job<'_>, prepared: &Prepared<'_>, lane: usize, scratch: &mut Scratch) -> BlockOutcome {
    let Scratch { level, lanes, mag_sgns, memories, samples, refinement } = scratch;
    let (mag_sgn, memory, lane) = (&mut mag_sgns[lane], &mut memories[lane], &lanes[lane]);
    if prepared.packs(job.block) {
        let [sound] = simd::pack(*level, [prepared.packing(&mut job, lane, mag_sgn, memory)]);
        return if sound { prepared.outcome(1) } else { damaged(job.out) };
    }
    let Job { block, out, .. } = job;
    let shape = prepared.shape;
    let (width, height, stride) = (block.size.width as usize, block.size.height as usize, 2 * shape.stride);
    let plane = u32::from(block.clean_up_plane);
    let coefficients = &mut samples[..stride * 2 * shape.lines];
    let wide = Wide { lane, mag_sgn, memory, shape, most_bits: most_bits(block), plane };
    if !simd::coefficients(*level, wide, coefficients) {
        return damaged(out);
    }
    let coefficients = &mut coefficients[..stride * height];
    if let Some((segment, passes)) = prepared.refinement {
        let causal = block.style.has(CodeBlockStyle::VERTICALLY_CAUSAL);
        Refined { coefficients, stride, width, height, plane: plane - 1 }.refine(
            segment,
            causal,
            passes == 2,
            refinement,
        );
    }
    write(block, coefficients, stride, out);
    prepared.outcome(1 + prepared.refinement.map_or(0, |(_, passes)| passes))
}

fn write(block: &PlannedBlock, coefficients: &[u32], stride: usize, out: &mut [u32]) {
    let width = block.size.width as usize;
    let drop = u32::from(!block.fraction);
    let value = |coefficient: u32| {
        let magnitude = without_roi_shift(coefficient & i32::MAX as u32, block.roi_shift);
        value(coefficient & 1 << 31 | magnitude, drop)
    };
    let rows = coefficients.chunks_exact(stride).map(|row| &row[..width]);
    if block.packed_16 {
        for (row, words) in rows.zip(out.chunks_exact_mut(width.div_ceil(2))) {
            for (pair, word) in row.chunks(2).zip(words) {
                let right = pair.get(1).map_or(0, |&right| value(right));
                *word = value(pair[0]) & 0xFFFF | right << 16;
            }
        }
    } else {
        for (row, words) in rows.zip(out.chunks_exact_mut(width)) {
            for (&coefficient, word) in row.iter().zip(words) {
                *word = value(coefficient);
            }
        }
    }
}
