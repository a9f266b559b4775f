//! Records four windows of a picture into an atlas of its own, a frame at a time, without ever waiting for one.
//!
//! ```sh
//! cargo run --release --example atlas -- program/assets/mandelbrot.jp2 atlas.png 3872 3456
//! ```
//!
//! The numbers are the pixel to look at: at full size, at a half, a quarter and an eighth.

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;
use wavetile::engine::gpu::{Context, TextureTarget};
use wavetile::engine::{DecodeRequest, Decoder, Image, Rect, wgpu};

/// Texels of a window, in both directions; the atlas has two by two.
const SIDE: u32 = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, x, y] = &arguments[..] else { return Err("usage: atlas IN.jp2 OUT.png X Y".into()) };
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let atlas = draw(&device, &queue, &Image::open_file(input)?, (x.parse()?, y.parse()?))?;
    let mut encoder = png::Encoder::new(std::fs::File::create(output)?, 2 * SIDE, 2 * SIDE);
    encoder.set_color(png::ColorType::Rgba);
    Ok(encoder.write_header()?.write_image_data(&read(&device, &queue, &atlas)?)?)
}

/// What is looked at: as many texels around a pixel of each size.
pub fn windows((x, y): (u32, u32)) -> [DecodeRequest; 4] {
    [0, 1, 2, 3].map(|reduce| {
        let (half, round) = ((SIDE / 2) << reduce, |at: u32| (at >> reduce) << reduce);
        let (x, y) = (round(x.max(half)), round(y.max(half)));
        DecodeRequest::new().reduce(reduce).region(Rect::new(x - half, y - half, x + half, y + half))
    })
}

/// Draws frames until all windows are in the atlas.
pub fn draw(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    image: &Image,
    focus: (u32, u32),
) -> Result<wgpu::Texture, Box<dyn Error>> {
    let decoder = Decoder::with_gpu(Context::new(device.clone(), queue.clone()))?;
    let atlas = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("atlas"),
        size: wgpu::Extent3d { width: 2 * SIDE, height: 2 * SIDE, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let (arrived, ready) = mpsc::channel();
    std::thread::scope(|scope| {
        for (place, window) in (0..).zip(windows(focus)) {
            let (arrived, decoder) = (arrived.clone(), &decoder);
            scope.spawn(move || arrived.send((place, decoder.prepare(image, &window))).is_ok());
        }
        let mut missing = 4;
        while missing > 0 {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for (place, prepared) in ready.try_iter() {
                let target = TextureTarget::new(&atlas).at(place % 2 * SIDE, place / 2 * SIDE);
                prepared?.record(&mut encoder, target)?;
                missing -= 1;
            }
            // Here a host draws with what is in the atlas by now.
            queue.submit([encoder.finish()]);
            std::thread::sleep(Duration::from_millis(2)); // until the next frame
        }
        Ok(atlas)
    })
}

/// All texels, row by row. Only this waits.
pub fn read(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    atlas: &wgpu::Texture,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let row = 2 * SIDE * 4; // a multiple of 256
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(row * 2 * SIDE),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    let target = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
    encoder.copy_texture_to_buffer(atlas.as_image_copy(), target, atlas.size());
    queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |_| {});
    device.poll(wgpu::PollType::wait_indefinitely())?;
    Ok(buffer.get_mapped_range(..)?.to_vec())
}
