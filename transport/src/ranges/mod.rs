//! Files on plain web servers and object stores, fetched in ranges of bytes (RFC 9110 section 14).

mod content_range;
mod remote_file;
mod web_address;

pub use remote_file::{ByteRangeError, MOST_WHOLE, RemoteFile};
