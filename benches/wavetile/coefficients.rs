//! From the bytes of a file to the coefficients that would be uploaded: index, packets, block decoding, on one
//! thread.

use crate::support::{Bench, ours, peers};

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("coefficients") {
        return;
    }
    for picture in bench.pictures().iter() {
        let coefficients = || ours::blocks(&ours::plan(picture, ours::COMPONENTS));
        if !picture.is_large() {
            bench.group("coefficients").bench_function(&picture.name, |b| b.iter(coefficients));
        }
        bench.ratio(
            &format!("coefficients, {}, one thread, against OpenJPEG's whole decode", picture.name),
            coefficients,
            || peers::openjpeg(picture),
        );
    }
}
