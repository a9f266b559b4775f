//! Textures that a window is decoded into.

use super::context::Context;
use crate::error::DeviceError;
use crate::geometry::Size;
use crate::plan::TexelFormat;
use wavetile_shaders::wgsl::AtlasTexels;

impl TexelFormat {
    /// The format of textures made here: one that every device has.
    #[must_use]
    pub const fn texture_format(self) -> wgpu::TextureFormat {
        match self {
            Self::Rgba8 => wgpu::TextureFormat::Rgba8Unorm,
            Self::R16 => wgpu::TextureFormat::R16Uint,
            Self::Rgba16 => wgpu::TextureFormat::Rgba16Uint,
            Self::R8 => wgpu::TextureFormat::R8Unorm,
            Self::Rg8 => wgpu::TextureFormat::Rg8Unorm,
            Self::Rg16 => wgpu::TextureFormat::Rg16Uint,
            Self::R16Float => wgpu::TextureFormat::R16Float,
            Self::Rgba16Float => wgpu::TextureFormat::Rgba16Float,
            Self::R32Float => wgpu::TextureFormat::R32Float,
        }
    }

    /// Whether texels of this layout can be copied into a texture of `format` and mean the same there.
    #[must_use]
    pub const fn fits(self, format: wgpu::TextureFormat) -> bool {
        use wgpu::TextureFormat as F;
        match self {
            Self::Rgba8 => matches!(format, F::Rgba8Unorm | F::Rgba8UnormSrgb | F::Rgba8Uint),
            Self::R16 => matches!(format, F::R16Uint | F::R16Unorm),
            Self::Rgba16 => matches!(format, F::Rgba16Uint | F::Rgba16Unorm),
            Self::R8 => matches!(format, F::R8Unorm | F::R8Uint),
            Self::Rg8 => matches!(format, F::Rg8Unorm | F::Rg8Uint),
            Self::Rg16 => matches!(format, F::Rg16Uint | F::Rg16Unorm),
            Self::R16Float => matches!(format, F::R16Float),
            Self::Rgba16Float => matches!(format, F::Rgba16Float),
            Self::R32Float => matches!(format, F::R32Float),
        }
    }

    /// How a shader samples an atlas of [`Self::texture_format`] on every device.
    #[must_use]
    pub const fn atlas_texels(self) -> AtlasTexels {
        match self {
            Self::R16 | Self::Rg16 | Self::Rgba16 => AtlasTexels::Integers,
            Self::R32Float => AtlasTexels::Floats,
            Self::Rgba8 | Self::R8 | Self::Rg8 | Self::R16Float | Self::Rgba16Float => AtlasTexels::Filtered,
        }
    }

    /// Bytes of a packed row of the arena's output: texture copies want a multiple of 256.
    pub(super) const fn padded_row_bytes(self, width: u32) -> u64 {
        (width as u64 * self.bytes() as u64).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as u64)
    }
}

/// A place in the host's texture. The texture needs the usage `COPY_DST`.
#[derive(Clone, Copy, Debug)]
pub struct TextureTarget<'a> {
    /// A 2-D texture (or array) of a format that [`TexelFormat::fits`].
    pub texture: &'a wgpu::Texture,
    /// Mip level to write.
    pub mip_level: u32,
    /// Texel of the window's upper left corner; `z` is the array layer.
    pub origin: wgpu::Origin3d,
}

impl<'a> TextureTarget<'a> {
    /// The upper left corner of a texture: of its first mip level and array layer.
    #[must_use]
    pub const fn new(texture: &'a wgpu::Texture) -> Self {
        Self { texture, mip_level: 0, origin: wgpu::Origin3d::ZERO }
    }

    /// The window's upper left corner shall lie at this texel.
    #[must_use]
    pub const fn at(mut self, x: u32, y: u32) -> Self {
        (self.origin.x, self.origin.y) = (x, y);
        self
    }

