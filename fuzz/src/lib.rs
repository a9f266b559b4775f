//! What the fuzz targets and the program that seeds them share: the form of their inputs.

#![deny(unsafe_code)]

mod block;
mod packets;

pub use block::BlockInput;
pub use packets::PacketsInput;
