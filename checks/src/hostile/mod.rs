//! `checks hostile`: broken, cut and changed files do no harm.
//!
//! Each case goes the whole way of a file: opening, boxes, plan, samples, picture. It must end with samples or with an
//! error: without a panic, within 1 s of processor time and 512 MiB of allocations, and on both executors alike.

mod case;
mod mutation;
mod numbers;
mod ordeal;
mod suite;
mod summary;
mod supervisor;
mod worker;

use case::{Case, Extent, Kind};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use suite::Suite;
use summary::{Bounds, Summary};
use supervisor::Crew;
use wavetile_engine::error::DeviceError;
use wavetile_engine::{Backend, Decoder, Error};
use worker::{Deed, Worker};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// All files as they are, but few of their cuts and changes: for each change of the code
    #[arg(long)]
    quick: bool,
    /// Which random cuts and changes are made
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run this case alone, in this process, and say how it ended
    #[arg(long, value_name = "CASE")]
    case: Option<Case>,
    /// With --case: write the bytes of the case to this file
    #[arg(long, value_name = "FILE", requires = "case")]
    save: Option<std::path::PathBuf>,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Changed files to try, instead of the usual number
    #[arg(long, value_name = "N")]
    flips: Option<u64>,
    /// Cases, evenly spread over all, for which the executors are compared
    #[arg(long, value_name = "N")]
    compare: Option<usize>,
    /// Processes at a time
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Compare the executors (with --case)
    #[arg(long)]
    gpu: bool,
    /// Take cases from standard input
    #[arg(long, hide = true)]
    worker: bool,
}

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(1), memory: 512 << 20 };
/// Cases for which the executors are compared, where nothing else is asked for.
const COMPARED: (usize, usize) = (4000, 150);

/// Whether there was no failure.
///
/// # Errors
/// The shared data is not there, or workers cannot be started.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let shared = if arguments.quick {
        let Some(shared) = wavetile_testing::shared("") else { return Ok(true) };
        shared
    } else {
        wavetile_testing::shared_folder()?
    };
    let gpu = || Decoder::new(Backend::Gpu);
    if arguments.worker {
        let gpu = arguments.gpu.then(gpu).transpose().map_err(|error| error.to_string())?;
        return worker::serve(&shared, arguments.seed, gpu).map(|()| true);
    }
    let mut suite = Suite::open(&shared)?;
    if let Some(case) = &arguments.case {
        let gpu = arguments.gpu.then(gpu).transpose().map_err(|error| error.to_string())?;
        return one(arguments, case, &mut suite, gpu);
    }
    let mut extent = if arguments.quick { Extent::QUICK } else { Extent::FULL };
    extent.flips = arguments.flips.unwrap_or(extent.flips);
    let mut batches = case::all(suite.files(), extent, arguments.seed);
    if let Some(only) = &arguments.only {
        batches.iter_mut().for_each(|batch| batch.retain(|case| case.to_string().contains(&**only)));
        batches.retain(|batch| !batch.is_empty());
    }
    let compared = arguments.compare.unwrap_or(if arguments.quick { COMPARED.1 } else { COMPARED.0 });
    let sample = evenly(&batches, compared);

    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = arguments.workers.unwrap_or(processors).max(1);
    let crew = Crew { shared, seed: arguments.seed, gpu: false, workers };
    println!("hostile input, seed {}: {} cases", arguments.seed, batches.iter().map(Vec::len).sum::<usize>());
    let summary = watch(&crew, batches, BOUNDS)?;
    print!("{summary}");
    let mut failures = summary.failures();

    if !sample.is_empty() {
        match gpu() {
            Ok(decoder) => {
                println!("\nCPU against {}: {} of these cases", decoder.backend_name(), sample.len());
                drop(decoder);
                // What a driver takes is not ours to bound, and one that computes on the CPU takes its time.
                let bounds = Bounds { time: Duration::MAX, memory: u64::MAX };
                let sample = sample.chunks(64).map(<[Case]>::to_vec).collect();
                let summary = watch(&Crew { gpu: true, workers: 1, ..crew }, sample, bounds)?;
                print!("{summary}");
                failures += summary.failures();
            }
            Err(Error::Device(DeviceError::NoAdapter { reason })) => wavetile_testing::skip_adapter(reason),
            Err(error) => return Err(error.to_string()),
        }
    }
    println!("{}", if failures == 0 { "passed".to_owned() } else { format!("{failures} failures") });
    Ok(failures == 0)
}

/// Runs one case here.
fn one(arguments: &Arguments, case: &Case, suite: &mut Suite, gpu: Option<Decoder>) -> Result<bool, String> {
    if let Some(path) = &arguments.save {
        let (case::Input::File(bytes) | case::Input::Stream(bytes)) = case.input(suite, arguments.seed)?;
        std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let mut summary = Summary::new(BOUNDS);
    let deed = Worker::new(arguments.seed, gpu).run(case, suite, false)?;
    println!(
        "{case}: {:?}, {:.3} s, {:.1} MiB",
        deed.verdict,
        deed.time.as_secs_f64(),
        deed.memory as f64 / 1048576.0
    );
    let failure = summary.add(case, &deed);
    Ok(failure.is_none())
}

/// Runs cases, telling of progress and failures on standard error.
fn watch(crew: &Crew, batches: Vec<Vec<Case>>, bounds: Bounds) -> Result<Summary, String> {
    let total: usize = batches.iter().map(Vec::len).sum();
    let terminal = std::io::stderr().is_terminal();
    let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(60) };
    let started = Instant::now();
    let state = Mutex::new((Summary::new(bounds), Instant::now()));
    crew.run(batches, &|case: &Case, deed: Deed| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (summary, told) = &mut *state;
        if let Some(failure) = summary.add(case, &deed) {
            eprintln!("{}{failure}", if terminal { "\r\x1b[K" } else { "" });
        }
        if told.elapsed() >= pause {
            *told = Instant::now();
            let (done, failures) = (summary.cases(), summary.failures());
            let line =
                format!("{done} of {total} cases, {failures} failures, {} s", started.elapsed().as_secs());
            eprint!("{}", if terminal { format!("\r\x1b[K{line}") } else { format!("{line}\n") });
            // Nothing depends on it.
            let _ = std::io::stderr().flush();
        }
    })?;
    if terminal {
        eprint!("\r\x1b[K");
    }
    Ok(state.into_inner().unwrap_or_else(PoisonError::into_inner).0)
}

/// About `count` cases, evenly spread.
fn evenly(batches: &[Vec<Case>], count: usize) -> Vec<Case> {
    let all = batches.iter().map(Vec::len).sum::<usize>();
    let step = all.div_ceil(count.max(1)).max(1);
    // Untouched files are few, and each is worth more than one of the cuts of another.
    let (whole, rest): (Vec<&Case>, Vec<&Case>) =
        batches.iter().flatten().partition(|case| case.kind == Kind::Whole);
    let every =
        |cases: Vec<&Case>, step| cases.into_iter().step_by(step).take(count).cloned().collect::<Vec<_>>();
    [every(whole, step.div_ceil(20)), every(rest, step)].concat()
}
