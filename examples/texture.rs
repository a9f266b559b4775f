//! Decodes into a texture on a `wgpu` device of one's own, and reads one texel back.
//!
//! ```sh
//! cargo run --release --example texture -- program/assets/mandelbrot.jp2 3
//! ```

use std::error::Error;
use wavetile::engine::gpu::Context;
use wavetile::engine::{DecodeRequest, Decoder, Image, wgpu};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().ok_or("usage: texture IN.jp2 [LEVELS]")?;
    let reduce = arguments.next().map_or(Ok(0), |levels| levels.parse())?;

    // The host's device: nothing is asked of it beyond the defaults.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;

    let image = Image::open_file(input)?;
    let decoder = Decoder::with_gpu(Context::new(device.clone(), queue.clone()))?;
    let request = DecodeRequest::new().reduce(reduce);
    let (texture, report) = decoder.texture(&image, &request)?;

    let size = texture.size();
    println!("a texture of {} x {} texels on {}", size.width, size.height, decoder.backend_name());
    println!(
        "{} submissions, {} dispatches, {} bytes uploaded",
        report.submissions, report.dispatches, report.uploaded_bytes
    );
    let origin = wgpu::Origin3d { x: size.width / 4, y: size.height / 4, z: 0 };
    let [red, green, blue, alpha] = read_texel(&device, &queue, &texture, origin)?;
    println!("texel ({}, {}): {red}, {green}, {blue}, {alpha}", origin.x, origin.y);
    Ok(())
}

/// Copies one texel out. What was submitted before is done by then.
fn read_texel(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
    origin: wgpu::Origin3d,
) -> Result<[u8; 4], Box<dyn Error>> {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_texture_to_buffer(
        wgpu::TexelCopyTextureInfo { origin, ..texture.as_image_copy() },
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout: wgpu::TexelCopyBufferLayout::default() },
        wgpu::Extent3d { width: 1, height: 1, depth_or_array_layers: 1 },
    );
    queue.submit([encoder.finish()]);
    let (sender, receiver) = std::sync::mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is gone only if waiting failed, which says more.
        let _ = sender.send(result);
    });
    device.poll(wgpu::PollType::wait_indefinitely())?;
    receiver.recv()??;
    Ok(buffer.get_mapped_range(..)?.first_chunk().copied().ok_or("a texel has four bytes")?)
}
