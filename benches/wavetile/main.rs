//! How fast the decoder and the transport are, and the peers beside them on the same bytes.
//!
//! `cargo bench` prints the speed table and writes it to `docs/speed.md`, and some of it to the README. `cargo bench -- GROUP` runs a
//! group of finer measurements (`tier1`, `coefficients`, `cpu`, `gpu`, `index`, `decode`, `first_picture`, `tiles`), `cargo bench
//! -- all` everything. Milliseconds depend on the machine and on what else it does; ratios are of medians of interleaved
//! runs in one process, and travel. Pictures: the bundled sample, and those of `../shared/bench` (or
//! `$WAVETILE_SHARED/bench`) where they are.

mod coefficients;
mod cpu;
mod decode;
mod first_picture;
mod gpu;
mod index;
mod support;
mod table;
mod tier1;
mod tiles;

use criterion::Criterion;
use std::time::Duration;
use support::Bench;

fn main() {
    if table::open_in_a_child() {
        return;
    }
    let criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .without_plots()
        .configure_from_args();
    let mut bench = Bench::new(criterion);
    if bench.wants_table() {
        table::run(&mut bench);
    }
    tier1::run(&mut bench);
    coefficients::run(&mut bench);
    cpu::run(&mut bench);
    gpu::run(&mut bench);
    index::run(&mut bench);
    decode::run(&mut bench);
    first_picture::run(&mut bench);
    tiles::run(&mut bench);
    bench.finish();
}
