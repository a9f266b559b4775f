//! The snippets of the README do what it says.
#![cfg(all(feature = "blocking", feature = "gpu", feature = "http1"))]
#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub, reason = "as it stands in the README")]
mod pixels;
#[allow(unreachable_pub, reason = "as it stands in the README")]
mod record;
#[allow(unreachable_pub, reason = "as it stands in the README")]
mod tiles;

use std::sync::Arc;
use std::sync::mpsc;
use wavetile::engine::error::DeviceError;
use wavetile::engine::gpu::Context;
use wavetile::engine::source::IndexedFile;
use wavetile::engine::tiles::{PageId, PageKey, PlanarView};
use wavetile::engine::{DecodeRequest, Decoder, Image, Limits, Rect, Size, wgpu};
use wavetile::transport::client::{ClientConfig, Session};
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
    assert_eq!(shown, [include_str!("pixels.rs"), include_str!("record.rs"), include_str!("tiles.rs")]);
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
fn a_picture_on_a_server_is_a_texture_whose_pages_stay() {
    let Some(context) = context() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let address = format!("{}/moon.jp2", serve());
    let session = runtime.block_on(Session::open(&address, ClientConfig::default())).unwrap();
    let mut scene = runtime.block_on(tiles::open(&context, &session)).unwrap();
    let picture = scene.2;
    let view = PlanarView { picture, pixels: [0.0, 0.0, 96.0, 64.0], viewport: Size::new(96, 64) };
    let start = std::time::Instant::now();
    loop {
        let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let settled = tiles::frame(&mut scene, &mut encoder, view, start.elapsed()).unwrap();
        context.queue().submit([encoder.finish()]);
        if settled {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let page = PageKey { picture, page: PageId { reduce: 0, x: 0, y: 0 } };
    let texture = &scene.1;
    let slot = texture.place(page).unwrap();
    let inside = wgpu::Origin3d { x: slot.x + 4, y: slot.y + 4, z: slot.z };
    let size = wgpu::Extent3d { width: 96, height: 64, depth_or_array_layers: 1 };
    let found = read_part(&context, texture.atlas().unwrap(), inside, size);
    assert_near("the page", &found, &whole(&DecodeRequest::new()), ROUNDING);
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
    read_part(context, texture, wgpu::Origin3d::ZERO, texture.size())
}

/// Some texels, row by row.
fn read_part(
    context: &Context,
    texture: &wgpu::Texture,
    origin: wgpu::Origin3d,
    size: wgpu::Extent3d,
) -> Vec<u8> {
    let (row, padded) = (size.width * 4, (size.width * 4).next_multiple_of(256));
    let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(padded * size.height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(padded), rows_per_image: None };
    encoder.copy_texture_to_buffer(
        wgpu::TexelCopyTextureInfo { origin, ..texture.as_image_copy() },
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
        size,
    );
    context.queue().submit([encoder.finish()]);
    let (sender, receiver) = mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| sender.send(result).unwrap());
    context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    receiver.recv().unwrap().unwrap();
    let bytes = buffer.get_mapped_range(..).unwrap();
    bytes.chunks_exact(padded as usize).flat_map(|line| &line[..row as usize]).copied().collect()
}
