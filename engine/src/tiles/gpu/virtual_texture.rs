//! Pictures as textures: what a frame takes from the tiles, and what shaders are bound to.

use super::bindings;
use super::building::{Change, Resources};
use super::finisher::{PageBatch, uploads_of};
use super::options::{PollReport, VirtualTextureOptions};
use super::recordings::{Recordings, Ticket};
use super::shares::{MakingOn, Shares};
use crate::error::DeviceError;
use crate::geometry::Size;
use crate::gpu::executor::GpuExecutor;
use crate::gpu::pages::{PageStatistics, PageTexels, PageUpload};
use crate::gpu::ring::{MappedBuffer, UploadRing};
use crate::gpu::{Context, DeviceBytes, TexelFormat, TextureTarget};
use crate::tiles::finish::{Batch, FinishedPage, Made};
use crate::tiles::{FrameBudget, PageKey, PageLayout, Tiles};
use std::collections::VecDeque;
use std::sync::Arc;
use wavetile_shaders::page_table::{self, PageEntry};
use wavetile_shaders::virtual_frame::VirtualPicture;
use wavetile_shaders::wgsl;

/// The pages of a [`Tiles`] in an atlas on a device, with all that shaders need to draw from it.
///
/// ```ignore
/// let report = tiles.update(&views, now);
/// virtual_texture.poll(&mut tiles, &mut encoder, FrameBudget::default())?;
/// pass.set_bind_group(1, virtual_texture.bind_group(), &[]);
/// ```
///
/// Encoders are to be submitted in the order in which they were polled into. One that is dropped instead is noticed by a later
/// poll: what was recorded into it is recorded again.
pub struct VirtualTexture {
    pub(super) context: Context,
    pub(super) options: VirtualTextureOptions,
    pub(super) format: TexelFormat,
    layout: PageLayout,
    pub(super) bytes: DeviceBytes,
    pub(super) group_layout: wgpu::BindGroupLayout,
    /// Makes texels on the device, if the tiles' decoder does.
    pub(super) executor: Option<Arc<GpuExecutor>>,
    pub(super) resources: Option<Resources>,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) recordings: Recordings,
    table: Vec<PageEntry>,
    pictures: Vec<VirtualPicture>,
    /// The device has neither table nor pictures.
    pub(super) update_all: bool,
    /// Another atlas is wanted.
    pub(super) change: Option<Change>,
}

/// Pages that are made.
pub(super) struct Waiting {
    pages: Vec<FinishedPage>,
    upload: PageUpload,
}

impl std::fmt::Debug for VirtualTexture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("VirtualTexture")
            .field("options", &self.options)
            .field("bytes", &self.bytes)
            .field("grid", &self.resources.as_ref().map(|resources| resources.shares.grid))
            .finish_non_exhaustive()
    }
}

impl VirtualTexture {
    /// Makes an atlas for the pages of `tiles`, which has none from now on but this. Texels are made on the device if the
    /// tiles' decoder decodes on a device, else on the processor.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if the budget is below [`Self::least_bytes`]; [`DeviceError::Failed`] if the device has no memory
    /// for the least atlas, or is lost.
    pub fn new(
        context: &Context,
        tiles: &mut Tiles,
        options: VirtualTextureOptions,
    ) -> Result<Self, DeviceError> {
        let (format, layout) = (tiles.options().format, tiles.options().layout);
        let mut made = Self {
            context: context.clone(),
            options,
            format,
            layout,
            bytes: DeviceBytes::new(options.device_bytes),
            group_layout: bindings::layout(context, format)?,
            executor: executor(context, tiles)?,
            resources: None,
            waiting: VecDeque::new(),
            recordings: Recordings::default(),
            table: Vec::new(),
            pictures: Vec::new(),
            update_all: true,
            change: None,
        };
        made.build(tiles)?;
        Ok(made)
    }

    /// Bytes of device memory that suffice for pages of this size and format: an atlas of 16 slots.
    #[must_use]
    pub fn least_bytes(layout: PageLayout, format: TexelFormat) -> u64 {
        Shares::least(layout, format, Tiles::MOST_PICTURES as u32)
    }

