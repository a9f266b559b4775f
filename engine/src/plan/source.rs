//! What a plan is made from.

use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::data_bin::DataBins;
use crate::error::Result;
use crate::limits::Limits;
use std::sync::Arc;

/// What a plan is made from.
pub struct PlanSource<'a> {
    /// The codestream's main header.
    pub header: &'a MainHeader,
    /// Each tile by its index, as far as its header is known.
    pub tiles: &'a dyn Fn(u32) -> Result<PlannedTile>,
    /// Its data.
    pub bins: &'a dyn DataBins,
    /// Which codestream of `bins`.
    pub codestream: u32,
    /// What the plan may take.
    pub limits: &'a Limits,
}

/// One tile as far as its header is known.
#[derive(Clone, Debug)]
pub struct PlannedTile {
    /// Its parameters and geometry.
    pub tile: Arc<Tile>,
    /// Its header has arrived. If not, its packets cannot be read yet.
    pub known: bool,
}
