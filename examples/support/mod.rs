//! What is in every program that draws with wgpu, and has nothing to do with Wavetile.

pub(crate) mod snapshot;
pub(crate) mod triangles;
pub(crate) mod window;
