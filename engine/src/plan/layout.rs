//! What cells are laid out from.

use super::output_grid::OutputGrid;
use super::work::TileWork;
use super::{Plan, PlanRequest};
use crate::codestream::header::MainHeader;
use crate::limits::Limits;

/// All that a cell's jobs follow from, but for the cell's place.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) header: &'a MainHeader,
    pub(super) grid: OutputGrid,
    pub(super) request: &'a PlanRequest,
    /// With all blocks, and no cell so far.
    pub(super) plan: &'a Plan,
    /// Ascending by tile.
    pub(super) work: &'a [TileWork],
    pub(super) limits: &'a Limits,
}
