//! Decoded code-blocks that stay, under a bound of bytes, with what it takes to decode more of them.

use super::lru::Lru;
use crate::codestream::tile::Tile;
use crate::data_bin::PrecinctId;
use crate::entropy::Checkpoint;
use crate::plan::builder::RESOLUTION_BYTES;
use crate::plan::{BlockKey, BlockOrigin, Packets, PlannedTile};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of the pictures of one [`Tiles`]: coefficients of decoded blocks, states from which blocks can be decoded
/// on, packets of precincts as far as they were read, geometry of tiles.
///
/// All of that together, with its bookkeeping, never exceeds the budget. Coefficients that prepared pages share are kept
/// here as long as they are in use, unless the budget is lowered; what a page has and the cache has no room for is the
/// page's own, and goes with it.
///
/// [`Tiles`]: crate::tiles::Tiles
pub(crate) struct BlockCache {
    held: Mutex<Held>,
}

/// What was done with blocks, and what is kept of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CacheStatistics {
    /// Bytes that are held now, and the most that ever were.
    pub(super) bytes: u64,
    pub(super) most_bytes: u64,
    /// Blocks that are held now.
    pub(super) blocks: u64,
    /// Blocks that were decoded from their first pass.
    pub(super) decoded: u64,
    /// Blocks that were decoded on, with new passes.
    pub(super) resumed: u64,
    /// Blocks that were found decoded.
    pub(super) reused: u64,
    /// Coding passes that were decoded, and those that blocks had already that were decoded on.
    pub(super) passes: u64,
    pub(super) passes_before: u64,
    /// Blocks that made room for others.
    pub(super) evicted: u64,
    /// Blocks that there was no room for.
    pub(super) turned_away: u64,
}

/// A decoded block.
#[derive(Clone)]
pub(super) struct DecodedBlock {
    /// Its staging words.
    pub(super) words: Arc<[u32]>,
    pub(super) passes: u16,
    pub(super) damaged: bool,
}

#[derive(Default)]
struct Held {
    budget: u64,
    blocks: Lru<(u32, BlockKey), DecodedBlock>,
    checkpoints: Lru<(u32, BlockKey), Arc<Checkpoint>>,
    packets: Lru<(u32, PrecinctId), Box<Packets>>,
    tiles: Lru<(u32, u32), PlannedTile>,
    statistics: CacheStatistics,
}

impl BlockCache {
    /// An empty one that holds at most `budget` bytes.
    pub(crate) fn new(budget: u64) -> Self {
        Self { held: Mutex::new(Held { budget, ..Held::default() }) }
    }

    /// Holds at most `budget` bytes from now on.
    pub(crate) fn set_budget(&self, budget: u64) {
        let mut held = self.lock();
        held.budget = budget;
        held.fit();
        let most = held.budget.saturating_sub(held.other_bytes());
        held.statistics.evicted += held.blocks.shrink(most, |_| true);
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes()
    }

    /// The most bytes that ever were held.
    pub(crate) fn most_bytes(&self) -> u64 {
        self.lock().statistics.most_bytes
    }

    /// What was done so far.
    #[cfg(test)]
    pub(super) fn statistics(&self) -> CacheStatistics {
        let held = self.lock();
        CacheStatistics { bytes: held.bytes(), blocks: held.blocks.len() as u64, ..held.statistics }
    }

    /// Forgets all of one picture.
    pub(super) fn forget(&self, picture: u32) {
        let mut held = self.lock();
        held.blocks.retain(|(of, _)| of != picture);
        held.checkpoints.retain(|(of, _)| of != picture);
        held.packets.retain(|(of, _)| of != picture);
        held.tiles.retain(|(of, _)| of != picture);
    }

    /// A block with exactly the passes, and the number of words, that are wanted.
    pub(super) fn block(&self, picture: u32, origin: BlockOrigin, words: usize) -> Option<DecodedBlock> {
        let mut held = self.lock();
        let block = held.blocks.get((picture, origin.key))?;
        (block.passes == origin.passes && block.words.len() == words).then(|| block.clone())
    }

    /// From where a block can be decoded on.
    pub(super) fn checkpoint(&self, picture: u32, key: BlockKey) -> Option<Arc<Checkpoint>> {
        self.lock().checkpoints.get((picture, key)).map(|checkpoint| Arc::clone(checkpoint))
    }

