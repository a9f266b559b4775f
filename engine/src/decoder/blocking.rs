//! Decodes for callers that wait on their own thread.

use super::prepared::{Prepared, PreparedComponents};
use super::report::Report;
use super::{Backend, Decoder};
use crate::error::Result;
use crate::executor::Waiting;
#[cfg(feature = "gpu")]
use crate::gpu::TextureTarget;
use crate::image::Image;
use crate::picture::{Component, Picture};
use crate::request::DecodeRequest;
use pollster::block_on;

impl Decoder {
    /// A decoder on `backend`, with all processors (feature `threads`) or one. Waits for the graphics driver.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) for [`Backend::Gpu`] without a usable adapter.
    pub fn new(backend: Backend) -> Result<Self> {
        block_on(Self::request(backend))
    }

    /// Decodes components (T.800 up to and including Annex G, clamped to each component's range). Waits until that is
    /// done.
    ///
    /// # Errors
    /// As [`Self::prepare_components`] and [`PreparedComponents::read`].
    pub fn components(&self, image: &Image, request: &DecodeRequest) -> Result<(Vec<Component>, Report)> {
        self.prepare_components(image, request)?.read()
    }

    /// Decodes to a picture in host memory: palette, channel order, colour and up-sampling applied. Waits until that is
    /// done.
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Prepared::read`].
    pub fn render(&self, image: &Image, request: &DecodeRequest) -> Result<(Picture, Report)> {
        self.prepare(image, request)?.read()
    }

    /// Decodes into host memory of the caller's. Waits until that is done.
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Prepared::decode_into`].
    pub fn decode_into(
        &self,
        image: &Image,
        request: &DecodeRequest,
        bytes: &mut [u8],
        stride: usize,
    ) -> Result<Report> {
        self.prepare(image, request)?.decode_into(bytes, stride)
    }

    /// Decodes to a texture on the decoder's device. Waits for the entropy decoding, as every decode, but not for the
    /// device: returns when all is submitted (but see [`Prepared::submit`]).
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Prepared::texture`].
    #[cfg(feature = "gpu")]
    pub fn texture(&self, image: &Image, request: &DecodeRequest) -> Result<(wgpu::Texture, Report)> {
        self.prepare(image, request)?.texture()
    }
}

impl Prepared {
    /// [`Self::submit_async`], waiting on this thread if it has to.
    ///
    /// # Errors
    /// As [`Self::submit_async`].
    #[cfg(feature = "gpu")]
    pub fn submit(&self, target: TextureTarget<'_>) -> Result<Report> {
        block_on(self.submit_by(target, Waiting::Here))
    }

    /// [`Self::texture_async`], waiting on this thread if it has to.
    ///
    /// # Errors
    /// As [`Self::texture_async`].
    #[cfg(feature = "gpu")]
    pub fn texture(&self) -> Result<(wgpu::Texture, Report)> {
        let texture = self.new_texture()?;
        let report = self.submit(TextureTarget::new(&texture))?;
        Ok((texture, report))
    }

    /// [`Self::decode_into_async`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Self::decode_into_async`].
    pub fn decode_into(&self, bytes: &mut [u8], stride: usize) -> Result<Report> {
        block_on(self.decode_into_by(bytes, stride, Waiting::Here))
    }

    /// [`Self::read_async`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Self::read_async`].
    pub fn read(&self) -> Result<(Picture, Report)> {
        block_on(self.read_by(Waiting::Here))
    }
}

impl PreparedComponents {
    /// [`Self::read_async`], waiting on this thread.
    ///
    /// # Errors
    /// As [`Self::read_async`].
    pub fn read(&self) -> Result<(Vec<Component>, Report)> {
        block_on(self.read_by(Waiting::Here))
    }
}
