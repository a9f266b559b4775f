//! Layouts of packed texels.

use wavetile_shaders::pack::PackParameters;

/// Layout of packed texels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TexelFormat {
    /// Red, green, blue, alpha in 8 bits each, scaled to 0..=255. Textures can be viewed as sRGB (not on OpenGL).
    #[default]
    Rgba8,
    /// The first channel (grey or red) in 16 bits, little-endian, scaled to 0..=65535.
    R16,
    /// Red, green, blue, alpha in 16 bits each, little-endian, scaled to 0..=65535.
    Rgba16,
}

impl TexelFormat {
    /// Bytes of a texel.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Rgba8 => 4,
            Self::R16 => 2,
            Self::Rgba16 => 8,
        }
    }

    /// Its number in [`PackParameters::format`].
    #[must_use]
    pub const fn pack_format(self) -> u32 {
        match self {
            Self::Rgba8 => PackParameters::RGBA8,
            Self::R16 => PackParameters::R16,
            Self::Rgba16 => PackParameters::RGBA16,
        }
    }
}
