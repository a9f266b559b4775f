//! The executor's runs for callers that wait on their own thread.

use super::executor::GpuExecutor;
use super::texture::TextureTarget;
use crate::error::DeviceError;
use crate::executor::{Coefficients, Executor, Statistics, TexelRows, Waiting};
use crate::plan::{Cell, Plan, PlaneWindow, TexelFormat};

impl GpuExecutor {
    /// Decodes the plan's window to a new texture ([`Self::new_texture`]). Returns when all is submitted, not when it is
    /// done. Waits only for what it submitted itself, if that is more than two submissions.
    ///
    /// # Errors
    /// As [`Self::record`], and [`Self::new_texture`].
    pub fn decode_to_texture<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        format: TexelFormat,
    ) -> Result<(wgpu::Texture, Statistics), DeviceError> {
        let texture = self.new_texture(plan, format)?;
        let statistics =
            self.decode_into_texture(plan, coefficients, format, TextureTarget::new(&texture))?;
        Ok((texture, statistics))
    }

    /// [`Self::submit_to_texture`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn decode_into_texture<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        format: TexelFormat,
        target: TextureTarget<'_>,
    ) -> Result<Statistics, DeviceError> {
        pollster::block_on(self.submit_to_texture(plan, coefficients, format, target, Waiting::Here))
    }

    /// Decodes the plan's window to texels in host memory: rows without gaps, little-endian. Waits for the device.
    ///
    /// # Errors
    /// As [`Self::record`], without a limit on the window's sides.
    pub fn read_texels<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        format: TexelFormat,
    ) -> Result<(Vec<u8>, Statistics), DeviceError> {
        let refused = |reason: String| DeviceError::Refused { reason };
        let size = plan.window.size();
        let bytes = size.area().checked_mul(format.bytes().into());
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let bytes =
            bytes.ok_or_else(|| refused(format!("the texels of {:?} do not fit in memory", plan.window)))?;
        let mut texels = vec![0; bytes];
        let stride = size.width as usize * format.bytes() as usize;
        let rows = TexelRows::new(&mut texels, stride, size, format);
        let rows = rows.map_err(|error| refused(error.to_string()))?;
        let statistics =
            pollster::block_on(self.texels(plan, coefficients.into(), format, rows, Waiting::Here))?;
        Ok((texels, statistics))
    }

    /// [`Self::planes`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Self::planes`].
    pub fn read_planes<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        take: &mut (dyn FnMut(&Cell, &PlaneWindow, &[i32]) + Send),
    ) -> Result<Statistics, DeviceError> {
        pollster::block_on(self.planes(plan, coefficients, take, Waiting::Here))
    }
}
