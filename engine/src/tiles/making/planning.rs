//! What the plans of pages remember.

use super::block_cache::{BlockCache, DecodedBlock};
use crate::data_bin::{DataBinId, PrecinctId};
use crate::error::Result;
use crate::plan::{BlockKey, BlockOrigin, Memory, Packets, PlannedTile};
use std::cell::RefCell;
use std::collections::HashMap;

/// Where the coefficients of a block come from.
#[derive(Clone)]
pub(super) enum Source {
    /// They are there.
    Ready(DecodedBlock),
    /// A job of this number makes them.
    Job(usize),
}

/// The blocks of pages that are prepared together.
#[derive(Default)]
pub(super) struct Blocks(HashMap<BlockKey, (u16, Source)>);

impl Blocks {
    /// Where a block comes from, if it is known with exactly its passes.
    pub(super) fn source(&self, origin: BlockOrigin) -> Option<&Source> {
        self.0.get(&origin.key).filter(|(passes, _)| *passes == origin.passes).map(|(_, source)| source)
    }

    pub(super) fn insert(&mut self, origin: BlockOrigin, source: Source) {
        self.0.insert(origin.key, (origin.passes, source));
    }
}

/// The memory of one page's plan.
pub(super) struct Planning<'a> {
    pub(super) cache: &'a BlockCache,
    pub(super) picture: u32,
    pub(super) codestream: u32,
    /// The blocks that are known. `None`: the plan is only looked at, and no bytes are wanted.
    pub(super) blocks: Option<&'a RefCell<Blocks>>,
    /// The bins that the plan depends on, and whether they may bring more.
    pub(super) bins: RefCell<Vec<((u32, DataBinId), bool)>>,
}

impl Memory for Planning<'_> {
    fn tile(&self, index: u32, find: &dyn Fn(u32) -> Result<PlannedTile>) -> Result<PlannedTile> {
        let tile = match self.cache.tile(self.picture, index) {
            Some(tile) => tile,
            None => {
                let tile = find(index)?;
                // What is not known yet may become different.
                if tile.known {
                    self.cache.keep_tile(self.picture, tile.clone());
                }
                tile
            }
        };
        self.depends_on(DataBinId::TileHeader(index), tile.known);
        Ok(tile)
    }

    fn take_packets(&self, id: PrecinctId) -> Option<Box<Packets>> {
        self.cache.take_packets(self.picture, id)
    }

    fn keep_packets(&self, id: PrecinctId, packets: Box<Packets>) {
        self.cache.keep_packets(self.picture, id, packets);
    }

    fn holds(&self, origin: BlockOrigin, words: usize) -> bool {
        let Some(blocks) = self.blocks else { return true };
        let mut blocks = blocks.borrow_mut();
        if blocks.source(origin).is_some() {
            return true;
        }
        let Some(block) = self.cache.block(self.picture, origin, words) else { return false };
        blocks.insert(origin, Source::Ready(block));
        true
    }

    fn depends_on(&self, bin: DataBinId, settled: bool) {
        self.bins.borrow_mut().push(((self.codestream, bin), !settled));
    }
}