    /// How device memory stands.
    #[must_use]
    pub const fn device_bytes(&self) -> &DeviceBytes {
        &self.bytes
    }

    /// Another budget of device memory, for another atlas with another bind group. Pages are made for it again, from decoded
    /// blocks and the coarsest first; until the first of them are there, frames draw from the atlas before, and that is what
    /// [`device_bytes`](Self::device_bytes) tells. The device frees its memory when the frames that draw from it are done.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if it is below [`Self::least_bytes`]; nothing changes then.
    pub fn set_device_bytes(&mut self, bytes: u64) -> Result<(), DeviceError> {
        if self.shares(bytes, u32::MAX).is_none() {
            return Err(self.too_little(bytes));
        }
        if self.options.device_bytes != bytes {
            self.options.device_bytes = bytes;
            self.change = Some(Change::Wanted);
        }
        Ok(())
    }

    /// Goes on with another device, the one before being lost or about to go: all pages are made again, from decoded blocks
    /// where they are kept, and nothing is fetched.
    ///
    /// # Errors
    /// As [`Self::new`]; [`poll`](Self::poll) tries again then.
    pub fn replace_device(&mut self, context: &Context, tiles: &mut Tiles) -> Result<(), DeviceError> {
        self.give_up();
        self.bytes = DeviceBytes::new(self.options.device_bytes);
        self.context = context.clone();
        self.group_layout = bindings::layout(context, self.format)?;
        self.executor = executor(context, tiles)?;
        self.build(tiles)
    }

    /// The layout of the bind group, for the host's pipelines. Fragment and compute shaders see it.
    #[must_use]
    pub const fn bind_group_layout(&self) -> &wgpu::BindGroupLayout {
        &self.group_layout
    }

    /// What [`Self::shader`] is bound to. `None` while there is no atlas: after an error, or until the memory of the one before
    /// is free. Another one after [`set_device_bytes`](Self::set_device_bytes) and [`replace_device`](Self::replace_device).
    #[must_use]
    pub fn bind_group(&self) -> Option<&wgpu::BindGroup> {
        self.resources.as_ref().map(|resources| &resources.bindings.group)
    }

    /// The atlas: layers of slots, each a page with its border. For hosts that look at it by themselves.
    #[must_use]
    pub fn atlas(&self) -> Option<&wgpu::Texture> {
        self.resources.as_ref().map(|resources| &resources.bindings.atlas)
    }

    /// Where the page of a `key` lies in the atlas when the last encoder that was polled into has run: the corner of its border,
    /// and its layer. `None`: it is not there.
    #[must_use]
    pub fn place(&self, key: PageKey) -> Option<wgpu::Origin3d> {
        let PageKey { picture, page } = key;
        let tag = PageEntry::tag(picture.number(), page.reduce);
        let entry = page_table::find(&self.table, page.x, page.y, tag)?;
        Some(self.resources.as_ref()?.shares.grid.origin(entry.slot))
    }

