//! What shares the TCP port, with hyper: HTTP/1.1 (RFC 9112), HTTP/2 (RFC 9113) and WebSocket (RFC 6455), plain or in TLS.

mod header_case;
mod opener;
mod timed_io;

pub mod http1;
pub mod http2;
pub mod listener;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use opener::Opener;
