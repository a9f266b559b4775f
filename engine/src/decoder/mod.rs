//! Decodes pictures on the CPU or the GPU: entropy decoding, then the passes of a plan.

#[cfg(all(feature = "blocking", not(target_arch = "wasm32")))]
mod blocking;
mod passes;
mod prepared;
mod report;

pub use prepared::{Prepared, PreparedComponents};
pub use report::Report;

use crate::cpu::CpuExecutor;
use crate::entropy::decode_plan;
use crate::error::{MemoryError, Result};
use crate::executor::Executor;
#[cfg(feature = "gpu")]
use crate::gpu::Context;
#[cfg(feature = "gpu")]
use crate::gpu::executor::GpuExecutor;
use crate::image::Image;
use crate::picture::Component;
use crate::plan::{Coverage, Plan, Target};
use crate::request::DecodeRequest;
use crate::runner::{self, ParallelRunner};
use bytemuck::Zeroable;
use passes::Passes;
use prepared::Decoded;
use std::fmt;
use std::sync::Arc;

/// Where the passes after entropy decoding run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The GPU if there is one, else the CPU. A graphics driver that computes on the CPU (llvmpipe,
    /// SwiftShader) does not count: the CPU executor is several times faster.
    #[default]
    Auto,
    /// The GPU; an error without an adapter.
    Gpu,
    /// The CPU.
    Cpu,
}

/// Runs decodes. Costly to make with a GPU (it builds all pipelines), cheap to clone: clones share all they have.
#[derive(Clone)]
pub struct Decoder {
    passes: Passes,
    runner: Arc<dyn ParallelRunner>,
    notice: Option<Arc<str>>,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Decoder").field("backend", &self.backend_name()).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder on `backend`, with all processors (feature `threads`) or one.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) for [`Backend::Gpu`] without a usable adapter.
    pub async fn request(backend: Backend) -> Result<Self> {
        match backend {
            Backend::Cpu => Ok(Self::cpu()),
            Backend::Gpu => Self::own_gpu().await,
            Backend::Auto => {
                let notice = match Self::own_gpu().await.map(|gpu| (gpu.software_adapter(), gpu)) {
                    Ok((None, gpu)) => return Ok(gpu),
                    Ok((Some(name), _)) => {
                        format!("decoding on the CPU: the only graphics adapter computes there too ({name})")
                    }
                    Err(error) => format!("decoding on the CPU: {error}"),
                };
                tracing::info!("{notice}");
                Ok(Self { notice: Some(notice.into()), ..Self::cpu() })
            }
        }
    }

    /// A decoder on the CPU.
    #[must_use]
    pub fn cpu() -> Self {
        let runner = runner::default_runner();
        Self { passes: Passes::Cpu(CpuExecutor::new(runner.clone())), runner, notice: None }
    }

    /// A decoder on a device that the host brings. Builds all pipelines before it returns.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the device refuses a pipeline.
    #[cfg(feature = "gpu")]
    pub fn with_gpu(context: Context) -> Result<Self> {
        Ok(Self { passes: Passes::Gpu(Arc::new(GpuExecutor::new(&context)?)), ..Self::cpu() })
    }

    #[cfg(feature = "gpu")]
    async fn own_gpu() -> Result<Self> {
        Self::with_gpu(Context::request().await?)
    }

    #[cfg(not(feature = "gpu"))]
    async fn own_gpu() -> Result<Self> {
        Err(crate::error::DeviceError::NotBuilt.into())
    }

    /// The name of an adapter that is none: a driver that computes on the CPU.
    fn software_adapter(&self) -> Option<String> {
        #[cfg(feature = "gpu")]
        if let Passes::Gpu(gpu) = &self.passes {
            let info = gpu.context().adapter_info();
            return (info.device_type == wgpu::DeviceType::Cpu).then(|| info.name.clone());
        }
        None
    }

