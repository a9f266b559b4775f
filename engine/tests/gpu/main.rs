//! The GPU executor against the CPU twins and the literal formulas, and its behaviour when things fail.
//! Without an adapter the tests are skipped.
#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, unreachable_pub)]

mod component_transform;
mod dequantise;
mod failures;
mod idwt;
mod output;
mod pack;
mod pack_edges;
mod pages;
mod rig;
mod sample_virtual;
#[path = "../texture/mod.rs"]
mod texture;
