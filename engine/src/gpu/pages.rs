//! Pages that go into textures together: their cells share dispatches.

use super::buffers::{Tables, Workspace};
use super::context::Context;
use super::executor::GpuExecutor;
use super::filling::{CellWords, fill};
use super::group::{Group, GroupCell};
use super::pipelines::Pipelines;
use super::ring::{MappedBuffer, UploadRing};
use super::texture::TextureTarget;
use crate::error::DeviceError;
use crate::executor::Coefficients;
use crate::geometry::Size;
use crate::plan::{Cell, Plan, TexelFormat};
use std::ops::AddAssign;
use wavetile_shaders::dispatch::Job;
use wgpu::WriteOnly;

/// A page up to its coefficients: a plan of one cell.
#[derive(Clone, Copy, Debug)]
pub struct PageSource<'a> {
    /// It has exactly one cell.
    pub plan: &'a Plan,
    /// Those of its blocks.
    pub coefficients: Coefficients<'a>,
}

/// Texels that are made already: rows without gaps.
#[derive(Clone, Copy, Debug)]
pub struct PageTexels<'a> {
    /// Columns and rows.
    pub size: Size,
    /// As many as `size` says.
    pub bytes: &'a [u8],
}

/// The bytes that the pages of one upload may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBounds {
    /// Samples of all pages.
    pub arena: u64,
    /// Coefficients and job tables of all pages, or their texels.
    pub upload: u64,
    /// Packed texels of all pages.
    pub texels: u64,
}

/// What became of pages that were to be uploaded.
#[derive(Debug)]
pub enum Filled {
    /// The upload, and how many of the pages it takes, from the first on.
    Ready(PageUpload, usize),
    /// The first page alone exceeds the bounds.
    TooLarge,
}

/// Pages on their way to the device: whatever takes long is done, on any thread; [`GpuExecutor::record_pages`] is what the
/// host's thread does.
#[derive(Debug)]
pub struct PageUpload {
    carrier: Carrier,
    /// Bytes in use.
    bytes: u64,
    format: TexelFormat,
    work: Work,
}

#[derive(Debug)]
enum Carrier {
    Mapped(MappedBuffer),
    /// No buffer was free.
    Host(Vec<u8>),
}

impl Carrier {
    /// Lets `write` fill `bytes` bytes of a buffer or, if none is free, of host memory.
    fn fill(
        ring: &UploadRing,
        bytes: u64,
        write: impl FnOnce(WriteOnly<'_, [u8]>) -> Result<(), DeviceError>,
    ) -> Result<Self, DeviceError> {
        match ring.take() {
            Some(mut buffer) => {
                buffer.fill(bytes, write)?;
                Ok(Self::Mapped(buffer))
            }
            None => {
                let mut host = vec![0; bytes as usize];
                write(WriteOnly::from_mut(&mut host[..]))?;
                Ok(Self::Host(host))
            }
        }
    }
}

#[derive(Debug)]
enum Work {
    /// Texels are made on the device; tables begin at this byte.
    Cells(Group, u64),
    /// Texels lie in the buffer.
    Texels(Vec<TexelPlace>),
}

/// Where packed texels lie in a buffer.
#[derive(Clone, Copy, Debug)]
struct TexelPlace {
    offset: u64,
    row_bytes: u32,
    size: Size,
}

/// What recorded pages cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageStatistics {
    /// Pages, or parts of them.
    pub pages: u64,
    /// Compute dispatches: wavelet levels of the page that has most, and two; one more if some page's tiles differ in their
    /// component transforms.
    pub dispatches: u64,
    /// Copies between buffers and textures.
    pub copies: u64,
    /// Bytes of coefficients, job tables and texels that were uploaded.
    pub uploaded_bytes: u64,
    /// Texels that were written, borders included.
    pub texels: u64,
}

impl AddAssign for PageStatistics {
    fn add_assign(&mut self, other: Self) {
        self.pages += other.pages;
        self.dispatches += other.dispatches;
        self.copies += other.copies;
        self.uploaded_bytes += other.uploaded_bytes;
        self.texels += other.texels;
    }
}

