//! Runs criterion groups, and compares two pieces of work by interleaved medians.

use super::Picture;
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

    /// Whether the command line asks for `group`.
    pub(crate) fn wants(&self, group: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.split('/').next() == Some(group))
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
        let (ours, peer) = self.medians(ours, peer);
        let ratio = peer.as_secs_f64() / ours.as_secs_f64();
        self.note(format!(
            "ratio {what}: peer_time / our_time = {:.2} ms / {:.2} ms = {ratio:.2} (> 1: Wavetile is faster)",
            peer.as_secs_f64() * 1e3,
            ours.as_secs_f64() * 1e3
        ));
    }

    /// Notes which share of `whole` is spent on `part`.
    pub(crate) fn share<A, B>(&mut self, what: &str, part: impl FnMut() -> A, whole: impl FnMut() -> B) {
        let (part, whole) = self.medians(part, whole);
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

    /// Medians of times taken in turns: a, b, a, b...
    fn medians<A, B>(&self, mut a: impl FnMut() -> A, mut b: impl FnMut() -> B) -> (Duration, Duration) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..self.pairs {
            first.push(time(&mut a));
            second.push(time(&mut b));
        }
        (median(first), median(second))
    }

    pub(crate) fn finish(self) {
        self.criterion.final_summary();
        println!("\nInterleaved medians of {} pairs:", self.pairs);
        self.lines.iter().for_each(|line| println!("{line}"));
    }
}

fn time<T>(work: &mut impl FnMut() -> T) -> Duration {
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
