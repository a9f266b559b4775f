//! The executor that a decoder was made for.

use crate::cpu::CpuExecutor;
use crate::error::DeviceError;
use crate::executor::{Coefficients, Executor, Statistics, TexelRows, Waiting};
#[cfg(feature = "gpu")]
use crate::gpu::executor::GpuExecutor;
use crate::picture::Component;
use crate::plan::{CellSize, Plan, TexelFormat};
#[cfg(feature = "gpu")]
use std::sync::Arc;

/// One of the executors.
#[derive(Clone)]
pub(super) enum Passes {
    Cpu(CpuExecutor),
    #[cfg(feature = "gpu")]
    Gpu(Arc<GpuExecutor>),
}

/// Calls what both have.
macro_rules! either {
    ($passes:expr, $executor:ident => $call:expr) => {
        match $passes {
            Passes::Cpu($executor) => $call,
            #[cfg(feature = "gpu")]
            Passes::Gpu($executor) => $call,
        }
    };
}

impl Executor for Passes {
    fn name(&self) -> &str {
        either!(self, executor => executor.name())
    }

    fn cell_size(&self) -> CellSize {
        either!(self, executor => executor.cell_size())
    }

    async fn texels(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        format: TexelFormat,
        rows: TexelRows<'_>,
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        either!(self, executor => executor.texels(plan, coefficients, format, rows, waiting).await)
    }

    async fn components(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        components: &mut [Component],
        waiting: Waiting,
    ) -> Result<Statistics, DeviceError> {
        either!(self, executor => executor.components(plan, coefficients, components, waiting).await)
    }

    fn release_memory(&self) {
        either!(self, executor => executor.release_memory());
    }
}

#[cfg(feature = "gpu")]
impl Passes {
    /// The GPU, for what only that can do.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`]: the decoder was made for the CPU.
    pub(super) fn gpu(&self) -> Result<&GpuExecutor, DeviceError> {
        match self {
            Self::Gpu(executor) => Ok(executor),
            Self::Cpu(_) => {
                Err(DeviceError::NoAdapter { reason: "this decoder was made for the CPU".to_owned() })
            }
        }
    }
}