impl PageUpload {
    /// Takes as many of `pages`, in order, as `bounds` allow, into a buffer of `ring`; into host memory if none is free.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if a plan has not one cell, or contradicts itself; [`DeviceError::Failed`] if the device
    /// fails or is lost. The buffer goes back to the ring then.
    pub fn of_cells(
        ring: &UploadRing,
        context: &Context,
        bounds: PageBounds,
        pages: &[PageSource<'_>],
        format: TexelFormat,
    ) -> Result<Filled, DeviceError> {
        let cells: Vec<_> = pages.iter().map(CellWords::of_page).collect::<Result<_, _>>()?;
        let bounds = PageBounds { upload: bounds.upload.min(ring.bytes()), ..bounds };
        let alignment = context.binding_alignment();
        let mut count = fitting(&cells, bounds, alignment, format);
        let (group, tables, coefficients) = loop {
            if count == 0 {
                return Ok(Filled::TooLarge);
            }
            let chosen: Vec<_> = cells[..count].iter().map(|words| (words.plan, words.cell)).collect();
            let mut tables = Tables::new(alignment);
            let group = Group::new(&mut tables, &chosen, 0, Some(format))?;
            let coefficients = group.coefficients.end.next_multiple_of(alignment);
            let upload = coefficients.saturating_add(tables.bytes.len() as u64);
            if group.arena <= bounds.arena && group.texels <= bounds.texels && upload <= bounds.upload {
                break (group, tables, coefficients);
            }
            // The estimate was too low.
            count /= 2;
        };
        // Tables are whole words.
        let bytes = coefficients + tables.bytes.len() as u64;
        let places = group.cells.iter().map(|place| place.coefficients.clone());
        let write = |upload: WriteOnly<'_, _>| fill(upload, places.zip(cells), coefficients, &tables.bytes);
        let carrier = Carrier::fill(ring, bytes, write)?;
        let work = Work::Cells(group, coefficients);
        Ok(Filled::Ready(Self { carrier, bytes, format, work }, count))
    }

    /// Takes as many of `pages`, in order, as a buffer of `ring` holds, likewise.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if there are not as many texels as a page says; [`DeviceError::Failed`] if the device fails
    /// or is lost.
    pub fn of_texels(
        ring: &UploadRing,
        pages: &[PageTexels<'_>],
        format: TexelFormat,
    ) -> Result<Filled, DeviceError> {
        let mut places = Vec::new();
        let mut bytes = 0_u64;
        for page in pages {
            let (Size { width, height }, texel) = (page.size, u64::from(format.bytes()));
            if page.size.area().checked_mul(texel) != Some(page.bytes.len() as u64) {
                let (size, length) = (page.size, page.bytes.len());
                return Err(DeviceError::Refused { reason: format!("{length} bytes for {size:?} texels") });
            }
            let row = format.padded_row_bytes(width);
            let end = row.checked_mul(height.into()).and_then(|length| bytes.checked_add(length));
            let Some((end, row_bytes)) =
                end.zip(u32::try_from(row).ok()).filter(|(end, _)| *end <= ring.bytes())
            else {
                break;
            };
            places.push(TexelPlace { offset: bytes, row_bytes, size: page.size });
            bytes = end;
        }
        if places.is_empty() {
            return Ok(Filled::TooLarge);
        }
        let carrier = Carrier::fill(ring, bytes, |mut upload| {
            for (page, place) in pages.iter().zip(&places) {
                let row = page.size.width as usize * format.bytes() as usize;
                let rows = (place.offset as usize..).step_by(place.row_bytes as usize);
                for (from, at) in page.bytes.chunks_exact(row.max(1)).zip(rows) {
                    upload.slice(at..at + row).copy_from_slice(from);
                }
            }
            Ok(())
        })?;
        let count = places.len();
        Ok(Filled::Ready(Self { carrier, bytes, format, work: Work::Texels(places) }, count))
    }

    /// Copies it into a buffer of `ring`, if it is not in one; false: none is free yet. To be called on the host's thread.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if the device fails or is lost.
    pub fn embark(&mut self, ring: &UploadRing) -> Result<bool, DeviceError> {
        let Carrier::Host(host) = &self.carrier else { return Ok(true) };
        ring.fill_up()?;
        let Some(mut buffer) = ring.take() else { return Ok(false) };
        buffer.fill(self.bytes, |mut upload| {
            upload.copy_from_slice(host);
            Ok(())
        })?;
        self.carrier = Carrier::Mapped(buffer);
        Ok(true)
    }

    /// Pages that it carries.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.work {
            Work::Cells(group, _) => group.cells.len(),
            Work::Texels(places) => places.len(),
        }
    }

    /// Whether it carries none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes to be uploaded.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Texels to be written.
    #[must_use]
    pub fn texels(&self) -> u64 {
        match &self.work {
            Work::Cells(group, _) => group.cells.iter().map(|cell| cell.size.area()).sum(),
            Work::Texels(places) => places.iter().map(|place| place.size.area()).sum(),
        }
    }
}

