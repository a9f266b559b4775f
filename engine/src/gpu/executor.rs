//! Runs the cells of a plan: one upload, one command buffer and one submission, as far as buffers reach.

use super::batch::{Batch, UploadBy};
use super::buffers::Pool;
use super::context::Context;
use super::pipelines::Pipelines;
use super::readback::{self, Readback};
use super::sink::{PlaneSink, Sink, TexelSink, TextureSink};
use super::texture::{self, TextureTarget};
use crate::error::DeviceError;
use crate::plan::{Cell, CellSize, Plan, PlaneWindow, TexelFormat};
use std::collections::VecDeque;
use std::ops::AddAssign;
use std::sync::{Mutex, PoisonError};

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuStatistics {
    /// Compute dispatches.
    pub dispatches: u64,
    /// Queue submissions: one, unless the uploads or the results of all cells together exceed
    /// [`Context::buffer_bytes`].
    pub submissions: u64,
    /// Cells that ran.
    pub cells: u64,
    /// Bytes of coefficients and job tables that were uploaded.
    pub uploaded_bytes: u64,
}

impl AddAssign for GpuStatistics {
    fn add_assign(&mut self, other: Self) {
        self.dispatches += other.dispatches;
        self.submissions += other.submissions;
        self.cells += other.cells;
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

/// Submissions that are not waited for: bounds the memory of their uploads.
const SUBMISSIONS_IN_FLIGHT: usize = 2;

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

    /// How large the cells of a plan may be for this device: the whole window in one, if its buffers are within
    /// [`Context::buffer_bytes`].
    #[must_use]
    pub fn cell_size(&self) -> CellSize {
        CellSize { side: u32::MAX, buffer_bytes: self.context.buffer_bytes() }
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

    /// Records what [`Self::decode_into_texture`] does into the host's encoder, between whatever else the host records
    /// there, and submits nothing. The commands bring their uploads along: `plan` and `staging` may be dropped, and
    /// encoders be submitted in any order, or never. A decode larger than [`Context::buffer_bytes`] makes more than
    /// one upload buffer, all alive until the commands are done.
    ///
    /// # Errors
    /// As [`Self::decode_into_texture`]; the encoder may hold a part of the commands then.
    pub fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        plan: &Plan,
        staging: &[u32],
        format: TexelFormat,
        target: TextureTarget<'_>,
    ) -> Result<GpuStatistics, DeviceError> {
        target.check(format, plan.window.size())?;
        let sink = TextureSink { window: plan.window, format, target };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statistics = GpuStatistics::default();
        let result = self.context.guarded("recording cells", || {
            let mut next = 0;
            while next < plan.cells.len() {
                let batch = Batch::new(&self.context, &self.pipelines, plan, staging, next, &sink)?;
                statistics += batch.record(&mut state.pool, encoder, UploadBy::Encoder, &sink, None)?;
                next += batch.len();
            }
            Ok(())
        });
        state.total += statistics;
        result.map(|()| statistics)
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
        self.run(plan, staging, &mut PlaneSink { take })
    }

    fn run(&self, plan: &Plan, staging: &[u32], sink: &mut dyn Sink) -> Result<GpuStatistics, DeviceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statistics = GpuStatistics::default();
        let result = self.submit_all(plan, staging, sink, &mut state.pool, &mut statistics);
        state.total += statistics;
        result.map(|()| statistics)
    }

    fn submit_all(
        &self,
        plan: &Plan,
        staging: &[u32],
        sink: &mut dyn Sink,
        pool: &mut Pool,
        statistics: &mut GpuStatistics,
    ) -> Result<(), DeviceError> {
        let mut in_flight = VecDeque::new();
        let mut next = 0;
        while next < plan.cells.len() {
            if in_flight.len() >= SUBMISSIONS_IN_FLIGHT
                && let Some(oldest) = in_flight.pop_front()
            {
                self.finish(oldest, plan, sink, pool)?;
            }
            let batch = Batch::new(&self.context, &self.pipelines, plan, staging, next, sink)?;
            next += batch.len();
            let submitted =
                self.context.guarded("running cells", || self.submit(&batch, sink, pool, statistics))?;
            in_flight.push_back(submitted);
        }
        // What is not read back needs no waiting.
        in_flight
            .into_iter()
            .filter(|submitted| submitted.readback.is_some())
            .try_for_each(|submitted| self.finish(submitted, plan, sink, pool))
    }

    fn submit(
        &self,
        batch: &Batch<'_>,
        sink: &dyn Sink,
        pool: &mut Pool,
        statistics: &mut GpuStatistics,
    ) -> Result<Submitted, DeviceError> {
        let label = Some("wavetile cells");
        let bytes = batch.readback;
        let readback = match bytes {
            0 => None,
            _ => Some(pool.take_readback(&self.context, bytes)?),
        };
        let mut encoder =
            self.context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        *statistics += batch.record(pool, &mut encoder, UploadBy::Queue, sink, readback.as_ref())?;
        let index = self.context.queue().submit([encoder.finish()]);
        statistics.submissions += 1;
        let readback = readback.map(|buffer| Readback::new(buffer, bytes, batch.parts()));
        Ok(Submitted { index, readback })
    }

    /// Waits for a submission and takes its results.
    fn finish(
        &self,
        submitted: Submitted,
        plan: &Plan,
        sink: &mut dyn Sink,
        pool: &mut Pool,
    ) -> Result<(), DeviceError> {
        self.context.guarded("reading back", || {
            readback::wait(&self.context, submitted.index)?;
            match submitted.readback {
                Some(readback) => {
                    readback.take(pool, &mut |index, bytes| sink.take(&plan.cells[index], bytes))
                }
                None => Ok(()),
            }
        })
    }
}

/// A submission that was not waited for.
struct Submitted {
    index: wgpu::SubmissionIndex,
    readback: Option<Readback>,
}
