//! The roads on TCP, with hyper: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113), plain or in TLS.

mod header_case;
mod timed_io;

pub mod client;
pub mod http2_client;
pub mod server;
pub(crate) mod stream;

pub use stream::Opener;
