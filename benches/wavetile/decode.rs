//! Whole decode, from the bytes of a file to samples in memory: ours and the peers'.

use crate::support::{Bench, ours, peers};
use wavetile::engine::Decoder;

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("decode") {
        return;
    }
    let (one, all) = (ours::serial(), Decoder::cpu());
    for picture in bench.pictures().iter() {
        let samples = ours::decode(picture, &one);
        let theirs = peers::openjpeg(picture);
        let theirs: Vec<Vec<i32>> = theirs.components().iter().map(|c| c.data().to_vec()).collect();
        peers::agree("OpenJPEG", picture, &samples, &theirs);
        let regions = picture.request.region.is_none();
        if regions {
            let theirs = peers::hayro(picture, |components| {
                components
                    .iter()
                    .map(|c| c.samples().iter().map(|s| s.round() as i32).collect())
                    .collect::<Vec<_>>()
            });
            peers::agree("hayro-jpeg2000", picture, &samples, &theirs);
        }
        if !picture.is_large() {
            let mut group = bench.group(&format!("decode/{}", picture.name));
            group.bench_function("one_thread", |b| b.iter(|| ours::decode(picture, &one)));
            group.bench_function("all_threads", |b| b.iter(|| ours::decode(picture, &all)));
            group.bench_function("openjpeg", |b| b.iter(|| peers::openjpeg(picture)));
            if regions {
                group.bench_function("hayro", |b| b.iter(|| peers::hayro(picture, <[_]>::len)));
            }
        }
        let what = |threads: &str, peer: &str| format!("decode, {}, {threads}, against {peer}", picture.name);
        let mine = || ours::decode(picture, &one);
        bench.ratio(&what("one thread", "OpenJPEG"), mine, || peers::openjpeg(picture));
        if regions {
            bench.ratio(&what("one thread", "hayro-jpeg2000"), mine, || peers::hayro(picture, <[_]>::len));
        }
        bench.ratio(&what("all threads", "our one thread"), || ours::decode(picture, &all), mine);
    }
}
