//! Data-bins as they arrive: in any order, overlapping, repeated (T.808 Annex A).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::bin::{BIN_COST, Bin, FRAGMENT_COST};
use super::changes::ChangeLog;
use super::{BinBytes, BinView, ByteRanges, Changes, DataBinId, DataBins};
use crate::Result;

/// The data-bins received so far.
///
/// Memory is bounded by the bytes received, wherever they claim to lie. Bytes that are held are never
/// changed or dropped by later messages: where messages contradict each other, the first stands.
///
/// ```
/// use wavetile_engine::data_bin::DataBinId;
/// use wavetile_engine::{DataBinCache, DataBins};
///
/// # fn main() -> wavetile_engine::Result<()> {
/// let mut cache = DataBinCache::new();
/// let id = DataBinId::Precinct(7);
/// cache.insert(0, id, 3, b"def", true); // comes first, and ends the bin
/// assert!(cache.bin(0, id)?.is_some_and(|bin| bin.bytes.is_empty() && !bin.complete));
/// cache.insert(0, id, 0, b"abc", false);
/// assert!(cache.bin(0, id)?.is_some_and(|bin| *bin.bytes == *b"abcdef" && bin.complete));
/// # Ok(())
/// # }
/// ```
///
/// A clone is a snapshot that shares the bytes: it costs a little for each bin and nothing for each byte. Only a bin that
/// grows while somebody else holds its bytes is copied then, once.
#[derive(Clone, Debug, Default)]
pub struct DataBinCache {
    bins: HashMap<(u32, DataBinId), Bin>,
    bytes_held: u64,
    memory: u64,
    generation: u64,
    changes: ChangeLog,
    /// What bins that are written or read are stamped with.
    time: u64,
}

/// What an update brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Insert {
    /// Bytes that were not held before.
    pub new_bytes: u64,
    /// Bytes that were held already.
    pub duplicate_bytes: u64,
    /// Bytes beyond the end of the bin: they contradict an earlier message and are not kept.
    pub excess_bytes: u64,
    /// All bytes of the bin are held now, and were not before.
    pub completed: bool,
}

