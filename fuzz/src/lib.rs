//! What the fuzz targets and the program that seeds them share: the form of their inputs.

#![deny(unsafe_code)]

mod block;
mod client_script;
mod held;
mod messages;
mod packets;
mod server_script;

pub use block::BlockInput;
pub use client_script::{ClientScript, Step, limits};
pub use held::decode_held;
pub use messages::read_messages;
pub use packets::PacketsInput;
pub use server_script::ask;
