//! The state of a bit-plane decoder between two passes, to go on from when there are more.
//!
//! A decoder reads ahead, and past the end of what it has it reads ones (T.800 D.4.1). Where more bytes of a codeword
//! segment may follow, a state is worth keeping only if nothing but the segment's bytes went into it.

use super::Codeword;
use super::bit_plane::Planes;
use super::bypass::{RawBits, RawRegisters};
use super::mq::{Contexts, Decoder, Registers, SavedContexts};
use crate::codestream::code_block::Orientation;
use crate::codestream::header::CodeBlockStyle;
use crate::codestream::packet::passes_in_segment;
use crate::geometry::Size;
use crate::plan::{PlannedBlock, Segment};

/// The state of a block's decoder after some passes: from there it decodes as it would have from the first pass on.
pub(crate) struct Checkpoint {
    block: Parameters,
    planes: Planes,
    contexts: SavedContexts,
    at: Position,
    /// `None`: a segment begins.
    codeword: Option<CodewordRegisters>,
}

/// A place between two passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Passes before it, in all segments.
    pub(super) pass: u32,
    /// The segment of the next pass.
    pub(super) segment: usize,
    /// Passes before it in that segment.
    pub(super) taken: u32,
}

/// What a state of one block has in common with all others of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Parameters {
    size: Size,
    orientation: Orientation,
    style: CodeBlockStyle,
    bit_planes: u8,
}

/// Registers, and how many bytes their segment had at least.
#[derive(Clone, Copy)]
enum CodewordRegisters {
    Arithmetic(Registers, usize),
    Raw(RawRegisters, usize),
}

impl Parameters {
    fn of(block: &PlannedBlock) -> Self {
        let &PlannedBlock { size, orientation, style, bit_planes, .. } = block;
        Self { size, orientation, style, bit_planes }
    }
}

impl Checkpoint {
    /// Passes that need not be decoded again.
    pub(crate) fn passes(&self) -> u32 {
        self.at.pass
    }

    /// Bytes that it takes.
    pub(crate) fn held_bytes(&self) -> u64 {
        (size_of::<Self>() + self.planes.held_bytes()) as u64
    }

    /// Whether the block with these segments can be decoded on from here.
    pub(super) fn fits(&self, block: &PlannedBlock, segments: &[Segment]) -> bool {
        let Position { segment, taken, .. } = self.at;
        let reaches = match (segments.get(segment), self.codeword) {
            (None, codeword) => codeword.is_none() && segment == segments.len(),
            (Some(_), None) => taken == 0,
            (
                Some(next),
                Some(CodewordRegisters::Arithmetic(_, bytes) | CodewordRegisters::Raw(_, bytes)),
            ) => next.passes >= taken && next.bytes.len() >= bytes,
        };
        let before = segments.iter().take(segment).map(|segment| segment.passes).sum::<u32>();
        reaches && self.block == Parameters::of(block) && before + taken == self.at.pass
    }

    /// The segment that the next pass belongs to.
    pub(super) fn segment<'a>(&self, segments: &'a [Segment]) -> Option<&'a Segment> {
        segments.get(self.at.segment)
    }

    /// Takes up the state; where it is, and the codeword there over the bytes of its segment.
    pub(super) fn restore<'a>(
        &self,
        planes: &mut Planes,
        contexts: &mut Contexts,
        segment: &'a [u8],
    ) -> (Position, Option<Codeword<'a>>) {
        planes.clone_from(&self.planes);
        contexts.restore(&self.contexts);
        let codeword = self.codeword.map(|codeword| match codeword {
            CodewordRegisters::Arithmetic(registers, _) => {
                Codeword::Arithmetic(Decoder::resume(segment, registers))
            }
            CodewordRegisters::Raw(registers, _) => Codeword::Raw(RawBits::resume(segment, registers)),
        });
        (self.at, codeword)
    }
}

/// Keeps the last state of a block that it can be decoded on from.
pub(super) struct Saver<'a> {
    block: &'a PlannedBlock,
    segments: &'a [Segment],
    /// Passes of all segments.
    passes: u32,
    saved: Option<Checkpoint>,
}

impl<'a> Saver<'a> {
    /// Before so many passes from the end, states are not looked at: those of the last plane take the most bytes, and what is
    /// read ahead is less.
    const LAST_PASSES: u32 = 3;

    pub(super) fn new(block: &'a PlannedBlock, segments: &'a [Segment]) -> Self {
        let passes = segments.iter().map(|segment| segment.passes).sum();
        Self { block, segments, passes, saved: None }
    }

    pub(super) fn finish(self) -> Option<Checkpoint> {
        self.saved
    }

    /// After a pass, before the one at `at`, whose segment's bytes the codeword has.
    #[inline]
    pub(super) fn look(
        &mut self,
        at: Position,
        codeword: &Codeword<'_>,
        planes: &Planes,
        contexts: &Contexts,
    ) {
        if at.pass + Self::LAST_PASSES >= self.passes {
            self.save(at, codeword, planes, contexts);
        }
    }

    #[cold]
    fn save(&mut self, at: Position, codeword: &Codeword<'_>, planes: &Planes, contexts: &Contexts) {
        let Some(segment) = self.segments.get(at.segment) else { return };
        let bytes = segment.bytes.len();
        let style = self.block.style;
        let most = u16::try_from(at.segment).ok();
        let most = most.and_then(|segment| passes_in_segment(self.block.coder, style, segment));
        // Nothing is added to a segment after which there is another, or that has all its passes.
        let closed = at.segment + 1 < self.segments.len() || most == Some(segment.passes);
        let (at, codeword) = if closed && at.taken == segment.passes {
            (Position { segment: at.segment + 1, taken: 0, ..at }, None)
        } else {
            let registers = match codeword {
                Codeword::Arithmetic(decoder) if closed || decoder.is_within() => {
                    CodewordRegisters::Arithmetic(decoder.registers(), bytes)
                }
                Codeword::Raw(bits) if closed || bits.is_within() => {
                    CodewordRegisters::Raw(bits.registers(), bytes)
                }
                _ => return,
            };
            (at, Some(registers))
        };
        let contexts = contexts.saved();
        match &mut self.saved {
            Some(saved) => {
                saved.planes.clone_from(planes);
                (saved.contexts, saved.at, saved.codeword) = (contexts, at, codeword);
            }
            None => {
                let block = Parameters::of(self.block);
                self.saved = Some(Checkpoint { block, planes: planes.clone(), contexts, at, codeword });
            }
        }
    }
}