impl DataBinCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in `bytes`, which lie at `offset` in the bin; `last` if they end the bin. An empty update
    /// that is last tells the length alone.
    pub fn insert(
        &mut self,
        codestream: u32,
        id: DataBinId,
        offset: u64,
        bytes: &[u8],
        last: bool,
    ) -> Insert {
        let key = key(codestream, id);
        let known = self.bins.contains_key(&key);
        let bin = self.bins.entry(key).or_default();
        bin.touch(self.time);
        let before = bin.outline();
        let mut insert = bin.insert(offset, bytes, last);
        let after = bin.outline();
        insert.completed = after.complete && !before.complete;
        self.bytes_held = self.bytes_held.saturating_sub(before.held).saturating_add(after.held);
        let freed = if known { before.memory } else { 0 };
        self.memory = self.memory.saturating_sub(freed).saturating_add(after.memory);
        if before != after || insert.new_bytes > 0 {
            self.generation += 1;
            self.changes.note(self.generation, key.0, key.1);
        }
        insert
    }

    /// Length of a bin in bytes, once its last byte was announced.
    #[must_use]
    pub fn len(&self, codestream: u32, id: DataBinId) -> Option<u64> {
        self.bins.get(&key(codestream, id))?.len()
    }

    /// Whether nothing has been received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// Whether all bytes of a bin are held.
    #[must_use]
    pub fn is_complete(&self, codestream: u32, id: DataBinId) -> bool {
        self.bins.get(&key(codestream, id)).is_some_and(Bin::is_complete)
    }

    /// How many bytes of a bin are held without a gap from its start.
    #[must_use]
    pub fn contiguous_len(&self, codestream: u32, id: DataBinId) -> u64 {
        self.bins.get(&key(codestream, id)).map_or(0, |bin| bin.prefix().len() as u64)
    }

    /// Which bytes of a bin are held.
    #[must_use]
    pub fn ranges(&self, codestream: u32, id: DataBinId) -> ByteRanges {
        self.bins.get(&key(codestream, id)).map_or_else(ByteRanges::new, Bin::ranges)
    }

    /// The bins of which anything is known, as (codestream, id), in no order. Metadata-bins are under
    /// codestream 0.
    pub fn ids(&self) -> impl Iterator<Item = (u32, DataBinId)> + '_ {
        self.bins.keys().copied()
    }

    /// Bytes of all bins, without bookkeeping.
    #[must_use]
    pub fn bytes_held(&self) -> u64 {
        self.bytes_held
    }

    /// Bytes of memory that all bins take, bookkeeping included: a bin costs a few hundred bytes however short it is. What is
    /// allocated for a bin that still grows may be an eighth more.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Most that an update with `bytes` bytes adds to [`memory`](Self::memory), unless it fills several gaps at once.
    #[must_use]
    pub const fn most_added(bytes: usize) -> u64 {
        BIN_COST + FRAGMENT_COST + bytes as u64
    }

    /// Grows whenever an update brought something new, or something was dropped.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What has changed after [`generation`](Self::generation) was `since`. The last changes are known bin by bin, whatever
    /// was received: the memory for that is bounded.
    #[must_use]
    pub fn changes_since(&self, since: u64) -> Changes {
        if since >= self.generation { Changes::Bins(Vec::new()) } else { self.changes.since(since) }
    }

    /// Begins another time: bins that are written or read from now on count as used later than all others.
    pub fn advance_time(&mut self) {
        self.time += 1;
    }

    /// When a bin was last written or read, in calls of [`advance_time`](Self::advance_time); `None` if nothing is known of it.
    #[must_use]
    pub fn last_used(&self, codestream: u32, id: DataBinId) -> Option<u64> {
        self.bins.get(&key(codestream, id)).map(Bin::used)
    }

    /// Forgets whole bins, those that were used longest ago first, until [`memory`](Self::memory) is at most `budget` or no
    /// other may be: `kept` says which those are. Returns what was forgotten, in that order, and how many bytes were held of it.
    pub fn evict(
        &mut self,
        budget: u64,
        kept: impl Fn(u32, DataBinId) -> bool,
    ) -> (Vec<(u32, DataBinId)>, u64) {
        let mut evicted = Vec::new();
        if self.memory <= budget {
            return (evicted, 0);
        }
        let mut found: Vec<_> = self
            .bins
            .iter()
            .filter(|((codestream, id), _)| !kept(*codestream, *id))
            .map(|(&key, bin)| (bin.used(), key))
            .collect();
        // Of those used at one time, the higher numbers are of finer resolutions.
        found.sort_unstable_by_key(|&(used, (codestream, id))| (used, std::cmp::Reverse((id, codestream))));
        let mut bytes = 0;
        for (_, (codestream, id)) in found {
            if self.memory <= budget {
                break;
            }
            bytes += self.remove(codestream, id);
            evicted.push((codestream, id));
        }
        (evicted, bytes)
    }

    /// Forgets one bin; returns the number of bytes that were held of it.
    pub fn remove(&mut self, codestream: u32, id: DataBinId) -> u64 {
        let Some(bin) = self.bins.remove(&key(codestream, id)) else { return 0 };
        let outline = bin.outline();
        self.bytes_held = self.bytes_held.saturating_sub(outline.held);
        self.memory = self.memory.saturating_sub(outline.memory);
        self.generation += 1;
        let (codestream, id) = key(codestream, id);
        self.changes.note(self.generation, codestream, id);
        outline.held
    }

    /// Forgets everything but the generation.
    pub fn clear(&mut self) {
        self.bins.clear();
        (self.bytes_held, self.memory) = (0, 0);
        self.generation += 1;
        self.changes.forget(self.generation);
    }
}

impl DataBins for DataBinCache {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        Ok(self.bins.get(&key(codestream, id)).map(|bin| {
            bin.touch(self.time);
            BinView { bytes: BinBytes::Borrowed(bin.prefix()), complete: bin.is_complete() }
        }))
    }
}

/// A cache that a client fills meanwhile: it is locked for one bin at a time, so a decode never holds up
/// what arrives. The bytes are shared, not copied.
impl DataBins for RwLock<DataBinCache> {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        let cache = self.read().unwrap_or_else(PoisonError::into_inner);
        Ok(cache.bins.get(&key(codestream, id)).map(|bin| {
            bin.touch(cache.time);
            bin.shared()
        }))
    }
}

