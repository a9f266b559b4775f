//! Device memory: buffers that grow and are used again, and the tables of jobs.

use super::context::Context;
use crate::error::DeviceError;
use bytemuck::Pod;
use std::ops::Range;
use wavetile_shaders::dispatch::{Dispatch, Job};

/// A buffer that is made anew when more is needed than it holds.
#[derive(Debug)]
struct Growing {
    what: &'static str,
    usage: wgpu::BufferUsages,
    buffer: Option<wgpu::Buffer>,
}

impl Growing {
    const fn new(what: &'static str, usage: wgpu::BufferUsages) -> Self {
        Self { what, usage, buffer: None }
    }

    /// At least `bytes` bytes; the contents are lost when it grows.
    fn at_least(&mut self, context: &Context, bytes: u64) -> Result<wgpu::Buffer, DeviceError> {
        let size = checked_size(context, self.what, bytes)?;
        match &self.buffer {
            Some(buffer) if buffer.size() >= bytes => Ok(buffer.clone()),
            _ => {
                let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
                    label: Some(self.what),
                    size,
                    usage: self.usage,
                    mapped_at_creation: false,
                });
                self.buffer = Some(buffer.clone());
                Ok(buffer)
            }
        }
    }
}

/// The size of a buffer for `bytes` bytes: somewhat more, so that the next picture fits, too.
fn checked_size(context: &Context, what: &str, bytes: u64) -> Result<u64, DeviceError> {
    let limit = context.buffer_bytes();
    // Whole words, and no binding may be empty.
    let bytes = bytes.max(4).next_multiple_of(4);
    if bytes > limit {
        return Err(DeviceError::Refused {
            reason: format!(
                "the {what} of a cell take {bytes} bytes, but buffers here are at most {limit}; decode a \
                 smaller window, or raise the limit (Context::with_buffer_bytes) if the device allows"
            ),
        });
    }
    let step = (bytes.next_power_of_two() / 8).max(1 << 16);
    Ok(bytes.next_multiple_of(step).min(limit))
}

/// All buffers that submissions use one after another.
#[derive(Debug)]
pub(super) struct Pool {
    arena: Growing,
    upload: Growing,
    texels: Growing,
    /// For mapping; those not in use.
    readback: Vec<wgpu::Buffer>,
}

/// The buffers of one submission; its cells share `arena` and `texels`, one after another.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) arena: wgpu::Buffer,
    /// Coefficients, then tables.
    pub(super) upload: wgpu::Buffer,
    pub(super) texels: wgpu::Buffer,
}

impl Pool {
    /// Idle read-back buffers that are kept.
    const READBACKS: usize = 2;

    pub(super) const fn new() -> Self {
        let storage = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);
        let output = storage.union(wgpu::BufferUsages::COPY_SRC);
        Self {
            arena: Growing::new("samples", output),
            upload: Growing::new("coefficients and job tables", storage.union(wgpu::BufferUsages::UNIFORM)),
            texels: Growing::new("texels", output),
            readback: Vec::new(),
        }
    }

    /// Buffers of at least these sizes in bytes.
    pub(super) fn buffers(
        &mut self,
        context: &Context,
        arena: u64,
        upload: u64,
        texels: u64,
    ) -> Result<Buffers, DeviceError> {
        Ok(Buffers {
            arena: self.arena.at_least(context, arena)?,
            upload: self.upload.at_least(context, upload)?,
            texels: self.texels.at_least(context, texels)?,
        })
    }

    /// A buffer to copy `bytes` bytes into and map.
    pub(super) fn take_readback(
        &mut self,
        context: &Context,
        bytes: u64,
    ) -> Result<wgpu::Buffer, DeviceError> {
        let size = checked_size(context, "results", bytes)?;
        if let Some(position) = self.readback.iter().position(|buffer| buffer.size() >= bytes) {
            return Ok(self.readback.swap_remove(position));
        }
        // Those that are there are too small for this picture.
        self.readback.clear();
        Ok(context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        }))
    }

    /// Keeps an unmapped buffer for later.
    pub(super) fn put_readback(&mut self, buffer: wgpu::Buffer) {
        if self.readback.len() < Self::READBACKS {
            self.readback.push(buffer);
        }
    }
}

/// Job lists and parameters, laid out in one buffer.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) bytes: Vec<u8>,
    alignment: u64,
}

/// Where one dispatch's tables lie.
#[derive(Debug)]
pub(super) struct JobTables {
    pub(super) dispatch: Range<u64>,
    pub(super) jobs: Range<u64>,
    pub(super) starts: Range<u64>,
    pub(super) workgroups: u32,
}

impl Tables {
    pub(super) const fn new(alignment: u64) -> Self {
        Self { bytes: Vec::new(), alignment }
    }

    /// Appends values where a binding may start.
    pub(super) fn push<T: Pod>(&mut self, values: &[T]) -> Range<u64> {
        self.bytes.resize(self.bytes.len().next_multiple_of(self.alignment as usize), 0);
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytemuck::cast_slice(values));
        start..self.bytes.len() as u64
    }

    /// Appends what one dispatch of `jobs` needs; `None` if they have nothing to do.
    pub(super) fn push_jobs<J: Job>(&mut self, jobs: &[J]) -> Result<Option<JobTables>, DeviceError> {
        let mut total = 0_u32;
        let mut starts = Vec::with_capacity(jobs.len());
        for job in jobs {
            starts.push(total);
            total = u32::try_from(job.workgroups())
                .ok()
                .and_then(|workgroups| total.checked_add(workgroups))
                .ok_or_else(|| DeviceError::Refused {
                    reason: "one step of a cell takes more than 2^32 workgroups".to_owned(),
                })?;
        }
        if total == 0 {
            return Ok(None);
        }
        let job_count = u32::try_from(jobs.len())
            .map_err(|_| DeviceError::Refused { reason: "one step has more than 2^32 jobs".to_owned() })?;
        let dispatch = Dispatch { job_count, workgroup_count: total, ..Dispatch::default() };
        Ok(Some(JobTables {
            dispatch: self.push(&[dispatch]),
            jobs: self.push(jobs),
            starts: self.push(&starts),
            workgroups: total,
        }))
    }
}