    /// Keeps a block if there is room, and from where it can be decoded on.
    pub(super) fn keep_block(
        &self,
        picture: u32,
        key: BlockKey,
        block: DecodedBlock,
        checkpoint: Option<Checkpoint>,
    ) {
        let mut held = self.lock();
        if let Some(checkpoint) = checkpoint {
            let bytes = checkpoint.held_bytes();
            held.checkpoints.insert((picture, key), Arc::new(checkpoint), bytes);
        }
        held.blocks.remove((picture, key));
        let bytes = (size_of_val(&*block.words) + ARC_BYTES) as u64;
        held.fit();
        if held.make_room(bytes + Lru::<(u32, BlockKey), DecodedBlock>::SLOT_BYTES) {
            held.blocks.insert((picture, key), block, bytes);
        } else {
            held.statistics.turned_away += 1;
        }
        held.count();
    }

    /// Takes note that a block has all its passes.
    pub(super) fn drop_checkpoint(&self, picture: u32, key: BlockKey) {
        self.lock().checkpoints.remove((picture, key));
    }

    pub(super) fn take_packets(&self, picture: u32, id: PrecinctId) -> Option<Box<Packets>> {
        self.lock().packets.remove((picture, id))
    }

    pub(super) fn keep_packets(&self, picture: u32, id: PrecinctId, packets: Box<Packets>) {
        let mut held = self.lock();
        let bytes = packets.held_bytes();
        held.packets.insert((picture, id), packets, bytes);
        held.fit();
        held.count();
    }

    pub(super) fn tile(&self, picture: u32, index: u32) -> Option<PlannedTile> {
        self.lock().tiles.get((picture, index)).cloned()
    }

    pub(super) fn keep_tile(&self, picture: u32, tile: PlannedTile) {
        let mut held = self.lock();
        let bytes = tile_bytes(&tile.tile);
        held.tiles.insert((picture, tile.tile.index), tile, bytes);
        held.fit();
        held.count();
    }

    /// Counts what was done for pages.
    pub(super) fn count(&self, done: CacheStatistics) {
        let statistics = &mut self.lock().statistics;
        statistics.decoded += done.decoded;
        statistics.resumed += done.resumed;
        statistics.reused += done.reused;
        statistics.passes += done.passes;
        statistics.passes_before += done.passes_before;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a tile takes, roughly.
fn tile_bytes(tile: &Tile) -> u64 {
    tile.resolution_count() * RESOLUTION_BYTES + (size_of::<Tile>() + size_of_val(&*tile.components)) as u64
}

/// The counters of a shared list.
const ARC_BYTES: usize = 2 * size_of::<usize>();

impl Held {
    fn bytes(&self) -> u64 {
        self.blocks.bytes() + self.other_bytes()
    }

    /// All but the blocks.
    fn other_bytes(&self) -> u64 {
        self.checkpoints.bytes() + self.packets.bytes() + self.tiles.bytes()
    }

    /// Keeps what serves to find and decode blocks within its shares of the budget, so that it does not drive out what is
    /// ready; and all of it within the budget.
    fn fit(&mut self) {
        self.checkpoints.shrink(self.budget / 4, |_| true);
        self.packets.shrink(self.budget / 4, |_| true);
        self.tiles.shrink(self.budget / 16, |_| true);
        if !self.make_room(0) {
            // Blocks that are in use leave no room.
            let over = |held: &Self| held.bytes().saturating_sub(held.budget);
            let most = self.checkpoints.bytes().saturating_sub(over(self));
            self.checkpoints.shrink(most, |_| true);
            let most = self.packets.bytes().saturating_sub(over(self));
            self.packets.shrink(most, |_| true);
            let most = self.tiles.bytes().saturating_sub(over(self));
            self.tiles.shrink(most, |_| true);
        }
    }

    /// Whether there is room for `bytes` bytes more. Blocks that are in use stay: nothing would be won.
    fn make_room(&mut self, bytes: u64) -> bool {
        let Some(most) = self.budget.checked_sub(self.other_bytes().saturating_add(bytes)) else {
            return false;
        };
        self.statistics.evicted += self.blocks.shrink(most, |block| Arc::strong_count(&block.words) == 1);
        self.blocks.bytes() <= most
    }

    fn count(&mut self) {
        self.statistics.most_bytes = self.statistics.most_bytes.max(self.bytes());
    }
}
