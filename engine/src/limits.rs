//! How much a picture may cost before it is refused.

use crate::error::LimitError;

/// Bounds that are checked before anything is allocated.
///
/// Sizes claimed by a header cost nothing by themselves; what is bounded is what a *request* or
/// *received data* would make the engine hold or do.
///
/// | | strict | default | trusted |
/// |---|--:|--:|--:|
/// | [`max_dimension`](field@Self::max_dimension) | 16 384 | any | any |
/// | [`max_tiles`](field@Self::max_tiles) | 4096 | 65 535 | 65 535 |
/// | [`max_components`](field@Self::max_components) | 64 | 16 384 | 16 384 |
/// | [`max_resolutions_per_tile`](field@Self::max_resolutions_per_tile) | 2^17 | 2^20 | any |
/// | [`max_code_blocks_per_precinct`](field@Self::max_code_blocks_per_precinct) | 2^16 | 2^20 | 2^28 |
/// | [`max_code_blocks`](field@Self::max_code_blocks) | 2^20 | 2^24 | any |
/// | [`max_code_blocks_per_byte`](field@Self::max_code_blocks_per_byte) | 256 | 4096 | any |
/// | [`max_bytes`](field@Self::max_bytes) | 512 MiB | 4 GiB | any |
///
/// ```
/// use wavetile_engine::{ImageOptions, Limits};
///
/// let small = Limits::strict().max_dimension(64);
/// let refused = ImageOptions::new().limits(small).open_file("tests/data/gradient.jp2").unwrap_err();
/// assert_eq!(refused.code(), "limit");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Width or height of the image area on the reference grid.
    pub max_dimension: u32,
    /// Tiles in the codestream (T.800 allows 65 535).
    pub max_tiles: u32,
    /// Components in the codestream (T.800 allows 16 384).
    pub max_components: u32,
    /// Resolution levels of all components of one tile (T.800 allows 33 of each component): a record is made of
    /// each.
    pub max_resolutions_per_tile: u64,
    /// Code-blocks of one precinct: its packet headers hold a tag-tree node for each.
    pub max_code_blocks_per_precinct: u64,
    /// Code-blocks that one request may touch; also precincts. Its tiles may have a quarter as many resolution levels.
    pub max_code_blocks: u64,
    /// Work for each byte of packets: the code-blocks that packet headers are about, each header being about all
    /// those of its precinct. The first [`FREE_CODE_BLOCKS`](Self::FREE_CODE_BLOCKS) are not counted.
    pub max_code_blocks_per_byte: u64,
    /// Bytes that one request may hold: the structure of its tiles, compressed data, coefficients, the samples of a
    /// cell, and output.
    pub max_bytes: u64,
}

impl Limits {
    /// What [`max_code_blocks_per_byte`](field@Self::max_code_blocks_per_byte) does not count: enough for pictures that are
    /// large and nearly empty, and done in well under a second.
    pub const FREE_CODE_BLOCKS: u64 = 1 << 22;

