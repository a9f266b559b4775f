//! JPEG 2000 decoder: entropy decoding on the CPU, wavelet and colour on the GPU or the CPU.
//!
//! # From a file to pixels
//!
//! Three values: an [`Image`] has the headers of a picture and knows where its data is, a [`DecodeRequest`] says what of it is
//! wanted, and a [`Decoder`] does the work. Keep the decoder: with a GPU it builds all pipelines when it is made.
//!
//! ```
//! use wavetile_engine::{Backend, DecodeRequest, Decoder, Image};
//!
//! # fn main() -> wavetile_engine::Result<()> {
//! let decoder = Decoder::new(Backend::Auto)?; // a graphics card if there is one
//! let image = Image::open_file("tests/data/gradient.jp2")?;
//! assert_eq!((image.area().width(), image.area().height()), (96, 64));
//!
//! let (picture, report) = decoder.render(&image, &DecodeRequest::new())?;
//! assert_eq!(picture.bytes.len(), 96 * 64 * 4);
//! assert!(report.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! Of a large file, only the parts that a request needs are read. [`ImageOptions`] sets [`Limits`], and opens one of several
//! codestreams.
//!
//! # A part of it
//!
//! A request can ask for a region of the reference grid, a reduced resolution, the first quality layers, and some
//! of the components. Only the code-blocks that the wavelet filters need for that are decoded; the report counts
//! them. [`Decoder::components`] gives samples as they are in the codestream, before palette, colour conversion
//! and up-sampling, whatever their depth.
//!
//! ```
//! use wavetile_engine::{DecodeRequest, Decoder, Image, Rect};
//!
//! # fn main() -> wavetile_engine::Result<()> {
//! let image = Image::open_file("tests/data/gradient.jp2")?;
//! let corner = DecodeRequest::new()
//!     .region(Rect::new(64, 32, 96, 64)) // x0, y0, x1, y1
//!     .reduce(1) // half the size
//!     .components(vec![0]);
//! let decoder = Decoder::cpu();
//! let (components, part) = decoder.components(&image, &corner)?;
//! assert_eq!(components[0].samples.len(), 16 * 16);
//!
//! let (_, whole) = decoder.components(&image, &DecodeRequest::new())?;
//! assert!(part.coverage.blocks_needed < whole.coverage.blocks_needed);
//! # Ok(())
//! # }
//! ```
//!
//! # Into memory of your own
//!
//! A decode has two halves. [`Decoder::prepare`] finds the data and decodes its code-blocks; it runs on any thread and touches
//! no device. A [`Prepared`] delivers: into memory, rows as far apart as you like, or into textures.
//!
//! ```
//! use wavetile_engine::{DecodeRequest, Decoder, Image};
//!
//! # fn main() -> wavetile_engine::Result<()> {
//! let image = Image::open_file("tests/data/gradient.jp2")?;
//! let prepared = Decoder::cpu().prepare(&image, &DecodeRequest::new())?;
//! let stride = prepared.row_bytes().next_multiple_of(256);
//! let mut bytes = vec![0; stride * prepared.size().height as usize];
//! prepared.decode_into(&mut bytes, stride)?;
//! # Ok(())
//! # }
//! ```
//!
//! # While it arrives
//!
//! Data comes as *data-bins* ([`DataBins`]), the pieces that JPIP cuts a picture into. A file is one kind of source; a
//! [`DataBinCache`], which takes pieces of bins in any order, is the other. Bytes that are missing are no error: the picture is
//! made of what is there, and the report says how much that is. Here a cache gets the headers, then half of each precinct's
//! bytes; the image sees what has arrived by the time of each call.
//!
//! ```
//! use std::sync::{Arc, RwLock};
//! use wavetile_engine::data_bin::DataBinId;
//! use wavetile_engine::{DataBinCache, DataBins, DecodeRequest, Decoder, Image, Opening};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = Image::open_file("tests/data/gradient.jp2")?;
//! let cache = Arc::new(RwLock::new(DataBinCache::new()));
//! let arrive = |id, share: usize| -> wavetile_engine::Result<()> {
//!     let bin = file.bins().bin(0, id)?.expect("the file has it");
//!     cache.write().unwrap().insert(0, id, 0, &bin.bytes[..bin.bytes.len() / share], share == 1);
//!     Ok(())
//! };
//! assert!(matches!(Image::open_stream(cache.clone())?, Opening::NeedsMore));
//! for id in [DataBinId::Metadata(0), DataBinId::MainHeader, DataBinId::TileHeader(0)] {
//!     arrive(id, 1)?;
//! }
//! let image = Image::open_stream(cache.clone())?.image().ok_or("the headers are not whole")?;
//!
//! // One tile; three components of four resolutions with one precinct each.
//! for number in 0..3 * 4 {
//!     arrive(DataBinId::Precinct(number), 2)?;
//! }
//! let (_, report) = Decoder::cpu().components(&image, &DecodeRequest::new())?;
//! assert!(0.0 < report.completeness() && report.completeness() < 1.0);
//! # Ok(())
//! # }
//! ```
//!
//! # Into a texture
//!
//! With the feature `gpu`, the result can stay on the host's own device. Nothing beyond WebGPU's default features
//! and limits is asked of it. [`Prepared::record`] records into the host's encoder, and never waits:
//!
//! ```no_run
//! # #[cfg(feature = "gpu")]
//! # mod example {
//! use wavetile_engine::gpu::{Context, TextureTarget};
//! use wavetile_engine::{DecodeRequest, Decoder, Image, Result, wgpu};
//!
//! fn draw(device: &wgpu::Device, queue: &wgpu::Queue, image: &Image, atlas: &wgpu::Texture) -> Result<()> {
//!     let decoder = Decoder::with_gpu(Context::new(device.clone(), queue.clone()))?;
//!     let prepared = decoder.prepare(image, &DecodeRequest::new().reduce(2))?; // on any thread
//!
//!     let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
//!     prepared.record(&mut encoder, TextureTarget::new(atlas).at(256, 0))?; // on the render thread
//!     queue.submit([encoder.finish()]);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # Shown frame by frame
//!
//! A host that pans and zooms does not decode windows: [`tiles`] keep the pages that are looked at in an atlas, decode each block
//! once, and refine what arrives.
//!
//! # Threads, memory, errors
//!
//! Entropy decoding runs on a [`ParallelRunner`](runner::ParallelRunner): rayon's (feature `threads`), one thread, or
//! the host's own. What waits for a device has an async form, whose name ends in `_async`, and, behind the feature `blocking`,
//! one that waits on the caller's thread. [`Limits`] are checked before memory is taken. [`Error`] is sorted by who must act:
//! the file, the caller, the limits or the device. Input never panics.
//!
//! Features, all on by default: `gpu` ([`gpu`](https://docs.rs/wavetile-engine/latest/wavetile_engine/gpu/), needs wgpu),
//! `blocking`, `threads` (rayon).

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod boxes;
pub mod byte_source;
mod codestream;
mod cpu;
pub mod data_bin;
pub mod decoder;
mod entropy;
pub mod error;
mod executor;
pub mod geometry;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod image;
pub mod limits;
pub mod low_level;
pub mod opening;
pub mod picture;
mod plan;
pub mod rendering;
pub mod request;
#[cfg(test)]
mod round_trip;
pub mod runner;
pub mod source;
pub mod tiles;
pub mod view_window;

pub use data_bin::{DataBinCache, DataBins};
pub use decoder::{Backend, Decoder, Prepared, PreparedComponents, Report};
pub use error::{Error, Result};
pub use geometry::{Rect, Size};
pub use image::Image;
pub use limits::Limits;
pub use opening::{ImageOptions, Opening};
pub use picture::{Component, Picture};
pub use plan::{Coverage, ResolutionCoverage, TexelFormat};
pub use request::{DecodeRequest, UpSampling};
#[cfg(feature = "gpu")]
pub use wgpu;

/// The snippets of the README are compiled with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
