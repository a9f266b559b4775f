//! The bound on what a client holds, what is dropped to keep to it, and what the server is to be told of that.

use std::collections::{BTreeSet, HashSet};
use wavetile_engine::data_bin::{DataBinCache, DataBinId};

/// The room that data-bins have.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// Most bytes of memory that the bins may take, bookkeeping included.
    bound: Option<u64>,
    /// All that is held is wanted, and there is no room for more.
    full: bool,
    /// Bins of which the server may believe that the client has more than it has.
    lost: BTreeSet<(u32, DataBinId)>,
    /// Those are too many to be named.
    lost_more: bool,
}

/// What came of taking something in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// There was room for it.
    pub(super) fits: bool,
    /// Bytes that were dropped to make room.
    pub(super) evicted: u64,
    /// There is no room any more, as of now.
    pub(super) filled: bool,
    /// Some of what is needed was dropped as well: the bound is smaller than it was.
    pub(super) cut: bool,
}

impl Room {
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    pub(super) const fn bound(&self) -> Option<u64> {
        self.bound
    }

    /// Changes the bound; whether it is another one.
    pub(super) fn set_bound(&mut self, bound: Option<u64>) -> bool {
        self.full &= self.bound == bound;
        std::mem::replace(&mut self.bound, bound) != bound
    }

    /// Other windows are wanted: some of what is held may be dropped.
    pub(super) fn look_again(&mut self) {
        self.full = false;
    }

    /// Everything has been dropped, and the server's belief with it.
    pub(super) fn clear(&mut self) {
        self.full = false;
        self.forget_lost();
    }

    /// Drops bins that `needed` does not name until a part of the room is free, if less is, or less than `least` bytes.
    pub(super) fn make(
        &mut self,
        bins: &mut DataBinCache,
        least: u64,
        needed: impl FnOnce(&DataBinCache) -> HashSet<(u32, DataBinId)>,
    ) -> Taken {
        let Some(bound) = self.bound else { return Taken { fits: true, ..Taken::default() } };
        let least = least.min(bound);
        if self.full || bins.memory() <= bound - (bound / SPARE).max(least) {
            return Taken { fits: !self.full, ..Taken::default() };
        }
        let needed = needed(bins);
        let budget = bound - (bound / FREED).max(least);
        let (evicted, mut bytes) = bins.evict(budget, |codestream, id| needed.contains(&(codestream, id)));
        for (codestream, id) in evicted {
            self.lose(codestream, id);
        }
        if bins.memory() > bound - (bound / FULL).max(least) {
            self.full = true;
        }
        let cut = bins.memory() > bound;
        if cut {
            // It is smaller than it was. What is least urgent cannot be told from the rest: the finest goes.
            let pinned = |id: DataBinId| !matches!(id, DataBinId::Precinct(_) | DataBinId::Tile(_));
            let (fine, of_fine) = bins.evict(bound, |_, id| pinned(id));
            let (others, of_others) = bins.evict(bound, |_, _| false);
            bytes += of_fine + of_others;
            for (codestream, id) in fine.into_iter().chain(others) {
                self.lose(codestream, id);
            }
        }
        Taken { fits: !self.full, evicted: bytes, filled: self.full, cut }
    }

    /// Makes room for `length` bytes of a bin, which lie at `offset`.
    pub(super) fn take(
        &mut self,
        bins: &mut DataBinCache,
        (codestream, id): (u32, DataBinId),
        offset: u64,
        length: usize,
        needed: impl FnOnce(&DataBinCache) -> HashSet<(u32, DataBinId)>,
    ) -> Taken {
        if self.bound.is_none() {
            return Taken { fits: true, ..Taken::default() };
        }
        let mut taken = Taken::default();
        if !self.fits(bins, length) {
            taken = self.make(bins, DataBinCache::most_added(length), needed);
            if !self.fits(bins, length) {
                taken.filled = !std::mem::replace(&mut self.full, true) || taken.filled;
            }
        }
        // What follows bytes that found no room would be of no use.
        let follows = !self.full
            || offset <= bins.contiguous_len(codestream, id)
            || !self.lost.contains(&(codestream, id));
        taken.fits = self.fits(bins, length) && follows;
        if !taken.fits {
            self.lose(codestream, id);
        }
        taken
    }

    /// Whether there is room for `length` bytes.
    pub(super) fn fits(&self, bins: &DataBinCache, length: usize) -> bool {
        let most = bins.memory().saturating_add(DataBinCache::most_added(length));
        self.bound.is_none_or(|bound| most <= bound)
    }

    /// Bytes that the next answer may have, if its bins are as long as those that are held: short ones take more room.
    pub(super) fn left(&self, bins: &DataBinCache) -> u64 {
        let Some(bound) = self.bound else { return u64::MAX };
        let (free, memory) = (bound.saturating_sub(bins.memory()), bins.memory());
        let share = if memory == 0 { 0.5 } else { bins.bytes_held() as f64 / memory as f64 };
        ((free as f64 * share) as u64).max(LEAST_ASKED)
    }

    /// The server may believe that more of a bin is held than is.
    pub(super) fn lose(&mut self, codestream: u32, id: DataBinId) {
        if self.lost_more {
            return;
        }
        if self.lost.len() >= MOST_LOST {
            self.lost.clear();
            self.lost_more = true;
            return;
        }
        self.lost.insert((codestream, id));
    }

    /// Whether the server is to be told what is not held.
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Those bins.
    pub(super) const fn lost(&self) -> &BTreeSet<(u32, DataBinId)> {
        &self.lost
    }

    /// Bins were lost that are too many to be named: the server is to be told anew what is held.
    pub(super) fn take_lost_more(&mut self) -> bool {
        std::mem::take(&mut self.lost_more)
    }

    /// The bins that the server is told about; they count as told.
    pub(super) fn take_lost(&mut self) -> BTreeSet<(u32, DataBinId)> {
        std::mem::take(&mut self.lost)
    }

    /// The server is told what is held, from the beginning.
    pub(super) fn forget_lost(&mut self) {
        self.lost.clear();
        self.lost_more = false;
    }
}

/// When less than this part of the room is left, more of it is made free at once, as that takes a look at everything: ...
const SPARE: u64 = 16;
/// ... this part.
const FREED: u64 = 4;
/// If less than this part can be made free, there is no room.
const FULL: u64 = 32;
/// So many bins are named to the server.
const MOST_LOST: usize = 1 << 15;
/// An answer may have so many bytes, even if there is hardly room for them.
const LEAST_ASKED: u64 = 4 << 10;