    /// For untrusted input in a shared process.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            max_dimension: 1 << 14,
            max_tiles: 4096,
            max_components: 64,
            max_resolutions_per_tile: 1 << 17,
            max_code_blocks_per_precinct: 1 << 16,
            max_code_blocks: 1 << 20,
            max_code_blocks_per_byte: 256,
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
            max_resolutions_per_tile: 1 << 20,
            max_code_blocks_per_precinct: 1 << 20,
            max_code_blocks: 1 << 24,
            max_code_blocks_per_byte: 4096,
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
            max_resolutions_per_tile: u64::MAX,
            max_code_blocks_per_precinct: 1 << 28,
            max_code_blocks: u64::MAX,
            max_code_blocks_per_byte: u64::MAX,
            max_bytes: u64::MAX,
        }
    }

    /// Sets [`Self::max_dimension`](field@Self::max_dimension).
    #[must_use]
    pub const fn max_dimension(mut self, limit: u32) -> Self {
        self.max_dimension = limit;
        self
    }

    /// Sets [`Self::max_tiles`](field@Self::max_tiles).
    #[must_use]
    pub const fn max_tiles(mut self, limit: u32) -> Self {
        self.max_tiles = limit;
        self
    }

    /// Sets [`Self::max_components`](field@Self::max_components).
    #[must_use]
    pub const fn max_components(mut self, limit: u32) -> Self {
        self.max_components = limit;
        self
    }

    /// Sets [`Self::max_resolutions_per_tile`](field@Self::max_resolutions_per_tile).
    #[must_use]
    pub const fn max_resolutions_per_tile(mut self, limit: u64) -> Self {
        self.max_resolutions_per_tile = limit;
        self
    }

    /// Sets [`Self::max_code_blocks_per_precinct`](field@Self::max_code_blocks_per_precinct).
    #[must_use]
    pub const fn max_code_blocks_per_precinct(mut self, limit: u64) -> Self {
        self.max_code_blocks_per_precinct = limit;
        self
    }

    /// Sets [`Self::max_code_blocks`](field@Self::max_code_blocks).
    #[must_use]
    pub const fn max_code_blocks(mut self, limit: u64) -> Self {
        self.max_code_blocks = limit;
        self
    }

    /// Sets [`Self::max_code_blocks_per_byte`](field@Self::max_code_blocks_per_byte).
    #[must_use]
    pub const fn max_code_blocks_per_byte(mut self, limit: u64) -> Self {
        self.max_code_blocks_per_byte = limit;
        self
    }

    /// Sets [`Self::max_bytes`](field@Self::max_bytes).
    #[must_use]
    pub const fn max_bytes(mut self, limit: u64) -> Self {
        self.max_bytes = limit;
        self
    }

    /// # Errors
    /// [`LimitError`] naming `what` if `wanted` exceeds `limit`.
    pub fn check(what: &'static str, wanted: u64, limit: u64) -> Result<(), LimitError> {
        if wanted > limit { Err(LimitError { what, wanted, limit }) } else { Ok(()) }
    }

    /// Whether headers of packets that take `bytes` bytes may be about `code_blocks` code-blocks.
    pub(crate) fn check_work(&self, code_blocks: u64, bytes: u64) -> Result<(), LimitError> {
        let earned = bytes.saturating_mul(self.max_code_blocks_per_byte);
        let limit = earned.saturating_add(Self::FREE_CODE_BLOCKS);
        Self::check("the code-blocks that packet headers are about", code_blocks, limit)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::default_limits()
    }
}

/// The bytes that one request holds, counted before they are allocated.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    held: u64,
    limit: u64,
}

impl Budget {
    /// Nothing is held yet.
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self { held: 0, limit: limits.max_bytes }
    }

    /// Counts `bytes` more, which stay until the request is done.
    ///
    /// # Errors
    /// [`LimitError`] if they are too many; `what` says what a request would hold with them.
    pub(crate) fn take(&mut self, what: &'static str, bytes: u64) -> Result<(), LimitError> {
        self.held = self.fits(what, bytes)?;
        Ok(())
    }

    /// What would be held with `bytes` more.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn fits(&self, what: &'static str, bytes: u64) -> Result<u64, LimitError> {
        let wanted = self.held.saturating_add(bytes);
        Limits::check(what, wanted, self.limit)?;
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_adds_up() {
        let mut budget = Budget::new(&Limits { max_bytes: 10, ..Limits::strict() });
        assert_eq!(budget.take("it", 7), Ok(()));
        assert_eq!(budget.fits("it", 3), Ok(10));
        assert_eq!(budget.take("it", 4), Err(LimitError { what: "it", wanted: 11, limit: 10 }));
        assert_eq!(budget.take("it", u64::MAX), Err(LimitError { what: "it", wanted: u64::MAX, limit: 10 }));
        assert_eq!(budget.take("it", 3), Ok(()));
    }

    #[test]
    fn work_is_free_up_to_a_point_and_then_by_the_byte() {
        let limits = Limits { max_code_blocks_per_byte: 2, ..Limits::strict() };
        assert!(limits.check_work(Limits::FREE_CODE_BLOCKS, 0).is_ok());
        assert!(limits.check_work(Limits::FREE_CODE_BLOCKS + 20, 10).is_ok());
        assert!(limits.check_work(Limits::FREE_CODE_BLOCKS + 21, 10).is_err());
        assert!(Limits::trusted().check_work(u64::MAX, 1).is_ok());
    }
}
