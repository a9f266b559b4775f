//! What the groups share: the pictures, our own decode in its stages, the peers, and the ratios.

mod bench;
pub(crate) mod ours;
pub(crate) mod peers;
mod picture;

pub(crate) use bench::Bench;
pub(crate) use picture::{Picture, sample_path};
