//! Tiles in an atlas in host memory: what becomes resident, and that it is what a decode of the same texels gives.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod arrival;
mod attack;
mod pictures;
mod rig;
mod settled;
