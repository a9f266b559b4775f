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
pub(crate) trait Finisher: Shared {
    /// Of each page its place in its slot, which its plan's window with the repeated edge fills.
    ///
    /// # Errors
    /// The device has no memory, or is lost.
    fn finish(&self, pages: Vec<(SlotRect, PreparedPage)>) -> Result<Made, DeviceError>;
}

/// What the host's thread and the workshop's may both hold. In browsers devices stay where they are, and so does the workshop.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) trait Shared: Send + Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + Sync> Shared for T {}
#[cfg(target_arch = "wasm32")]
pub(crate) trait Shared {}
#[cfg(target_arch = "wasm32")]
impl<T> Shared for T {}

/// Makes texels in host memory.
pub(crate) struct HostFinisher {
    pub(crate) executor: CpuExecutor,
    pub(crate) runner: Arc<dyn ParallelRunner>,
    pub(crate) format: TexelFormat,
}

impl Finisher for HostFinisher {
    fn finish(&self, pages: Vec<(SlotRect, PreparedPage)>) -> Result<Made, DeviceError> {
        Ok(Made::Texels(texels(&self.executor, &*self.runner, self.format, &pages)))
    }
}

/// The texels of pages, each on a worker of the runner.
pub(crate) fn texels(
    executor: &CpuExecutor,
    runner: &dyn ParallelRunner,
    format: TexelFormat,
    pages: &[(SlotRect, PreparedPage)],
) -> Vec<Vec<u8>> {
    let made: Vec<Mutex<Vec<u8>>> = pages.iter().map(|_| Mutex::default()).collect();
    runner.run(pages.len(), &|index| {
        let page = &pages[index].1;
        let texels = executor.page(&page.plan, Coefficients::Blocks(&page.coefficients), format);
        *made[index].lock().unwrap_or_else(PoisonError::into_inner) = texels;
    });
    made.into_iter().map(|texels| texels.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}
