//! What atlases take from tiles: pages, and where they go.

use super::finish::{Batch, FinishedPage, Finisher, HostFinisher};
use super::handle::Tiles;
use super::mailbox::WorkshopTotals;
use super::page::PageKey;
use crate::cpu::CpuExecutor;
use std::sync::Arc;
use wavetile_shaders::page_table::{self, PageEntry};
use wavetile_shaders::virtual_frame::{VirtualFrame, VirtualPicture};

impl Tiles {
    /// Tells the workshop what is wanted, and learns how far it is.
    pub(crate) fn exchange(&mut self) {
        if self.order_again {
            self.ordered.pictures =
                self.pictures.0.iter().map(|(&id, entry)| (id, Arc::clone(&entry.tile))).collect();
            self.mailbox.order(self.ordered.clone());
            self.order_again = false;
        }
        self.mailbox.tell_gone(&mut self.gone);
        let news = self.mailbox.take_news();
        self.standing = news.standing;
        self.report.finished = news.waiting;
        let WorkshopTotals { blocks_decoded, blocks_resumed, blocks_reused, pages_made, pages_refined } =
            news.totals;
        let totals = &mut self.report.totals;
        (totals.blocks_decoded, totals.blocks_resumed, totals.blocks_reused) =
            (blocks_decoded, blocks_resumed, blocks_reused);
        (totals.pages_made, totals.pages_refined) = (pages_made, pages_refined);
        (totals.block_bytes, totals.most_block_bytes) = (self.blocks.bytes(), self.blocks.most_bytes());
        for (picture, error) in news.errors {
            if self.pictures.0.contains_key(&picture) {
                self.errors.insert(picture, error);
            }
        }
        for (picture, serial) in news.replaced {
            if self.pictures.0.get(&picture).is_some_and(|entry| entry.tile.serial == serial) {
                self.drop_pages(picture);
                if !self.replaced.contains(&picture) {
                    self.replaced.push(picture);
                }
            }
        }
    }

    /// An atlas holds so many pages that it took and has not got room for in the frame.
    #[cfg(feature = "gpu")]
    pub(crate) const fn hold(&mut self, pages: usize) {
        self.report.finished += pages;
    }

    /// Whether pages are wanted and none is made.
    #[cfg(feature = "gpu")]
    pub(crate) fn awaits_pages(&self) -> bool {
        !self.ordered.pages.is_empty() && self.report.finished == 0
    }

    /// Pages that are made, to be put into the atlas.
    pub(crate) fn next_batch(&mut self) -> Option<Batch> {
        self.mailbox.take_finished()
    }

    /// The slot that a page goes to. `None`: it is not wanted any more, or a part of a page that has gone.
    pub(crate) fn place(&mut self, page: &FinishedPage) -> Option<u32> {
        let key = page.key;
        let current =
            self.pictures.0.get(&key.picture).is_some_and(|entry| entry.tile.edition == page.edition);
        let slot = match self.residency.get(key) {
            Some(resident) if current => Some(resident.slot),
            None if current && page.whole => self.place_new(key),
            _ => None,
        };
        match slot {
            Some(_) => self.residency.set_complete(key, page.complete),
            None => {
                self.report.totals.dropped += 1;
                if self.residency.get(key).is_none() {
                    self.gone.push(key);
                }
            }
        }
        slot
    }

    /// A slot does not hold the page that it should: the page is made again, if it is still wanted.
    #[cfg(feature = "gpu")]
    pub(crate) fn lose(&mut self, key: PageKey, slot: u32) {
        if self.residency.get(key).is_some_and(|resident| resident.slot == slot) {
            self.residency.remove(key);
            self.gone.push(key);
            self.order_again = true;
            self.table_changed = true;
        }
    }

    fn place_new(&mut self, key: PageKey) -> Option<u32> {
        let wanted = self.ordered.pages.iter().any(|page| page.0 == key);
        // What is not wanted any more takes no slot of what was wanted later.
        let frame = if wanted { self.frame } else { self.frame.saturating_sub(1) };
        let since = self.now.as_millis() as u32;
        let (slot, evicted) = self.residency.place(key, frame, since)?;
        if let Some(evicted) = evicted {
            self.gone.push(evicted);
            self.report.totals.evicted += 1;
        }
        self.table_changed = true;
        Some(slot)
    }

    /// Another atlas, of `slots` slots, with nothing in it: all pages are made again, for `finisher`.
    pub(crate) fn start_over(&mut self, slots: u32, finisher: Arc<dyn Finisher>) {
        self.residency.reset(slots);
        self.gone.clear();
        self.mailbox.start_over(finisher);
        self.order_again = true;
        self.table_changed = true;
    }

    /// What makes texels in host memory.
    pub(crate) fn host_finisher(&self) -> Arc<dyn Finisher> {
        let runner = self.decoder.runner().clone();
        Arc::new(HostFinisher {
            executor: CpuExecutor::new(runner.clone()),
            runner,
            format: self.options.format,
        })
    }

    /// Counts what an atlas did.
    pub(crate) fn count(&mut self, texels: u64, uploaded_bytes: u64, dispatches: u64) {
        let totals = &mut self.report.totals;
        totals.texels += texels;
        totals.uploaded_bytes += uploaded_bytes;
        totals.dispatches += dispatches;
    }

    /// The page table, if it has changed since the last call. Its length is that for all slots.
    pub(crate) fn take_table(&mut self) -> Option<Vec<PageEntry>> {
        if !std::mem::take(&mut self.table_changed) {
            return None;
        }
        let slots = self.residency.slots();
        let length = if slots == 0 { 0 } else { page_table::length_for(slots) as usize };
        let mut table = vec![PageEntry::default(); length];
        for (PageKey { picture, page }, resident) in self.residency.iter() {
            let entry = PageEntry {
                x: page.x,
                y: page.y,
                tag: PageEntry::tag(picture.0, page.reduce),
                slot: resident.slot,
                since: resident.since,
                ..PageEntry::default()
            };
            // One that finds no place is drawn by a coarser one.
            page_table::insert(&mut table, entry);
        }
        Some(table)
    }

    /// All pictures as shaders take them, by number.
    pub(crate) fn virtual_pictures(&self) -> Vec<VirtualPicture> {
        let count = self.pictures.0.last_key_value().map_or(0, |(id, _)| id.0 as usize + 1);
        let mut pictures = vec![VirtualPicture::default(); count];
        for (id, entry) in &self.pictures.0 {
            let whole = entry.tile.pyramid.level(0);
            let nearest = if entry.options.nearest { VirtualPicture::NEAREST } else { 0 };
            pictures[id.0 as usize] = VirtualPicture {
                x0: whole.x0,
                y0: whole.y0,
                width: whole.width(),
                height: whole.height(),
                levels: entry.tile.pyramid.coarsest(),
                flags: VirtualPicture::PRESENT | nearest,
                finest: 0,
                padding: 0,
                shading: entry.options.shading.unwrap_or(self.options.format.shading()),
            };
        }
        pictures
    }

    /// What all pictures share in this frame, for an atlas of so many slots a row and a layer.
    pub(crate) fn virtual_frame(&self, slots_across: u32, slots_layer: u32) -> VirtualFrame {
        let layout = self.options.layout;
        let count = self.pictures.0.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        VirtualFrame {
            now_ms: self.now.as_millis() as u32,
            fade_ms: u32::try_from(self.options.fade.as_millis()).unwrap_or(u32::MAX),
            side: layout.side(),
            border: layout.border(),
            slots_across,
            slots_layer,
            table_mask: page_table::length_for(self.residency.slots()) - 1,
            picture_count: count,
        }
    }
}
