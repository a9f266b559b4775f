//! Runs criterion groups, and compares two pieces of work by interleaved medians.

use super::Picture;
use cpu_time::ThreadTime;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The run of the program.
pub(crate) struct Bench {
    criterion: Criterion,
    pictures: Rc<[Picture]>,
    /// The filter of the command line.
    filter: Option<String>,
    /// Runs of each side of a comparison; 1 where everything is only tried out (`cargo test --benches`).
    pairs: usize,
    lines: Vec<String>,
}

/// Runs of each side.
const PAIRS: usize = 7;

impl Bench {
    pub(crate) fn new(criterion: Criterion) -> Self {
        let mut arguments = std::env::args().skip(1);
        let pairs = if std::env::args().any(|argument| argument == "--bench") { PAIRS } else { 1 };
        let filter = arguments.find(|argument| !argument.starts_with('-'));
        Self { criterion, pictures: Picture::all().into(), filter, pairs, lines: Vec::new() }
    }

    /// Whether the command line asks for `group`, or for `all`.
    pub(crate) fn wants(&self, group: &str) -> bool {
        let wanted = self.filter.as_ref().and_then(|filter| filter.split('/').next());
        wanted.is_some_and(|wanted| wanted == group || wanted == "all")
    }

    /// Whether the command line asks for the table: if it asks for nothing.
    pub(crate) fn wants_table(&self) -> bool {
        self.filter.is_none() || self.wants("table")
    }

    /// Whether this is more than a try-out (`cargo test --benches`).
    pub(crate) const fn is_measuring(&self) -> bool {
        self.pairs > 1
    }

    /// Runs of each side of a comparison.
    pub(crate) const fn pairs(&self) -> usize {
        self.pairs
    }

    /// What is measured.
    pub(crate) fn pictures(&self) -> Rc<[Picture]> {
        self.pictures.clone()
    }

    pub(crate) fn group(&mut self, name: &str) -> BenchmarkGroup<'_, WallTime> {
        let mut group = self.criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        group
    }

    /// Notes how many times longer `peer` takes than `ours`.
    pub(crate) fn ratio<A, B>(&mut self, what: &str, ours: impl FnMut() -> A, peer: impl FnMut() -> B) {
        let (ours, peer) = self.wall_medians(ours, peer);
        let ratio = peer.as_secs_f64() / ours.as_secs_f64();
        self.note(format!(
            "ratio {what}: peer_time / our_time = {:.2} ms / {:.2} ms = {ratio:.2} (> 1: Wavetile is faster)",
            peer.as_secs_f64() * 1e3,
            ours.as_secs_f64() * 1e3
        ));
    }

    /// Notes which share of `whole` is spent on `part`.
    pub(crate) fn share<A, B>(&mut self, what: &str, part: impl FnMut() -> A, whole: impl FnMut() -> B) {
        let (part, whole) = self.wall_medians(part, whole);
        let share = part.as_secs_f64() / whole.as_secs_f64();
        self.note(format!(
            "share {what}: {:.2} ms / {:.2} ms = {share:.2}",
            part.as_secs_f64() * 1e3,
            whole.as_secs_f64() * 1e3
        ));
    }

    /// Prints a line, now and once more at the end.
    pub(crate) fn note(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }

    fn wall_medians<A, B>(&self, mut a: impl FnMut() -> A, mut b: impl FnMut() -> B) -> (Duration, Duration) {
        self.medians_of(|| wall_time(&mut a), || wall_time(&mut b))
    }

    /// Medians of this thread's times taken in turns: a, b, a, b...
    pub(crate) fn medians<A, B>(
        &self,
        mut a: impl FnMut() -> A,
        mut b: impl FnMut() -> B,
    ) -> (Duration, Duration) {
        self.medians_of(|| time(&mut a), || time(&mut b))
    }

    /// The same of times that the work takes itself.
    pub(crate) fn medians_of(
        &self,
        mut a: impl FnMut() -> Duration,
        mut b: impl FnMut() -> Duration,
    ) -> (Duration, Duration) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..self.pairs {
            first.push(a());
            second.push(b());
        }
        (median(first), median(second))
    }

    pub(crate) fn finish(self) {
        self.criterion.final_summary();
        if self.lines.is_empty() {
            return;
        }
        println!("\nInterleaved medians of {} pairs:", self.pairs);
        self.lines.iter().for_each(|line| println!("{line}"));
    }
}

/// How long work keeps this thread busy: its time on a processor, since other programs may run as well. What the
/// work gives is dropped afterwards.
pub(crate) fn time<T>(work: &mut (impl FnMut() -> T + ?Sized)) -> Duration {
    let start = ThreadTime::now();
    let result = black_box(work());
    let time = start.elapsed();
    drop(result);
    time
}

/// How long work takes, whoever does it.
fn wall_time<T>(work: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(work());
    let time = start.elapsed();
    drop(result);
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
