//! The passes after block decoding on the CPU, on one thread: coefficients in, 8-bit texels out.

use crate::support::{Bench, ours};

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("cpu") {
        return;
    }
    let decoder = ours::serial();
    for picture in bench.pictures().iter().filter(|picture| !picture.is_large()) {
        let plan = ours::plan(picture, ours::RENDERED);
        let staging = ours::blocks(&plan);
        bench.group("cpu").bench_function(&picture.name, |b| b.iter(|| ours::passes(&plan, &staging)));
        bench.share(
            &format!("cpu, {}: of our whole decode on one thread", picture.name),
            || ours::passes(&plan, &staging),
            || ours::decode(picture, &decoder),
        );
    }
}
