//! The roads on TCP, with hyper: HTTP/1.1 (RFC 9112), plain or in TLS, and on the server HTTP/2 (RFC 9113).

mod header_case;
mod timed_io;

pub mod client;
pub mod server;
pub(crate) mod stream;

pub use stream::Opener;
