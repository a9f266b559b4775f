//! Decodes the blocks of pages, each into memory of its own.

use crate::entropy::{BlockWork, Checkpoint, Scratch, WorkDone, decode_works};
use crate::plan::{PlannedBlock, Segment};
use crate::runner::ParallelRunner;
use std::sync::{Arc, Mutex, PoisonError};

/// A block that is to be decoded.
pub(super) struct Job<'a> {
    pub(super) block: &'a PlannedBlock,
    /// All segments of its plan, and their data.
    pub(super) segments: &'a [Segment],
    pub(super) data: &'a [u8],
    /// From where it may be decoded on.
    pub(super) from: Option<Arc<Checkpoint>>,
}

/// A block that is decoded.
pub(super) struct Decoded {
    pub(super) words: Arc<[u32]>,
    pub(super) done: WorkDone,
}

/// Jobs that a worker takes at a time: as many as high-throughput blocks are decoded side by side.
const RUN: usize = 4;

/// Decodes all blocks on `runner`; the results are in the order of the jobs.
pub(super) fn decode(jobs: &[Job<'_>], runner: &dyn ParallelRunner) -> Vec<Decoded> {
    let zeros = |job: &Job<'_>| std::iter::repeat_n(0, job.block.staging.len()).collect();
    let mut words: Vec<Arc<[u32]>> = jobs.iter().map(zeros).collect();
    let mut works: Vec<BlockWork<'_>> = Vec::with_capacity(jobs.len());
    for (job, words) in jobs.iter().zip(&mut words) {
        works.push(BlockWork {
            block: job.block,
            segments: &job.segments[job.block.segments.start as usize..job.block.segments.end as usize],
            data: job.data,
            out: Arc::get_mut(words).expect("nobody else has them yet"),
            from: job.from.as_deref(),
            save: job.block.origin.grows,
        });
    }
    let mut done: Vec<Option<WorkDone>> = jobs.iter().map(|_| None).collect();
    let runs = Mutex::new(works.chunks_mut(RUN).zip(done.chunks_mut(RUN)));
    let take = || runs.lock().unwrap_or_else(PoisonError::into_inner).next();
    runner.run(runner.workers().clamp(1, jobs.len().div_ceil(RUN).max(1)), &|_| {
        let mut scratch = None;
        while let Some((works, done)) = take() {
            let mut done = done.iter_mut();
            decode_works(works, scratch.get_or_insert_with(Scratch::new), |work| {
                if let Some(slot) = done.next() {
                    *slot = Some(work);
                }
            });
        }
    });
    drop(works);
    let decoded = |(words, done): (_, Option<_>)| Decoded { words, done: done.expect("all jobs are done") };
    words.into_iter().zip(done).map(decoded).collect()
}
