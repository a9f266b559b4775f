//! The speed table: one row for each comparison, printed and written to `docs/speed.md`, some rows also to
//! the README.

mod blocks;
mod high_throughput;
mod limits;
mod whole;

pub(crate) use limits::open_in_a_child;

use crate::support::{Bench, Picture};
use std::fmt::Write;
use std::path::Path;

/// A line of the table, as text.
struct Row {
    what: String,
    ours: String,
    peer: String,
    /// Of times: the peer's over ours.
    ratio: String,
    target: &'static str,
}

/// All rows so far.
pub(crate) struct Table<'a> {
    bench: &'a mut Bench,
    rows: Vec<Row>,
}

/// Measures all rows, prints them, and writes them where all pictures were there.
pub(crate) fn run(bench: &mut Bench) {
    let mut table = Table { bench, rows: Vec::new() };
    blocks::rows(&mut table);
    high_throughput::rows(&mut table);
    whole::rows(&mut table);
    limits::rows(&mut table);
    let text = table.markdown();
    println!("\n{text}");
    let all_pictures = table.picture(LOSSLESS).is_some();
    if table.bench.is_measuring() && all_pictures {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        save(&root.join("docs/speed.md"), |_| Some(format!("# Speed\n\n{text}")));
        let summary = table.summary();
        save(&root.join("README.md"), |readme| {
            let (before, rest) = readme.split_once(BEGIN)?;
            let (_, after) = rest.split_once(END)?;
            Some(format!("{before}{BEGIN}\n{summary}{END}{after}"))
        });
    }
}

/// The README has the rows of [`HEADLINES`] between these lines.
const BEGIN: &str = "<!-- the speed table, written by cargo bench -->";
const END: &str = "<!-- end of the speed table -->";

/// What a stranger asks first: beginnings of rows that have a peer.
const HEADLINES: [&str; 5] = [
    "whole decode, 1024 x 1024 lossless",
    "whole decode, 3840 x 2160, 1 bit a pixel",
    "HTJ2K whole decode, lossless",
    "HTJ2K whole decode, 1.7 bits a pixel",
    "whole decode, 1024 x 1024 of the sample",
];

/// Changes a file, if `change` has something to write.
fn save(path: &Path, change: impl FnOnce(&str) -> Option<String>) {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let Some(text) = change(&before) else { return };
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
    match written {
        Ok(()) => println!("written to {}", path.display()),
        Err(error) => println!("{} cannot be written: {error}", path.display()),
    }
}

/// 1024 x 1024, RGB, 5/3.
const LOSSLESS: &str = "photo1k_p1_53_full";
/// The same, 9/7 at 3 bits a pixel.
const THREE_BITS: &str = "photo1k_p1_97r8_full";
/// 3840 x 2160, RGB, 9/7 at 1 bit a pixel.
const ONE_BIT: &str = "photo4k_p1_97r24_full";
/// 1024 x 1024, RGB, HTJ2K, 5/3.
const HT_LOSSLESS: &str = "photo1k_ht_53_full";
/// 3840 x 2160, RGB, HTJ2K, 9/7 at 1.7 bits a pixel.
const HT_LOSSY: &str = "photo4k_ht_97q0.016_full";

impl Table<'_> {
    /// A picture by its name; says so where it is missing.
    fn picture(&self, name: &str) -> Option<Picture> {
        let found = self.bench.pictures().iter().find(|picture| picture.name == name).cloned();
        if found.is_none() {
            println!("skipped: {name} is not there");
        }
        found
    }

    /// Compares times: medians of interleaved runs.
    fn compare<A, B>(
        &mut self,
        what: &str,
        peer_name: &str,
        target: &'static str,
        ours: impl FnMut() -> A,
        peer: impl FnMut() -> B,
    ) {
        let (ours, peer) = self.bench.medians(ours, peer);
        self.times(what, peer_name, target, ours.as_secs_f64(), peer.as_secs_f64());
    }

    /// Adds two times in seconds.
    fn times(&mut self, what: &str, peer_name: &str, target: &'static str, ours: f64, peer: f64) {
        let (ours_ms, peer_ms) =
            (format!("{:.1} ms", ours * 1e3), format!("{peer_name}: {:.1} ms", peer * 1e3));
        self.row(what, ours_ms, peer_ms, format!("{:.2}", peer / ours), target);
    }

    fn row(&mut self, what: &str, ours: String, peer: String, ratio: String, target: &'static str) {
        println!("{what}: {ours}; {peer}; {ratio}");
        self.rows.push(Row { what: what.to_owned(), ours, peer, ratio, target });
    }

    /// The rows of [`HEADLINES`], with the day.
    fn summary(&self) -> String {
        let today = time::OffsetDateTime::now_utc().date();
        let mut text =
            format!("Measured on {today}:\n\n| what | Wavetile | beside it | ratio |\n|---|---|---|---|\n");
        let compared = self.rows.iter().filter(|row| !row.ratio.is_empty());
        for Row { what, ours, peer, ratio, .. } in compared.filter(|row| HEADLINES.contains(&&*row.what)) {
            writeln!(text, "| {what} | {ours} | {peer} | {ratio} |").expect("text takes all");
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "Printed by `cargo bench`: medians of {} interleaved runs, times of one thread on a processor. Ratios of times are the peer's over ours: above 1, Wavetile is faster. Milliseconds are those of \
             one run on one machine; ratios travel better.\n\n\
             | what | Wavetile | beside it | ratio | target |\n|---|---|---|---|---|\n",
            self.bench.pairs()
        );
        for Row { what, ours, peer, ratio, target } in &self.rows {
            writeln!(text, "| {what} | {ours} | {peer} | {ratio} | {target} |").expect("text takes all");
        }
        text.push_str(NOTES);
        text
    }
}

const NOTES: &str = "
Code-blocks of Part 1: from the bytes of the file to coefficients. OpenJPEG's block decoder cannot be called by itself:
its time is that of the whole decode less that of the same picture with empty packets, which it dequantises, transforms
and copies as well; ours is index, packets and block decoding less that for the empty packets. Neither counts making
memory for the coefficients.

Coefficients of HTJ2K: from the bytes of the file to coefficients in the layout of the upload, beside whole decodes of
the peers, which give no coefficients.

Two threads: half of the time that one thread takes for all code-blocks over the time that the busier of two is at work.
Region: a window of 1024 x 1024 at full size. Its ratio is its share of the whole decode's time over its share of the
compressed bytes of code-blocks. Opening: from a file on disk to an overview of 782 x 391; the memory is the most that a
process which does nothing else ever held, the program included.

What tiles that stay are measured by is in [speed-tiles.md](speed-tiles.md).
";
