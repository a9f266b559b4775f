//! JPIP (T.808) without input or output: codecs of messages, requests and responses.

pub mod cache_model;
pub mod fields;
pub mod message;
pub mod message_reader;
pub mod request;
pub mod vbas;
pub mod view_window_fields;

pub use message::{MessageError, MessageHeader, MessageWriter, eor};
pub use message_reader::{MessageEvent, MessageReader};
pub use request::Request;
