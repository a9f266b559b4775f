//! How a virtual texture is made, and what a frame took.

use crate::gpu::pages::PageStatistics;

/// How a [`VirtualTexture`](super::VirtualTexture) is made. What is not set is as [`Default`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VirtualTextureOptions {
    /// Bytes of device memory for all that it makes: the atlas, the page table, and the buffers that pages go through. At least
    /// [`least_bytes`](super::VirtualTexture::least_bytes).
    pub device_bytes: u64,
    /// Shaders that sample the atlas get linear values of sRGB texels ([`Rgba8`](crate::TexelFormat::Rgba8) only).
    pub srgb: bool,
}

impl VirtualTextureOptions {
    /// The defaults: 256 MiB, texels as they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::device_bytes`](field@Self::device_bytes).
    #[must_use]
    pub const fn device_bytes(mut self, bytes: u64) -> Self {
        self.device_bytes = bytes;
        self
    }

    /// Sets [`Self::srgb`](field@Self::srgb).
    #[must_use]
    pub const fn srgb(mut self, srgb: bool) -> Self {
        self.srgb = srgb;
        self
    }
}

impl Default for VirtualTextureOptions {
    fn default() -> Self {
        Self { device_bytes: 256 << 20, srgb: false }
    }
}

/// What a frame took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollReport {
    /// The pages, and what they cost.
    pub pages: PageStatistics,
    /// Pages that are made and wait for the next frame.
    pub waiting: usize,
    /// Bytes of the page table, the pictures and the frame that were uploaded.
    pub updated_bytes: u64,
    /// Buffers with uploads that the device is not done with.
    pub in_flight: usize,
    /// Nothing was recorded: the device is not done with the frames before, or pages are being made for another atlas.
    pub stalled: bool,
    /// Bytes of device memory that are taken.
    pub device_bytes: u64,
}