impl GpuExecutor {
    /// Records pages into the host's encoder: one copy of all that they upload, one dispatch for each of their steps, and a
    /// copy for each page to its place among `targets`, if it has one. Never waits. The commands may be submitted when the host
    /// likes, but in the order in which they were recorded, or never. Only texels that are made already do without a
    /// `workspace`.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if a page cannot be copied to its target, `workspace` is too small for them, or the upload has
    /// not [embarked](PageUpload::embark);
    /// [`DeviceError::Failed`] if the device reports an error or is lost. The encoder may hold a part of the commands then.
    pub fn record_pages(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        upload: PageUpload,
        workspace: Option<&Workspace>,
        targets: &[Option<TextureTarget<'_>>],
    ) -> Result<PageStatistics, DeviceError> {
        let means = workspace.map(|workspace| (self.pipelines(), workspace));
        upload.record(self.context(), encoder, means, targets)
    }
}

impl PageUpload {
    /// [`GpuExecutor::record_pages`] for texels that are made already.
    pub(crate) fn record_texels(
        self,
        context: &Context,
        encoder: &mut wgpu::CommandEncoder,
        targets: &[Option<TextureTarget<'_>>],
    ) -> Result<PageStatistics, DeviceError> {
        self.record(context, encoder, None, targets)
    }

    fn record(
        self,
        context: &Context,
        encoder: &mut wgpu::CommandEncoder,
        means: Option<(&Pipelines, &Workspace)>,
        targets: &[Option<TextureTarget<'_>>],
    ) -> Result<PageStatistics, DeviceError> {
        let refused = |reason| DeviceError::Refused { reason };
        if self.len() != targets.len() {
            return Err(refused(format!("{} pages for {} targets", self.len(), targets.len())));
        }
        let Self { carrier, bytes, format, work } = self;
        let mut statistics = PageStatistics { uploaded_bytes: bytes, ..PageStatistics::default() };
        context.guarded("recording pages", || {
            let uploaded = match carrier {
                Carrier::Mapped(buffer) => buffer.record(encoder),
                Carrier::Host(_) => None,
            };
            let uploaded = uploaded.ok_or_else(|| refused("the upload is not in a buffer yet".to_owned()))?;
            let (texels, places) = match &work {
                Work::Cells(group, tables) => {
                    let means = means.ok_or_else(|| refused("pages are made in a workspace".to_owned()));
                    let (pipelines, workspace) = means?;
                    let buffers = workspace.buffers(bytes, group.arena, group.texels)?;
                    encoder.copy_buffer_to_buffer(&uploaded, 0, &buffers.upload, 0, bytes);
                    group.record(context, pipelines, encoder, buffers, *tables)?;
                    statistics.copies += 1;
                    statistics.dispatches += group.dispatches();
                    (&buffers.texels, group.cells.iter().map(TexelPlace::of).collect())
                }
                Work::Texels(places) => (&uploaded, places.clone()),
            };
            for (place, target) in places.iter().zip(targets) {
                let Some(target) = target.filter(|_| place.size.area() > 0) else { continue };
                target.check(format, place.size)?;
                target.copy(encoder, texels, place.offset, place.row_bytes, place.size);
                statistics.copies += 1;
                statistics.pages += 1;
                statistics.texels += place.size.area();
            }
            Ok(())
        })?;
        Ok(statistics)
    }
}

impl TexelPlace {
    const fn of(cell: &GroupCell) -> Self {
        Self { offset: cell.texels, row_bytes: cell.row_bytes, size: cell.size }
    }
}

impl<'a> CellWords<'a> {
    fn of_page(page: &PageSource<'a>) -> Result<Self, DeviceError> {
        match &page.plan.cells[..] {
            [cell] => Ok(Self { plan: page.plan, cell, coefficients: page.coefficients }),
            cells => Err(DeviceError::Refused { reason: format!("a page of {} cells", cells.len()) }),
        }
    }
}

/// How many of the cells, from the first on, are about within the bounds.
fn fitting(cells: &[CellWords<'_>], bounds: PageBounds, alignment: u64, format: TexelFormat) -> usize {
    let mut sum = PageBounds { arena: 0, upload: 0, texels: 0 };
    let mut palette: &[u32] = &[];
    for (count, CellWords { plan, cell, .. }) in cells.iter().enumerate() {
        sum.arena = sum.arena.next_multiple_of(256) + 4 * u64::from(cell.arena_words);
        sum.texels += format.padded_row_bytes(cell.pack.width) * u64::from(cell.pack.height);
        sum.upload =
            sum.upload.saturating_add(cell.upload_words.saturating_mul(4).saturating_add(job_bytes(cell)));
        if palette != &plan.tables[..] {
            palette = &plan.tables;
            sum.upload += size_of_val(palette) as u64;
        }
        // Each step starts three tables.
        let steps = (cell.levels.len() as u64 + 3) * 3 * alignment;
        let upload = sum.upload.saturating_add(steps);
        if sum.arena > bounds.arena || sum.texels > bounds.texels || upload > bounds.upload {
            return count;
        }
    }
    cells.len()
}

/// Bytes of a cell's jobs; each has a word beside it.
fn job_bytes(cell: &Cell) -> u64 {
    fn bytes<J: Job>(jobs: &[J]) -> u64 {
        (size_of_val(jobs) + 4 * jobs.len()) as u64
    }
    let levels: u64 = cell.levels.iter().map(|jobs| bytes(jobs)).sum();
    bytes(&cell.dequantise) + levels + bytes(&cell.transform) + bytes(&[cell.pack])
}
