//! Where the bytes of a picture come from when they do not come from a JPIP server.

mod composition;
mod fragments;
mod indexed_codestream;
mod indexed_file;
mod metadata_bins;
mod partial;
mod tile_bins;

pub use indexed_codestream::IndexedCodestream;
pub use indexed_file::IndexedFile;
pub use metadata_bins::MetadataBin;
pub use partial::{PartialFile, PartialSource};
pub use tile_bins::TileBins;

#[cfg(test)]
mod tests;
