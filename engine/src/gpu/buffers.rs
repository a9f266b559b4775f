//! Device memory: buffers that grow and are used again, and the tables of jobs.

use super::context::Context;
use super::device_bytes::{DeviceBytes, Reservation};
use super::pages::PageBounds;
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

const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);
const OUTPUT: wgpu::BufferUsages = STORAGE.union(wgpu::BufferUsages::COPY_SRC);
const UPLOAD: wgpu::BufferUsages = STORAGE.union(wgpu::BufferUsages::UNIFORM);

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
        Self {
            arena: Growing::new("samples", OUTPUT),
            upload: Growing::new("coefficients and job tables", UPLOAD),
            texels: Growing::new("texels", OUTPUT),
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

/// Buffers of a fixed size that pages are made in, one upload after the other.
#[derive(Debug)]
pub struct Workspace {
    buffers: Buffers,
    _bytes: Reservation,
}

impl Workspace {
    /// Bytes of device memory that it takes.
    pub const fn bytes(bounds: PageBounds) -> u64 {
        bounds.arena.saturating_add(bounds.upload).saturating_add(bounds.texels)
    }

    /// `None` if `count` has not as many bytes left.
    ///
    /// # Errors
    /// [`DeviceError`] if the device gives no such buffers.
    pub fn new(
        context: &Context,
        bounds: PageBounds,
        count: &DeviceBytes,
    ) -> Result<Option<Self>, DeviceError> {
        let Some(bytes) = count.reserve(Self::bytes(bounds)) else { return Ok(None) };
        context.guarded("making buffers for pages", || {
            let make = |what, size, usage| {
                let descriptor =
                    wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false };
                context.device().create_buffer(&descriptor)
            };
            let buffers = Buffers {
                arena: make("samples of pages", bounds.arena, OUTPUT),
                upload: make("coefficients of pages", bounds.upload, UPLOAD),
                texels: make("texels of pages", bounds.texels, OUTPUT),
            };
            Ok(Some(Self { buffers, _bytes: bytes }))
        })
    }

    /// The buffers, if they hold so many bytes.
    pub(super) fn buffers(&self, upload: u64, arena: u64, texels: u64) -> Result<&Buffers, DeviceError> {
        let Buffers { arena: a, upload: u, texels: t } = &self.buffers;
        if upload > u.size() || arena > a.size() || texels > t.size() {
            let reason = format!("pages of {arena} bytes of samples, {texels} of texels, {upload} uploaded");
            return Err(DeviceError::Refused { reason });
        }
        Ok(&self.buffers)
    }
}

/// Job lists and parameters, laid out in one buffer.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) bytes: Vec<u8>,
    alignment: u64,
    /// What [`Self::push_again`] pushed last.
    again: Option<Range<u64>>,
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
        Self { bytes: Vec::new(), alignment, again: None }
    }

    /// Appends values where a binding may start.
    pub(super) fn push<T: Pod>(&mut self, values: &[T]) -> Range<u64> {
        self.bytes.resize(self.bytes.len().next_multiple_of(self.alignment as usize), 0);
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytemuck::cast_slice(values));
        start..self.bytes.len() as u64
    }

    /// Where the tables end so far.
    pub(super) fn mark(&self) -> (usize, Option<Range<u64>>) {
        (self.bytes.len(), self.again.clone())
    }

    /// Forgets what was pushed after a mark.
    pub(super) fn reset(&mut self, (length, again): (usize, Option<Range<u64>>)) {
        self.bytes.truncate(length);
        self.again = again;
    }

    /// [`Self::push`], unless these values were pushed so last.
    pub(super) fn push_again(&mut self, values: &[u32]) -> Range<u64> {
        let held = self.again.clone().filter(|range| {
            self.bytes.get(range.start as usize..range.end as usize) == Some(bytemuck::cast_slice(values))
        });
        let range = held.unwrap_or_else(|| self.push(values));
        self.again = Some(range.clone());
        range
    }

    /// Appends what one dispatch of `jobs` needs; `None` if they have nothing to do.
    pub(super) fn push_jobs<J: Job>(
        &mut self,
        jobs: impl Iterator<Item = J> + Clone,
    ) -> Result<Option<JobTables>, DeviceError> {
        let mut starts = Starts::default();
        let firsts: Vec<u32> = jobs.clone().map(|job| starts.next(&job)).collect::<Result<_, _>>()?;
        let Some(dispatch) = starts.dispatch() else { return Ok(None) };
        Ok(Some(JobTables {
            dispatch: self.push(&[dispatch]),
            jobs: self.push_each(jobs),
            starts: self.push(&firsts),
            workgroups: dispatch.workgroup_count,
        }))
    }

    fn push_each<T: Pod>(&mut self, values: impl Iterator<Item = T>) -> Range<u64> {
        let start = self.push::<T>(&[]).start;
        for value in values {
            self.bytes.extend_from_slice(bytemuck::bytes_of(&value));
        }
        start..self.bytes.len() as u64
    }
}

/// Shares the workgroups of a dispatch among its jobs.
#[derive(Debug, Default)]
pub(super) struct Starts {
    jobs: u32,
    workgroups: u32,
}

impl Starts {
    /// The first workgroup of the next job.
    pub(super) fn next(&mut self, job: &impl Job) -> Result<u32, DeviceError> {
        let start = self.workgroups;
        let more = u32::try_from(job.workgroups()).ok();
        let sum = more.and_then(|more| start.checked_add(more)).zip(self.jobs.checked_add(1));
        let refused =
            || DeviceError::Refused { reason: "one step takes more than 2^32 workgroups".to_owned() };
        (self.workgroups, self.jobs) = sum.ok_or_else(refused)?;
        Ok(start)
    }

    /// Of all jobs so far; `None` if they have nothing to do.
    pub(super) fn dispatch(&self) -> Option<Dispatch> {
        let Self { jobs: job_count, workgroups: workgroup_count } = *self;
        (workgroup_count > 0).then(|| Dispatch { job_count, workgroup_count, ..Dispatch::default() })
    }
}
