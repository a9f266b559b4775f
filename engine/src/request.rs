//! What can be asked of a picture.

use crate::geometry::Rect;
use crate::plan::TexelFormat;

/// What to decode. The default is the whole picture in full size and quality, as 8-bit RGBA where it is rendered.
///
/// ```
/// use wavetile_engine::{DecodeRequest, Rect, TexelFormat};
///
/// let corner = DecodeRequest::new().region(Rect::new(64, 32, 96, 64)).reduce(1).format(TexelFormat::Rgba16);
/// assert_eq!(corner.reduce, 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeRequest {
    /// Resolution levels to discard: the result is `1 / 2^reduce` of full size.
    pub reduce: u32,
    /// Part of the picture on the reference grid (absolute: it includes the image offset); `None` = all.
    pub region: Option<Rect>,
    /// Quality layers to use at most; `None` = all.
    pub layers: Option<u16>,
    /// Codestream components, in the order wanted; `None` = all (components) or those of the picture
    /// (rendered).
    pub components: Option<Vec<u32>>,
    /// Layout of texels (rendered).
    pub format: TexelFormat,
    /// How sub-sampled components become as fine as the picture (rendered).
    pub up_sampling: UpSampling,
    /// Leave the component transform (RCT, ICT) in place, as a class 0 decoder of T.803 does.
    pub without_component_transform: bool,
}

impl DecodeRequest {
    /// Everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::reduce`](field@Self::reduce).
    #[must_use]
    pub fn reduce(mut self, levels: u32) -> Self {
        self.reduce = levels;
        self
    }

    /// Sets [`Self::region`](field@Self::region).
    #[must_use]
    pub fn region(mut self, region: impl Into<Option<Rect>>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets [`Self::layers`](field@Self::layers).
    #[must_use]
    pub fn layers(mut self, layers: impl Into<Option<u16>>) -> Self {
        self.layers = layers.into();
        self
    }

    /// Sets [`Self::components`](field@Self::components).
    #[must_use]
    pub fn components(mut self, components: impl Into<Option<Vec<u32>>>) -> Self {
        self.components = components.into();
        self
    }

    /// Sets [`Self::format`](field@Self::format).
    #[must_use]
    pub fn format(mut self, format: TexelFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets [`Self::up_sampling`](field@Self::up_sampling).
    #[must_use]
    pub fn up_sampling(mut self, up_sampling: UpSampling) -> Self {
        self.up_sampling = up_sampling;
        self
    }

    /// Sets [`Self::without_component_transform`](field@Self::without_component_transform).
    #[must_use]
    pub fn without_component_transform(mut self, leave: bool) -> Self {
        self.without_component_transform = leave;
        self
    }
}

/// How sub-sampled components are brought to the grid of a picture.
///
/// Their samples lie at multiples of their separation on the reference grid (T.800 B.2), not in the middle of the
/// samples that they stand for, unless the codestream says so (CRG).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpSampling {
    /// Linearly between the samples, where they lie. Beyond the outermost samples, those are repeated.
    #[default]
    Linear,
    /// Each sample is repeated up to the next one, and CRG is passed over: what the reference pictures of T.803 and
    /// OpenJPEG do. Colours are moved by up to a sample's distance.
    Repeated,
}