/// Metadata belongs to the file, not to a codestream.
fn key(codestream: u32, id: DataBinId) -> (u32, DataBinId) {
    (if matches!(id, DataBinId::Metadata(_)) { 0 } else { codestream }, id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ID: DataBinId = DataBinId::Precinct(9);

    fn byte(i: u64) -> u8 {
        (i.wrapping_mul(0x9e37_79b9) >> 7) as u8
    }

    proptest! {
        #[test]
        fn any_split_order_overlap_and_repetition_gives_the_same_bytes(
            len in 0u64..200,
            pieces in prop::collection::vec((0u64..220, 0u64..60), 0..60),
            tail in prop::collection::vec((0u64..200, 1u64..80), 0..8),
        ) {
            let content: Vec<u8> = (0..len).map(byte).collect();
            let cut = |a: u64, n: u64| (a.min(len), (a + n).min(len));
            let mut cache = DataBinCache::new();
            let mut held = vec![false; len as usize];
            let mut told = false;
            let mut step = |cache: &mut DataBinCache, a: u64, b: u64| {
                let new = held[a as usize..b as usize].iter().filter(|&&h| !h).count() as u64;
                let insert = cache.insert(1, ID, a, &content[a as usize..b as usize], b == len);
                held[a as usize..b as usize].fill(true);
                told |= b == len;
                let prefix = held.iter().take_while(|&&h| h).count() as u64;
                let total = held.iter().filter(|&&h| h).count() as u64;
                let view = cache.bin(1, ID).unwrap().unwrap();
                prop_assert_eq!(insert.new_bytes, new);
                prop_assert_eq!(insert.duplicate_bytes, b - a - new);
                prop_assert_eq!(insert.excess_bytes, 0);
                prop_assert_eq!(&view.bytes[..], &content[..prefix as usize]);
                prop_assert_eq!(view.complete, told && prefix == len);
                prop_assert_eq!(cache.bytes_held(), total);
                let fragments = cache.bins.values().map(Bin::fragments).sum::<u64>();
                prop_assert_eq!(cache.memory(), BIN_COST + total + FRAGMENT_COST * fragments);
                prop_assert_eq!(cache.ranges(1, ID).total(), total);
                prop_assert_eq!(cache.ranges(1, ID).contiguous(), prefix);
                prop_assert_eq!(cache.len(1, ID), told.then_some(len));
                Ok(())
            };
            for (a, n) in pieces {
                let (a, b) = cut(a, n);
                step(&mut cache, a, b)?;
            }
            for (a, n) in tail {
                let (a, b) = cut(a, n);
                step(&mut cache, a, b)?;
            }
            step(&mut cache, 0, len)?;
            prop_assert!(cache.is_complete(1, ID));
        }
    }

    /// Where the bytes of a view lie.
    fn shared<'a>(bins: &'a dyn DataBins) -> BinView<'a> {
        let view = bins.bin(0, ID).unwrap().unwrap();
        assert!(matches!(view.bytes, BinBytes::Shared(_)));
        view
    }

    #[test]
    fn views_and_snapshots_share_the_bytes_and_do_not_see_what_comes_later() {
        let cache = RwLock::new(DataBinCache::new());
        let insert = |at, bytes: &[u8]| cache.write().unwrap().insert(0, ID, at, bytes, false);
        insert(0, b"abc");
        insert(6, b"ghi");
        let (one, two) = (shared(&cache), shared(&cache));
        assert_eq!(one.bytes.as_ptr(), two.bytes.as_ptr());
        let snapshot = cache.read().unwrap().clone();
        let of_snapshot = snapshot.bin(0, ID).unwrap().unwrap();
        assert_eq!(of_snapshot.bytes.as_ptr(), one.bytes.as_ptr());
        insert(3, b"def");
        assert_eq!((&*one.bytes, &*of_snapshot.bytes), (&b"abc"[..], &b"abc"[..]));
        assert_eq!(&*shared(&cache).bytes, b"abcdefghi");
        assert_eq!((snapshot.bytes_held(), cache.read().unwrap().bytes_held()), (6, 9));
        // What nobody looks at grows where it is.
        drop((one, two, of_snapshot));
        drop(snapshot);
        let capacity = cache.read().unwrap().bins[&(0, ID)].capacity();
        insert(9, &vec![b'x'; capacity - 9]);
        assert_eq!(cache.read().unwrap().bins[&(0, ID)].capacity(), capacity);
    }

    #[test]
    fn far_offsets_cost_only_the_bytes_received() {
        let mut cache = DataBinCache::new();
        let insert = cache.insert(0, ID, 1 << 60, &[7; 10], true);
        assert_eq!(insert.new_bytes, 10);
        assert_eq!(cache.bytes_held(), 10);
        assert_eq!(cache.len(0, ID), Some((1 << 60) + 10));
        assert_eq!(cache.contiguous_len(0, ID), 0);
        let insert = cache.insert(0, ID, u64::MAX - 3, &[7; 10], false);
        assert_eq!((insert.new_bytes, insert.excess_bytes), (0, 10));
    }

    #[test]
    fn an_empty_last_update_completes_an_empty_bin() {
        let mut cache = DataBinCache::new();
        assert!(cache.bin(0, DataBinId::TileHeader(3)).unwrap().is_none());
        let insert = cache.insert(0, DataBinId::TileHeader(3), 0, &[], true);
        assert!(insert.completed);
        assert!(cache.bin(0, DataBinId::TileHeader(3)).unwrap().unwrap().complete);
        let generation = cache.generation();
        cache.insert(0, DataBinId::TileHeader(3), 0, &[], true);
        assert_eq!(cache.generation(), generation);
    }

    #[test]
    fn the_first_of_contradicting_messages_stands() {
        let mut cache = DataBinCache::new();
        cache.insert(0, ID, 0, b"abc", false);
        cache.insert(0, ID, 1, b"XYZ", false);
        assert_eq!(&cache.bin(0, ID).unwrap().unwrap().bytes[..], b"abcZ");
        // An end before bytes that may have been read is taken to be their end.
        cache.insert(0, ID, 8, b"far", false);
        assert!(cache.insert(0, ID, 1, b"b", true).completed);
        assert_eq!(cache.len(0, ID), Some(4));
        assert_eq!(cache.bytes_held(), 4);
        let insert = cache.insert(0, ID, 3, b"Zmore", true);
        assert_eq!((insert.new_bytes, insert.duplicate_bytes, insert.excess_bytes), (0, 1, 4));
    }

    #[test]
    fn metadata_belongs_to_the_file_and_removal_gives_the_bytes_back() {
        let mut cache = DataBinCache::new();
        cache.insert(5, DataBinId::Metadata(0), 0, b"boxes", true);
        cache.insert(5, DataBinId::MainHeader, 0, b"main", true);
        assert!(cache.is_complete(0, DataBinId::Metadata(0)));
        assert!(!cache.is_complete(0, DataBinId::MainHeader));
        assert_eq!(cache.remove(0, DataBinId::Metadata(0)), 5);
        assert_eq!(cache.bytes_held(), 4);
        cache.clear();
        assert!(cache.is_empty());
        assert_eq!(cache.bytes_held(), 0);
    }

    #[test]
    fn memory_is_counted_and_kept_within_a_budget_by_dropping_what_was_used_longest_ago() {
        let mut cache = DataBinCache::new();
        assert_eq!(cache.memory(), 0);
        let id = DataBinId::Precinct;
        for number in 0..10 {
            let before = cache.memory();
            cache.insert(0, id(number), 0, &[7; 100], number != 3);
            assert_eq!(cache.memory() - before, BIN_COST + 100);
            assert!(cache.memory() - before <= DataBinCache::most_added(100));
            cache.advance_time();
        }
        // A short one costs as well, and so do pieces behind gaps.
        let before = cache.memory();
        cache.insert(0, id(10), 0, b"", true);
        cache.insert(0, id(3), 200, b"x", true);
        assert_eq!(cache.memory() - before, BIN_COST + FRAGMENT_COST + 1);
        // To read a bin is to use it.
        assert_eq!(cache.last_used(0, id(0)), Some(0));
        assert!(cache.bin(0, id(0)).unwrap().is_some());
        assert_eq!((cache.last_used(0, id(0)), cache.last_used(0, id(99))), (Some(10), None));
        let generation = cache.generation();
        let budget = cache.memory() - 2 * (BIN_COST + 100);
        let (evicted, bytes) = cache.evict(budget, |_, bin| bin == id(1));
        assert_eq!((evicted, bytes), (vec![(0, id(2)), (0, id(4))], 200));
        assert_eq!(cache.memory(), budget);
        let Changes::Bins(mut changed) = cache.changes_since(generation) else { panic!("all is known") };
        changed.sort_unstable();
        assert_eq!(changed, [(0, id(2)), (0, id(4))]);
        assert_eq!(cache.evict(budget, |_, _| false), (vec![], 0));
        // Of those used at one time the finest go first; what is kept stays whatever the budget.
        let (evicted, _) = cache.evict(0, |_, bin| bin == id(1));
        assert_eq!(
            evicted.iter().map(|&(_, bin)| bin).collect::<Vec<_>>(),
            [5, 6, 7, 8, 9, 10, 3, 0].map(id)
        );
        assert_eq!((cache.memory(), cache.bytes_held()), (BIN_COST + 100, 100));
        cache.clear();
        assert_eq!(cache.memory(), 0);
        assert_eq!(cache.changes_since(generation), Changes::Everything);
    }
}
