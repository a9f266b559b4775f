//! Copies of finished cells back to the host's memory, a few in flight.

use super::buffers::Pool;
use super::context::Context;
use crate::error::DeviceError;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

const DOING: &str = "reading back";

/// Cells being read back: the GPU works on the next while the host takes the last.
#[derive(Debug, Default)]
pub(super) struct Readback {
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    cell: usize,
    bytes: u64,
    buffer: wgpu::Buffer,
    mapped: Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>,
    submission: Option<wgpu::SubmissionIndex>,
}

impl Readback {
    /// Cells in flight, at most.
    const DEPTH: usize = 2;

    /// No more cells can be started: one must be taken first.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= Self::DEPTH
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// A buffer that the cell's commands copy `bytes` bytes into.
    pub(super) fn start(
        &mut self,
        context: &Context,
        pool: &mut Pool,
        cell: usize,
        bytes: u64,
    ) -> Result<wgpu::Buffer, DeviceError> {
        let limit = context.device().limits().max_buffer_size;
        if bytes > limit {
            return Err(DeviceError::Refused {
                reason: format!("a cell gives {bytes} bytes, but buffers are at most {limit}"),
            });
        }
        let buffer = match pool.readback.iter().position(|buffer| buffer.size() >= bytes) {
            Some(position) => pool.readback.swap_remove(position),
            None => {
                // Those that are there are too small for this picture.
                pool.readback.clear();
                context.device().create_buffer(&wgpu::BufferDescriptor {
                    label: Some("read-back"),
                    size: bytes.max(4).next_power_of_two().min(limit / 4 * 4),
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            }
        };
        let pending =
            Pending { cell, bytes, buffer: buffer.clone(), mapped: Arc::default(), submission: None };
        self.pending.push_back(pending);
        Ok(buffer)
    }

    /// The commands of the cell started last are submitted. Without one started since, does nothing.
    pub(super) fn submitted(&mut self, submission: &wgpu::SubmissionIndex) {
        if let Some(pending) = self.pending.back_mut().filter(|pending| pending.submission.is_none()) {
            let mapped = Arc::clone(&pending.mapped);
            // Called once; the result of setting it cannot matter.
            pending.buffer.slice(..pending.bytes).map_async(wgpu::MapMode::Read, move |result| {
                drop(mapped.set(result));
            });
            pending.submission = Some(submission.clone());
        }
    }

    /// Waits for the oldest cell and hands its bytes to `take`.
    pub(super) fn take(
        &mut self,
        context: &Context,
        pool: &mut Pool,
        take: impl FnOnce(usize, &[u8]),
    ) -> Result<(), DeviceError> {
        let Some(pending) = self.pending.pop_front() else { return Ok(()) };
        let failed = |reason: String| DeviceError::Failed { doing: DOING, reason };
        wait(context, pending.submission)?;
        match pending.mapped.get() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(failed(error.to_string())),
            None => return Err(failed("the device did not map the buffer".to_owned())),
        }
        let view = pending
            .buffer
            .slice(..pending.bytes)
            .get_mapped_range()
            .map_err(|error| failed(error.to_string()))?;
        take(pending.cell, &view);
        drop(view);
        pending.buffer.unmap();
        if pool.readback.len() < Self::DEPTH {
            pool.readback.push(pending.buffer);
        }
        Ok(())
    }
}

/// Waits until a submission is done (in browsers: not at all).
pub(super) fn wait(
    context: &Context,
    submission_index: Option<wgpu::SubmissionIndex>,
) -> Result<(), DeviceError> {
    context
        .device()
        .poll(wgpu::PollType::Wait { submission_index, timeout: None })
        .map(|_| ())
        .map_err(|error| DeviceError::Failed { doing: DOING, reason: error.to_string() })
}
