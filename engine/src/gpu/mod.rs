//! Runs plans on a GPU through `wgpu`: everything after entropy decoding.
//!
//! Nothing beyond WebGPU's default features and limits is used.

mod batch;
#[cfg(all(feature = "blocking", not(target_arch = "wasm32")))]
mod blocking;
pub(crate) mod buffers;
mod context;
pub(crate) mod device_bytes;
pub(crate) mod executor;
mod filling;
mod fuse;
mod group;
pub(crate) mod pages;
mod pipelines;
mod placing;
mod readback;
pub(crate) mod ring;
mod sink;
mod texture;
mod waiting;

pub use crate::plan::TexelFormat;
pub use context::Context;
pub use device_bytes::DeviceBytes;

pub use texture::TextureTarget;
/// The version of `wgpu` that the types here come from.
pub use wgpu;
