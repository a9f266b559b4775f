//! Runs the cells of a plan: one upload, one command buffer and one submission each.

use super::buffers::{CellBuffers, JobTables, Pool, Tables};
use super::context::Context;
use super::pipelines::Pipelines;
use super::readback;
use super::sink::{PlaneSink, Sink, TexelSink, TextureSink};
use super::texture::{self, TextureTarget};
use crate::error::DeviceError;
use crate::plan::TexelFormat;
use crate::plan::{Cell, Plan, PlaneWindow};
use std::collections::VecDeque;
use std::ops::{AddAssign, Range};
use std::sync::{Mutex, PoisonError};
use wavetile_shaders::dispatch::{self, Job};
use wavetile_shaders::pack::PackParameters;

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuStatistics {
    /// Compute dispatches.
    pub dispatches: u64,
    /// Queue submissions: one for each cell.
    pub submissions: u64,
    /// Bytes of coefficients and job tables that were uploaded.
    pub uploaded_bytes: u64,
}

impl AddAssign for GpuStatistics {
    fn add_assign(&mut self, other: Self) {
        self.dispatches += other.dispatches;
        self.submissions += other.submissions;
        self.uploaded_bytes += other.uploaded_bytes;
    }
}

/// Runs plans on one device. Costly to make, since it builds all pipelines; then it keeps its
/// buffers from run to run. Runs from several threads take turns.
#[derive(Debug)]
pub struct GpuExecutor {
    context: Context,
    pipelines: Pipelines,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pool: Pool,
    total: GpuStatistics,
}

/// Cells that are submitted and not waited for: bounds the memory of their uploads.
const CELLS_IN_FLIGHT: usize = 3;

impl GpuExecutor {
    /// Builds all pipelines.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if the device refuses one.
    pub fn new(context: &Context) -> Result<Self, DeviceError> {
        Ok(Self {
            context: context.clone(),
            pipelines: Pipelines::new(context)?,
            state: Mutex::new(State { pool: Pool::new(), total: GpuStatistics::default() }),
        })
    }

    /// The device it runs on.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The adapter's name, as its driver gives it.
    #[must_use]
    pub fn adapter_name(&self) -> &str {
        &self.context.adapter_info().name
    }

    /// What all runs so far cost together.
    #[must_use]
    pub fn statistics(&self) -> GpuStatistics {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Gives all buffers back to the device; the next run makes new ones.
    pub fn release_memory(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pool = Pool::new();
    }

    /// Decodes the plan's window to a new texture of [`TexelFormat::texture_format`], with the usages
    /// `TEXTURE_BINDING`, `COPY_SRC` and `COPY_DST`. Returns when all is submitted, not when it is done.
    /// `staging`: the coefficients of the plan's blocks, as [`PlannedBlock::staging`] says.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if the window or a cell exceeds the device's limits;
    /// [`DeviceError::Failed`] if the device reports an error or is lost.
    ///
    /// [`PlannedBlock::staging`]: crate::plan::PlannedBlock::staging
    pub fn decode_to_texture(
        &self,
        plan: &Plan,
        staging: &[u32],
        format: TexelFormat,
    ) -> Result<(wgpu::Texture, GpuStatistics), DeviceError> {
        let texture = texture::create(&self.context, format, plan.window.size())?;
        let target = TextureTarget { texture: &texture, mip_level: 0, origin: wgpu::Origin3d::ZERO };
        let statistics = self.decode_into_texture(plan, staging, format, target)?;
        Ok((texture, statistics))
    }

    /// Decodes the plan's window into the host's texture. Returns when all is submitted.
    ///
    /// # Errors
    /// As [`Self::decode_to_texture`]; also [`DeviceError::Refused`] if the window cannot be copied there.
    pub fn decode_into_texture(
        &self,
        plan: &Plan,
        staging: &[u32],
        format: TexelFormat,
        target: TextureTarget<'_>,
    ) -> Result<GpuStatistics, DeviceError> {
        target.check(format, plan.window.size())?;
        self.run(plan, staging, &mut TextureSink { window: plan.window, format, target })
    }

    /// Decodes the plan's window to texels in host memory: rows without gaps, little-endian.
    ///
    /// # Errors
    /// As [`Self::decode_to_texture`], without a limit on the window's sides.
    pub fn read_texels(
        &self,
        plan: &Plan,
        staging: &[u32],
        format: TexelFormat,
    ) -> Result<(Vec<u8>, GpuStatistics), DeviceError> {
        let mut sink = TexelSink::new(plan, format)?;
        let statistics = self.run(plan, staging, &mut sink)?;
        Ok((sink.into_texels(), statistics))
    }

    /// Decodes the plan's components: `take` gets each plane of each cell, in order, its samples in
    /// rows without gaps.
    ///
    /// # Errors
    /// As [`Self::read_texels`]; `take` may have been called for some cells.
    pub fn read_planes(
        &self,
        plan: &Plan,
        staging: &[u32],
        take: &mut dyn FnMut(&Cell, &PlaneWindow, &[i32]),
    ) -> Result<GpuStatistics, DeviceError> {
        self.run(plan, staging, &mut PlaneSink::new(plan, take))
    }

    fn run(&self, plan: &Plan, staging: &[u32], sink: &mut dyn Sink) -> Result<GpuStatistics, DeviceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statistics = GpuStatistics::default();
        let mut in_flight = VecDeque::new();
        let result = plan.cells.iter().enumerate().try_for_each(|(index, cell)| {
            if in_flight.len() >= CELLS_IN_FLIGHT {
                readback::wait(&self.context, in_flight.pop_front())?;
            }
            let submission = self.context.guarded("running a cell", || {
                let work = Work { executor: self, plan, staging, cell };
                work.submit(index, &mut state.pool, sink, &mut statistics)
            })?;
            in_flight.push_back(submission);
            Ok(())
        });
        let result = result.and_then(|()| {
            self.context.guarded("reading back", || sink.finish(&self.context, &mut state.pool))
        });
        state.total += statistics;
        result.map(|()| statistics)
    }
}

