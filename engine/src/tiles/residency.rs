//! Which pages are in which slots of the atlas.

use super::page::{PageKey, PictureId};
use std::collections::{BTreeSet, HashMap};

/// A page in the atlas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) slot: u32,
    /// When it appeared, in milliseconds.
    pub(crate) since: u32,
    /// All of its packets were there when it was made.
    pub(crate) complete: bool,
    /// The frame that wanted it last.
    wanted: u64,
}

/// Slots and the pages in them. A page that no frame wants any more stays until its slot is needed; the one that was wanted
/// longest ago goes first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Residency {
    pages: HashMap<PageKey, Resident>,
    /// By the frame that wanted them last.
    order: BTreeSet<(u64, PageKey)>,
    free: Vec<u32>,
    slots: u32,
}

impl Residency {
    /// Room for so many pages; those that are there are forgotten.
    pub(crate) fn reset(&mut self, slots: u32) {
        *self = Self { slots, free: (0..slots).rev().collect(), ..Self::default() };
    }

    pub(crate) const fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    pub(crate) fn get(&self, key: PageKey) -> Option<Resident> {
        self.pages.get(&key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PageKey, Resident)> + '_ {
        self.pages.iter().map(|(&key, &resident)| (key, resident))
    }

    /// Frame `frame` wants it, and perhaps a later one.
    pub(crate) fn want(&mut self, key: PageKey, frame: u64) {
        if let Some(page) = self.pages.get_mut(&key)
            && page.wanted < frame
        {
            self.order.remove(&(page.wanted, key));
            page.wanted = frame;
            self.order.insert((frame, key));
        }
    }

    /// A slot for a page that frame `frame` wants, or wanted last; with the page that has to go for it. `None`: all slots hold
    /// pages that are wanted as lately.
    pub(crate) fn place(&mut self, key: PageKey, frame: u64, since: u32) -> Option<(u32, Option<PageKey>)> {
        if let Some(page) = self.pages.get(&key) {
            return Some((page.slot, None));
        }
        let (slot, evicted) = match self.free.pop() {
            Some(slot) => (slot, None),
            None => {
                let oldest = *self.order.first().filter(|(wanted, _)| *wanted < frame)?;
                self.remove(oldest.1);
                (self.free.pop()?, Some(oldest.1))
            }
        };
        self.pages.insert(key, Resident { slot, since, complete: false, wanted: frame });
        self.order.insert((frame, key));
        Some((slot, evicted))
    }

    /// All of its packets were there, or not.
    pub(crate) fn set_complete(&mut self, key: PageKey, complete: bool) {
        if let Some(page) = self.pages.get_mut(&key) {
            page.complete = complete;
        }
    }

    /// Frees its slot.
    pub(crate) fn remove(&mut self, key: PageKey) -> Option<u32> {
        let page = self.pages.remove(&key)?;
        self.order.remove(&(page.wanted, key));
        self.free.push(page.slot);
        Some(page.slot)
    }

    /// Frees the slots of a picture's pages that frame `frame` does not want, and names them.
    pub(crate) fn remove_unwanted(&mut self, picture: PictureId, frame: u64) -> Vec<PageKey> {
        let unwanted = self.pages.iter().filter(|(key, page)| key.picture == picture && page.wanted != frame);
        let pages: Vec<PageKey> = unwanted.map(|(&key, _)| key).collect();
        for &key in &pages {
            self.remove(key);
        }
        pages
    }

    /// Frees the slots of a picture's pages.
    pub(crate) fn remove_picture(&mut self, picture: PictureId) {
        let pages: Vec<PageKey> = self.pages.keys().copied().filter(|key| key.picture == picture).collect();
        for key in pages {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::PageId;
    use std::collections::HashSet;

    fn key(x: u32) -> PageKey {
        PageKey { picture: PictureId(x % 3), page: PageId { reduce: 0, x, y: 0 } }
    }

    #[test]
    fn what_was_wanted_longest_ago_goes_first() {
        let mut residency = Residency::default();
        residency.reset(2);
        assert_eq!(residency.place(key(0), 1, 0), Some((0, None)));
        assert_eq!(residency.place(key(1), 2, 0), Some((1, None)));
        residency.want(key(0), 3);
        assert_eq!(residency.place(key(2), 2, 0), None, "both are wanted as lately");
        assert_eq!(residency.place(key(2), 3, 0), Some((1, Some(key(1)))));
        assert_eq!(residency.place(key(2), 3, 0), Some((1, None)), "it is there");
        assert_eq!(residency.place(key(3), 3, 0), None);
        residency.remove_picture(PictureId(0));
        assert_eq!((residency.len(), residency.place(key(3), 3, 0)), (1, Some((0, None))));
    }

    #[test]
    fn no_slot_is_used_twice() {
        let mut residency = Residency::default();
        residency.reset(7);
        for step in 0..2000u32 {
            let page = key(step * 7919 % 23);
            let frame = u64::from(step / 5);
            if step % 11 == 0 {
                residency.remove(page);
            } else {
                residency.want(page, frame);
                residency.place(page, frame, step);
            }
            let slots: HashSet<u32> = residency.iter().map(|(_, resident)| resident.slot).collect();
            assert_eq!(slots.len(), residency.len());
            assert_eq!(residency.len() + residency.free.len(), 7);
            assert_eq!(residency.order.len(), residency.len());
        }
    }
}
