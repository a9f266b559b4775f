//! Streams JPEG 2000 pictures over JPIP into GPU textures while they arrive.
//!
//! This crate gathers the parts: [`engine`] decodes, [`transport`] carries. The program of the same
//! name serves, shows and decodes pictures; its commands are listed by `wavetile --help`.

pub use wavetile_engine as engine;
pub use wavetile_transport as transport;
