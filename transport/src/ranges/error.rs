//! Why a file on a web server could not be had.

use crate::road::RoadError;

/// Why a file could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ByteRangeError {
    /// No road to the server, or it was lost again and again.
    #[error(transparent)]
    Road(#[from] RoadError),
    /// The server refuses.
    #[error("the server refuses: status {0}")]
    Refused(u16),
    /// The answer is not what was asked for.
    #[error("the server's answer cannot be used: {0}")]
    Answer(String),
    /// The file has become another one since it was opened.
    #[error("the file has changed on the server: open it anew")]
    Changed,
    /// The server gives whole files only, and this one is longer than that is allowed for.
    #[error(
        "the server gives no ranges, and the file has {len} bytes: more than the {most} to be fetched whole"
    )]
    TooLong {
        /// Bytes of the file.
        len: u64,
        /// Most bytes of a file that is fetched whole.
        most: u64,
    },
    /// It is no picture, or one that cannot be read.
    #[error(transparent)]
    Picture(#[from] wavetile_engine::Error),
}

impl ByteRangeError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Road(error) => error.code(),
            Self::Refused(_) => "ranges.refused",
            Self::Answer(_) => "ranges.answer",
            Self::Changed => "ranges.changed",
            Self::TooLong { .. } => "ranges.too-long",
            Self::Picture(error) => error.code(),
        }
    }
}

pub(super) fn answer(reason: impl Into<String>) -> ByteRangeError {
    ByteRangeError::Answer(reason.into())
}
