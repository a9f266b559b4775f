//! The Part 1 codestreams of T.803 | ISO/IEC 15444-4, each row of the manifest on both executors.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use support::{Plane, difference, manifest, read_pgx, shared_or_skip};
use wavetile::engine::source::IndexedFile;
use wavetile::engine::{Backend, DecodeRequest, Decoder, Image, Limits};

/// Decodes one component of a stream.
fn decode(decoder: &Decoder, path: &Path, request: &DecodeRequest) -> Plane {
    let file = IndexedFile::open(std::fs::read(path).unwrap(), &Limits::default()).unwrap();
    let image = Image::open(&file, &Limits::default()).unwrap().unwrap();
    let (mut components, report) = decoder
        .components(&image, &file, request)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(report.is_complete(), "{}: {report:?}", path.display());
    let component = components.swap_remove(0);
    let (width, height) = (component.rect.width() as usize, component.rect.height() as usize);
    Plane { width, height, samples: component.samples }
}

/// Whether there is an adapter, a software one included; says so if the test is skipped. Where
/// everything must be there, it fails instead.
fn has_gpu_or_skip(test: &str) -> bool {
    match Decoder::new(Backend::Gpu) {
        Ok(_) => true,
        Err(error) if std::env::var_os("CI").is_some() => panic!("{test}: {error}"),
        Err(error) => {
            println!("skipped: {test}: {error}");
            false
        }
    }
}

/// Checks all rows of `class`; gives how many there were.
fn check(backend: Backend, class: u64, folder: &Path) -> usize {
    let decoder = Decoder::new(backend).unwrap();
    let mut rows = 0;
    let mut failures = Vec::new();
    for row in manifest(&folder.join("manifest.jsonl")) {
        let stream = row["stream"].as_str().unwrap();
        if !stream.starts_with("part4/") || row["class"].as_u64() != Some(class) {
            continue;
        }
        rows += 1;
        let note = row["note"].as_str().unwrap_or_default();
        let component = row["component"].as_u64().unwrap() as u32;
        let request = DecodeRequest {
            reduce: row["reduction"].as_u64().unwrap() as u32,
            components: Some(vec![component]),
            without_component_transform: class == 0,
            ..DecodeRequest::default()
        };
        let reference = read_pgx(&folder.join(row["reference"].as_str().unwrap()));
        let mut got = decode(&decoder, &folder.join(stream), &request);
        if note.contains(">> 4") {
            got.samples.iter_mut().for_each(|sample| *sample >>= 4);
        }
        if note.contains("top-left") {
            got = got.top_left(reference.width, reference.height);
        }
        let found = difference(&got, &reference);
        let (peak, mse) = (row["peak"].as_f64().unwrap(), row["mse"].as_f64().unwrap());
        if found.peak as f64 > peak || found.mean_square > mse {
            failures.push(format!("{stream} component {component}: {found:?}, allowed {peak} and {mse}"));
        }
    }
    assert!(failures.is_empty(), "{backend:?}, class {class}:\n{}", failures.join("\n"));
    rows
}

#[test]
fn part_4_on_the_cpu() {
    let Some(shared) = shared_or_skip("part_4_on_the_cpu") else { return };
    let folder = shared.join("testdata/conformance");
    assert_eq!(check(Backend::Cpu, 0, &folder), 25);
    assert_eq!(check(Backend::Cpu, 1, &folder), 52);
}

#[test]
fn part_4_on_the_gpu() {
    let Some(shared) = shared_or_skip("part_4_on_the_gpu") else { return };
    if !has_gpu_or_skip("part_4_on_the_gpu") {
        return;
    }
    let folder = shared.join("testdata/conformance");
    assert_eq!(check(Backend::Gpu, 0, &folder), 25);
    assert_eq!(check(Backend::Gpu, 1, &folder), 52);
}
