//! How much of what a request needs was there.

use crate::error::CodestreamError;

/// How much of what the request needs was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// For each resolution level, coarsest first.
    pub resolutions: Vec<ResolutionCoverage>,
    /// Precincts of the coarsest resolution of which nothing is there: the picture has holes.
    pub holes: u64,
    /// Precincts with a packet header that makes no sense; the packets before it are used.
    pub damaged_precincts: u64,
    /// The first broken packet header that was met, and where it is.
    pub damage: Option<CodestreamError>,
    /// Code-blocks whose support meets the window.
    pub blocks_needed: u64,
    /// Of those, blocks that hold coded data and are decoded.
    pub blocks_coded: u64,
    /// Compressed bytes of the code-blocks that are decoded.
    pub compressed_bytes: u64,
}

/// Packets of one resolution level, over all tiles and components.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolutionCoverage {
    /// Packets that are there, and sound.
    pub present: u64,
    /// Packets that the request needs.
    pub needed: u64,
}