    /// Runs on the host's own threads.
    #[must_use]
    pub fn with_runner(mut self, runner: Arc<dyn ParallelRunner>) -> Self {
        match &mut self.passes {
            Passes::Cpu(executor) => *executor = CpuExecutor::new(runner.clone()),
            #[cfg(feature = "gpu")]
            Passes::Gpu(_) => {}
        }
        self.runner = runner;
        self
    }

    /// The threads that it runs on.
    #[must_use]
    pub fn runner(&self) -> &Arc<dyn ParallelRunner> {
        &self.runner
    }

    /// What runs the passes on a device, if one does.
    #[cfg(feature = "gpu")]
    pub(crate) fn gpu_executor(&self) -> Option<&Arc<GpuExecutor>> {
        match &self.passes {
            Passes::Gpu(executor) => Some(executor),
            Passes::Cpu(_) => None,
        }
    }

    /// Why [`Backend::Auto`] did not take the GPU.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Where the passes run: "CPU", or the adapter's name.
    #[must_use]
    pub fn backend_name(&self) -> &str {
        self.passes.name()
    }

    /// The device that the passes run on, if it is one.
    #[cfg(feature = "gpu")]
    #[must_use]
    pub fn gpu(&self) -> Option<&Context> {
        self.passes.gpu().ok().map(GpuExecutor::context)
    }

    /// Gives up the memory that is kept from decode to decode; the next one takes new memory.
    pub fn release_memory(&self) {
        self.passes.release_memory();
    }

    /// Decodes up to the coefficients, for a picture: palette, channel order, colour and up-sampling will be applied. Plans
    /// the decode, reads the data that it needs, and decodes its code-blocks; that takes most of a decode's time on the
    /// processor, and runs on the decoder's threads and this one. No device is touched: any thread will do.
    ///
    /// # Errors
    /// A request that the picture cannot meet, broken headers, unsupported data, a colour space that cannot be shown, or a
    /// limit. Missing data and broken packets are not errors: the [`Report`] tells, and [`Coverage::damage`] names the first
    /// broken packet.
    pub fn prepare(&self, image: &Image, request: &DecodeRequest) -> Result<Prepared> {
        let (plan, coverage) = image.plan(request, Target::Rendered, self.passes.cell_size())?;
        let decoded = self.decode(plan, coverage)?;
        Ok(Prepared { passes: self.passes.clone(), decoded, format: request.format })
    }

    /// Decodes up to the coefficients, for components as they are in the codestream, as [`Self::prepare`] does.
    ///
    /// # Errors
    /// As [`Self::prepare`], but for colour spaces.
    pub fn prepare_components(&self, image: &Image, request: &DecodeRequest) -> Result<PreparedComponents> {
        let (plan, coverage) = image.plan(request, Target::Components, self.passes.cell_size())?;
        let rects = image.component_rects(request)?;
        let decoded = self.decode(plan, coverage)?;
        let component = |(index, rect)| {
            let size = image.header().size.components[index as usize];
            Component { index, rect, depth: size.depth, signed: size.signed, samples: Vec::new() }
        };
        let components = rects.into_iter().map(component).collect();
        Ok(PreparedComponents { passes: self.passes.clone(), decoded, components })
    }

    /// Decodes all code-blocks of a plan.
    fn decode(&self, plan: Plan, coverage: Coverage) -> Result<Box<Decoded>> {
        let mut words = zeroed(plan.staging_words, "the coefficients")?;
        let damaged_blocks = decode_plan(&plan, &*self.runner, &mut words);
        let coefficient_bytes = plan.staging_words as u64 * 4;
        let report = Report { coverage, damaged_blocks, coefficient_bytes, ..Report::default() };
        Ok(Box::new(Decoded { plan, words, report }))
    }
}

/// An array of zeros, or an error where there is no memory for it. Pages are touched by who writes to them first:
/// by the workers, not here.
fn zeroed<T: Zeroable>(length: usize, what: &'static str) -> Result<Vec<T>> {
    let bytes = (length as u64).saturating_mul(size_of::<T>() as u64);
    Ok(bytemuck::allocation::try_zeroed_vec(length).map_err(|()| MemoryError { what, bytes })?)
}
