//! Pages: what is asked for, and what is left to do.

use super::PageParts;
use crate::plan::{Coverage, Plan};
use crate::request::DecodeRequest;
use crate::tiles::Repeat;
use std::sync::Arc;

/// What a page is made of: one window, one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// Region, reduction, components, layers and format.
    pub(crate) request: DecodeRequest,
    /// Texels outside the window that repeat its edge.
    pub(crate) repeat: Repeat,
}

/// A page up to the coefficients: what is left needs no data.
pub(crate) struct PreparedPage {
    /// Of one cell. Without compressed data.
    pub(crate) plan: Plan,
    /// The staging words of each of the plan's blocks.
    pub(crate) coefficients: Vec<Arc<[u32]>>,
    /// What it is made of.
    pub(crate) parts: PageParts,
    pub(crate) coverage: Coverage,
    /// Code-blocks whose data is damaged; they are decoded up to the damage.
    #[cfg_attr(not(test), expect(dead_code, reason = "nobody asks for it yet"))]
    pub(crate) damaged_blocks: u64,
    /// Code-blocks that were decoded for it from their first pass. Those that several pages need count for the first.
    pub(crate) decoded: u64,
    /// Code-blocks that were found decoded.
    pub(crate) reused: u64,
    /// Code-blocks that were decoded on, with passes that had come since.
    pub(crate) resumed: u64,
}
