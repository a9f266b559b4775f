//! Layouts of packed texels.

use wavetile_shaders::pack::PackParameters;
use wavetile_shaders::shading::Shading;
use wavetile_shaders::texels;

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
    /// The first channel (grey or red) in 8 bits, scaled to 0..=255.
    R8,
    /// Two channels in 8 bits each, scaled to 0..=255: red and green; of grey pictures, grey and alpha.
    Rg8,
    /// Two channels in 16 bits each, little-endian, scaled to 0..=65535: red and green; of grey pictures, grey and alpha.
    Rg16,
    /// The first channel as a 16-bit float, little-endian: 1 is the largest sample of its depth.
    R16Float,
    /// Red, green, blue, alpha as 16-bit floats, little-endian: 1 is the largest sample of each depth.
    Rgba16Float,
    /// The first channel as a 32-bit float, little-endian: 1 is the largest sample of its depth.
    R32Float,
}

impl TexelFormat {
    /// All layouts.
    pub const ALL: &[Self] = &[
        Self::Rgba8,
        Self::R16,
        Self::Rgba16,
        Self::R8,
        Self::Rg8,
        Self::Rg16,
        Self::R16Float,
        Self::Rgba16Float,
        Self::R32Float,
    ];

    /// Bytes of a texel.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        texels::bytes(self.pack_format())
    }

    /// Channels of a texel: 1, 2 or 4.
    #[must_use]
    pub const fn channels(self) -> u32 {
        match self {
            Self::R8 | Self::R16 | Self::R16Float | Self::R32Float => 1,
            Self::Rg8 | Self::Rg16 => 2,
            Self::Rgba8 | Self::Rgba16 | Self::Rgba16Float => 4,
        }
    }

    /// How texels are drawn as the picture is: one channel as grey, two as grey and opacity, four as they are.
    #[must_use]
    pub const fn shading(self) -> Shading {
        match self.channels() {
            1 => Shading::grey(),
            2 => Shading::grey_and_opacity(),
            _ => Shading::identity(),
        }
    }

    /// Its number in [`PackParameters::format`].
    #[must_use]
    pub const fn pack_format(self) -> u32 {
        match self {
            Self::Rgba8 => PackParameters::RGBA8,
            Self::R16 => PackParameters::R16,
            Self::Rgba16 => PackParameters::RGBA16,
            Self::R8 => PackParameters::R8,
            Self::Rg8 => PackParameters::RG8,
            Self::Rg16 => PackParameters::RG16,
            Self::R16Float => PackParameters::R16F,
            Self::Rgba16Float => PackParameters::RGBA16F,
            Self::R32Float => PackParameters::R32F,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_has_a_number_of_its_own_and_bytes_for_its_channels() {
        let mut numbers: Vec<u32> = TexelFormat::ALL.iter().map(|format| format.pack_format()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..PackParameters::FORMATS).collect::<Vec<_>>());
        let bytes =
            TexelFormat::ALL.iter().map(|format| (format.bytes(), format.bytes() / format.channels()));
        let expected = [(4, 1), (2, 2), (8, 2), (1, 1), (2, 1), (4, 2), (2, 2), (8, 2), (4, 4)];
        assert_eq!(bytes.collect::<Vec<_>>(), expected);
        let grey = [0.5, 0.25, 0.0, 1.0];
        assert_eq!(TexelFormat::R16.shading().apply(grey), [0.5, 0.5, 0.5, 1.0]);
        assert_eq!(TexelFormat::Rg8.shading().apply(grey), [0.5, 0.5, 0.5, 0.25]);
        assert_eq!(TexelFormat::Rgba8.shading().apply(grey), grey);
    }
}