/// One cell and all that it needs.
struct Work<'a> {
    executor: &'a GpuExecutor,
    plan: &'a Plan,
    staging: &'a [u32],
    cell: &'a Cell,
}

/// One dispatch.
struct Step<'a> {
    pipeline: &'a wgpu::ComputePipeline,
    workgroups: u32,
    bindings: Vec<Binding>,
}

#[derive(Clone)]
enum Binding {
    Table(Range<u64>),
    Coefficients,
    Arena,
    Texels,
}

impl Work<'_> {
    fn submit(
        &self,
        index: usize,
        pool: &mut Pool,
        sink: &mut dyn Sink,
        statistics: &mut GpuStatistics,
    ) -> Result<wgpu::SubmissionIndex, DeviceError> {
        let context = &self.executor.context;
        let arena_bytes = u64::from(self.cell.arena_words) * 4;
        let coefficient_bytes = u64::from(self.cell.upload_words) * 4;
        let mut tables = Tables::new(&context.device().limits());
        let (steps, texel_bytes) = self.steps(&mut tables, sink.format())?;
        let buffers =
            pool.cell(context, arena_bytes, coefficient_bytes, tables.bytes.len() as u64, texel_bytes)?;
        statistics.uploaded_bytes += self.upload(&buffers, &tables)?;

        let label = Some("wavetile cell");
        let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        encoder.clear_buffer(&buffers.arena, 0, Some(arena_bytes.max(4)));
        statistics.dispatches += self.record(&mut encoder, &steps, &buffers)?;
        sink.record(context, pool, &mut encoder, &buffers, index, self.cell)?;
        let submission = context.queue().submit([encoder.finish()]);
        statistics.submissions += 1;
        sink.submitted(&submission);
        Ok(submission)
    }

    /// The cell's dispatches in order, and the bytes of its packed texels.
    fn steps(
        &self,
        tables: &mut Tables,
        format: Option<TexelFormat>,
    ) -> Result<(Vec<Step<'_>>, u64), DeviceError> {
        let pipelines = &self.executor.pipelines;
        let mut steps = Vec::new();
        add_jobs(&mut steps, tables, &pipelines.dequantise, &self.cell.dequantise, &[Binding::Coefficients])?;
        for level in &self.cell.levels {
            add_jobs(&mut steps, tables, &pipelines.idwt_53, &level.reversible, &[])?;
            add_jobs(&mut steps, tables, &pipelines.idwt_97, &level.irreversible, &[])?;
        }
        add_jobs(&mut steps, tables, &pipelines.component_transform, &self.cell.transform, &[])?;
        let Some(format) = format else { return Ok((steps, 0)) };

        let size = self.cell.rect.size();
        if (self.cell.pack.width, self.cell.pack.height) != (size.width, size.height) {
            return Err(DeviceError::Refused {
                reason: format!("the plan packs {:?} for a cell of {size:?}", self.cell.pack),
            });
        }
        let row_bytes = format.padded_row_bytes(size.width);
        let too_wide = |_| DeviceError::Refused { reason: format!("a cell of {} columns", size.width) };
        let row = u32::try_from(row_bytes / 4).map_err(too_wide)?;
        let parameters = PackParameters { row, format: format.pack_format(), ..self.cell.pack };
        let workgroups = u32::try_from(dispatch::pack_workgroups(&parameters)).map_err(too_wide)?;
        if workgroups > 0 {
            let palette: &[u32] = if self.plan.tables.is_empty() { &[0] } else { &self.plan.tables };
            let parameters = Binding::Table(tables.push(&[parameters]));
            let palette = Binding::Table(tables.push(palette));
            steps.push(Step {
                pipeline: &pipelines.pack,
                workgroups,
                bindings: vec![parameters, palette, Binding::Arena, Binding::Texels],
            });
        }
        Ok((steps, row_bytes * u64::from(size.height)))
    }

    /// Writes coefficients and tables; they are there when the next submission starts.
    fn upload(&self, buffers: &CellBuffers, tables: &Tables) -> Result<u64, DeviceError> {
        let failed = |reason: &str| DeviceError::Failed { doing: "uploading", reason: reason.to_owned() };
        let queue = self.executor.context.queue();
        let coefficient_bytes = u64::from(self.cell.upload_words) * 4;
        if let Some(size) = wgpu::BufferSize::new(coefficient_bytes) {
            let mut view = queue
                .write_buffer_with(&buffers.coefficients, 0, size)
                .ok_or_else(|| failed("the device gave no memory for it"))?;
            let mut end = 0;
            for &block in &self.cell.blocks {
                let words = self
                    .plan
                    .blocks
                    .get(block as usize)
                    .and_then(|block| self.staging.get(block.staging.clone()))
                    .ok_or_else(|| failed("a block of the cell is not in the staging words"))?;
                let bytes: &[u8] = bytemuck::cast_slice(words);
                let start = end;
                end += bytes.len();
                if end > view.len() {
                    return Err(failed("the cell's blocks hold more words than it says"));
                }
                view.slice(start..end).copy_from_slice(bytes);
            }
        }
        if !tables.bytes.is_empty() {
            queue.write_buffer(&buffers.tables, 0, &tables.bytes);
        }
        Ok(coefficient_bytes + tables.bytes.len() as u64)
    }

    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        steps: &[Step<'_>],
        buffers: &CellBuffers,
    ) -> Result<u64, DeviceError> {
        let device = self.executor.context.device();
        let most = device.limits().max_compute_workgroups_per_dimension;
        let descriptor = wgpu::ComputePassDescriptor { label: Some("wavetile cell"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for step in steps {
            let entries: Vec<_> = (0..)
                .zip(&step.bindings)
                .map(|(binding, what)| wgpu::BindGroupEntry { binding, resource: what.resource(buffers) })
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
        Ok(steps.len() as u64)
    }
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

impl Binding {
    fn resource<'a>(&self, buffers: &'a CellBuffers) -> wgpu::BindingResource<'a> {
        match self {
            Self::Table(range) => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &buffers.tables,
                offset: range.start,
                size: wgpu::BufferSize::new(range.end - range.start),
            }),
            Self::Coefficients => buffers.coefficients.as_entire_binding(),
            Self::Arena => buffers.arena.as_entire_binding(),
            Self::Texels => buffers.texels.as_entire_binding(),
        }
    }
}
