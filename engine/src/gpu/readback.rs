//! Copies of finished cells in the host's memory, one buffer for each submission.

use super::context::Context;
use super::waiting::{self, Outcome};
use crate::error::DeviceError;
use crate::executor::Waiting;
use std::ops::Range;
use std::sync::Arc;

/// The results of a submission, on their way.
#[derive(Debug)]
pub(super) struct Readback {
    buffer: wgpu::Buffer,
    bytes: u64,
    /// Number and bytes of each cell.
    parts: Vec<(usize, Range<u64>)>,
    mapped: Arc<Outcome>,
}

impl Readback {
    /// The commands that copy into `buffer` are submitted.
    pub(super) fn new(buffer: wgpu::Buffer, bytes: u64, parts: Vec<(usize, Range<u64>)>) -> Self {
        let mapped = Arc::<Outcome>::default();
        let settler = Arc::clone(&mapped);
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            settler.settle(result.map_err(|error| error.to_string()));
        });
        Self { buffer, bytes, parts, mapped }
    }

    /// Waits until the results are there.
    pub(super) async fn wait(&self, context: &Context, waiting: Waiting) -> Result<(), DeviceError> {
        waiting::wait(context, &self.mapped, waiting).await
    }

    /// Hands the bytes of each cell to `take`, once they are there; gives the buffer back.
    pub(super) fn take(self, take: &mut dyn FnMut(usize, &[u8])) -> Result<wgpu::Buffer, DeviceError> {
        let view = self.buffer.get_mapped_range(..self.bytes);
        let view =
            view.map_err(|error| DeviceError::Failed { doing: "reading back", reason: error.to_string() })?;
        for (cell, Range { start, end }) in self.parts {
            take(cell, &view[start as usize..end as usize]);
        }
        drop(view);
        self.buffer.unmap();
        Ok(self.buffer)
    }
}
