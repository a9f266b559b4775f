//! JPEG 2000 decoder: entropy decoding on the CPU, wavelet and colour on the GPU or the CPU.

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
pub mod jp2;
pub mod limits;
pub mod plan;
pub mod runner;
pub mod source;
pub mod view_window;

pub use data_bin::{DataBinCache, DataBins};
pub use decoder::{Backend, Component, Decoder, Picture, Report};
pub use error::{Error, Result};
pub use geometry::{Rect, Size};
pub use image::{DecodeRequest, Image};
pub use limits::Limits;
pub use plan::TexelFormat;
#[cfg(feature = "gpu")]
pub use wgpu;
