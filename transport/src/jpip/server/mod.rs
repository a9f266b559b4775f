//! The server as a state machine: sessions and what is believed of their clients, what is selected for a window, when it
//! may be sent, and the bodies that carry it.

mod body;
pub mod catalogue;
mod client_model;
mod contexts;
mod expansion;
mod held;
mod islands;
mod machine;
mod message_stream;
mod part;
mod push;
mod schedule;
mod selection;
pub mod served_picture;
mod session;

pub use body::{Body, Chunk};
pub use catalogue::{Catalogue, MemoryCatalogue, OfferedPicture, TargetError};
pub use machine::{FoundTarget, Random, Reply, Server, ServerOptions};
pub use served_picture::ServedPicture;
