//! Runs plans on a GPU through `wgpu`: everything after entropy decoding.
//!
//! Nothing beyond WebGPU's default features and limits is used.

mod batch;
#[cfg(all(feature = "blocking", not(target_arch = "wasm32")))]
mod blocking;
mod buffers;
mod context;
pub(crate) mod executor;
mod fuse;
mod pipelines;
mod readback;
mod sink;
mod texture;
mod waiting;

pub use crate::plan::TexelFormat;
pub use context::Context;

pub use texture::TextureTarget;
/// The version of `wgpu` that the types here come from.
pub use wgpu;
