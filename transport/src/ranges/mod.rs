//! Files on plain web servers and object stores, fetched in ranges of bytes (RFC 9110 section 14).

mod content_range;
mod error;
mod exchange;
mod range_source;
mod remote_file;
mod web_address;

pub use error::ByteRangeError;
pub use range_source::RangeSource;
pub use remote_file::{MOST_WHOLE, RemoteFile};
