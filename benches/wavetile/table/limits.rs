//! What costs should follow: threads, the window, what is decoded; and dispatches of the GPU.

use super::{LOSSLESS, ONE_BIT, Table};
use crate::support::{Picture, ours, time};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wavetile::engine::low_level::entropy::decode_plan;
use wavetile::engine::runner::ParallelRunner;
use wavetile::engine::{DecodeRequest, Decoder, Image, Rect};
use wavetile_testing::codestream::{OneTile, Pointers};

pub(super) fn rows(table: &mut Table<'_>) {
    threads(table);
    region(table);
    opening(table);
    gpu(table);
}

/// Two threads of its own; how long the busier one was at work.
#[derive(Default)]
struct Two(Mutex<Duration>);

impl ParallelRunner for Two {
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            let busy = time(&mut || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    task(index);
                }
            });
            let mut most = self.0.lock().expect("no thread panicked");
            *most = busy.max(*most);
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
    }

    fn workers(&self) -> usize {
        2
    }
}

fn threads(table: &mut Table<'_>) {
    for (name, what) in [(LOSSLESS, "lossless"), (ONE_BIT, "1 bit a pixel"), (super::HT_LOSSY, "HTJ2K")] {
        let Some(picture) = table.picture(name) else { continue };
        let plan = ours::plan(&picture, ours::COMPONENTS);
        let on_one = || time(&mut || ours::blocks(&plan));
        let on_two = || {
            let two = Two::default();
            assert_eq!(decode_plan(&plan, &two, &mut vec![0; plan.staging_words]), 0);
            two.0.into_inner().expect("no thread panicked")
        };
        let (two, one) = table.bench.medians_of(on_two, on_one);
        let (two, one) = (two.as_secs_f64(), one.as_secs_f64());
        table.row(
            &format!("efficiency of two threads over code-blocks, {what}"),
            format!("{:.1} ms", two * 1e3),
            format!("ours on one: {:.1} ms", one * 1e3),
            format!("{:.2}", one / (2.0 * two)),
            "0.9",
        );
    }
}

fn region(table: &mut Table<'_>) {
    let one_precinct = OneTile {
        size: (8192, 8192),
        components: 1,
        levels: 5,
        irreversible: false,
        precincts: (15, 15),
        coded: 6,
        passes: 16,
        bytes: 700,
        pointers: Pointers::None,
    };
    let sample = table.picture("sample_region").expect("the sample is always there");
    let window = sample.request.clone();
    let blocks = one_precinct.blocks();
    for (what, bytes, blocks) in [
        ("one precinct a resolution", one_precinct.write().into(), Some(blocks)),
        ("the sample", sample.bytes, None),
    ] {
        let picture = |request| Picture { name: what.to_owned(), bytes, request };
        let part = picture(window.clone());
        let whole = Picture { request: DecodeRequest::default(), ..part.clone() };
        let decoder = ours::serial();
        let run = |picture: &Picture| {
            let mut coverage = None;
            let time = time(&mut || {
                let image = picture.open();
                let decoded = decoder.components(&image, &picture.request);
                let (components, report) = decoded.expect("it can be decoded");
                coverage = Some(report.coverage);
                components
            });
            (time, coverage.expect("it was decoded"))
        };
        let (time_part, time_whole) = table.bench.medians_of(|| run(&part).0, || run(&whole).0);
        let (part, whole) = (run(&part).1, run(&whole).1);
        assert!(blocks.is_none_or(|blocks| blocks == whole.blocks_coded));
        let share = time_part.as_secs_f64() / time_whole.as_secs_f64();
        let of_bytes = part.compressed_bytes as f64 / whole.compressed_bytes as f64;
        table.row(
            &format!(
                "region, untiled 8192 x 8192, {what}: {} of {} code-blocks",
                part.blocks_coded, whole.blocks_coded
            ),
            format!("{:.1} ms", time_part.as_secs_f64() * 1e3),
            format!("ours, whole: {:.0} ms", time_whole.as_secs_f64() * 1e3),
            format!("{:.2}", share / of_bytes),
            "at most 1.3",
        );
    }
}

