//! Copies of finished cells in the host's memory, one buffer for each submission.

use super::buffers::Pool;
use super::context::Context;
use crate::error::DeviceError;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

const DOING: &str = "reading back";

/// The results of a submission, on their way.
#[derive(Debug)]
pub(super) struct Readback {
    buffer: wgpu::Buffer,
    bytes: u64,
    /// Number and bytes of each cell.
    parts: Vec<(usize, Range<u64>)>,
    mapped: Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>,
}

impl Readback {
    /// The commands that copy into `buffer` are submitted.
    pub(super) fn new(buffer: wgpu::Buffer, bytes: u64, parts: Vec<(usize, Range<u64>)>) -> Self {
        let mapped = Arc::<OnceLock<_>>::default();
        let setter = Arc::clone(&mapped);
        // Called once; the result of setting it cannot matter.
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| drop(setter.set(result)));
        Self { buffer, bytes, parts, mapped }
    }

    /// Hands the bytes of each cell to `take`, once the submission is waited for.
    pub(super) fn take(self, pool: &mut Pool, take: &mut dyn FnMut(usize, &[u8])) -> Result<(), DeviceError> {
        let failed = |reason: String| DeviceError::Failed { doing: DOING, reason };
        match self.mapped.get() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(failed(error.to_string())),
            None => return Err(failed("the device did not map the buffer".to_owned())),
        }
        let view = self.buffer.get_mapped_range(..self.bytes).map_err(|error| failed(error.to_string()))?;
        for (cell, Range { start, end }) in self.parts {
            take(cell, &view[start as usize..end as usize]);
        }
        drop(view);
        self.buffer.unmap();
        pool.put_readback(self.buffer);
        Ok(())
    }
}

/// Waits until a submission is done (in browsers: not at all).
pub(super) fn wait(context: &Context, submission_index: wgpu::SubmissionIndex) -> Result<(), DeviceError> {
    context
        .device()
        .poll(wgpu::PollType::Wait { submission_index: Some(submission_index), timeout: None })
        .map(|_| ())
        .map_err(|error| DeviceError::Failed { doing: DOING, reason: error.to_string() })
}
