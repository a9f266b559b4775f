//! What shaders are bound to: the atlas, the page table, the pictures and the frame.

use super::shares::{FRAME_BYTES, Shares};
use crate::error::DeviceError;
use crate::gpu::device_bytes::Reservation;
use crate::gpu::{Context, DeviceBytes, TexelFormat};
use wavetile_shaders::wgsl::AtlasTexels;

/// Device memory that shaders see, and the bind group that shows it to them.
#[derive(Debug)]
pub(crate) struct Bindings {
    pub(crate) atlas: wgpu::Texture,
    pub(crate) table: wgpu::Buffer,
    pub(crate) pictures: wgpu::Buffer,
    pub(crate) frame: wgpu::Buffer,
    pub(crate) group: wgpu::BindGroup,
    _bytes: Reservation,
}

impl Bindings {
    /// `None` if `count` has not as many bytes left.
    ///
    /// # Errors
    /// [`DeviceError`] if the device has no memory for them.
    pub(crate) fn new(
        context: &Context,
        layout: &wgpu::BindGroupLayout,
        shares: &Shares,
        format: TexelFormat,
        is_srgb: bool,
        count: &DeviceBytes,
    ) -> Result<Option<Self>, DeviceError> {
        let bytes = shares.grid.bytes(format) + shares.table_bytes() + shares.picture_bytes() + FRAME_BYTES;
        let Some(bytes) = count.reserve(bytes) else { return Ok(None) };
        context.guarded("making an atlas", || {
            let device = context.device();
            let atlas = device.create_texture(&wgpu::TextureDescriptor {
                label: Some("wavetile atlas"),
                size: shares.grid.extent(),
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: atlas_format(format, is_srgb),
                usage: wgpu::TextureUsages::TEXTURE_BINDING
                    | wgpu::TextureUsages::COPY_DST
                    | wgpu::TextureUsages::COPY_SRC,
                view_formats: &[],
            });
            let buffer = |label, size, usage: wgpu::BufferUsages| {
                device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(label),
                    size,
                    usage: usage | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            };
            let storage = wgpu::BufferUsages::STORAGE;
            let table = buffer("wavetile page table", shares.table_bytes(), storage);
            let pictures = buffer("wavetile pictures", shares.picture_bytes(), storage);
            let frame = buffer("wavetile frame", FRAME_BYTES, wgpu::BufferUsages::UNIFORM);
            let view = atlas.create_view(&wgpu::TextureViewDescriptor {
                dimension: Some(wgpu::TextureViewDimension::D2Array),
                ..Default::default()
            });
            let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
                label: Some("wavetile atlas"),
                mag_filter: wgpu::FilterMode::Linear,
                min_filter: wgpu::FilterMode::Linear,
                ..Default::default()
            });
            let mut entries = vec![
                wgpu::BindGroupEntry { binding: 0, resource: frame.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: pictures.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 2, resource: table.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::TextureView(&view) },
            ];
            if format.atlas_texels() == AtlasTexels::Filtered {
                let resource = wgpu::BindingResource::Sampler(&sampler);
                entries.push(wgpu::BindGroupEntry { binding: 4, resource });
            }
            let label = Some("wavetile virtual texture");
            let descriptor = wgpu::BindGroupDescriptor { label, layout, entries: &entries };
            let group = device.create_bind_group(&descriptor);
            Ok(Some(Self { atlas, table, pictures, frame, group, _bytes: bytes }))
        })
    }
}

/// The layout of the bind group, which fragment and compute shaders see.
pub(crate) fn layout(context: &Context, format: TexelFormat) -> Result<wgpu::BindGroupLayout, DeviceError> {
    let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
    let storage = || buffer(wgpu::BufferBindingType::Storage { read_only: true });
    let sample_type = match format.atlas_texels() {
        AtlasTexels::Filtered => wgpu::TextureSampleType::Float { filterable: true },
        AtlasTexels::Integers => wgpu::TextureSampleType::Uint,
        AtlasTexels::Floats => wgpu::TextureSampleType::Float { filterable: false },
    };
    let view_dimension = wgpu::TextureViewDimension::D2Array;
    let mut types = vec![
        buffer(wgpu::BufferBindingType::Uniform),
        storage(),
        storage(),
        wgpu::BindingType::Texture { sample_type, view_dimension, multisampled: false },
    ];
    if format.atlas_texels() == AtlasTexels::Filtered {
        types.push(wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering));
    }
    let visibility = wgpu::ShaderStages::FRAGMENT | wgpu::ShaderStages::COMPUTE;
    let entry = |(binding, ty)| wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None };
    let entries: Vec<_> = (0..).zip(types).map(entry).collect();
    context.guarded("making an atlas", || {
        let label = Some("wavetile virtual texture");
        let descriptor = wgpu::BindGroupLayoutDescriptor { label, entries: &entries };
        Ok(context.device().create_bind_group_layout(&descriptor))
    })
}

fn atlas_format(format: TexelFormat, is_srgb: bool) -> wgpu::TextureFormat {
    let plain = format.texture_format();
    if is_srgb { plain.add_srgb_suffix() } else { plain }
}
