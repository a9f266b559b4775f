//! End to end: files in, samples out, on both executors, against references from other decoders.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "../adapter/mod.rs"]
mod adapter;
mod arrival;
mod coverage;
mod depths;
mod executors;
mod fragments;
mod rendered;
#[cfg(feature = "gpu")]
mod submissions;
mod truncation;

use adapter::gpu;
use std::path::Path;
use std::sync::Arc;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{Decoder, Image, ImageOptions, Limits, Result};
use wavetile_testing::codestream::{Component, Header};

/// The picture of a file.
fn open(bytes: Vec<u8>) -> Result<Image> {
    Image::open(bytes)
}

fn open_path(path: &Path) -> Image {
    Image::open_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file, and its picture.
fn indexed(bytes: Vec<u8>) -> Result<(Arc<IndexedFile>, Image)> {
    let file = Arc::new(IndexedFile::open(bytes, &Limits::default())?);
    let image = ImageOptions::new().open_indexed(file.clone())?;
    Ok((file, image))
}

/// A file of one tile-part without data: `width` x `height`, tiles of `tile`, grey of `depth` bits, 5 levels.
fn empty_codestream(width: u32, height: u32, tile: u32, depth: u8) -> Vec<u8> {
    let components = vec![Component { depth, ..Component::GREY }];
    let header = Header { tile: [0, 0, tile, tile], components, levels: 5, ..Header::untiled(width, height) };
    header.codestream(&[])
}
