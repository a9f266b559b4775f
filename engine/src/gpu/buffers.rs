//! Device memory: buffers that grow and are used again, and the tables of one cell.

use super::context::Context;
use crate::error::DeviceError;
use bytemuck::Pod;
use std::ops::Range;
use wavetile_shaders::dispatch::{Dispatch, Job};

/// A buffer that is made anew when more is needed than it holds.
#[derive(Debug)]
pub(super) struct Growing {
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
        let limits = context.device().limits();
        let limit = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        // Whole words, and no binding may be empty.
        let bytes = bytes.max(4).next_multiple_of(4);
        if bytes > limit {
            return Err(DeviceError::Refused {
                reason: format!(
                    "the {} of a cell take {bytes} bytes, but the device binds at most {limit}",
                    self.what
                ),
            });
        }
        match &self.buffer {
            Some(buffer) if buffer.size() >= bytes => Ok(buffer.clone()),
            _ => {
                let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
                    label: Some(self.what),
                    size: bytes.next_power_of_two().min(limit / 4 * 4),
                    usage: self.usage,
                    mapped_at_creation: false,
                });
                self.buffer = Some(buffer.clone());
                Ok(buffer)
            }
        }
    }
}

/// All buffers that cells use one after another.
#[derive(Debug)]
pub(super) struct Pool {
    arena: Growing,
    coefficients: Growing,
    tables: Growing,
    texels: Growing,
    /// For mapping; those not in use.
    pub(super) readback: Vec<wgpu::Buffer>,
}

/// The buffers of one cell.
#[derive(Debug)]
pub(super) struct CellBuffers {
    pub(super) arena: wgpu::Buffer,
    pub(super) coefficients: wgpu::Buffer,
    pub(super) tables: wgpu::Buffer,
    pub(super) texels: wgpu::Buffer,
}

impl Pool {
    pub(super) const fn new() -> Self {
        let storage = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);
        let output = storage.union(wgpu::BufferUsages::COPY_SRC);
        Self {
            arena: Growing::new("samples", output),
            coefficients: Growing::new("coefficients", storage),
            tables: Growing::new("job tables", storage.union(wgpu::BufferUsages::UNIFORM)),
            texels: Growing::new("texels", output),
            readback: Vec::new(),
        }
    }

    /// Buffers of at least these sizes in bytes.
    pub(super) fn cell(
        &mut self,
        context: &Context,
        arena: u64,
        coefficients: u64,
        tables: u64,
        texels: u64,
    ) -> Result<CellBuffers, DeviceError> {
        Ok(CellBuffers {
            arena: self.arena.at_least(context, arena)?,
            coefficients: self.coefficients.at_least(context, coefficients)?,
            tables: self.tables.at_least(context, tables)?,
            texels: self.texels.at_least(context, texels)?,
        })
    }
}

/// Job lists and parameters of one cell, laid out in one buffer.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) bytes: Vec<u8>,
    alignment: usize,
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
    pub(super) fn new(limits: &wgpu::Limits) -> Self {
        let alignment =
            limits.min_uniform_buffer_offset_alignment.max(limits.min_storage_buffer_offset_alignment);
        Self { bytes: Vec::new(), alignment: alignment as usize }
    }

    /// Appends values where a binding may start.
    pub(super) fn push<T: Pod>(&mut self, values: &[T]) -> Range<u64> {
        self.bytes.resize(self.bytes.len().next_multiple_of(self.alignment), 0);
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
