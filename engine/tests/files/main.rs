//! End to end: files in, samples out, on both executors, against references from other decoders.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "../../../tests/support/mod.rs"]
mod support;

mod arrival;
mod coverage;
mod executors;
mod references;
mod rendered;
mod truncation;

use std::path::Path;
use support::Plane;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{Component, Decoder, Image, Limits, Result};

/// A file and its headers.
fn open(bytes: Vec<u8>) -> Result<(IndexedFile, Image)> {
    open_within(bytes, &Limits::default())
}

fn open_within(bytes: Vec<u8>, limits: &Limits) -> Result<(IndexedFile, Image)> {
    let file = IndexedFile::open(bytes, limits)?;
    let image = Image::open(&file, limits)?.expect("a file has all headers that it has");
    Ok((file, image))
}

fn open_path(path: &Path) -> (IndexedFile, Image) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    open(bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A decoder with a GPU; `None` in a build without.
fn gpu() -> Option<Decoder> {
    cfg!(feature = "gpu").then(|| Decoder::new(wavetile_engine::Backend::Gpu).unwrap())
}

fn planes(components: Vec<Component>) -> Vec<Plane> {
    let plane = |component: Component| Plane {
        width: component.rect.width() as usize,
        height: component.rect.height() as usize,
        samples: component.samples,
    };
    components.into_iter().map(plane).collect()
}
