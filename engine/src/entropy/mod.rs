//! Entropy decoding of code-blocks (T.800 Annexes C and D, T.814).

mod bit_plane;
mod bypass;
mod checkpoint;
#[cfg(test)]
mod checkpoint_tests;
mod context;
mod ht;
mod mq;
mod queue;
#[cfg(test)]
pub(crate) mod reference;
mod simd;
#[cfg(test)]
mod tests;
mod work;

use crate::codestream::code_block::BlockCoder;
use crate::codestream::header::CodeBlockStyle;
use crate::plan::{MAX_BIT_PLANES, PlannedBlock, Segment};
use bit_plane::{Planes, Rules};
use bypass::RawBits;
use checkpoint::{Position, Saver};
use mq::{Contexts, Decoder};

pub(crate) use checkpoint::Checkpoint;
pub use queue::decode_plan;
pub(crate) use work::{BlockWork, WorkDone, decode_works};

/// Samples of the largest code-block (T.800 Table A.18).
const MAX_AREA: u64 = 4096;

/// Working memory of [`decode_block`], to be used again for the next block. One for each thread.
pub struct Scratch {
    planes: Planes,
    contexts: Contexts,
    /// Taken when the first high-throughput block comes.
    high_throughput: Option<ht::Scratch>,
}

impl Scratch {
    /// Empty; grows with the blocks that it is used for.
    #[must_use]
    pub fn new() -> Self {
        Self { planes: Planes::default(), contexts: Contexts::new(), high_throughput: None }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// How far a block could be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOutcome {
    /// Coding passes that the coefficients are made of.
    pub passes_decoded: u32,
    /// The block is not what its segments promise; `passes_decoded` are kept.
    pub damaged: bool,
}

/// Decodes a code-block.
///
/// `segments`: the block's own, in order, of the whole `data`. `out`: the block's staging words, every one
/// of which is written: with `packed_16`, rows of `ceil(width / 2)` words, each two `i16` with the left one
/// in the low half (an odd row ends in a zero); otherwise one `i32` a word. Values are two's complement.
///
/// A coefficient whose last decoded bit-plane is `k` lies in the middle of what is left open: its
/// magnitude `m` (bits under `k` are 0) becomes `m + 2^(k-1)`, which for `k = 0` is `m`. With `fraction`,
/// values are in half units and it becomes `2 m + 2^k`. A region of interest is shifted down
/// (T.800 H.1): magnitudes of at least `2^roi_shift`.
///
/// Damaged blocks give what was decoded before the damage: passes beyond those that `bit_planes` allows,
/// a missing segmentation symbol (all of its bit-plane is dropped), segments outside `data` or that mix
/// arithmetic and raw passes. Wholly zero are those of more than [`MAX_BIT_PLANES`] planes, of sizes that no
/// code-block has, or with `out` of another length than the size demands; and high-throughput blocks whose
/// clean-up pass is damaged.
pub fn decode_block(
    block: &PlannedBlock,
    segments: &[Segment],
    data: &[u8],
    scratch: &mut Scratch,
    out: &mut [u32],
) -> BlockOutcome {
    let (width, height) = (block.size.width as usize, block.size.height as usize);
    if !is_sound(block, out.len()) {
        out.fill(0);
        return BlockOutcome { passes_decoded: 0, damaged: true };
    }
    if block.coder == BlockCoder::HighThroughput {
        let scratch = scratch.high_throughput.get_or_insert_with(ht::Scratch::new);
        return ht::decode(ht::Job { block, segments, data, out }, scratch);
    }
    scratch.planes.clear(width, height);
    scratch.contexts.reset();
    let outcome = decode_segments(block, segments, data, scratch, None, None);
    write(block, &scratch.planes.coefficients, row_words(block), out);
    outcome
}

fn row_words(block: &PlannedBlock) -> usize {
    let width = block.size.width as usize;
    if block.packed_16 { width.div_ceil(2) } else { width }
}

/// Whether a code-block may have this size and these bit-planes, and `words` words are what it decodes to.
fn is_sound(block: &PlannedBlock, words: usize) -> bool {
    let (width, height) = (block.size.width as usize, block.size.height as usize);
    (1..=MAX_AREA).contains(&block.size.area())
        && width.max(height) <= bit_plane::MAX_WIDTH
        && row_words(block) * height == words
        && block.bit_planes <= MAX_BIT_PLANES
}

/// Decodes neighbouring blocks of a plan with [`decode_block`]; returns how many are damaged.
///
/// `segments` and `data`: those of the plan. `words`: the blocks' staging words, one block's after the other's.
pub fn decode_blocks(
    blocks: &[PlannedBlock],
    segments: &[Segment],
    data: &[u8],
    scratch: &mut Scratch,
    words: &mut [u32],
) -> u64 {
    let mut words = words;
    let mut blocks = blocks;
    let mut damaged = 0;
    let mut count = |outcomes: &[BlockOutcome]| {
        damaged += outcomes.iter().filter(|outcome| outcome.damaged).count() as u64;
    };
    while let Some(block) = blocks.first() {
        let alike = blocks.iter().take(ht::LANES).take_while(|next| are_alike(block, next)).count();
        let mut next = || {
            let (block, later) = blocks.split_first().expect("they were counted");
            blocks = later;
            take_job(block, segments, data, &mut words)
        };
        if alike == 0 {
            let ht::Job { block, segments, data, out } = next();
            count(&[decode_block(block, segments, data, scratch, out)]);
            continue;
        }
        let scratch = scratch.high_throughput.get_or_insert_with(ht::Scratch::new);
        match alike {
            4.. => count(&ht::decode_together([(); 4].map(|()| next()), scratch)),
            2.. => count(&ht::decode_together([(); 2].map(|()| next()), scratch)),
            _ => count(&[ht::decode(next(), scratch)]),
        }
    }
    damaged
}

/// A block with its segments, and its words from the front of `words`.
fn take_job<'a>(
    block: &'a PlannedBlock,
    segments: &'a [Segment],
    data: &'a [u8],
    words: &mut &'a mut [u32],
) -> ht::Job<'a> {
    let (out, rest) = std::mem::take(words).split_at_mut(block.staging.len());
    *words = rest;
    let segments = &segments[block.segments.start as usize..block.segments.end as usize];
    ht::Job { block, segments, data, out }
}