    /// Slots of the atlas.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.resources.as_ref().map_or(0, |resources| resources.shares.grid.slots())
    }

    /// WGSL with `sample_virtual` and the like, for a host's shader that binds [`Self::bind_group`] as `group`. See
    /// [`wgsl::sample_virtual`].
    #[must_use]
    pub fn shader(&self, group: u32) -> String {
        wgsl::sample_virtual(group, self.format.atlas_texels())
    }

    /// Records what the frame needs: pages that are made, as far as the budget goes, and the page table. To be recorded before
    /// the frame draws. Waits for nothing.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if the device is lost or out of memory: go on with [`replace_device`](Self::replace_device).
    pub fn poll(
        &mut self,
        tiles: &mut Tiles,
        encoder: &mut wgpu::CommandEncoder,
        budget: FrameBudget,
    ) -> Result<PollReport, DeviceError> {
        self.hear_from_device(tiles)?;
        tiles.exchange();
        tiles.hold(self.waiting());
        let mut report = PollReport::default();
        self.change(tiles)?;
        let update = match &self.resources {
            Some(resources) if self.change.is_none() => resources.updates.take(),
            _ => None,
        };
        if let Some(update) = update {
            let ticket = self.recordings.begin(encoder);
            report.pages = self.pages(tiles, encoder, budget, &ticket)?;
            report.updated_bytes = self.update(tiles, encoder, update)?;
        } else {
            report.stalled = true;
        }
        let PageStatistics { texels, uploaded_bytes, dispatches, .. } = report.pages;
        tiles.count(texels, uploaded_bytes, dispatches);
        report.waiting = self.waiting();
        let rings = self.resources.iter().flat_map(|resources| [&resources.uploads, &resources.updates]);
        report.in_flight = rings.map(UploadRing::in_flight).sum();
        report.device_bytes = self.bytes.used();
        Ok(report)
    }

    /// Pages that are made and not recorded.
    fn waiting(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.pages.len()).sum()
    }

    /// Learns what the device is done with, and what was never submitted.
    fn hear_from_device(&mut self, tiles: &mut Tiles) -> Result<(), DeviceError> {
        self.context.poll();
        self.context.guarded("drawing pages", || Ok(()))?;
        let Some(resources) = &self.resources else { return Ok(()) };
        for ring in [&resources.uploads, &resources.updates] {
            if ring.is_broken() {
                let reason = "a buffer could not be mapped: the device is lost".to_owned();
                return Err(DeviceError::Failed { doing: "drawing pages", reason });
            }
            ring.collect();
        }
        let dropped = self.recordings.settle();
        self.update_all |= dropped.any;
        for (key, slot) in dropped.pages {
            tiles.lose(key, slot);
        }
        Ok(())
    }

    /// Records pages that are made.
    fn pages(
        &mut self,
        tiles: &mut Tiles,
        encoder: &mut wgpu::CommandEncoder,
        budget: FrameBudget,
        ticket: &Ticket,
    ) -> Result<PageStatistics, DeviceError> {
        let mut statistics = PageStatistics::default();
        let (mut pages, mut bytes, mut texels) = (0, 0, 0);
        while let Some(mut next) = self.next(tiles)? {
            let Some(resources) = &self.resources else { break };
            let upload = &next.upload;
            pages += upload.len();
            bytes += upload.bytes();
            texels += upload.texels();
            let is_over = pages > budget.pages || bytes > budget.bytes || texels > budget.texels;
            if (is_over && statistics.pages > 0) || !next.upload.embark(&resources.uploads)? {
                self.waiting.push_front(next);
                break;
            }
            let placed: Vec<_> = next.pages.iter().map(|page| (page, tiles.place(page))).collect();
            let target = |(page, slot): &(&FinishedPage, Option<u32>)| {
                let mut target = TextureTarget::new(&resources.bindings.atlas);
                target.origin = resources.shares.grid.origin((*slot)?);
                Some(target.at(target.origin.x + page.place.x, target.origin.y + page.place.y))
            };
            let targets: Vec<_> = placed.iter().map(target).collect();
            if targets.iter().all(Option::is_none) {
                continue;
            }
            let workspace = resources.workspace.as_ref();
            let recorded = match &self.executor {
                Some(executor) => executor.record_pages(encoder, next.upload, workspace, &targets),
                None => next.upload.record_texels(&self.context, encoder, &targets),
            };
            let slots = placed.iter().filter_map(|(page, slot)| Some((*page, (*slot)?)));
            match recorded {
                Ok(recorded) => {
                    slots.for_each(|(page, slot)| self.recordings.add(ticket, page.key, slot, page.whole));
                    statistics += recorded;
                }
                Err(error) => {
                    slots.for_each(|(page, slot)| tiles.lose(page.key, slot));
                    return Err(error);
                }
            }
        }
        Ok(statistics)
    }

    /// The next pages that are made.
    fn next(&mut self, tiles: &mut Tiles) -> Result<Option<Waiting>, DeviceError> {
        while self.waiting.is_empty() {
            let (Some(batch), Some(resources)) = (tiles.next_batch(), &self.resources) else { break };
            let Batch { pages, made } = batch;
            let uploads = match made {
                Made::Upload(PageBatch(uploads)) => uploads,
                Made::Texels(texels) => {
                    let size = |page: &FinishedPage| Size::new(page.place.width, page.place.height);
                    let texels: Vec<_> = pages
                        .iter()
                        .zip(&texels)
                        .map(|(page, bytes)| PageTexels { size: size(page), bytes })
                        .collect();
                    uploads_of(&resources.uploads, &texels, self.format)?
                }
            };
            let mut pages = pages.into_iter();
            for (upload, count) in uploads {
                self.waiting.push_back(Waiting { pages: pages.by_ref().take(count).collect(), upload });
            }
        }
        Ok(self.waiting.pop_front())
    }

    /// Records the table, the pictures and the frame, as far as they are not there; bytes.
    fn update(
        &mut self,
        tiles: &mut Tiles,
        encoder: &mut wgpu::CommandEncoder,
        mut update: MappedBuffer,
    ) -> Result<u64, DeviceError> {
        let Some(Resources { shares, bindings, .. }) = &self.resources else { return Ok(0) };
        let frame = tiles.virtual_frame(shares.grid.across, shares.grid.slots_layer());
        let table = tiles.take_table();
        let has_table = self.update_all || table.is_some();
        if let Some(table) = table {
            self.table = table;
        }
        let mut pictures = tiles.virtual_pictures();
        pictures.truncate(shares.pictures as usize);
        let has_pictures = self.update_all || pictures != self.pictures;
        self.pictures = pictures;
        let parts: [(&wgpu::Buffer, &[u8]); 3] = [
            (&bindings.frame, bytemuck::bytes_of(&frame)),
            (&bindings.table, if has_table { bytemuck::cast_slice(&self.table) } else { &[] }),
            (&bindings.pictures, if has_pictures { bytemuck::cast_slice(&self.pictures) } else { &[] }),
        ];
        let bytes: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        self.context.guarded("updating the page table", || {
            update.fill(bytes as u64, |mut upload| {
                let mut at = 0;
                for (_, bytes) in parts {
                    upload.slice(at..at + bytes.len()).copy_from_slice(bytes);
                    at += bytes.len();
                }
                Ok(())
            })?;
            let Some(from) = update.record(encoder) else { return Ok(()) };
            let mut at = 0;
            for (to, bytes) in parts {
                let length = bytes.len() as u64;
                if length > 0 {
                    encoder.copy_buffer_to_buffer(&from, at, to, 0, length);
                }
                at += length;
            }
            Ok(())
        })?;
        self.update_all = false;
        Ok(bytes as u64)
    }

    pub(super) fn shares(&self, bytes: u64, slots: u32) -> Option<Shares> {
        let pictures = Tiles::MOST_PICTURES as u32;
        let making_on = if self.executor.is_some() { MakingOn::Device } else { MakingOn::Processor };
        let limits = self.context.device().limits();
        Shares::new(
            (bytes, self.context.buffer_bytes()),
            self.layout,
            self.format,
            pictures,
            slots,
            making_on,
            &limits,
        )
    }

    pub(super) fn too_little(&self, bytes: u64) -> DeviceError {
        let least = Self::least_bytes(self.layout, self.format);
        DeviceError::Refused {
            reason: format!("{bytes} bytes of device memory for pages; {least} would be enough"),
        }
    }
}

/// What makes texels on the device, if the decoder of `tiles` does on some device.
fn executor(context: &Context, tiles: &Tiles) -> Result<Option<Arc<GpuExecutor>>, DeviceError> {
    let Some(executor) = tiles.decoder().gpu_executor() else { return Ok(None) };
    if executor.context().is_clone_of(context) {
        return Ok(Some(Arc::clone(executor)));
    }
    GpuExecutor::new(context).map(|executor| Some(Arc::new(executor)))
}
