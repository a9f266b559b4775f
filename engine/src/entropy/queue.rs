//! Shares the blocks of a plan among workers.

use super::{Scratch, decode_blocks};
use crate::plan::{Plan, PlannedBlock, Segment};
use crate::runner::ParallelRunner;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Decodes all blocks of `plan` on `runner` into `staging`, which has [`Plan::staging_words`] words.
/// Returns how many blocks are damaged.
///
/// A worker keeps its working memory from its first block to its last. It takes runs of blocks, which
/// shrink as the end comes near, so that all workers end at about the same time.
///
/// # Panics
/// `staging` is too short.
pub fn decode_plan(plan: &Plan, runner: &dyn ParallelRunner, staging: &mut [u32]) -> u64 {
    let workers = runner.workers().max(1);
    let queue = Mutex::new(Queue::new(plan, staging, workers));
    let damaged = AtomicU64::new(0);
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    runner.run(workers, &|_| {
        let mut scratch = Scratch::new();
        while let Some((blocks, words)) = take() {
            let broken = decode_blocks(blocks, &plan.segments, &plan.data, &mut scratch, words);
            damaged.fetch_add(broken, Ordering::Relaxed);
        }
    });
    damaged.into_inner()
}

/// Blocks that no worker has taken yet, and their share of the staging words.
struct Queue<'a> {
    blocks: &'a [PlannedBlock],
    segments: &'a [Segment],
    words: &'a mut [u32],
    /// Sum of the weights of `blocks`.
    weight: u64,
    workers: u64,
}

/// Compressed bytes from which on a run is worth going to the queue for.
const LEAST_WEIGHT: u64 = 8 << 10;

impl<'a> Queue<'a> {
    fn new(plan: &'a Plan, words: &'a mut [u32], workers: usize) -> Self {
        let (blocks, segments) = (&plan.blocks[..], &plan.segments[..]);
        let weight = blocks.iter().map(|block| weight(block, segments)).sum();
        Self { blocks, segments, words, weight, workers: workers as u64 }
    }

    /// The next run: a quarter of what would be left for each worker.
    fn take(&mut self) -> Option<(&'a [PlannedBlock], &'a mut [u32])> {
        if self.blocks.is_empty() {
            return None;
        }
        let share = (self.weight / (4 * self.workers)).max(LEAST_WEIGHT);
        let (mut count, mut words, mut taken) = (0, 0, 0);
        for block in self.blocks {
            if taken >= share {
                break;
            }
            count += 1;
            words += block.staging.len();
            taken += weight(block, self.segments);
        }
        self.weight -= taken;
        let (blocks, later) = self.blocks.split_at(count);
        let (mine, rest) = std::mem::take(&mut self.words).split_at_mut(words);
        (self.blocks, self.words) = (later, rest);
        Some((blocks, mine))
    }
}

/// How long a block takes, roughly: in compressed bytes. Writing coefficients costs time too.
fn weight(block: &PlannedBlock, segments: &[Segment]) -> u64 {
    let segments = &segments[block.segments.start as usize..block.segments.end as usize];
    let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    (bytes + block.staging.len() / 8) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codestream::code_block::{BlockCoder, Orientation};
    use crate::codestream::header::CodeBlockStyle;
    use crate::geometry::Size;
    use crate::plan::BlockOrigin;

    /// Blocks of 8 words each, one segment of `bytes[i]` bytes for the block `i`.
    fn plan(bytes: &[usize]) -> Plan {
        let mut plan = Plan::default();
        for (&bytes, index) in bytes.iter().zip(0u32..) {
            let (start, words) = (plan.data.len(), plan.staging_words);
            plan.data.extend((start..start + bytes).map(|at| ((at * 0x9E37) >> 5) as u8));
            plan.staging_words += 8;
            plan.segments.push(Segment { passes: 7, bytes: start..start + bytes });
            plan.blocks.push(PlannedBlock {
                size: Size::new(4, 4),
                orientation: Orientation::Ll,
                coder: BlockCoder::BitPlane,
                style: CodeBlockStyle::default(),
                bit_planes: 3,
                clean_up_plane: 0,
                roi_shift: 0,
                fraction: false,
                packed_16: true,
                origin: BlockOrigin::default(),
                segments: index..index + 1,
                staging: words..words + 8,
            });
        }
        plan
    }

    /// Weights of the runs in the order in which they are handed out.
    fn runs(plan: &Plan, workers: usize) -> Vec<u64> {
        let mut staging = vec![0; plan.staging_words];
        let mut queue = Queue::new(plan, &mut staging, workers);
        let (mut runs, mut next) = (Vec::new(), 0);
        while let Some((blocks, words)) = queue.take() {
            assert_eq!(words.len(), 8 * blocks.len());
            for block in blocks {
                assert_eq!(block.staging.start, next);
                next += 8;
            }
            runs.push(blocks.iter().map(|block| weight(block, &plan.segments)).sum());
        }
        assert_eq!(next, plan.staging_words);
        assert_eq!(queue.weight, 0);
        runs
    }

    #[test]
    fn every_block_is_handed_out_once_and_the_last_runs_are_small() {
        let sizes: Vec<usize> = (0..3000).map(|i| i * 7919 % 5000).collect();
        let runs = runs(&plan(&sizes), 2);
        let all: u64 = runs.iter().sum();
        // Two workers are never further apart than the last run.
        assert!(runs[runs.len() - 1] * 200 < all, "{runs:?}");
        assert!(runs.len() < 100, "{}", runs.len());
        assert!(self::runs(&plan(&[]), 2).is_empty());
        assert_eq!(self::runs(&plan(&[0; 9]), 64), [9]);
    }

    #[test]
    fn all_workers_of_a_runner_fill_one_staging_array() {
        let sizes: Vec<usize> = (0..500).map(|i| 40 + i % 90).collect();
        let plan = plan(&sizes);
        const UNTOUCHED: u32 = 0x1000_1000;
        let decode = |runner: &dyn ParallelRunner| {
            // Three bit-planes hold no such coefficient.
            let mut staging = vec![UNTOUCHED; plan.staging_words];
            assert_eq!(decode_plan(&plan, runner, &mut staging), 0);
            staging
        };
        let expected = decode(&crate::runner::Serial);
        assert!(expected.iter().any(|&word| word != 0) && !expected.contains(&UNTOUCHED));
        assert_eq!(decode(&*crate::runner::default_runner()), expected);
    }
}
