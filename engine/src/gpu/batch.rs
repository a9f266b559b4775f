//! The cells that one submission runs: their uploads, and the commands of their steps.

use super::buffers::{Buffers, JobTables, Pool, Tables};
use super::context::Context;
use super::fuse;
use super::pipelines::Pipelines;
use super::sink::Sink;
use crate::error::DeviceError;
use crate::executor::{Coefficients, Statistics};
use crate::plan::{Cell, Plan, TexelFormat};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use wavetile_shaders::dispatch::{self, Job};
use wavetile_shaders::pack::PackParameters;
use wgpu::WriteOnly;

/// As many cells of a plan, in order, as fit the buffers of one submission; at least one.
pub(super) struct Batch<'a> {
    context: &'a Context,
    plan: &'a Plan,
    words: Coefficients<'a>,
    cells: Vec<BatchCell<'a>>,
    tables: Tables,
    /// Where the plan's own tables lie, which all cells pack with.
    palette: Option<Range<u64>>,
    /// Bytes of the coefficients of all cells.
    coefficients: u64,
    /// Bytes that are read back.
    pub(super) readback: u64,
    /// Bytes of the largest arena.
    arena: u64,
    /// Bytes of the texels of the largest cell.
    texels: u64,
}

/// One cell of a batch.
struct BatchCell<'a> {
    index: usize,
    cell: &'a Cell,
    steps: Vec<Step<'a>>,
    /// Its coefficients in the upload.
    coefficients: Range<u64>,
    /// Its results in the read-back.
    readback: Range<u64>,
}

/// One dispatch.
struct Step<'a> {
    pipeline: &'a wgpu::ComputePipeline,
    workgroups: u32,
    bindings: Vec<Binding>,
}

#[derive(Clone)]
enum Binding {
    /// Counted from the first table.
    Table(Range<u64>),
    Coefficients,
    Arena,
    Texels,
}

impl<'a> Batch<'a> {
    /// Takes cells from number `first` on.
    pub(super) fn new(
        context: &'a Context,
        pipelines: &'a Pipelines,
        plan: &'a Plan,
        words: Coefficients<'a>,
        first: usize,
        sink: &dyn Sink,
    ) -> Result<Self, DeviceError> {
        let limits = context.device().limits();
        let alignment =
            limits.min_uniform_buffer_offset_alignment.max(limits.min_storage_buffer_offset_alignment).into();
        let tables = Tables::new(alignment);
        let (coefficients, readback, arena, texels) = (0, 0, 0, 0);
        let cells = Vec::new();
        let mut batch = Self {
            context,
            plan,
            words,
            cells,
            tables,
            palette: None,
            coefficients,
            readback,
            arena,
            texels,
        };
        let most = context.buffer_bytes();
        for (index, cell) in plan.cells.iter().enumerate().skip(first) {
            let tables_before = batch.tables.bytes.len();
            let (steps, texels) = batch.steps(pipelines, cell, sink.format())?;
            let coefficients = batch.coefficients..batch.coefficients.saturating_add(cell.upload_words * 4);
            let readback = batch.readback..batch.readback + sink.readback_bytes(cell)?;
            let upload = (coefficients.end + alignment).saturating_add(batch.tables.bytes.len() as u64);
            if !batch.cells.is_empty() && (upload > most || readback.end > most) {
                batch.tables.bytes.truncate(tables_before);
                break;
            }
            batch.coefficients = coefficients.end.next_multiple_of(alignment);
            batch.readback = readback.end;
            batch.arena = batch.arena.max(u64::from(cell.arena_words) * 4);
            batch.texels = batch.texels.max(texels);
            batch.cells.push(BatchCell { index, cell, steps, coefficients, readback });
        }
        Ok(batch)
    }

