//! JPIP (T.808) without input or output: codecs of messages, requests and responses, and the state
//! machines of client and server. Time enters as a value; bytes enter and leave as slices.

mod body;
pub mod cache_model;
pub mod catalogue;
pub mod client;
mod client_boxes;
mod client_events;
mod client_holdings;
mod client_model;
mod client_requests;
mod client_verbs;
pub mod context;
pub mod fields;
mod held;
pub mod implicit;
mod islands;
mod journal;
pub mod message;
pub mod message_reader;
pub mod metareq;
mod part;
pub mod picture;
pub mod preference;
mod push;
pub mod request;
pub mod response;
mod schedule;
mod selection;
pub mod server;
mod session;
pub mod vbas;
pub mod view_window_fields;

#[cfg(test)]
#[path = "../../tests/common/synthetic.rs"]
mod testing;

pub use body::{Body, Chunk};
pub use catalogue::{Catalogue, OpenPicture};
pub use client::Client;
pub use client_events::{ClientError, ClientOptions, Ending, Event, Outgoing, Progress, Stream};
pub use client_verbs::{Metadata, RegionRequest, View};
pub use journal::{Entry, Piece};
pub use message::{MessageError, MessageHeader, MessageWriter, eor};
pub use message_reader::{MessageEvent, MessageReader};
pub use picture::Picture;
pub use request::Request;
pub use server::{Reply, Server, ServerOptions};
