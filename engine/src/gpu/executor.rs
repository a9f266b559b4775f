//! Runs the cells of a plan: one upload, one command buffer and one submission, as far as buffers reach.

use super::batch::Batch;
use super::buffers::Pool;
use super::context::Context;
use super::pipelines::Pipelines;
use super::readback::Readback;
use super::sink::{PlaneSink, Sink, TexelSink, TextureSink};
use super::texture::{self, TextureTarget};
use super::waiting::{self, Outcome};
use crate::error::DeviceError;
use crate::executor::{Coefficients, Executor, Statistics, TexelRows, Waiting};
use crate::picture::Component;
use crate::plan::{Cell, CellSize, Plan, PlaneWindow, TexelFormat};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs plans on one device. Costly to make, since it builds all pipelines; then it keeps its buffers from run to run.
///
/// Runs on several threads do not wait for each other: a lock is held while buffers are chosen, and never while a device
/// works. What they submit runs one after another, as all that is submitted to a queue, and so may share buffers.
#[derive(Debug)]
pub struct GpuExecutor {
    context: Context,
    pipelines: Pipelines,
    pool: Mutex<Pool>,
    total: Mutex<Statistics>,
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
            pool: Mutex::new(Pool::new()),
            total: Mutex::default(),
        })
    }

    /// The device it runs on.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    pub(super) const fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// The adapter's name, as its driver gives it.
    #[must_use]
    pub fn adapter_name(&self) -> &str {
        &self.context.adapter_info().name
    }

    /// How large the cells of a plan may be for this device: the whole window in one, if its buffers are within
    /// [`Context::buffer_bytes`].
    #[must_use]
    pub fn cell_size(&self) -> CellSize {
        CellSize { side: u32::MAX, buffer_bytes: self.context.buffer_bytes() }
    }

    /// What all runs so far cost together.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives all buffers back to the device; the next run makes new ones.
    pub fn release_memory(&self) {
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = Pool::new();
    }

    /// Records a decode of the plan's window into the host's encoder, between whatever else the host records there, and
    /// submits nothing. Never waits for the device, nor for a run that does (but on OpenGL, where threads take turns). The
    /// commands bring their uploads along: `plan` and `coefficients` may be dropped, and encoders be submitted in any order, or
    /// never. A decode larger than [`Context::buffer_bytes`] makes more than one upload buffer, all alive until the commands
    /// are done.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if the window cannot be copied there, or a cell exceeds the device's limits;
    /// [`DeviceError::Failed`] if the device reports an error or is lost. The encoder may hold a part of the commands then.
    pub fn record<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        format: TexelFormat,
        target: TextureTarget<'_>,
    ) -> Result<Statistics, DeviceError> {
        let coefficients = coefficients.into();
        target.check(format, plan.window.size())?;
        let sink = TextureSink { window: plan.window, format, target };
        let mut statistics = Statistics::default();
        let result = self.context.guarded("recording cells", || {
            let mut next = 0;
            while next < plan.cells.len() {
                let batch = Batch::new(&self.context, plan, coefficients, next, &sink)?;
                statistics += batch.record(&self.pipelines, &self.pool, encoder, &sink, None)?;
                next += batch.len();
            }
            Ok(())
        });
        self.count(statistics);
        result.map(|()| statistics)
    }

    /// A new texture of [`TexelFormat::texture_format`] for the plan's window, with the usages `TEXTURE_BINDING`,
    /// `COPY_SRC` and `COPY_DST`.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if the device has no textures so large.
    pub fn new_texture(&self, plan: &Plan, format: TexelFormat) -> Result<wgpu::Texture, DeviceError> {
        texture::create(&self.context, format, plan.window.size())
    }

    /// Decodes the plan's window into a texture. Ready when all is submitted, not when it is done; it waits only for what
    /// it submitted itself, if that is more than two submissions.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn submit_to_texture<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        format: TexelFormat,
        target: TextureTarget<'_>,
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        target.check(format, plan.window.size())?;
        let sink = &mut TextureSink { window: plan.window, format, target };
        self.run(plan, coefficients.into(), sink, waiting).await
    }

    /// Decodes the plan's components: `take` gets each plane of each cell, in order, its samples in rows without gaps.
    ///
    /// # Errors
    /// As [`Self::record`]; `take` may have been called for some cells.
    pub async fn planes<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        take: &mut (dyn FnMut(&Cell, &PlaneWindow, &[i32]) + Send),
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        self.run(plan, coefficients.into(), &mut PlaneSink { take }, waiting).await
    }

    fn count(&self, statistics: Statistics) {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner) += statistics;
    }

    async fn run(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        sink: &mut impl Sink,
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        let mut statistics = Statistics::default();
        let result = self.submit_all(plan, coefficients, sink, waiting, &mut statistics).await;
        self.count(statistics);
        result.map(|()| statistics)
    }

    async fn submit_all(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        sink: &mut impl Sink,
        waiting: Waiting,
        statistics: &mut Statistics,
    ) -> Result<(), DeviceError> {
        let mut in_flight = VecDeque::new();
        let mut next = 0;
        while next < plan.cells.len() {
            if in_flight.len() >= SUBMISSIONS_IN_FLIGHT
                && let Some(oldest) = in_flight.pop_front()
            {
                self.finish(oldest, plan, sink, waiting).await?;
            }
            let (submitted, cells) = self.submit(plan, coefficients, next, sink, statistics)?;
            next += cells;
            in_flight.push_back(submitted);
        }
        for submitted in in_flight {
            // What is not read back needs no waiting.
            if matches!(submitted, Submitted::ForReading(_)) {
                self.finish(submitted, plan, sink, waiting).await?;
            }
        }
        Ok(())
    }

    /// Submits as many cells from number `first` on as one submission takes, and tells how many.
    fn submit(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        first: usize,
        sink: &dyn Sink,
        statistics: &mut Statistics,
    ) -> Result<(Submitted, usize), DeviceError> {
        let batch = Batch::new(&self.context, plan, coefficients, first, sink)?;
        self.context.guarded("running cells", || {
            let bytes = batch.readback;
            let readback = match bytes {
                0 => None,
                _ => Some(self.with_pool(|pool| pool.take_readback(&self.context, bytes))?),
            };
            let label = Some("wavetile cells");
            let mut encoder =
                self.context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
            *statistics +=
                batch.record(&self.pipelines, &self.pool, &mut encoder, sink, readback.as_ref())?;
            self.context.queue().submit([encoder.finish()]);
            statistics.submissions += 1;
            let submitted = match readback {
                Some(buffer) => Submitted::ForReading(Readback::new(buffer, bytes, batch.parts())),
                None => Submitted::ForDrawing(self.work_done()),
            };
            Ok((submitted, batch.len()))
        })
    }

    /// Waits for a submission and takes its results.
    async fn finish(
        &self,
        submitted: Submitted,
        plan: &Plan,
        sink: &mut impl Sink,
        waiting: Waiting,
    ) -> Result<(), DeviceError> {
        let waited = match &submitted {
            Submitted::ForReading(readback) => readback.wait(&self.context, waiting).await,
            Submitted::ForDrawing(done) => waiting::wait(&self.context, done, waiting).await,
        };
        self.context.guarded("reading back", || {
            waited?;
            if let Submitted::ForReading(readback) = submitted {
                let buffer = readback.take(&mut |index, bytes| sink.take(&plan.cells[index], bytes))?;
                self.with_pool(|pool| pool.put_readback(buffer));
            }
            Ok(())
        })
    }

    /// Settled when all that was submitted so far is done.
    fn work_done(&self) -> Arc<Outcome> {
        let done = Arc::<Outcome>::default();
        let settler = Arc::clone(&done);
        self.context.queue().on_submitted_work_done(move || settler.settle(Ok(())));
        done
    }

    fn with_pool<T>(&self, work: impl FnOnce(&mut Pool) -> T) -> T {
        work(&mut self.pool.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Executor for GpuExecutor {
    fn name(&self) -> &str {
        self.adapter_name()
    }

    fn cell_size(&self) -> CellSize {
        Self::cell_size(self)
    }

    async fn texels(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        format: TexelFormat,
        rows: TexelRows<'_>,
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        self.run(plan, coefficients, &mut TexelSink { window: plan.window, format, rows }, waiting).await
    }

    async fn components(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        components: &mut [Component],
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        let mut take = |_: &Cell, plane: &PlaneWindow, samples: &[i32]| {
            for component in components.iter_mut().filter(|component| component.index == plane.component) {
                store(component, plane, samples);
            }
        };
        self.planes(plan, coefficients, &mut take, waiting).await
    }

    fn release_memory(&self) {
        Self::release_memory(self);
    }
}

/// Copies the samples of one cell's plane to where they belong.
fn store(component: &mut Component, plane: &PlaneWindow, samples: &[i32]) {
    let (from, to) = (plane.rect, component.rect);
    for (row, y) in samples.chunks_exact(from.width() as usize).zip(from.y0..) {
        let start = u64::from(y - to.y0) * u64::from(to.width()) + u64::from(from.x0 - to.x0);
        component.samples[start as usize..][..row.len()].copy_from_slice(row);
    }
}

/// A submission that was not waited for.
enum Submitted {
    /// Its results are read back.
    ForReading(Readback),
    /// Its results stay on the device.
    ForDrawing(Arc<Outcome>),
}
