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
    pub(crate) damaged_blocks: u64,
    /// Code-blocks that were decoded for it from their first pass. Those that several pages need count for the first.
    pub(crate) decoded: u64,
    /// Code-blocks that were found decoded.
    pub(crate) reused: u64,
    /// Code-blocks that were decoded on, with passes that had come since.
    pub(crate) resumed: u64,
}

impl PreparedPage {
    /// Bytes that it holds, coefficients included that it shares.
    pub(crate) fn bytes(&self) -> u64 {
        let coefficients: usize = self.coefficients.iter().map(|words| size_of_val(&**words)).sum();
        let blocks = self.plan.blocks.len() * (size_of_val(&self.plan.blocks[..0]) + size_of::<Arc<[u32]>>());
        let jobs: u64 = self.plan.cells.iter().map(|cell| cell.job_bytes()).sum();
        (coefficients + blocks) as u64 + jobs
    }
}
