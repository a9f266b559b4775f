//! The road over HTTP/3 (RFC 9114), with quinn and h3.

mod bounded;

pub mod client;
pub mod server;

/// Application protocol name in the TLS handshake.
const ALPN: &[u8] = b"h3";
/// Error code of an orderly end (RFC 9114 section 8.1).
const H3_NO_ERROR: quinn::VarInt = quinn::VarInt::from_u32(0x100);
/// Unidirectional streams a peer may have open: control, the two of QPACK, and some for extensions.
const UNIDIRECTIONAL_STREAMS: quinn::VarInt = quinn::VarInt::from_u32(8);
