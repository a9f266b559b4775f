//! How much a picture may cost before it is refused.

use crate::error::LimitError;

/// Bounds that are checked before anything is allocated.
///
/// Sizes claimed by a header cost nothing by themselves; what is bounded is what a *request* or
/// *received data* would make the engine hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width or height of the image area on the reference grid.
    pub max_dimension: u32,
    /// Tiles in the codestream (T.800 allows 65 535).
    pub max_tiles: u32,
    /// Components in the codestream (T.800 allows 16 384).
    pub max_components: u32,
    /// Code-blocks of one precinct: its packet headers hold a tag-tree node for each.
    pub max_code_blocks_per_precinct: u64,
    /// Code-blocks that one request may touch.
    pub max_code_blocks: u64,
    /// Bytes that one request may hold: compressed data, coefficients, samples and output.
    pub max_bytes: u64,
}

impl Limits {
    /// For untrusted input in a shared process: 16 Ki x 16 Ki, 512 MiB.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            max_dimension: 1 << 14,
            max_tiles: 4096,
            max_components: 64,
            max_code_blocks_per_precinct: 1 << 16,
            max_code_blocks: 1 << 20,
            max_bytes: 512 << 20,
        }
    }

    /// For ordinary use: anything the standard allows that fits in 4 GiB.
    #[must_use]
    pub const fn default_limits() -> Self {
        Self {
            max_dimension: u32::MAX,
            max_tiles: 65_535,
            max_components: 16_384,
            max_code_blocks_per_precinct: 1 << 20,
            max_code_blocks: 1 << 24,
            max_bytes: 4 << 30,
        }
    }

    /// For files of one's own: everything the standard allows, as far as memory goes.
    #[must_use]
    pub const fn trusted() -> Self {
        Self {
            max_dimension: u32::MAX,
            max_tiles: 65_535,
            max_components: 16_384,
            max_code_blocks_per_precinct: 1 << 28,
            max_code_blocks: u64::MAX,
            max_bytes: u64::MAX,
        }
    }

    /// # Errors
    /// [`LimitError`] naming `what` if `wanted` exceeds `limit`.
    pub fn check(what: &'static str, wanted: u64, limit: u64) -> Result<(), LimitError> {
        if wanted > limit { Err(LimitError { what, wanted, limit }) } else { Ok(()) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::default_limits()
    }
}
