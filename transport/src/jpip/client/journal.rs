//! What a client has received, in the order in which it came: for those who keep it beyond the client's life.

use wavetile_engine::data_bin::DataBinId;

/// One thing to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEntry {
    /// What follows is of this state of the picture, and nothing before it.
    Target(String),
    /// Bytes of a data-bin that were not held before.
    Piece(BinPiece),
}

impl JournalEntry {
    /// Bytes of data that wait in it.
    #[cfg(feature = "net")]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Target(_) => 0,
            Self::Piece(piece) => piece.bytes.len() + size_of::<Self>(),
        }
    }
}

/// Bytes of a data-bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinPiece {
    /// Number of the codestream; 0 for metadata.
    pub codestream: u32,
    /// The bin.
    pub id: DataBinId,
    /// Where they lie in it.
    pub offset: u64,
    /// The bytes; may be empty if they are the last.
    pub bytes: Vec<u8>,
    /// They end the bin.
    pub last: bool,
}
