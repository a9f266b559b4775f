//! The fields and messages of T.808 as text and bytes: syntax alone. Each codec is the inverse of itself, can stop at any
//! byte, and costs no more than what it reads.

pub mod cache_model;
pub mod context;
pub mod fields;
pub mod implicit;
pub mod message;
pub mod message_reader;
pub mod metareq;
pub mod preference;
pub mod request;
pub mod response;
pub mod vbas;
pub mod view_window_fields;
