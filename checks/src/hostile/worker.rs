//! The process that runs cases, one after another: a crash or a hang costs it, not the run.

use super::case::{Case, Kind};
use super::ordeal::{Ordeal, Outcome};
use super::suite::Suite;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wavetile_engine::Decoder;

/// What a case did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) verdict: Verdict,
    /// Processor time.
    pub(crate) time: Duration,
    /// The most bytes that were allocated at a time, those of the file counted in.
    pub(crate) memory: u64,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As [`Outcome`].
    Ended(Outcome),
    /// With a panic: its words.
    Panicked(String),
    /// The process died or had to be ended; how.
    Died(String),
}

impl Deed {
    /// One line, without its end.
    fn line(&self) -> String {
        let (word, text) = match &self.verdict {
            Verdict::Ended(Outcome::Picture) => ("picture", ""),
            Verdict::Ended(Outcome::SamePlan) => ("same", ""),
            Verdict::Ended(Outcome::Refused(text)) => ("refused", &**text),
            Verdict::Ended(Outcome::Disagreement(text)) => ("disagreed", &**text),
            Verdict::Panicked(text) => ("panicked", &**text),
            Verdict::Died(text) => ("died", &**text),
        };
        let text = text.replace(['\n', '\r', '\t'], " ");
        format!("{}\t{}\t{word}\t{text}", self.time.as_micros(), self.memory)
    }

    /// Undoes [`line`](Self::line).
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().splitn(4, '\t');
        let time = Duration::from_micros(fields.next()?.parse().ok()?);
        let memory = fields.next()?.parse().ok()?;
        let word = fields.next()?;
        let text = fields.next().unwrap_or_default().to_owned();
        let verdict = match word {
            "picture" => Verdict::Ended(Outcome::Picture),
            "same" => Verdict::Ended(Outcome::SamePlan),
            "refused" => Verdict::Ended(Outcome::Refused(text)),
            "disagreed" => Verdict::Ended(Outcome::Disagreement(text)),
            "panicked" => Verdict::Panicked(text),
            "died" => Verdict::Died(text),
            _ => return None,
        };
        Some(Self { verdict, time, memory })
    }
}

/// Takes names of cases from standard input, a line each, and answers with a line each.
pub(crate) fn serve(shared: &Path, seed: u64, gpu: Option<Decoder>) -> Result<(), String> {
    let mut suite = Suite::open(shared)?;
    if gpu.is_none() {
        bound_memory();
    }
    let mut worker = Worker::new(seed, gpu);
    let mut last: Option<Case> = None;
    for line in std::io::stdin().lock().lines() {
        let case: Case = line.map_err(|error| error.to_string())?.parse()?;
        let follows = last.is_some_and(|last| (last.kind, &last.file) == (case.kind, &case.file));
        let deed = worker.run(&case, &mut suite, follows)?;
        last = Some(case);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", deed.line()).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Runs cases in this process.
pub(crate) struct Worker {
    ordeal: Ordeal,
    seed: u64,
    /// What the last panic said, and where.
    panic: Arc<Mutex<String>>,
}

impl Worker {
    /// Takes over what is done about panics.
    pub(crate) fn new(seed: u64, gpu: Option<Decoder>) -> Self {
        let panic = Arc::new(Mutex::new(String::new()));
        let words = panic.clone();
        std::panic::set_hook(Box::new(move |info| {
            *words.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
        }));
        Self { ordeal: Ordeal::new(gpu), seed, panic }
    }

    /// Runs one case; `follows` if it is of the same file and kind as the one before.
    pub(crate) fn run(&mut self, case: &Case, suite: &mut Suite, follows: bool) -> Result<Deed, String> {
        let input = case.input(suite, self.seed)?;
        crate::ALLOCATOR.reset_peak_usage();
        let (held, started) = (crate::ALLOCATOR.current_usage(), processor_time());
        let ended =
            catch_unwind(AssertUnwindSafe(|| self.ordeal.run(input, case.kind == Kind::Cut, follows)));
        let time = processor_time().saturating_sub(started);
        let memory = crate::ALLOCATOR.peak_usage().saturating_sub(held) as u64;
        let verdict = ended.map_or_else(
            |_| Verdict::Panicked(self.panic.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Verdict::Ended,
        );
        Ok(Deed { verdict, time, memory })
    }
}

/// A case that takes far too much must not take the machine with it.
fn bound_memory() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = Rlimit { current: Some(6 << 30), maximum: Some(6 << 30) };
        // Where it cannot be bounded it is measured all the same.
        let _ = setrlimit(Resource::As, limit);
    }
}

/// Time that this process has had a processor.
#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Time since the first call: the processor's cannot be had.
#[cfg(not(unix))]
fn processor_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wavetile_testing::running::Folder;

    #[test]
    fn deeds_survive_their_line() {
        for verdict in [
            Verdict::Ended(Outcome::Picture),
            Verdict::Ended(Outcome::SamePlan),
            Verdict::Ended(Outcome::Refused("a reason".into())),
            Verdict::Ended(Outcome::Disagreement("2 apart".into())),
            Verdict::Panicked("at byte 7".into()),
            Verdict::Died("signal 6".into()),
        ] {
            let deed = Deed { verdict, time: Duration::from_micros(1234), memory: 99 };
            assert_eq!(Deed::parse(&deed.line()), Some(deed));
        }
        assert_eq!(Deed::parse("1\t2\tdanced"), None);
    }

    #[test]
    fn a_panic_is_told_and_time_and_memory_are_measured() {
        let mut worker = Worker::new(1, None);
        let before = processor_time();
        let panicked = catch_unwind(|| -> () { panic!("here") });
        assert!(panicked.is_err() && worker.panic.lock().unwrap().contains("here"));
        let _ = std::panic::take_hook();
        let folder = Folder::new("checks");
        for part in ["malformed", "conformance", "files", "jpx"] {
            std::fs::create_dir_all(folder.join("testdata").join(part)).unwrap();
        }
        let gradient = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/gradient.jp2");
        std::fs::copy(gradient, folder.join("testdata/files/gradient.jp2")).unwrap();
        let mut suite = Suite::open(&folder).unwrap();
        let mut run = |text: &str, follows| worker.run(&text.parse().unwrap(), &mut suite, follows).unwrap();
        let whole = run("whole:files/gradient.jp2@0", false);
        assert_eq!(whole.verdict, Verdict::Ended(Outcome::Picture));
        assert!(whole.memory > 96 * 64 * 4 && whole.memory < 64 << 20, "{}", whole.memory);
        assert!(!whole.time.is_zero() && processor_time() > before);
        let cut = run("cut:files/gradient.jp2@9", false);
        assert!(matches!(cut.verdict, Verdict::Ended(Outcome::Refused(_))), "{cut:?}");
        // The last byte of a file says nothing new.
        run("cut:files/gradient.jp2@100000", false);
        let again = run("cut:files/gradient.jp2@100000", true);
        assert_eq!(again.verdict, Verdict::Ended(Outcome::SamePlan));
    }
}