    /// Another layer of a texture array.
    #[must_use]
    pub const fn layer(mut self, layer: u32) -> Self {
        self.origin.z = layer;
        self
    }

    /// Another mip level.
    #[must_use]
    pub const fn mip_level(mut self, level: u32) -> Self {
        self.mip_level = level;
        self
    }

    /// # Errors
    /// [`DeviceError::Refused`] if a window of `size` texels cannot be copied here.
    pub(super) fn check(&self, format: TexelFormat, size: Size) -> Result<(), DeviceError> {
        let refused = |reason| Err(DeviceError::Refused { reason });
        if !format.fits(self.texture.format()) {
            return refused(format!("{format:?} texels do not fit a texture of {:?}", self.texture.format()));
        }
        if !self.texture.usage().contains(wgpu::TextureUsages::COPY_DST) {
            return refused("the texture lacks the usage COPY_DST".to_owned());
        }
        if self.texture.dimension() != wgpu::TextureDimension::D2
            || self.texture.sample_count() != 1
            || self.mip_level >= self.texture.mip_level_count()
        {
            return refused("the target must be a level of a 2-D texture with one sample".to_owned());
        }
        let extent = self.texture.size();
        let fits = |first: u32, length: u32, whole: u32| {
            u64::from(first) + u64::from(length) <= u64::from((whole >> self.mip_level).max(1))
        };
        if !fits(self.origin.x, size.width, extent.width)
            || !fits(self.origin.y, size.height, extent.height)
            || self.origin.z >= extent.depth_or_array_layers
        {
            return refused(format!(
                "a window of {}x{} texels at {:?} is not inside level {} of a texture of {extent:?}",
                size.width, size.height, self.origin, self.mip_level
            ));
        }
        Ok(())
    }
}

impl TextureTarget<'_> {
    /// Copies packed texels here, for which [`Self::check`] was passed.
    pub(super) fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        texels: &wgpu::Buffer,
        offset: u64,
        row_bytes: u32,
        size: Size,
    ) {
        let layout =
            wgpu::TexelCopyBufferLayout { offset, bytes_per_row: Some(row_bytes), rows_per_image: None };
        let to = wgpu::TexelCopyTextureInfo {
            texture: self.texture,
            mip_level: self.mip_level,
            origin: self.origin,
            aspect: wgpu::TextureAspect::All,
        };
        let extent = wgpu::Extent3d { width: size.width, height: size.height, depth_or_array_layers: 1 };
        encoder.copy_buffer_to_texture(wgpu::TexelCopyBufferInfo { buffer: texels, layout }, to, extent);
    }
}

/// # Errors
/// [`DeviceError::Refused`] if the device has no textures so large.
pub(super) fn create(
    context: &Context,
    format: TexelFormat,
    size: Size,
) -> Result<wgpu::Texture, DeviceError> {
    let limit = context.device().limits().max_texture_dimension_2d;
    if size.width > limit || size.height > limit || size.area() == 0 {
        return Err(DeviceError::Refused {
            reason: format!(
                "a texture of {}x{} texels cannot be made: sides are 1 to {limit} texels; decode a smaller window, \
                 or more windows",
                size.width, size.height
            ),
        });
    }
    let make = |view_formats: &[wgpu::TextureFormat]| {
        context.guarded("making a texture", || {
            Ok(context.device().create_texture(&wgpu::TextureDescriptor {
                label: Some("wavetile window"),
                size: wgpu::Extent3d { width: size.width, height: size.height, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: format.texture_format(),
                usage: wgpu::TextureUsages::TEXTURE_BINDING
                    | wgpu::TextureUsages::COPY_DST
                    | wgpu::TextureUsages::COPY_SRC,
                view_formats,
            }))
        })
    };
    if format == TexelFormat::Rgba8 {
        // OpenGL has no views of other formats: there the texture is still of use without.
        return make(&[wgpu::TextureFormat::Rgba8UnormSrgb]).or_else(|_| make(&[]));
    }
    make(&[])
}
