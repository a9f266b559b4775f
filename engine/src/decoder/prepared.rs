//! A decode up to the coefficients: what is left needs no data, and little of the processor.

use super::passes::Passes;
use super::report::Report;
use super::zeroed;
use crate::error::Result;
use crate::executor::{Executor, TexelRows, Waiting};
use crate::geometry::Size;
#[cfg(feature = "gpu")]
use crate::gpu::TextureTarget;
use crate::picture::{Component, Picture};
use crate::plan::{Plan, TexelFormat};

/// A plan and the coefficients of all its blocks.
pub(super) struct Decoded {
    pub(super) plan: Plan,
    pub(super) words: Vec<u32>,
    pub(super) report: Report,
}

/// A picture that is decoded up to the coefficients, by [`Decoder::prepare`](super::Decoder::prepare): dequantisation,
/// wavelet, colour and delivery are left. It can be delivered more than once, and on any thread.
pub struct Prepared {
    pub(super) passes: Passes,
    pub(super) decoded: Box<Decoded>,
    pub(super) format: TexelFormat,
}

impl Prepared {
    /// Columns and rows of the picture; at least one of each.
    #[must_use]
    pub fn size(&self) -> Size {
        self.decoded.plan.window.size()
    }

    /// Layout of its texels.
    #[must_use]
    pub fn format(&self) -> TexelFormat {
        self.format
    }

    /// Bytes of a row of texels.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.size().width as usize * self.format.bytes() as usize
    }

    /// How much of the picture there was, and what is damaged.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.decoded.report
    }

    /// Records what is left into the host's encoder, between whatever else the host records there: the picture is in
    /// `target` once the commands have run. Submits nothing, and never waits: not for the device, nor for a decode on another thread
    /// that does (on OpenGL, which takes one thread at a time, for the turn of another that records or submits). The commands bring their data along; encoders can be submitted in any order, or never.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device): the decoder has no GPU, the picture does not fit `target`, or the device
    /// reports an error or is lost. The encoder may hold a part of the commands then.
    #[cfg(feature = "gpu")]
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder, target: TextureTarget<'_>) -> Result<Report> {
        let Decoded { plan, words, report } = &*self.decoded;
        let statistics = self.passes.gpu()?.record(encoder, plan, words, self.format, target)?;
        Ok(report.with(statistics))
    }

    /// Decodes into a texture, and submits that. Ready when all is submitted, not when it is done: work that is submitted
    /// later sees the finished picture. It waits only for what it submitted itself, if that is more than two submissions.
    ///
    /// # Errors
    /// As [`Self::record`].
    #[cfg(feature = "gpu")]
    pub async fn submit_async(&self, target: TextureTarget<'_>) -> Result<Report> {
        self.submit_by(target, Waiting::Elsewhere).await
    }

    /// Decodes into a new texture, as [`Self::submit_async`] does. The texture has the format
    /// [`TexelFormat::texture_format`] and the usages `TEXTURE_BINDING`, `COPY_SRC` and `COPY_DST`.
    ///
    /// # Errors
    /// As [`Self::record`]; also if the device has no textures so large.
    #[cfg(feature = "gpu")]
    pub async fn texture_async(&self) -> Result<(wgpu::Texture, Report)> {
        let texture = self.new_texture()?;
        let report = self.submit_async(TextureTarget::new(&texture)).await?;
        Ok((texture, report))
    }

    /// Decodes into host memory, rows from top to bottom, `stride` bytes from one to the next; what lies between them is
    /// left as it is. 16-bit texels are little-endian. With a GPU, the thread is not blocked while that works.
    ///
    /// # Errors
    /// [`RequestError::BadStride`](crate::error::RequestError::BadStride) and
    /// [`RequestError::BufferTooSmall`](crate::error::RequestError::BufferTooSmall); [`Error::Device`](crate::Error::Device)
    /// if the device reports an error or is lost.
    pub async fn decode_into_async(&self, bytes: &mut [u8], stride: usize) -> Result<Report> {
        self.decode_into_by(bytes, stride, Waiting::Elsewhere).await
    }

    /// Decodes to a picture in host memory. With a GPU, the thread is not blocked while that works.
    ///
    /// # Errors
    /// As [`Self::decode_into_async`]; there may be no memory for it.
    pub async fn read_async(&self) -> Result<(Picture, Report)> {
        self.read_by(Waiting::Elsewhere).await
    }

    #[cfg(feature = "gpu")]
    pub(super) fn new_texture(&self) -> Result<wgpu::Texture> {
        Ok(self.passes.gpu()?.new_texture(&self.decoded.plan, self.format)?)
    }

    #[cfg(feature = "gpu")]
    pub(super) async fn submit_by(&self, target: TextureTarget<'_>, waiting: Waiting) -> Result<Report> {
        let Decoded { plan, words, report } = &*self.decoded;
        let gpu = self.passes.gpu()?;
        let statistics = gpu.submit_to_texture(plan, words, self.format, target, waiting).await?;
        Ok(report.with(statistics))
    }

    pub(super) async fn decode_into_by(
        &self,
        bytes: &mut [u8],
        stride: usize,
        waiting: Waiting,
    ) -> Result<Report> {
        let Decoded { plan, words, report } = &*self.decoded;
        let rows = TexelRows::new(bytes, stride, self.size(), self.format)?;
        let statistics = self.passes.texels(plan, words.into(), self.format, rows, waiting).await?;
        Ok(report.with(statistics))
    }

    pub(super) async fn read_by(&self, waiting: Waiting) -> Result<(Picture, Report)> {
        let size = self.size();
        let mut bytes = zeroed(self.row_bytes().saturating_mul(size.height as usize), "the picture")?;
        let report = self.decode_into_by(&mut bytes, self.row_bytes(), waiting).await?;
        Ok((Picture { size, format: self.format, bytes }, report))
    }
}

/// Components that are decoded up to the coefficients, by
/// [`Decoder::prepare_components`](super::Decoder::prepare_components).
pub struct PreparedComponents {
    pub(super) passes: Passes,
    pub(super) decoded: Box<Decoded>,
    /// Without samples.
    pub(super) components: Vec<Component>,
}

impl PreparedComponents {
    /// How much of the picture there was, and what is damaged.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.decoded.report
    }

    /// Decodes to samples in host memory. With a GPU, the thread is not blocked while that works.
    ///
    /// # Errors
    /// There is no memory for them; [`Error::Device`](crate::Error::Device) if the device reports an error or is lost.
    pub async fn read_async(&self) -> Result<(Vec<Component>, Report)> {
        self.read_by(Waiting::Elsewhere).await
    }

    pub(super) async fn read_by(&self, waiting: Waiting) -> Result<(Vec<Component>, Report)> {
        let Decoded { plan, words, report } = &*self.decoded;
        let mut components = self.components.clone();
        for component in &mut components {
            let area = usize::try_from(component.rect.area()).unwrap_or(usize::MAX);
            component.samples = zeroed(area, "the samples of a component")?;
        }
        let statistics = self.passes.components(plan, words.into(), &mut components, waiting).await?;
        Ok((components, report.with(statistics)))
    }
}
