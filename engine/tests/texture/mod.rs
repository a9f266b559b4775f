//! What a texture shows, for tests.

use wavetile_engine::gpu::Context;
use wavetile_engine::wgpu;

/// Level 0 of a texture's first layer, `bytes` a texel, rows without gaps.
pub fn read(context: &Context, texture: &wgpu::Texture, bytes: u32) -> Vec<u8> {
    let (device, queue) = (context.device(), context.queue());
    let row = (texture.width() * bytes).next_multiple_of(256);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(row) * u64::from(texture.height()),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    let to = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
    let size = wgpu::Extent3d { depth_or_array_layers: 1, ..texture.size() };
    encoder.copy_texture_to_buffer(texture.as_image_copy(), to, size);
    queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., Result::unwrap);
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let view = buffer.get_mapped_range(..).unwrap();
    view.chunks(row as usize).flat_map(|line| &line[..(texture.width() * bytes) as usize]).copied().collect()
}
