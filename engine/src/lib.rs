//! JPEG 2000 decoder: entropy decoding on the CPU, wavelet and colour on the GPU or the CPU.
//!
//! # From a file to pixels
//!
//! Four values, in this order: an [`IndexedFile`](source::IndexedFile) cuts the file into data-bins, an
//! [`Image`] holds its headers, a [`DecodeRequest`] says what is wanted, and a [`Decoder`] does the work.
//!
//! ```
//! use wavetile_engine::source::IndexedFile;
//! use wavetile_engine::{Backend, DecodeRequest, Decoder, Image, Limits, TexelFormat};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limits = Limits::default();
//! let bytes = std::fs::read("tests/data/gradient.jp2")?;
//! let file = IndexedFile::open(bytes, &limits)?;
//! let image = Image::open(&file, &limits)?.ok_or("the headers are not whole")?;
//! assert_eq!((image.area().width(), image.area().height()), (96, 64));
//!
//! let decoder = Decoder::new(Backend::Auto)?; // a graphics card if there is one
//! let everything = DecodeRequest::default();
//! let (picture, report) = decoder.render(&image, &file, &everything, TexelFormat::Rgba8)?;
//! assert_eq!(picture.bytes.len(), 96 * 64 * 4);
//! assert!(report.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! A large file need not be read first: [`FileSource`](byte_source::FileSource) opens it, and only the parts that a
//! request needs are read. Keep the decoder: with a GPU it builds all pipelines when it is made.
//!
//! # A part of it
//!
//! A request can ask for a region of the reference grid, a reduced resolution, the first quality layers, and some
//! of the components. Only the code-blocks that the wavelet filters need for that are decoded; the report counts
//! them. [`Decoder::components`] gives samples as they are in the codestream, before palette, colour conversion
//! and up-sampling, whatever their depth.
//!
//! ```
//! # use wavetile_engine::source::IndexedFile;
//! # use wavetile_engine::{DecodeRequest, Decoder, Image, Limits};
//! use wavetile_engine::Rect;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = IndexedFile::open(std::fs::read("tests/data/gradient.jp2")?, &Limits::default())?;
//! # let image = Image::open(&file, &Limits::default())?.ok_or("the headers are not whole")?;
//! let corner = DecodeRequest {
//!     region: Some(Rect::new(64, 32, 96, 64)), // x0, y0, x1, y1
//!     reduce: 1,                               // half the size
//!     components: Some(vec![0]),
//!     ..DecodeRequest::default()
//! };
//! let decoder = Decoder::cpu();
//! let (components, part) = decoder.components(&image, &file, &corner)?;
//! assert_eq!(components[0].samples.len(), 16 * 16);
//!
//! let (_, whole) = decoder.components(&image, &file, &DecodeRequest::default())?;
//! assert!(part.coverage.blocks_needed < whole.coverage.blocks_needed);
//! # Ok(())
//! # }
//! ```
//!
//! # While it arrives
//!
//! The decoder reads [`DataBins`]. A file is one kind; a [`DataBinCache`], which takes pieces of bins in any order, is
//! the other. Bytes that are missing are no error: the picture is made of what is there, and the report says how
//! much that is. Here a cache gets the headers, then half of each precinct's bytes.
//!
//! ```
//! # use wavetile_engine::data_bin::DataBinId;
//! # use wavetile_engine::source::IndexedFile;
//! # use wavetile_engine::{DecodeRequest, Decoder, Image, Limits};
//! use wavetile_engine::{DataBinCache, DataBins};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = IndexedFile::open(std::fs::read("tests/data/gradient.jp2")?, &Limits::default())?;
//! let mut cache = DataBinCache::new();
//! for id in [DataBinId::Metadata(0), DataBinId::MainHeader, DataBinId::TileHeader(0)] {
//!     let bin = file.bin(0, id)?.ok_or("no such bin")?;
//!     cache.insert(0, id, 0, &bin.bytes, true);
//! }
//! let image = Image::open(&cache, &Limits::default())?.ok_or("the headers are not whole")?;
//!
//! // One tile; three components of four resolutions with one precinct each.
//! for id in (0..3 * 4).map(DataBinId::Precinct) {
//!     let bin = file.bin(0, id)?.ok_or("no such bin")?;
//!     cache.insert(0, id, 0, &bin.bytes[..bin.bytes.len() / 2], false);
//! }
//! let (_, report) = Decoder::cpu().components(&image, &cache, &DecodeRequest::default())?;
//! assert!(0.0 < report.completeness() && report.completeness() < 1.0);
//! # Ok(())
//! # }
//! ```
//!
//! # Into a texture
//!
//! With the feature `gpu`, the result can stay on the host's own device. Nothing beyond WebGPU's default features
//! and limits is asked of it.
//!
//! ```no_run
//! # #[cfg(feature = "gpu")]
//! # mod example {
//! use wavetile_engine::gpu::Context;
//! use wavetile_engine::{DataBins, DecodeRequest, Decoder, Image, Result, TexelFormat, wgpu};
//!
//! fn texture(
//!     device: &wgpu::Device,
//!     queue: &wgpu::Queue,
//!     image: &Image,
//!     bins: &dyn DataBins,
//! ) -> Result<wgpu::Texture> {
//!     let decoder = Decoder::with_gpu(Context::new(device.clone(), queue.clone()))?;
//!     let (texture, _) = decoder.texture(image, bins, &DecodeRequest::default(), TexelFormat::Rgba8)?;
//!     Ok(texture) // submitted; work submitted later sees the finished picture
//! }
//! # }
//! ```
//!
//! # Threads, memory, errors
//!
//! Entropy decoding runs on a [`ParallelRunner`](runner::ParallelRunner): rayon's (feature `threads`), one thread, or
//! the host's own. [`Limits`] are checked before memory is taken. [`Error`] is sorted by who must act: the file, the
//! caller, the limits or the device. Input never panics.
//!
//! Features: `gpu` ([`gpu`](https://docs.rs/wavetile-engine/latest/wavetile_engine/gpu/), needs wgpu) and `threads` (rayon); both are on by default.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod boxes;
pub mod byte_source;
pub mod codestream;
pub mod cpu;
pub mod data_bin;
pub mod decoder;
pub mod entropy;
pub mod error;
pub mod geometry;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod image;
pub mod limits;
pub mod plan;
pub mod rendering;
#[cfg(test)]
mod round_trip;
pub mod runner;
pub mod source;
pub mod view_window;

pub use data_bin::{DataBinCache, DataBins};
pub use decoder::{Backend, Component, Decoder, Picture, Report};
pub use error::{Error, Result};
pub use geometry::{Rect, Size};
pub use image::{DecodeRequest, Image, UpSampling};
pub use limits::Limits;
pub use plan::TexelFormat;
#[cfg(feature = "gpu")]
pub use wgpu;

/// The snippets of the README are compiled with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
