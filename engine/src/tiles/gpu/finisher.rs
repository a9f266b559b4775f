//! Pages on their way to the device: whatever takes long is done on the workshop's thread.

use crate::cpu::CpuExecutor;
use crate::error::DeviceError;
use crate::executor::Coefficients;
use crate::geometry::Size;
use crate::gpu::pages::{Filled, PageBounds, PageSource, PageTexels, PageUpload};
use crate::gpu::ring::UploadRing;
use crate::gpu::{Context, TexelFormat};
use crate::runner::ParallelRunner;
use crate::tiles::finish::{self, Finisher, Made, SlotRect};
use crate::tiles::making::PreparedPage;
use std::sync::Arc;

/// Uploads of pages, in order, and how many each carries.
#[derive(Debug)]
pub(crate) struct PageBatch(pub(crate) Vec<(PageUpload, usize)>);

/// Fills upload buffers.
pub(crate) struct DeviceFinisher {
    pub(crate) context: Context,
    pub(crate) ring: UploadRing,
    pub(crate) bounds: PageBounds,
    pub(crate) format: TexelFormat,
    /// Texels are made on the device.
    pub(crate) computes: bool,
    pub(crate) executor: CpuExecutor,
    pub(crate) runner: Arc<dyn ParallelRunner>,
}

impl Finisher for DeviceFinisher {
    fn finish(&self, pages: Vec<(SlotRect, PreparedPage)>) -> Result<Made, DeviceError> {
        let uploads = if self.computes { self.cells(&pages)? } else { self.texels(&pages)? };
        Ok(Made::Upload(PageBatch(uploads)))
    }
}

impl DeviceFinisher {
    fn cells(&self, pages: &[(SlotRect, PreparedPage)]) -> Result<Vec<(PageUpload, usize)>, DeviceError> {
        let sources: Vec<PageSource<'_>> = pages
            .iter()
            .map(|(_, page)| PageSource {
                plan: &page.plan,
                coefficients: Coefficients::Blocks(&page.coefficients),
            })
            .collect();
        let mut uploads = Vec::new();
        let mut done = 0;
        while done < pages.len() {
            let rest = &sources[done..];
            match PageUpload::of_cells(&self.ring, &self.context, self.bounds, rest, self.format)? {
                Filled::Ready(upload, count) => {
                    uploads.push((upload, count));
                    done += count;
                }
                Filled::TooLarge => {
                    uploads.append(&mut self.texels(&pages[done..=done])?);
                    done += 1;
                }
            }
        }
        Ok(uploads)
    }

    fn texels(&self, pages: &[(SlotRect, PreparedPage)]) -> Result<Vec<(PageUpload, usize)>, DeviceError> {
        let made = finish::texels(&self.executor, &*self.runner, self.format, pages);
        let size = |(place, _): &(SlotRect, PreparedPage)| Size::new(place.width, place.height);
        let texels: Vec<_> =
            pages.iter().zip(&made).map(|(page, bytes)| PageTexels { size: size(page), bytes }).collect();
        uploads_of(&self.ring, &texels, self.format)
    }
}

/// Uploads of texels that are made.
pub(crate) fn uploads_of(
    ring: &UploadRing,
    pages: &[PageTexels<'_>],
    format: TexelFormat,
) -> Result<Vec<(PageUpload, usize)>, DeviceError> {
    let mut uploads = Vec::new();
    let mut done = 0;
    while done < pages.len() {
        match PageUpload::of_texels(ring, &pages[done..], format)? {
            Filled::Ready(upload, count) => {
                uploads.push((upload, count));
                done += count;
            }
            Filled::TooLarge => {
                let reason = format!("a page of {:?} is larger than an upload", pages[done].size);
                return Err(DeviceError::Refused { reason });
            }
        }
    }
    Ok(uploads)
}
