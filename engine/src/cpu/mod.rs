//! Runs plans on the CPU with the shaders' twins.

pub mod executor;
pub(crate) mod parts;