    /// The cell's dispatches in order, and the bytes of its packed texels.
    fn steps(
        &mut self,
        pipelines: &'a Pipelines,
        cell: &Cell,
        format: Option<TexelFormat>,
    ) -> Result<(Vec<Step<'a>>, u64), DeviceError> {
        let tables = &mut self.tables;
        let mut steps = Vec::new();
        add_jobs(&mut steps, tables, &pipelines.dequantise, &cell.dequantise, &[Binding::Coefficients])?;
        for level in &cell.levels {
            add_jobs(&mut steps, tables, pipelines.idwt(level), level, &[])?;
        }
        let finishes = format.and_then(|_| fuse::finishes(cell));
        if finishes.is_none() {
            add_jobs(&mut steps, tables, &pipelines.component_transform, &cell.transform, &[])?;
        }
        let Some(format) = format else { return Ok((steps, 0)) };

        let size = cell.rect.size();
        if (cell.pack.width, cell.pack.height) != (size.width, size.height) {
            return Err(DeviceError::Refused {
                reason: format!("the plan packs {:?} for a cell of {size:?}", cell.pack),
            });
        }
        let row_bytes = format.padded_row_bytes(size.width);
        let too_wide = |_| DeviceError::Refused { reason: format!("a cell of {} columns", size.width) };
        let row = u32::try_from(row_bytes / 4).map_err(too_wide)?;
        let finishes = finishes.unwrap_or(cell.pack.finishes);
        let parameters = PackParameters { row, format: format.pack_format(), finishes, ..cell.pack };
        let workgroups = u32::try_from(dispatch::pack_workgroups(&parameters)).map_err(too_wide)?;
        if workgroups > 0 {
            let pipeline = pipelines.pack(&parameters);
            let parameters = Binding::Table(tables.push(&[parameters]));
            let words: &[u32] = if self.plan.tables.is_empty() { &[0] } else { &self.plan.tables };
            let palette = self.palette.get_or_insert_with(|| tables.push(words));
            let palette = Binding::Table(palette.clone());
            steps.push(Step {
                pipeline,
                workgroups,
                bindings: vec![parameters, palette, Binding::Arena, Binding::Texels],
            });
        }
        Ok((steps, row_bytes * u64::from(size.height)))
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Number and part of the read-back of each cell.
    pub(super) fn parts(&self) -> Vec<(usize, Range<u64>)> {
        self.cells.iter().map(|cell| (cell.index, cell.readback.clone())).collect()
    }

    /// Uploads coefficients and tables, and records all steps. `readback` holds [`Self::readback`] bytes.
    pub(super) fn record(
        &self,
        pool: &Mutex<Pool>,
        encoder: &mut wgpu::CommandEncoder,
        sink: &dyn Sink,
        readback: Option<&wgpu::Buffer>,
    ) -> Result<Statistics, DeviceError> {
        let upload = self.coefficients + self.tables.bytes.len() as u64;
        let mut chosen = pool.lock().unwrap_or_else(PoisonError::into_inner);
        let buffers = chosen.buffers(self.context, self.arena, upload, self.texels)?;
        drop(chosen);
        if let Some(size) = wgpu::BufferSize::new(upload) {
            self.upload(encoder, &buffers.upload, size)?;
        }
        let mut statistics =
            Statistics { cells: self.cells.len() as u64, uploaded_bytes: upload, ..Default::default() };
        for prepared in &self.cells {
            for words in &prepared.cell.clear {
                let bytes = u64::from(words.start) * 4..u64::from(words.end) * 4;
                encoder.clear_buffer(&buffers.arena, bytes.start, Some(bytes.end - bytes.start));
            }
            self.passes(encoder, prepared, &buffers)?;
            statistics.dispatches += prepared.steps.len() as u64;
            let place = readback.map(|buffer| (buffer, prepared.readback.start));
            sink.record(encoder, &buffers, prepared.cell, place)?;
        }
        Ok(statistics)
    }

    /// By a command: what other threads upload into the same buffer does not come between, and commands can be submitted
    /// whenever the host likes.
    fn upload(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        to: &wgpu::Buffer,
        size: wgpu::BufferSize,
    ) -> Result<(), DeviceError> {
        let from = self.context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("upload"),
            size: size.get(),
            usage: wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        let mut view = from.get_mapped_range_mut(..).map_err(|error| failed(&error.to_string()))?;
        self.fill(view.slice(..))?;
        drop(view);
        from.unmap();
        encoder.copy_buffer_to_buffer(&from, 0, to, 0, size.get());
        Ok(())
    }

    /// Fills the upload: each block's coefficients from where they were decoded to where their cell reads them.
    fn fill(&self, mut upload: WriteOnly<'_, [u8]>) -> Result<(), DeviceError> {
        let mut at = 0;
        for prepared in &self.cells {
            let Range { start, end } = prepared.coefficients;
            let (start, end) = (start as usize, end as usize);
            upload.slice(at..start).fill(0);
            at = start;
            for &block in &prepared.cell.blocks {
                let words = self
                    .words
                    .words(self.plan, block)
                    .ok_or_else(|| failed("a block of the cell is not among the coefficients"))?;
                let bytes: &[u8] = bytemuck::cast_slice(words);
                if bytes.len() > end - at {
                    return Err(failed("the cell's blocks hold more words than it says"));
                }
                upload.slice(at..at + bytes.len()).copy_from_slice(bytes);
                at += bytes.len();
            }
        }
        let tables = self.coefficients as usize;
        upload.slice(at..tables).fill(0);
        upload.slice(tables..).copy_from_slice(&self.tables.bytes);
        Ok(())
    }

    fn passes(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        prepared: &BatchCell<'_>,
        buffers: &Buffers,
    ) -> Result<(), DeviceError> {
        let device = self.context.device();
        let most = device.limits().max_compute_workgroups_per_dimension;
        let descriptor = wgpu::ComputePassDescriptor { label: Some("wavetile cell"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for step in &prepared.steps {
            let entries: Vec<_> = (0..)
                .zip(&step.bindings)
                .map(|(binding, what)| wgpu::BindGroupEntry {
                    binding,
                    resource: self.resource(what, prepared, buffers),
                })
                .collect();
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &step.pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let (x, y) = dispatch::grid(step.workgroups, most).ok_or_else(|| DeviceError::Refused {
                reason: format!("one step takes {} workgroups", step.workgroups),
            })?;
            pass.set_pipeline(step.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(x, y, 1);
        }
        Ok(())
    }

    fn resource<'b>(
        &self,
        binding: &Binding,
        prepared: &BatchCell<'_>,
        buffers: &'b Buffers,
    ) -> wgpu::BindingResource<'b> {
        let uploaded = |range: Range<u64>| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &buffers.upload,
                offset: range.start,
                size: wgpu::BufferSize::new(range.end - range.start),
            })
        };
        match binding {
            Binding::Table(range) => uploaded(self.coefficients + range.start..self.coefficients + range.end),
            Binding::Coefficients => uploaded(prepared.coefficients.clone()),
            Binding::Arena => buffers.arena.as_entire_binding(),
            Binding::Texels => buffers.texels.as_entire_binding(),
        }
    }
}

fn failed(reason: &str) -> DeviceError {
    DeviceError::Failed { doing: "uploading", reason: reason.to_owned() }
}

/// One dispatch for all `jobs`, unless they have nothing to do. `inputs` are bound after the tables.
fn add_jobs<'a, J: Job>(
    steps: &mut Vec<Step<'a>>,
    tables: &mut Tables,
    pipeline: &'a wgpu::ComputePipeline,
    jobs: &[J],
    inputs: &[Binding],
) -> Result<(), DeviceError> {
    if let Some(JobTables { dispatch, jobs, starts, workgroups }) = tables.push_jobs(jobs)? {
        let mut bindings = vec![Binding::Table(dispatch), Binding::Table(jobs), Binding::Table(starts)];
        bindings.extend(inputs.iter().cloned());
        bindings.push(Binding::Arena);
        steps.push(Step { pipeline, workgroups, bindings });
    }
    Ok(())
}
