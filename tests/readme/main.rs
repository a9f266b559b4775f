//! The snippets of the README do what it says.
#![cfg(all(feature = "blocking", feature = "gpu", feature = "http1"))]
#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub, reason = "as it stands in the README")]
mod pixels;
#[allow(unreachable_pub, reason = "as it stands in the README")]
mod record;
#[allow(unreachable_pub, reason = "as it stands in the README")]
mod watch;

use std::sync::Arc;
use std::sync::mpsc;
use wavetile::engine::error::DeviceError;
use wavetile::engine::gpu::Context;
use wavetile::engine::source::IndexedFile;
use wavetile::engine::{DecodeRequest, Decoder, Image, Limits, Rect, wgpu};
use wavetile::transport::jpip::{MemoryCatalogue, ServedPicture, ServerOptions};
use wavetile::transport::server::{RoadsConfig, Server};
use wavetile_testing::compare::assert_near;
use wavetile_testing::skip_adapter;

/// What a GPU may round otherwise.
const ROUNDING: f64 = 1.0;
/// 96 x 64 pixels.
const PICTURE: &str = "engine/tests/data/gradient.jp2";

#[test]
fn the_readme_shows_what_runs_here() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    assert!(readme.lines().count() <= 150, "a stranger has two minutes");
    let shown: Vec<_> =
        readme.split("```rust\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert_eq!(shown, [include_str!("pixels.rs"), include_str!("record.rs"), include_str!("watch.rs")]);
}

#[test]
fn a_file_becomes_pixels() {
    let picture = pixels::pixels(PICTURE).unwrap();
    assert_eq!((picture.size.width, picture.size.height, picture.bytes.len()), (48, 32, 48 * 32 * 4));
    assert_near("pixels", &picture.bytes, &whole(&DecodeRequest::new().reduce(1)), ROUNDING);
}

#[test]
fn a_window_is_recorded_into_an_atlas() {
    let Some(context) = context() else { return };
    let atlas = texture(&context, 128, 64);
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let decoder = Decoder::with_gpu(context.clone()).unwrap();
    record::record(&decoder, &Image::open_file(PICTURE).unwrap(), &mut encoder, &atlas).unwrap();
    context.queue().submit([encoder.finish()]);
    let found = read(&context, &atlas);
    let window = whole(&DecodeRequest::new().region(Rect::new(32, 16, 96, 64)));
    for (y, row) in found.chunks_exact(128 * 4).enumerate() {
        let inside = y.checked_sub(8).and_then(|y| window.chunks_exact(64 * 4).nth(y));
        let (before, rest) = row.split_at(16 * 4);
        let (middle, after) = rest.split_at(64 * 4);
        assert!(before.iter().chain(after).all(|&byte| byte == 0), "row {y} is written beside the window");
        assert_near(format!("row {y}"), middle, inside.unwrap_or(&[0; 64 * 4]), ROUNDING);
    }
}

#[test]
fn a_picture_on_a_server_is_shown_while_it_arrives() {
    let Some(context) = context() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let server = serve();
    let decoder = Decoder::with_gpu(context.clone()).unwrap();
    let (arrived, frames) = mpsc::channel();
    let watching = std::thread::spawn({
        let runtime = runtime.handle().clone();
        move || runtime.block_on(watch::watch(&server, &decoder, arrived)).map_err(|error| error.to_string())
    });
    let texture = texture(&context, 96, 64);
    loop {
        let last = watching.is_finished();
        let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        watch::frame(&frames, &mut encoder, &texture).unwrap();
        context.queue().submit([encoder.finish()]);
        if last {
            break;
        }
        std::thread::yield_now();
    }
    watching.join().unwrap().unwrap();
    assert_near("what is shown", &read(&context, &texture), &whole(&DecodeRequest::new()), ROUNDING);
}

/// The picture under the name that the README uses; its address.
fn serve() -> String {
    let file = IndexedFile::open(std::fs::read(PICTURE).unwrap(), &Limits::default()).unwrap();
    let catalogue = MemoryCatalogue::new([("moon.jp2".to_owned(), Arc::new(file) as Arc<dyn ServedPicture>)]);
    let loopback = "127.0.0.1:0".parse().unwrap();
    let roads = RoadsConfig::default().http1(Some(loopback)).http3(None);
    let server = Server::bind(catalogue, &roads, ServerOptions::default()).unwrap();
    let address = server.http1_addr().unwrap();
    tokio::spawn(server.run(std::future::pending()));
    format!("jpip://{address}")
}

/// What the CPU makes of it.
fn whole(request: &DecodeRequest) -> Vec<u8> {
    Decoder::cpu().render(&Image::open_file(PICTURE).unwrap(), request).unwrap().0.bytes
}

#[track_caller]
fn context() -> Option<Context> {
    match Context::request_blocking() {
        Ok(context) => Some(context),
        Err(DeviceError::NoAdapter { reason }) => {
            skip_adapter(reason);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Of zeros.
fn texture(context: &Context, width: u32, height: u32) -> wgpu::Texture {
    context.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// All texels, row by row.
fn read(context: &Context, texture: &wgpu::Texture) -> Vec<u8> {
    let (row, padded) = (texture.width() * 4, (texture.width() * 4).next_multiple_of(256));
    let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(padded * texture.height()),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(padded), rows_per_image: None };
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
        texture.size(),
    );
    context.queue().submit([encoder.finish()]);
    let (sender, receiver) = mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| sender.send(result).unwrap());
    context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    receiver.recv().unwrap().unwrap();
    let bytes = buffer.get_mapped_range(..).unwrap();
    bytes.chunks_exact(padded as usize).flat_map(|line| &line[..row as usize]).copied().collect()
}
