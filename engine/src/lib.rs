//! JPEG 2000 decoder: entropy decoding on the CPU, wavelet and colour on the GPU or the CPU.

pub mod codestream;
pub mod data_bin;
pub mod entropy;
pub mod error;
pub mod geometry;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod jp2;
pub mod limits;
pub mod plan;
pub mod source;
pub mod view_window;

pub use error::{Error, Result};
pub use geometry::{Rect, Size};
pub use limits::Limits;