/// High-throughput blocks that can be decoded side by side.
fn are_alike(one: &PlannedBlock, other: &PlannedBlock) -> bool {
    let fits = |block: &PlannedBlock| {
        block.coder == BlockCoder::HighThroughput && is_sound(block, block.staging.len())
    };
    one.size == other.size && fits(one) && fits(other)
}

/// The codeword a pass is read from.
enum Codeword<'a> {
    Arithmetic(Decoder<'a>),
    Raw(RawBits<'a>),
}

/// Decodes all passes of a block; those after `from` if it is given, which must fit. `saver` is shown every state after
/// them.
fn decode_segments(
    block: &PlannedBlock,
    segments: &[Segment],
    data: &[u8],
    scratch: &mut Scratch,
    from: Option<&Checkpoint>,
    mut saver: Option<&mut Saver<'_>>,
) -> BlockOutcome {
    let Scratch { planes, contexts, .. } = scratch;
    let style = block.style;
    let rules = Rules {
        zero_coding: context::zero_coding_of(block.orientation),
        vertically_causal: style.has(CodeBlockStyle::VERTICALLY_CAUSAL),
    };
    let most_passes = (3 * u32::from(block.bit_planes)).saturating_sub(2);
    let (mut at, mut resumed) = (Position::default(), None);
    if let Some(from) = from {
        let bytes = from.segment(segments).and_then(|segment| data.get(segment.bytes.clone()));
        (at, resumed) = from.restore(planes, contexts, bytes.unwrap_or_default());
    }
    let damaged = |passes_decoded| BlockOutcome { passes_decoded, damaged: true };
    for segment in segments.iter().skip(at.segment) {
        let Some(bytes) = data.get(segment.bytes.clone()) else {
            return damaged(at.pass);
        };
        let mut codeword = match resumed.take() {
            Some(codeword) => codeword,
            None if is_raw(style, at.pass) => Codeword::Raw(RawBits::new(bytes)),
            None => Codeword::Arithmetic(Decoder::new(bytes)),
        };
        for _ in at.taken..segment.passes {
            let pass = at.pass;
            if pass >= most_passes {
                return damaged(pass);
            }
            // The first plane has only a cleanup pass.
            let plane = u32::from(block.bit_planes) - 1 - pass.div_ceil(3);
            match (&mut codeword, (pass + 2) % 3, is_raw(style, pass)) {
                (Codeword::Arithmetic(decoder), 0, false) => {
                    planes.propagate_significance(rules, plane, decoder, contexts);
                }
                (Codeword::Arithmetic(decoder), 1, false) => {
                    planes.refine_magnitudes(plane, decoder, contexts);
                }
                (Codeword::Arithmetic(decoder), 2, _) => {
                    planes.clean_up(rules, plane, decoder, contexts);
                    if style.has(CodeBlockStyle::SEGMENTATION_SYMBOLS)
                        && (0..4).fold(0, |bits, _| bits << 1 | decoder.decode(contexts, context::UNIFORM))
                            != 0b1010
                    {
                        planes.forget_plane(plane);
                        return damaged(pass.saturating_sub(2));
                    }
                }
                (Codeword::Raw(bits), 0, true) => planes.propagate_significance_raw(rules, plane, bits),
                (Codeword::Raw(bits), 1, true) => planes.refine_magnitudes_raw(plane, bits),
                _ => return damaged(pass),
            }
            if style.has(CodeBlockStyle::RESET) {
                contexts.reset();
            }
            (at.pass, at.taken) = (pass + 1, at.taken + 1);
            if let Some(saver) = &mut saver {
                saver.look(at, &codeword, planes, contexts);
            }
        }
        (at.segment, at.taken) = (at.segment + 1, 0);
    }
    BlockOutcome { passes_decoded: at.pass, damaged: false }
}

/// Whether a pass is not arithmetically coded: with bypass, all but cleanup passes from the fifth plane on
/// (T.800 Table D.9).
fn is_raw(style: CodeBlockStyle, pass: u32) -> bool {
    style.has(CodeBlockStyle::BYPASS) && pass >= 10 && (pass + 2) % 3 != 2
}

fn write(block: &PlannedBlock, coefficients: &[u32], row_words: usize, out: &mut [u32]) {
    let width = block.size.width as usize;
    let drop = u32::from(!block.fraction);
    match block.roi_shift {
        0 => write_rows(coefficients, width, row_words, block.packed_16, out, |v| value(v, drop)),
        shift => write_rows(coefficients, width, row_words, block.packed_16, out, |v| {
            value(v & 1 << 31 | without_roi_shift(v & i32::MAX as u32, shift), drop)
        }),
    }
}

/// Two's complement of a coefficient in half units.
#[inline(always)]
fn value(coefficient: u32, drop: u32) -> u32 {
    let negative = (coefficient as i32 >> 31) as u32;
    let magnitude = (coefficient & i32::MAX as u32) >> drop;
    (magnitude ^ negative).wrapping_sub(negative)
}

/// A magnitude in half units, shifted down if it belongs to the region of interest. The half bit stays
/// half a unit if it would be shifted out.
fn without_roi_shift(magnitude: u32, shift: u8) -> u32 {
    let shift = u32::from(shift);
    if shift >= 31 || magnitude >> shift < 2 {
        return magnitude;
    }
    magnitude >> shift | u32::from(magnitude & ((1 << shift) - 1) != 0)
}

#[inline(always)]
fn write_rows(
    coefficients: &[u32],
    width: usize,
    row_words: usize,
    packed_16: bool,
    out: &mut [u32],
    value: impl Fn(u32) -> u32,
) {
    for (row, words) in coefficients.chunks_exact(width).zip(out.chunks_exact_mut(row_words)) {
        if packed_16 {
            let (pairs, last) = row.as_chunks::<2>();
            for (word, &[left, right]) in words.iter_mut().zip(pairs) {
                *word = value(left) & 0xFFFF | value(right) << 16;
            }
            if let (Some(word), &[last]) = (words.get_mut(pairs.len()), last) {
                *word = value(last) & 0xFFFF;
            }
        } else {
            for (word, &coefficient) in words.iter_mut().zip(row) {
                *word = value(coefficient);
            }
        }
    }
}
