//! What the groups share: the pictures, our own decode in its stages, the peers, and the ratios.

mod bench;
mod empty;
mod image_codecs;
pub(crate) mod ours;
pub(crate) mod peers;
mod picture;

pub(crate) use bench::{Bench, time};
pub(crate) use empty::empty_packets;
pub(crate) use image_codecs::ImageCodecs;
pub(crate) use picture::{Picture, sample_path};
