//! WGSL shaders of Wavetile, their parameters, and a CPU twin of each.
//!
//! | step | module | what it does |
//! |---|---|---|
//! | 1 | [`dequantise`] | coefficients of code-blocks, 16 or 32 bits each, to `i32` or `f32` samples of sub-bands |
//! | 2 | [`idwt`] | one inverse wavelet level, coarsest first |
//! | 3 | [`component_transform`] | RCT or ICT, DC level shift, rounding and clamping to finished `i32` samples |
//! | 4 | [`pack`] with [`colour`] | palette, up-sampling, colour spaces and depth to texels |
//!
//! Two more are pasted into the host's own shaders, and draw what came of it: [`sample_virtual`] samples a picture of any size
//! from an atlas of those of its pages that are resident ([`page_table`]), [`feedback_virtual`] tells which it wants. Both
//! are bound to a [`virtual_frame`].
//!
//! All compute shaders work on one *arena*: an array of 32-bit words that holds the planes of one cell of a
//! plan. Reversible planes hold `i32`, irreversible ones the bits of `f32`. Offsets and row lengths
//! count words.
//!
//! A step takes a list of *jobs* (`#[repr(C)]` structs without padding that is not named), so that all
//! tiles and components of a level run in one dispatch; [`dispatch`] shares the workgroups among them.
//! [`wgsl`] holds the text of the shaders. The `run` function of each module is its CPU twin: it does
//! the same to a slice of words. Integer steps are bit-exact on both; `f32` steps may differ in the last
//! bits, since a GPU may fuse a multiplication with an addition.

pub mod colour;
pub mod component_transform;
pub mod dequantise;
pub mod dispatch;
pub mod feedback_virtual;
pub mod idwt;
mod idwt_53;
mod idwt_97;
pub mod pack;
mod pack_scale;
pub mod page_table;
pub mod sample_virtual;
pub mod shading;
mod shared;
pub mod texels;
pub mod virtual_frame;
pub mod wgsl;

#[cfg(test)]
mod colour_tests;
#[cfg(test)]
mod idwt_tests;
#[cfg(test)]
mod pack_tests;
#[cfg(test)]
mod sample_virtual_tests;

/// The snippets of the README are compiled with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
