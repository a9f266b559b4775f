//! JPIP (T.808) without input or output: codecs of messages, requests and responses ([`wire`]), and the state
//! machines of [`client`] and [`server`]. Time enters as a value; bytes enter and leave as slices.

pub mod client;
pub mod server;
pub mod wire;

#[cfg(test)]
#[path = "../../tests/common/synthetic.rs"]
pub(crate) mod testing;

pub use client::{
    BinPiece, Client, ClientError, ClientOptions, Ending, Event, JournalEntry, Metadata, Outgoing,
};
pub use client::{Progress, StreamKind, View};
pub use server::{Body, Catalogue, Chunk, MemoryCatalogue, OfferedPicture, Reply, ServedPicture, Server};
pub use server::{ServerOptions, TargetError};
pub use wire::message::{MessageError, MessageHeader, MessageWriter, eor};
pub use wire::message_reader::{MessageEvent, MessageReader};
pub use wire::request::Request;
