//! How fast the decoder and the transport are, and the peers beside them on the same bytes.
//!
//! `cargo bench` runs all groups, `cargo bench -- GROUP` one of them. Milliseconds depend on the machine and on
//! what else it does; the `ratio` and `share` lines that follow the groups are medians of interleaved runs in
//! one process, and travel. Pictures: the bundled sample, and those of `../shared/bench` (or
//! `$WAVETILE_SHARED/bench`) where they are.

mod coefficients;
mod cpu;
mod decode;
mod first_picture;
mod gpu;
mod index;
mod support;
mod tier1;

use criterion::Criterion;
use std::time::Duration;
use support::Bench;

fn main() {
    let criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .without_plots()
        .configure_from_args();
    let mut bench = Bench::new(criterion);
    tier1::run(&mut bench);
    coefficients::run(&mut bench);
    cpu::run(&mut bench);
    gpu::run(&mut bench);
    index::run(&mut bench);
    decode::run(&mut bench);
    first_picture::run(&mut bench);
    bench.finish();
}
