//! WGSL compute shaders of Wavetile, their parameters, and a CPU twin of each.
//!
//! All shaders work on one *arena*: an array of 32-bit words that holds the planes of one cell of a
//! plan. Reversible planes hold `i32`, irreversible ones the bits of `f32`. Offsets and row lengths
//! count words.

pub mod component_transform;
pub mod dequantise;
pub mod dispatch;
pub mod idwt;
pub mod idwt_53;
pub mod idwt_97;
pub mod pack;
pub mod wgsl;

#[cfg(test)]
mod idwt_tests;
