//! How tiles are made, and what they may take.

use super::page::PageLayout;
use super::source::Wake;
use crate::plan::TexelFormat;
use std::fmt;
use std::time::Duration;

/// How a [`Tiles`](super::Tiles) works. What is not set is as [`Default`] has it.
#[derive(Clone)]
#[non_exhaustive]
pub struct TilesOptions {
    /// Size of pages.
    pub layout: PageLayout,
    /// Layout of texels; one atlas has one.
    pub format: TexelFormat,
    /// Bytes of decoded blocks that are kept, with what belongs to them.
    pub block_bytes: u64,
    /// How long a page takes to appear over what stood in for it.
    pub fade: Duration,
    /// Called, from any thread, when there is something new to draw.
    pub wake: Option<Wake>,
}

impl TilesOptions {
    /// The defaults: pages of 256, 8-bit RGBA, 256 MiB of decoded blocks, a fade of 150 ms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::layout`](field@Self::layout).
    #[must_use]
    pub const fn layout(mut self, layout: PageLayout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets [`Self::format`](field@Self::format).
    #[must_use]
    pub const fn format(mut self, format: TexelFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets [`Self::block_bytes`](field@Self::block_bytes).
    #[must_use]
    pub const fn block_bytes(mut self, bytes: u64) -> Self {
        self.block_bytes = bytes;
        self
    }

    /// Sets [`Self::fade`](field@Self::fade).
    #[must_use]
    pub const fn fade(mut self, fade: Duration) -> Self {
        self.fade = fade;
        self
    }

    /// Sets [`Self::wake`](field@Self::wake).
    #[must_use]
    pub fn wake(mut self, wake: Wake) -> Self {
        self.wake = Some(wake);
        self
    }
}

impl Default for TilesOptions {
    fn default() -> Self {
        Self {
            layout: PageLayout::default(),
            format: TexelFormat::Rgba8,
            block_bytes: 256 << 20,
            fade: Duration::from_millis(150),
            wake: None,
        }
    }
}

impl fmt::Debug for TilesOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TilesOptions")
            .field("layout", &self.layout)
            .field("format", &self.format)
            .field("block_bytes", &self.block_bytes)
            .field("fade", &self.fade)
            .finish_non_exhaustive()
    }
}

/// What an atlas may do in a frame. What is left is done in later ones. Pages that were made together are written together, so
/// it may be a few more, if nothing else is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameBudget {
    /// Pages, or parts of pages, that are written.
    pub pages: usize,
    /// Bytes that are uploaded to a device.
    pub bytes: u64,
    /// Texels that are written on a device.
    pub texels: u64,
}

impl FrameBudget {
    /// All that is there.
    pub const UNLIMITED: Self = Self { pages: usize::MAX, bytes: u64::MAX, texels: u64::MAX };

    /// So many pages, whatever they take.
    #[must_use]
    pub const fn pages(pages: usize) -> Self {
        Self { pages, ..Self::UNLIMITED }
    }

    /// Sets [`Self::bytes`](field@Self::bytes).
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets [`Self::texels`](field@Self::texels).
    #[must_use]
    pub const fn texels(mut self, texels: u64) -> Self {
        self.texels = texels;
        self
    }
}

impl Default for FrameBudget {
    /// 16 pages, 16 MiB, and as many texels as 16 pages of 256 a side have.
    fn default() -> Self {
        Self { pages: 16, bytes: 16 << 20, texels: 16 * 264 * 264 }
    }
}
