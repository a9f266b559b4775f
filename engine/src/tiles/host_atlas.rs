//! An atlas in host memory: for hosts without a device, for reference frames, and for tests.

use super::finish::{Batch, Made, SlotRect};
use super::handle::Tiles;
use super::options::FrameBudget;
use super::page::PageKey;
use crate::plan::TexelFormat;
use wavetile_shaders::page_table::{self, PageEntry};
use wavetile_shaders::sample_virtual::{TexelAtlas, VirtualScene};
use wavetile_shaders::texels;
use wavetile_shaders::virtual_frame::{VirtualFrame, VirtualPicture};

/// Pages in host memory, and all that drawing from them takes.
#[derive(Clone, Debug)]
pub struct HostAtlas {
    format: TexelFormat,
    slot_side: u32,
    slots: Vec<Vec<u8>>,
    table: Vec<PageEntry>,
    pictures: Vec<VirtualPicture>,
    frame: VirtualFrame,
}

impl HostAtlas {
    /// An atlas for `tiles` that takes at most `bytes` bytes, page table included; with nothing in it. `tiles` makes its pages for
    /// this one from now on.
    #[must_use]
    pub fn new(tiles: &mut Tiles, bytes: u64) -> Self {
        let (layout, format) = (tiles.options().layout, tiles.options().format);
        let slot_side = layout.slot_side();
        let slot = u64::from(slot_side) * u64::from(slot_side) * u64::from(format.bytes());
        let count = |slots: u32| {
            u64::from(slots) * slot + u64::from(page_table::length_for(slots)) * size_of::<PageEntry>() as u64
        };
        let mut slots = u32::try_from(bytes / slot).unwrap_or(MOST_SLOTS).min(MOST_SLOTS);
        while slots > 0 && count(slots) > bytes {
            slots -= 1;
        }
        tiles.start_over(slots, tiles.host_finisher());
        Self {
            format,
            slot_side,
            slots: vec![Vec::new(); slots as usize],
            table: Vec::new(),
            pictures: Vec::new(),
            frame: tiles.virtual_frame(1, 1),
        }
    }

    /// Bytes of the pages that are there, and of the page table.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let texels: usize = self.slots.iter().map(Vec::capacity).sum();
        (texels + self.table.capacity() * size_of::<PageEntry>()) as u64
    }

    /// Takes what was made for the frame that `tiles` was updated for. Returns how many pages were written.
    pub fn poll(&mut self, tiles: &mut Tiles, budget: FrameBudget) -> usize {
        tiles.exchange();
        let mut written = 0;
        while written < budget.pages
            && let Some(batch) = tiles.next_batch()
        {
            written += self.write(tiles, batch);
        }
        if let Some(table) = tiles.take_table() {
            self.table = table;
            self.pictures = tiles.virtual_pictures();
        }
        self.frame = tiles.virtual_frame(1, 1);
        written
    }

    fn write(&mut self, tiles: &mut Tiles, batch: Batch) -> usize {
        let texels = match batch.made {
            Made::Texels(texels) => texels,
            // It was made for another atlas.
            #[cfg(feature = "gpu")]
            Made::Upload(_) => return 0,
        };
        let (mut written, mut area) = (0, 0);
        for (page, texels) in batch.pages.iter().zip(texels) {
            if let Some(slot) = tiles.place(page) {
                self.write_page(slot, page.place, texels);
                written += 1;
                area += page.place.area();
            }
        }
        tiles.count(area, 0, 0);
        written
    }

    fn write_page(&mut self, slot: u32, place: SlotRect, texels: Vec<u8>) {
        let texel = self.format.bytes() as usize;
        let (stride, row) = (self.slot_side as usize * texel, place.width as usize * texel);
        let Some(slot) = self.slots.get_mut(slot as usize) else { return };
        let whole = stride * self.slot_side as usize;
        if texels.len() == whole && texels.capacity() == whole {
            *slot = texels;
            return;
        }
        slot.resize(whole, 0);
        let rows = slot.chunks_exact_mut(stride).skip(place.y as usize);
        for (to, from) in rows.zip(texels.chunks_exact(row.max(1))) {
            let x = place.x as usize * texel;
            to[x..x + row].copy_from_slice(from);
        }
    }

    /// What shaders would be bound to: it samples as they do.
    #[must_use]
    pub fn scene(&self) -> VirtualScene<'_, Self> {
        VirtualScene { frame: self.frame, pictures: &self.pictures, table: &self.table, atlas: self }
    }

    /// The bytes of a page that is in the atlas, border included: rows of [`PageLayout::slot_side`](super::PageLayout::slot_side)
    /// texels without gaps.
    #[must_use]
    pub fn page(&self, key: PageKey) -> Option<&[u8]> {
        let PageKey { picture, page } = key;
        let tag = PageEntry::tag(picture.0, page.reduce);
        let entry = page_table::find(&self.table, page.x, page.y, tag)?;
        self.slots.get(entry.slot as usize).map(Vec::as_slice)
    }
}

impl TexelAtlas for HostAtlas {
    fn texel(&self, slot: u32, x: u32, y: u32) -> [f32; 4] {
        let texel = self.format.bytes() as usize;
        let at = (y as usize * self.slot_side as usize + x as usize) * texel;
        let bytes = self.slots.get(slot as usize).and_then(|slot| slot.get(at..at + texel));
        bytes.map_or([0.0; 4], |bytes| texels::unpack(self.format.pack_format(), false, bytes))
    }
}

/// More than any atlas has.
const MOST_SLOTS: u32 = 1 << 20;
