//! What the tests of all crates share.
//!
//! - [`skip`]: the one rule for tests that cannot run here. [`shared`] finds test data by it, [`manifest`] reads what is said of it.
//! - [`codestream`]: main headers, tile-parts and whole codestreams, made up byte by byte.
//! - [`compare`]: comparators. Lengths come first, so that nothing compared with something is a failure.
//! - [`plane`]: planes of samples, and references read from PNG and PGX files.
//! - [`running`]: programs that run beside a test, and folders that are gone after it.
//! - [`random`]: the same numbers in each run.
//!
//! It knows no other crate of ours. The engine's unit tests are compiled into a second copy of the engine, whose types are not
//! those that a crate between would know; without such types it serves unit tests and tests alike.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test that cannot go on panics")]

pub mod codestream;
pub mod compare;
pub mod mosaic;
pub mod plane;
pub mod random;
pub mod running;
mod shared_data;
mod skipping;

pub use shared_data::{manifest, shared, shared_folder};
pub use skipping::{in_ci, skip, skip_adapter};
