//! Where parallel work runs: on this thread, on rayon's, or on the host's own.

use std::sync::Arc;

/// Runs independent tasks. A game engine brings its own job system by implementing it.
pub trait ParallelRunner: Send + Sync {
    /// Calls `task(0)`, ..., `task(count - 1)`, each once, in any order and on any threads; returns when
    /// all are done.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync));

    /// How many tasks run at a time, at least 1.
    fn workers(&self) -> usize;
}

/// Runs everything on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl ParallelRunner for Serial {
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(task);
    }

    fn workers(&self) -> usize {
        1
    }
}

/// Runs on rayon's current thread pool.
#[cfg(feature = "threads")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Rayon;

#[cfg(feature = "threads")]
impl ParallelRunner for Rayon {
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        use rayon::prelude::*;
        (0..count).into_par_iter().with_max_len(1).for_each(task);
    }

    fn workers(&self) -> usize {
        rayon::current_num_threads()
    }
}

/// `Rayon` with the feature `threads`, else [`Serial`].
#[must_use]
pub fn default_runner() -> Arc<dyn ParallelRunner> {
    #[cfg(feature = "threads")]
    return Arc::new(Rayon);
    #[cfg(not(feature = "threads"))]
    Arc::new(Serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn each_once(runner: &dyn ParallelRunner) {
        for count in [0, 1, 7, 1000] {
            let calls: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            runner.run(count, &|index| {
                calls[index].fetch_add(1, Ordering::Relaxed);
            });
            assert!(calls.iter().all(|calls| calls.load(Ordering::Relaxed) == 1));
        }
        assert!(runner.workers() >= 1);
    }

    #[test]
    fn every_task_runs_once() {
        each_once(&Serial);
        each_once(&*default_runner());
    }
}
