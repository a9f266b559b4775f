//! Files on plain web servers and object stores, fetched in ranges of bytes (RFC 9110 section 14).

mod content_range;
mod remote_file;

pub use remote_file::{ByteRangeError, MOST_WHOLE, RemoteFile};
