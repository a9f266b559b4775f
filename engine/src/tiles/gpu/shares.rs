//! How a budget of device memory is shared out.

use super::slots::{SlotGrid, slot_bytes};
use crate::gpu::TexelFormat;
use crate::gpu::buffers::Workspace;
use crate::gpu::pages::PageBounds;
use crate::tiles::PageLayout;
use wavetile_shaders::page_table::{self, PageEntry};
use wavetile_shaders::virtual_frame::{VirtualFrame, VirtualPicture};

/// What each part of a virtual texture may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Of the pages of one upload.
    pub(crate) bounds: PageBounds,
    pub(crate) grid: SlotGrid,
    /// Pictures that the picture buffer holds.
    pub(crate) pictures: u32,
}

/// What makes texels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MakingOn {
    Device,
    Processor,
}

/// Buffers that carry uploads: what is being filled, what waits, and what the device reads.
pub(crate) const UPLOADS: usize = 3;
/// Buffers that carry the page table; one a frame.
pub(crate) const UPDATES: usize = 4;
/// Slots of an atlas at least.
pub(crate) const LEAST_SLOTS: u32 = 16;
/// Pages of an upload at most.
const MOST_PAGES: u64 = 6;

impl Shares {
    /// Of `bytes` bytes, a quarter at most is for making pages, as far as that is enough for one. `slots`: of the atlas at most.
    /// No buffer has more than `most` bytes, as far as that is enough. `None` if there is not enough for [`LEAST_SLOTS`].
    pub(crate) fn new(
        (bytes, most): (u64, u64),
        layout: PageLayout,
        format: TexelFormat,
        pictures: u32,
        slots: u32,
        making_on: MakingOn,
        limits: &wgpu::Limits,
    ) -> Option<Self> {
        let side = layout.slot_side();
        let of = |pages| bounds(pages, side, format, making_on);
        let fits = |pages: &u64| {
            let bounds = of(*pages);
            making(bounds) <= bytes / 4 && bounds.arena.max(bounds.upload).max(bounds.texels) <= most
        };
        let bounds = of((1..=MOST_PAGES).rev().find(fits).unwrap_or(1));
        let rest = bytes.checked_sub(making(bounds))?;
        let slot = slot_bytes(side, format);
        // A table is of a power of two, so its share is found by trying.
        let mut most = u32::try_from(rest / slot).unwrap_or(u32::MAX).min(slots);
        while most >= LEAST_SLOTS {
            let grid = SlotGrid::new(side, most, limits)?;
            let shares = Self { bounds, grid, pictures };
            if grid.slots() >= LEAST_SLOTS && shares.bytes(format) <= bytes {
                return Some(shares);
            }
            let over = shares.bytes(format).saturating_sub(bytes).div_ceil(slot).max(1);
            most = most.saturating_sub(u32::try_from(over).unwrap_or(u32::MAX));
        }
        None
    }

    /// Bytes that suffice for [`Self::new`].
    pub(crate) fn least(layout: PageLayout, format: TexelFormat, pictures: u32) -> u64 {
        let side = layout.slot_side();
        // A grid may waste some of what it could have.
        let grid = SlotGrid { side, across: LEAST_SLOTS, down: 2, layers: 1 };
        Self { bounds: bounds(1, side, format, MakingOn::Device), grid, pictures }.bytes(format)
    }

    /// Bytes of all parts.
    pub(crate) fn bytes(&self, format: TexelFormat) -> u64 {
        let tables = self.table_bytes() + self.picture_bytes() + FRAME_BYTES;
        making(self.bounds) + self.grid.bytes(format) + tables + UPDATES as u64 * self.update_bytes()
    }

    pub(crate) fn table_bytes(&self) -> u64 {
        u64::from(page_table::length_for(self.grid.slots())) * size_of::<PageEntry>() as u64
    }

    pub(crate) fn picture_bytes(&self) -> u64 {
        u64::from(self.pictures) * size_of::<VirtualPicture>() as u64
    }

    /// Of a buffer that carries the table, the pictures and the frame.
    pub(crate) fn update_bytes(&self) -> u64 {
        (self.table_bytes() + self.picture_bytes() + FRAME_BYTES).next_multiple_of(256)
    }
}

/// Of the uniform buffer.
pub(crate) const FRAME_BYTES: u64 = size_of::<VirtualFrame>() as u64;

/// Bytes of what makes pages.
fn making(bounds: PageBounds) -> u64 {
    Workspace::bytes(bounds) + UPLOADS as u64 * bounds.upload
}

/// What so many pages take, of three components in 16 bits. Those that take more are made fewer at a time or, where one does
/// not fit, by the processor.
fn bounds(pages: u64, side: u32, format: TexelFormat, making_on: MakingOn) -> PageBounds {
    let texels = u64::from(side) * u64::from(side);
    let packed = (u64::from(side * format.bytes())).next_multiple_of(256) * u64::from(side);
    if making_on == MakingOn::Processor {
        return PageBounds { arena: 0, upload: pages * packed, texels: 0 };
    }
    // Sub-bands, levels and what filters reach beyond the page: 2.8 words a sample. Blocks stick out of the page, too.
    let coefficients = pages * texels * 3 * 2 * 9 / 4;
    PageBounds {
        arena: (pages * texels * 3 * 4 * 14 / 5).next_multiple_of(256),
        upload: coefficients.max(packed).next_multiple_of(256),
        texels: pages * packed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_use_most_of_it() {
        let limits = wgpu::Limits::default();
        for (side, border) in [(128, 1), (256, 4), (512, 8)] {
            let layout = PageLayout::new(side, border).unwrap();
            for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
                let least = Shares::least(layout, format, 16);
                for bytes in [least, 2 * least, 128 << 20, 1 << 30, 3 << 30] {
                    let shares = Shares::new(
                        (bytes, u64::MAX),
                        layout,
                        format,
                        16,
                        u32::MAX,
                        MakingOn::Device,
                        &limits,
                    );
                    let Some(shares) = shares else { panic!("{bytes} bytes for pages of {side}") };
                    let taken = shares.bytes(format);
                    assert!(taken <= bytes, "{shares:?}");
                    assert!(taken * 10 >= bytes * 8 || bytes <= 2 * least, "{taken} of {bytes}");
                    assert!(shares.grid.slots() >= LEAST_SLOTS);
                }
                assert_eq!(
                    Shares::new(
                        (least / 4, u64::MAX),
                        layout,
                        format,
                        16,
                        u32::MAX,
                        MakingOn::Device,
                        &limits
                    ),
                    None
                );
            }
        }
    }

    #[test]
    fn fewer_slots_can_be_asked_for() {
        let limits = wgpu::Limits::default();
        let shares = |slots| {
            Shares::new(
                (128 << 20, u64::MAX),
                PageLayout::default(),
                TexelFormat::Rgba8,
                16,
                slots,
                MakingOn::Device,
                &limits,
            )
        };
        assert_eq!(shares(64).unwrap().grid.slots(), 64);
        assert!(shares(u32::MAX).unwrap().grid.slots() > 300);
        assert_eq!(shares(LEAST_SLOTS - 1), None);
    }
}