const ENORMOUS: (u32, u32) = (200_000, 100_000);

fn opening(table: &mut Table<'_>) {
    for pointers in [Pointers::None, Pointers::Tlm, Pointers::Plt] {
        let picture = OneTile {
            size: ENORMOUS,
            components: 3,
            levels: 10,
            irreversible: false,
            precincts: (6, 8),
            coded: 1,
            passes: 1,
            bytes: 4,
            pointers,
        };
        let path =
            std::env::temp_dir().join(format!("wavetile-bench-{}-{pointers:?}.j2k", std::process::id()));
        std::fs::write(&path, picture.write()).expect("the folder for temporary files can be written");
        let child = || {
            let child = Command::new(std::env::current_exe().expect("the program has a path"))
                .args([OPEN, path.to_str().expect("the path is text")])
                .output()
                .expect("the program runs once more");
            let text = String::from_utf8_lossy(&child.stdout).into_owned();
            let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
            (Duration::from_nanos(numbers.next().unwrap_or(0)), numbers.next().unwrap_or(0))
        };
        let (time, _) = table.bench.medians_of(|| child().0, || Duration::ZERO);
        let memory = child().1;
        // Nobody needs it any more; what remains is a temporary file.
        let _ = std::fs::remove_file(&path);
        let what = match pointers {
            Pointers::None => "without PLT and TLM",
            Pointers::Tlm => "with TLM",
            Pointers::Plt => "with PLT",
        };
        table.row(
            &format!("opening 200 000 x 100 000 in one tile, {what}"),
            format!("{:.1} ms", time.as_secs_f64() * 1e3),
            if memory > 0 { format!("{:.0} MB", memory as f64 / 1024.0) } else { String::new() },
            String::new(),
            "100 ms, 64 MB",
        );
    }
}

/// The argument that makes the program do nothing but [`open_in_a_child`].
const OPEN: &str = "--open-and-tell";

/// If the arguments ask for it: opens a file, decodes an overview, and prints nanoseconds and the most kilobytes that
/// the process held (on Linux). Returns whether they do.
pub(crate) fn open_in_a_child() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(OPEN) {
        return false;
    }
    let path = arguments.next().expect("the path follows");
    let time = time(&mut || {
        let image = Image::open_file(&path).expect("it was just written, and is a codestream");
        assert_eq!(image.area(), Rect::new(0, 0, ENORMOUS.0, ENORMOUS.1));
        let request = DecodeRequest::new().reduce(8);
        let (_, report) = ours::serial().components(&image, &request).expect("it can be decoded");
        assert!(report.is_complete());
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = most.and_then(|line| line.split_whitespace().next()).unwrap_or("0");
    println!("{} {kilobytes}", time.as_nanos());
    true
}

#[cfg(not(feature = "gpu"))]
fn gpu(table: &mut Table<'_>) {
    let missing = "built without the feature gpu".to_owned();
    table.row("GPU", String::new(), missing, String::new(), "levels + 2 dispatches, 1 submission");
}

/// Counts only: how fast a GPU is depends on the GPU.
#[cfg(feature = "gpu")]
fn gpu(table: &mut Table<'_>) {
    const TARGET: &str = "levels + 2 dispatches, 1 submission";
    let decoder = match Decoder::new(wavetile::engine::Backend::Gpu) {
        Ok(decoder) => decoder,
        Err(error) => return table.row("GPU", String::new(), error.to_string(), String::new(), TARGET),
    };
    for name in [LOSSLESS, ONE_BIT, "sample_region"] {
        let Some(picture) = table.picture(name) else { continue };
        let image = picture.open();
        let decoded = decoder.texture(&image, &picture.request);
        let report = decoded.expect("the device runs it").1;
        table.row(
            &format!("GPU, {name}, {} levels", image.levels()),
            // More than one where the device does not bind buffers large enough.
            format!(
                "{} dispatches in {} cells, {} submissions",
                report.dispatches, report.cells, report.submissions
            ),
            decoder.backend_name().to_owned(),
            String::new(),
            TARGET,
        );
    }
}
