//! Tier-1: all code-blocks of a plan that was made before, on one thread.

use crate::support::{Bench, ours};

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("tier1") {
        return;
    }
    let decoder = ours::serial();
    for picture in bench.pictures().iter().filter(|picture| !picture.is_large()) {
        let plan = ours::plan(picture, ours::COMPONENTS);
        bench.group("tier1").bench_function(&picture.name, |b| b.iter(|| ours::blocks(&plan)));
        bench.share(
            &format!("tier1, {}: of our whole decode on one thread", picture.name),
            || ours::blocks(&plan),
            || ours::decode(picture, &decoder),
        );
    }
}
