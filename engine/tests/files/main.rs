//! End to end: files in, samples out, on both executors, against references from other decoders.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod arrival;
mod coverage;
mod depths;
mod executors;
mod fragments;
mod rendered;
#[cfg(feature = "gpu")]
mod submissions;
mod truncation;

use std::path::Path;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{Decoder, Image, Limits, Result};

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

/// A decoder with a GPU; `None` in a build without, and, having said so, where there is no adapter.
/// Where everything must be there, that fails instead.
fn gpu() -> Option<Decoder> {
    if !cfg!(feature = "gpu") {
        return None;
    }
    match Decoder::new(wavetile_engine::Backend::Gpu) {
        Ok(decoder) => Some(decoder),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
        Err(error) => {
            println!("skipped: the GPU's part of a test: {error}");
            None
        }
    }
}

/// A file of one tile-part without data: `width` x `height`, tiles of `tile`, grey of `depth` bits, 5 levels.
fn empty_codestream(width: u32, height: u32, tile: u32, depth: u8) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
    for value in [width, height, 0, 0, tile, tile, 0, 0] {
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend([0, 1, depth - 1, 1, 1]);
    bytes.extend([0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1]);
    bytes.extend([0xFF, 0x5C, 0, 19, 0x40]);
    bytes.extend([8 << 3; 16]);
    bytes.extend([0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 14, 0, 1, 0xFF, 0x93, 0xFF, 0xD9]);
    bytes
}
