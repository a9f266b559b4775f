//! The road over HTTP/1.1 (RFC 9112), with hyper.

mod header_case;
mod timed_io;

pub mod client;
pub mod server;
