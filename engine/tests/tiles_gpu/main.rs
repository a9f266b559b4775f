//! Tiles in an atlas on a device, against those in host memory and under whatever happens to devices.
#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, dead_code, reason = "tests")]

mod device_rig;
mod devices;
mod drawing;
mod feedback;
mod frames;
#[path = "../tiles/rig.rs"]
mod rig;
