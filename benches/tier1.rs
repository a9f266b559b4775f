//! Entropy decoding alone, on one core: the code-blocks of photographs, without wavelet or colour.
//! Needs `bench/` of the shared data (`$WAVETILE_SHARED`, or `shared` beside the repository).
#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wavetile_engine::Limits;
use wavetile_engine::entropy::{Scratch, decode_block};
use wavetile_engine::image::{DecodeRequest, Image};
use wavetile_engine::plan::{Plan, Target};
use wavetile_engine::source::IndexedFile;

const FILES: [(&str, &str); 3] = [
    ("lossless", "photo1k_p1_53_full.j2k"),
    ("3_bits_per_pixel", "photo1k_p1_97r8_full.j2k"),
    ("1_bit_per_pixel", "photo4k_p1_97r24_full.j2k"),
];

fn tier1(criterion: &mut Criterion) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("WAVETILE_SHARED").map_or(beside, PathBuf::from).join("bench");
    let mut group = criterion.benchmark_group("tier1");
    group.sample_size(20).measurement_time(Duration::from_secs(6));
    for (name, file) in FILES {
        let Ok(bytes) = std::fs::read(folder.join(file)) else {
            println!("skipped: tier1/{name} needs ../shared (bench/{file})");
            continue;
        };
        let plan = plan(bytes);
        let samples = plan.blocks.iter().map(|block| block.size.area()).sum();
        let mut scratch = Scratch::new();
        let mut staging = vec![0; plan.staging_words];
        group.throughput(Throughput::Elements(samples));
        group.bench_function(name, |bencher| bencher.iter(|| decode(&plan, &mut scratch, &mut staging)));
    }
    group.finish();
}

/// All components of a file at full size.
fn plan(bytes: Vec<u8>) -> Plan {
    let limits = Limits::default();
    let file = IndexedFile::open(bytes, &limits).unwrap();
    let image = Image::open(&file, &limits).unwrap().unwrap();
    image.plan(&file, &DecodeRequest::default(), Target::Components, 1024).unwrap().0
}

fn decode(plan: &Plan, scratch: &mut Scratch, staging: &mut [u32]) {
    for block in &plan.blocks {
        let segments = &plan.segments[block.segments.start as usize..block.segments.end as usize];
        let outcome = decode_block(block, segments, &plan.data, scratch, &mut staging[block.staging.clone()]);
        assert!(!outcome.damaged);
    }
}

criterion_group!(benches, tier1);
criterion_main!(benches);
