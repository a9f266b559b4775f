//! Blocks that are decoded one by one, each into memory of its own, and perhaps from where they were.

use super::checkpoint::{Checkpoint, Saver};
use super::{
    BlockOutcome, Scratch, are_alike, decode_block, decode_segments, ht, is_sound, row_words, write,
};
use crate::codestream::code_block::BlockCoder;
use crate::plan::{PlannedBlock, Segment};

/// A block to decode.
pub(crate) struct BlockWork<'a> {
    pub(crate) block: &'a PlannedBlock,
    /// Its segments, and the data of the plan that they lie in.
    pub(crate) segments: &'a [Segment],
    pub(crate) data: &'a [u8],
    /// Its staging words.
    pub(crate) out: &'a mut [u32],
    /// From where it may be decoded on. Used if it fits.
    pub(crate) from: Option<&'a Checkpoint>,
    /// Save a state to go on from.
    pub(crate) save: bool,
}

/// What became of a block.
pub(crate) struct WorkDone {
    pub(crate) outcome: BlockOutcome,
    /// Passes that were not decoded again.
    pub(crate) resumed_passes: u32,
    /// From where it can be decoded on.
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// Decodes blocks; of what became of them `done` is told one by one, in order. High-throughput blocks of one size that
/// follow each other are decoded together, and all of them from the start.
pub(crate) fn decode_works(
    works: &mut [BlockWork<'_>],
    scratch: &mut Scratch,
    mut done: impl FnMut(WorkDone),
) {
    let mut works = works;
    while let Some(first) = works.first() {
        let alike =
            works.iter().take(ht::LANES).take_while(|next| are_alike(first.block, next.block)).count();
        let taken = match alike {
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let (these, later) = std::mem::take(&mut works).split_at_mut(taken);
        works = later;
        let mut simply = |outcome| done(WorkDone { outcome, resumed_passes: 0, checkpoint: None });
        if let Some(four) = these.first_chunk_mut::<4>() {
            let high_throughput = scratch.high_throughput.get_or_insert_with(ht::Scratch::new);
            ht::decode_together(four.each_mut().map(BlockWork::job), high_throughput)
                .into_iter()
                .for_each(simply);
        } else if let Some(two) = these.first_chunk_mut::<2>() {
            let high_throughput = scratch.high_throughput.get_or_insert_with(ht::Scratch::new);
            ht::decode_together(two.each_mut().map(BlockWork::job), high_throughput)
                .into_iter()
                .for_each(simply);
        } else if let Some(work) = these.first_mut() {
            if work.block.coder == BlockCoder::BitPlane && is_sound(work.block, work.out.len()) {
                done(work.decode(scratch));
            } else {
                let ht::Job { block, segments, data, out } = work.job();
                simply(decode_block(block, segments, data, scratch, out));
            }
        }
    }
}

impl BlockWork<'_> {
    fn job(&mut self) -> ht::Job<'_> {
        ht::Job { block: self.block, segments: self.segments, data: self.data, out: self.out }
    }

    /// Decodes a sound block that is coded in bit-planes.
    fn decode(&mut self, scratch: &mut Scratch) -> WorkDone {
        let Self { block, segments, data, .. } = *self;
        let from = self.from.filter(|from| from.fits(block, segments));
        if from.is_none() {
            scratch.planes.clear(block.size.width as usize, block.size.height as usize);
            scratch.contexts.reset();
        }
        let mut saver = self.save.then(|| Saver::new(block, segments));
        let outcome = decode_segments(block, segments, data, scratch, from, saver.as_mut());
        write(block, &scratch.planes.coefficients, row_words(block), self.out);
        let resumed_passes = from.map_or(0, Checkpoint::passes);
        WorkDone { outcome, resumed_passes, checkpoint: saver.and_then(Saver::finish) }
    }
}
