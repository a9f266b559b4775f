//! The page table of a virtual texture: which pages are resident, and where. A hash table that shaders read
//! (`virtual_frame.wgsl`): open addressing, linear probing, its length a power of two.
//!
//! Nothing is taken out: a table is built anew when pages went.

use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// One resident page.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PageEntry {
    /// Column of the page: its first texel's column on the output grid of its reduction, over the side of a page.
    pub x: u32,
    /// Row of the page, likewise.
    pub y: u32,
    /// Picture and reduction ([`Self::tag`]); 0 where the table is empty.
    pub tag: u32,
    /// Where the page lies in the atlas, see [`VirtualFrame::slots_layer`](crate::virtual_frame::VirtualFrame::slots_layer).
    pub slot: u32,
    /// When the page came, in the milliseconds of [`VirtualFrame::now_ms`](crate::virtual_frame::VirtualFrame::now_ms).
    pub since: u32,
    /// Zeros.
    pub padding: [u32; 3],
}

impl PageEntry {
    shared! {
        prefix "VIRTUAL_";
        /// An entry lies at most so many places after the one that its hash names. Bounds what a look-up costs.
        pub const PROBES: u32 = 128;
        /// Reductions of one picture that tags tell apart.
        pub const TAG_REDUCTIONS: u32 = 64;
    }

    /// The tag of a page. `picture` is below 2^26, `reduce` below [`Self::TAG_REDUCTIONS`]; others are taken for some page of
    /// these, as the shader does.
    #[must_use]
    pub const fn tag(picture: u32, reduce: u32) -> u32 {
        reduce.wrapping_add(1).wrapping_add(picture.wrapping_mul(Self::TAG_REDUCTIONS))
    }

    /// The picture of an entry that is not empty.
    #[must_use]
    pub const fn picture(&self) -> u32 {
        self.tag.saturating_sub(1) / Self::TAG_REDUCTIONS
    }

    /// The reduction of an entry that is not empty.
    #[must_use]
    pub const fn reduce(&self) -> u32 {
        self.tag.saturating_sub(1) % Self::TAG_REDUCTIONS
    }
}

/// Entries of a table for `pages` resident pages: a power of two, at least twice as many.
#[must_use]
pub const fn length_for(pages: u32) -> u32 {
    if pages < 1 << 30 { (2 * pages + 1).next_power_of_two() } else { 1 << 31 }
}

/// The place that a look-up begins at, before the table's mask.
#[must_use]
pub const fn hash(x: u32, y: u32, tag: u32) -> u32 {
    let h = x.wrapping_mul(0x9E37_79B1);
    let h = (h ^ (h >> 15)).wrapping_add(y).wrapping_mul(0x85EB_CA77);
    let h = (h ^ (h >> 13)).wrapping_add(tag).wrapping_mul(0xC2B2_AE3D);
    h ^ (h >> 16)
}

/// The places of `table` that may hold a page, in the order in which they are tried.
fn places(length: usize, x: u32, y: u32, tag: u32) -> impl Iterator<Item = usize> {
    let mask = (length as u32).wrapping_sub(1);
    let start = hash(x, y, tag);
    (0..PageEntry::PROBES.min(length as u32)).map(move |step| (start.wrapping_add(step) & mask) as usize)
}

/// Puts a page into the table, in the place of an entry for the same page if there is one, and gives its place. `None`: the
/// table is too full there, or `entry` has no tag; nothing was changed, and the page is drawn by a coarser one.
///
/// The length of `table` is a power of two ([`length_for`]).
pub fn insert(table: &mut [PageEntry], entry: PageEntry) -> Option<usize> {
    if entry.tag == 0 {
        return None;
    }
    let place = places(table.len(), entry.x, entry.y, entry.tag).find(|&place| {
        let there = &table[place];
        there.tag == 0 || (there.x, there.y, there.tag) == (entry.x, entry.y, entry.tag)
    })?;
    table[place] = entry;
    Some(place)
}

