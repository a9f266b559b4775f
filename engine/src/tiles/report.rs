//! What a frame found.

use std::time::Duration;

/// What a frame wanted and found, and what was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameReport {
    /// Pages that views show.
    pub visible: usize,
    /// Of those, pages in the atlas.
    pub resident: usize,
    /// Of those, pages that all packets were there for when they were made last.
    pub complete: usize,
    /// Pages that views show and that are not in the atlas; coarser ones stand in for them.
    pub missing: usize,
    /// Of the missing, pages that nothing stands in for.
    pub holes: usize,
    /// Pages wanted besides: coarsest levels, stand-ins, and what may be looked at soon.
    pub besides: usize,
    /// Levels that all views are coarser than they would be, since their pages do not fit the atlas.
    pub coarser: u32,
    /// Slots of the atlas, and those with a page.
    pub slots: usize,
    /// Slots in use.
    pub used: usize,
    /// Pages that the workshop has not made yet, or not with all that has come.
    pub queued: usize,
    /// Pages that are made and not in the atlas yet.
    pub finished: usize,
    /// For how long the page that is missing longest has been.
    pub oldest: Duration,
    /// All that is visible is as good as it gets: it is there with all that has come for it, and nothing more is on its way.
    pub settled: bool,
    /// From the last change of the views to the frame that found it settled first.
    pub settled_after: Option<Duration>,
    /// Since the start.
    pub totals: TileTotals,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TileTotals {
    /// Code-blocks that were decoded from their first pass.
    pub blocks_decoded: u64,
    /// Code-blocks that went on from where they were, with new passes.
    pub blocks_resumed: u64,
    /// Code-blocks that were found decoded.
    pub blocks_reused: u64,
    /// Pages made, each time with its first or all its texels.
    pub pages_made: u64,
    /// Parts of pages made again, after data had come.
    pub pages_refined: u64,
    /// Texels written into the atlas, borders included.
    pub texels: u64,
    /// Bytes uploaded to the device for that; 0 for an atlas in host memory.
    pub uploaded_bytes: u64,
    /// Compute dispatches.
    pub dispatches: u64,
    /// Pages that went from the atlas.
    pub evicted: u64,
    /// Pages that were made in vain: no slot was free for them.
    pub dropped: u64,
    /// Bytes of decoded blocks that are held now.
    pub block_bytes: u64,
    /// The most of them that were held at a time.
    pub most_block_bytes: u64,
}
