//! The JPIP server program: a directory of pictures behind the roads.

mod roads;

pub use roads::{Roads, RoadsConfig, ServerError};
