//! Pictures of what was drawn.

use std::error::Error;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use wavetile::engine::gpu::Context;
use wavetile::engine::{Size, wgpu};

/// A texture to draw into; rows of 64 texels or a multiple.
pub(crate) fn target(context: &Context, size: Size) -> wgpu::Texture {
    context.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: size.width, height: size.height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// Draws a frame until it says that it is as good as it gets, and what came last has faded in; then its texels, row by row.
pub(crate) fn settled(
    context: &Context,
    texture: &wgpu::Texture,
    mut draw: impl FnMut(Duration) -> Result<bool, Box<dyn Error>>,
) -> Result<Vec<u8>, Box<dyn Error>> {
    while !draw(START.elapsed())? {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    draw(START.elapsed())?;
    read(context, texture)
}

/// The clock that frames are told.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Its texels, row by row. Waits for the device.
pub(crate) fn read(context: &Context, texture: &wgpu::Texture) -> Result<Vec<u8>, Box<dyn Error>> {
    let (device, queue) = (context.device(), context.queue());
    let row = texture.width() * 4;
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(row * texture.height()),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    let to = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
    encoder.copy_texture_to_buffer(texture.as_image_copy(), to, texture.size());
    queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |_| {});
    device.poll(wgpu::PollType::wait_indefinitely())?;
    Ok(buffer.get_mapped_range(..)?.to_vec())
}

/// Writes RGBA texels as PNG.
pub(crate) fn save(texels: &[u8], size: Size, path: &str) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(std::fs::File::create(path)?, size.width, size.height);
    encoder.set_color(png::ColorType::Rgba);
    Ok(encoder.write_header()?.write_image_data(texels)?)
}
