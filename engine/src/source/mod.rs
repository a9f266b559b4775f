//! Where the bytes of a picture come from when they do not come from a JPIP server.

mod bytes;

pub use bytes::{ByteSource, FileSource};