/// The entry of a page.
#[must_use]
pub fn find(table: &[PageEntry], x: u32, y: u32, tag: u32) -> Option<&PageEntry> {
    for place in places(table.len(), x, y, tag) {
        let entry = &table[place];
        if entry.tag == 0 {
            return None;
        }
        if (entry.x, entry.y, entry.tag) == (x, y, tag) {
            return Some(entry);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn entry(x: u32, y: u32, reduce: u32, slot: u32) -> PageEntry {
        PageEntry { x, y, tag: PageEntry::tag(3, reduce), slot, ..PageEntry::default() }
    }

    /// The same noise each time.
    fn noise(i: u32) -> u32 {
        (i.wrapping_mul(0x9E37_79B1) ^ 0x5bd1_e995).rotate_left(11).wrapping_mul(0x85EB_CA77)
    }

    #[test]
    fn tags_name_picture_and_reduction_and_are_never_empty() {
        for (picture, reduce) in [(0, 0), (0, 63), (1, 0), (1023, 31), ((1 << 26) - 1, 62)] {
            let entry = PageEntry { tag: PageEntry::tag(picture, reduce), ..PageEntry::default() };
            assert_ne!(entry.tag, 0);
            assert_eq!((entry.picture(), entry.reduce()), (picture, reduce));
        }
    }

    #[test]
    fn a_table_has_twice_as_many_places_as_pages() {
        assert_eq!([0, 1, 2, 3, 512, 1 << 30].map(length_for), [1, 4, 8, 8, 2048, 1 << 31]);
    }

    #[test]
    fn pages_beside_each_other_and_far_apart_are_found_again_and_no_others() {
        for spread in [1, 2, 256, 65_536] {
            let pages = 1 << 12;
            let mut table = vec![PageEntry::default(); length_for(pages) as usize];
            for i in 0..pages {
                let entry = entry(i % 64 * spread, i / 64 * spread, i % 7, i);
                assert!(insert(&mut table, entry).is_some());
            }
            for i in 0..pages {
                let (x, y, tag) = (i % 64 * spread, i / 64 * spread, PageEntry::tag(3, i % 7));
                assert_eq!(find(&table, x, y, tag).map(|entry| entry.slot), Some(i));
                assert_eq!(find(&table, x, y, tag + 7), None);
                assert_eq!(find(&table, x + 64 * spread, y, tag), None);
            }
        }
    }

    #[test]
    fn pages_of_one_hash_lie_one_after_another_and_wrap_around_the_end() {
        // The last place of 256.
        let same: Vec<PageEntry> = (0..)
            .map(|i| entry(noise(i), i, 0, i))
            .filter(|entry| hash(entry.x, entry.y, entry.tag) & 255 == 255)
            .take(PageEntry::PROBES as usize + 1)
            .collect();
        let mut table = [PageEntry::default(); 256];
        let places: Vec<usize> = same.iter().filter_map(|&entry| insert(&mut table, entry)).collect();
        assert_eq!(places[..3], [255, 0, 1]);
        assert_eq!(places.len(), PageEntry::PROBES as usize, "one too many to be found");
        for entry in &same[..places.len()] {
            assert_eq!(find(&table, entry.x, entry.y, entry.tag), Some(entry));
        }
        let last = same[places.len()];
        assert_eq!(find(&table, last.x, last.y, last.tag), None);
    }

    #[test]
    fn a_full_table_takes_no_more_and_a_look_up_in_it_ends() {
        let mut table = [PageEntry::default(); 8];
        let taken = (0..20).filter(|&i| insert(&mut table, entry(i, 0, 0, i)).is_some()).count();
        assert_eq!(taken, 8);
        assert_eq!(find(&table, 100, 0, PageEntry::tag(3, 0)), None);
        // What is there may still be replaced.
        let first = table[0];
        assert!(insert(&mut table, PageEntry { slot: 99, ..first }).is_some());
        assert_eq!(find(&table, first.x, first.y, first.tag).map(|entry| entry.slot), Some(99));
        assert_eq!(insert(&mut [], first), None);
        assert_eq!(find(&[], 0, 0, 1), None);
        assert_eq!(insert(&mut table, PageEntry::default()), None);
    }

    #[test]
    fn a_table_built_anew_is_the_map_of_the_pages_that_are_left() {
        let mut model = HashMap::new();
        let mut table = Vec::new();
        for round in 0..50 {
            for i in 0..40 {
                let noise = noise(round * 40 + i);
                let (x, y, reduce) = (noise % 9, noise / 9 % 9, noise / 81 % 3);
                if noise & 0x8000 == 0 {
                    model.insert((x, y, reduce), noise);
                } else {
                    model.remove(&(x, y, reduce));
                }
            }
            table.clear();
            table.resize(length_for(model.len() as u32) as usize, PageEntry::default());
            for (&(x, y, reduce), &slot) in &model {
                assert!(insert(&mut table, entry(x, y, reduce, slot)).is_some());
            }
            for (x, y, reduce) in (0..9 * 9 * 3).map(|i| (i % 9, i / 9 % 9, i / 81)) {
                let found = find(&table, x, y, PageEntry::tag(3, reduce)).map(|entry| entry.slot);
                assert_eq!(found, model.get(&(x, y, reduce)).copied());
            }
        }
    }
}
