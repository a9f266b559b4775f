//! What is in every program that draws with wgpu, and has nothing to do with Wavetile.

pub mod snapshot;
pub mod triangles;
pub mod window;
