//! Pictures as textures: what a frame takes from the tiles, and what shaders are bound to.

use super::bindings::{self, Bindings};
use super::finisher::{DeviceFinisher, PageBatch, uploads_of};
use super::recordings::{Recordings, Ticket};
use super::shares::{LEAST_SLOTS, MakingOn, Shares, UPDATES, UPLOADS};
use crate::cpu::CpuExecutor;
use crate::error::DeviceError;
use crate::geometry::Size;
use crate::gpu::buffers::Workspace;
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

/// How a [`VirtualTexture`] is made. What is not set is as [`Default`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VirtualTextureOptions {
    /// Bytes of device memory for all that it makes: the atlas, the page table, and the buffers that pages go through. At least
    /// [`VirtualTexture::least_bytes`].
    pub device_bytes: u64,
    /// Shaders that sample the atlas get linear values of sRGB texels ([`TexelFormat::Rgba8`] only).
    pub srgb: bool,
}

impl VirtualTextureOptions {
    /// The defaults: 256 MiB, texels as they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::device_bytes`](field@Self::device_bytes).
    #[must_use]
    pub const fn device_bytes(mut self, bytes: u64) -> Self {
        self.device_bytes = bytes;
        self
    }

    /// Sets [`Self::srgb`](field@Self::srgb).
    #[must_use]
    pub const fn srgb(mut self, srgb: bool) -> Self {
        self.srgb = srgb;
        self
    }
}

impl Default for VirtualTextureOptions {
    fn default() -> Self {
        Self { device_bytes: 256 << 20, srgb: false }
    }
}

/// What a frame took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollReport {
    /// The pages, and what they cost.
    pub pages: PageStatistics,
    /// Pages that are made and wait for the next frame.
    pub waiting: usize,
    /// Bytes of the page table, the pictures and the frame that were uploaded.
    pub updated_bytes: u64,
    /// Buffers with uploads that the device is not done with.
    pub in_flight: usize,
    /// Nothing was recorded: the device is not done with the frames before, or with an atlas that was given up.
    pub stalled: bool,
    /// Bytes of device memory that are taken.
    pub device_bytes: u64,
}

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
    context: Context,
    options: VirtualTextureOptions,
    format: TexelFormat,
    layout: PageLayout,
    bytes: DeviceBytes,
    group_layout: wgpu::BindGroupLayout,
    /// Makes texels on the device, if the tiles' decoder does.
    executor: Option<Arc<GpuExecutor>>,
    resources: Option<Resources>,
    waiting: VecDeque<Waiting>,
    recordings: Recordings,
    table: Vec<PageEntry>,
    pictures: Vec<VirtualPicture>,
    /// The device has neither table nor pictures.
    update_all: bool,
}

/// All that takes device memory.
struct Resources {
    shares: Shares,
    bindings: Bindings,
    uploads: UploadRing,
    updates: UploadRing,
    workspace: Option<Workspace>,
}

/// Pages that are made.
struct Waiting {
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

    /// Another budget of device memory, from the next [`poll`](Self::poll) on: there will be another atlas and another bind
    /// group, and pages come back from decoded blocks, the coarsest first. The device frees the memory of the atlas before when
    /// the frames that are under way are done.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if it is below [`Self::least_bytes`]; nothing changes then.
    pub fn set_device_bytes(&mut self, bytes: u64) -> Result<(), DeviceError> {
        if self.shares(bytes, u32::MAX).is_none() {
            return Err(self.too_little(bytes));
        }
        if self.options.device_bytes != bytes {
            self.options.device_bytes = bytes;
            self.bytes.set_limit(bytes);
            self.give_up();
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
        self.build(tiles).map(drop)
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
        if self.resources.is_none() {
            self.build(tiles)?;
        }
        let update = match &self.resources {
            Some(resources) => resources.updates.take()?,
            None => None,
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

    fn shares(&self, bytes: u64, slots: u32) -> Option<Shares> {
        let pictures = Tiles::MOST_PICTURES as u32;
        let making_on = if self.executor.is_some() { MakingOn::Device } else { MakingOn::Processor };
        let limits = self.context.device().limits();
        Shares::new(bytes, self.layout, self.format, pictures, slots, making_on, &limits)
    }

    fn too_little(&self, bytes: u64) -> DeviceError {
        let least = Self::least_bytes(self.layout, self.format);
        DeviceError::Refused {
            reason: format!("{bytes} bytes of device memory for pages; {least} would be enough"),
        }
    }

    /// Lets go of the atlas and all that goes through its buffers.
    fn give_up(&mut self) {
        self.resources = None;
        self.waiting.clear();
        self.update_all = true;
    }

    /// Makes all that takes device memory, and begins anew. Where the device gives less than the budget allows, the atlas has
    /// fewer slots. False: what was given up before is still in use.
    fn build(&mut self, tiles: &mut Tiles) -> Result<bool, DeviceError> {
        let bytes = self.options.device_bytes;
        let mut slots = u32::MAX;
        loop {
            let shares = self.shares(bytes, slots).ok_or_else(|| self.too_little(bytes))?;
            match self.resources(shares) {
                Ok(Some(resources)) => {
                    let finisher = DeviceFinisher {
                        context: self.context.clone(),
                        ring: resources.uploads.clone(),
                        bounds: shares.bounds,
                        format: self.format,
                        computes: self.executor.is_some(),
                        executor: CpuExecutor::new(tiles.decoder().runner().clone()),
                        runner: tiles.decoder().runner().clone(),
                    };
                    self.recordings.reset(shares.grid.slots());
                    tiles.start_over(shares.grid.slots(), Arc::new(finisher));
                    self.waiting.clear();
                    self.update_all = true;
                    self.resources = Some(resources);
                    return Ok(true);
                }
                Ok(None) => {
                    // Buffers of before may lie among the pages that are made.
                    tiles.start_over(0, tiles.host_finisher());
                    return Ok(false);
                }
                Err(error) => {
                    slots = shares.grid.slots() / 2;
                    if slots < LEAST_SLOTS {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn resources(&self, shares: Shares) -> Result<Option<Resources>, DeviceError> {
        let Self { context, bytes, .. } = self;
        let workspace = match &self.executor {
            Some(_) => match Workspace::new(context, shares.bounds, bytes)? {
                Some(workspace) => Some(workspace),
                None => return Ok(None),
            },
            None => None,
        };
        let made =
            Bindings::new(context, &self.group_layout, &shares, self.format, self.options.srgb, bytes)?;
        let Some(bindings) = made else { return Ok(None) };
        let uploads = UploadRing::new(context, shares.bounds.upload, UPLOADS, bytes, None);
        let updates = UploadRing::new(context, shares.update_bytes(), UPDATES, bytes, None);
        Ok(Some(Resources { shares, bindings, uploads, updates, workspace }))
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
