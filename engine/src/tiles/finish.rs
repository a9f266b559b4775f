//! What becomes of prepared pages: texels, or what a device makes texels of.

use super::making::PreparedPage;
use super::page::PageKey;
use crate::cpu::CpuExecutor;
use crate::error::DeviceError;
use crate::executor::Coefficients;
use crate::plan::TexelFormat;
use crate::runner::ParallelRunner;
use std::sync::{Arc, Mutex, PoisonError};

/// A rectangle of a slot, in texels from its corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotRect {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl SlotRect {
    pub(crate) const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// A page, or a part of one, that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FinishedPage {
    pub(crate) key: PageKey,
    /// The choice of components that it shows.
    pub(crate) edition: u64,
    pub(crate) place: SlotRect,
    /// It is all of the page, not a part that changed.
    pub(crate) whole: bool,
    /// All packets of the page were there.
    pub(crate) complete: bool,
}

/// Pages that are made together.
pub(crate) struct Batch {
    pub(crate) pages: Vec<FinishedPage>,
    pub(crate) made: Made,
}

/// What is made of pages.
pub(crate) enum Made {
    /// For each page its texels, row by row without gaps.
    Texels(Vec<Vec<u8>>),
    /// What a device needs to make them, or to show those that are made.
    #[cfg(feature = "gpu")]
    Upload(super::gpu::PageBatch),
}

/// Does what can be done for pages before a frame: on the workshop's thread.
pub(crate) trait Finisher: Send + Sync {
    /// Of each page its place in its slot, which its plan's window with the repeated edge fills.
    ///
    /// # Errors
    /// The device has no memory, or is lost.
    fn finish(&self, pages: Vec<(SlotRect, PreparedPage)>) -> Result<Made, DeviceError>;
}

/// Makes texels in host memory.
pub(crate) struct HostFinisher {
    pub(crate) executor: CpuExecutor,
    pub(crate) runner: Arc<dyn ParallelRunner>,
    pub(crate) format: TexelFormat,
}

impl Finisher for HostFinisher {
    fn finish(&self, pages: Vec<(SlotRect, PreparedPage)>) -> Result<Made, DeviceError> {
        let texels: Vec<Mutex<Vec<u8>>> = pages.iter().map(|_| Mutex::default()).collect();
        self.runner.run(pages.len(), &|index| {
            let page = &pages[index].1;
            let made = self.executor.page(&page.plan, Coefficients::Blocks(&page.coefficients), self.format);
            *texels[index].lock().unwrap_or_else(PoisonError::into_inner) = made;
        });
        let texels = texels.into_iter().map(|made| made.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(Made::Texels(texels.collect()))
    }
}
