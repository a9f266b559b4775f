//! A turning globe with a picture of any size on it, which streams over JPIP while it is looked at.
//!
//! ```sh
//! cargo run --release --example embed -- jpip://HOST:PORT/NAME            # in a window
//! cargo run --release --example embed -- jpip://HOST:PORT/NAME 8 FOLDER   # eight frames as PNG, without one
//! ```

use std::error::Error;
use std::f64::consts::{FRAC_PI_8, PI, TAU};
use std::sync::Arc;
use std::time::Duration;
use wavetile::engine::gpu::Context;
use wavetile::engine::tiles::{FrameBudget, PictureId, PictureOptions, SurfaceView, Tiles, TilesOptions};
use wavetile::engine::tiles::{View, VirtualTexture, VirtualTextureOptions};
use wavetile::engine::wgpu::{self, TextureFormat};
use wavetile::engine::{Decoder, Image, Size};
use wavetile::transport::client::{ClientConfig, Session};
#[path = "support/mod.rs"]
mod support; // a window, a pipeline, PNG

use support::triangles::Triangles;
use support::{snapshot, window};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Of a frame without a window.
pub const SIZE: Size = Size::new(640, 400);
/// From the middle of the globe to the eye, whose field of view is 45 degrees high.
pub const DISTANCE: f64 = 3.0;

/// `sample_virtual` is Wavetile's.
const SHADER: &str = "
struct Corner { @builtin(position) clip: vec4<f32>, @location(0) uv: vec2<f32> }
@vertex fn corner(@location(0) clip: vec4<f32>, @location(1) uv: vec2<f32>) -> Corner { return Corner(clip, uv); }
@fragment fn colour(corner: Corner) -> @location(0) vec4<f32> {
    return sample_virtual(0u, corner.uv, dpdx(corner.uv), dpdy(corner.uv));
}";

/// A globe of radius 1, turned by so many radians, as rectangles: what of the picture each shows, and its triangles.
pub fn globe(picture: PictureId, turned: f64, whole: Size, viewport: Size) -> (Vec<View>, Vec<f32>) {
    let (columns, rows, near, scale) = (64, 32, 0.01, 1.0 / FRAC_PI_8.tan());
    let corner = |x: u32, y: u32| {
        let [u, v] = [f64::from(x) / f64::from(columns), f64::from(y) / f64::from(rows)];
        let (around, down) = (u * TAU + turned, v * PI);
        let place = [down.sin() * around.sin(), down.cos(), down.sin() * around.cos()];
        let across = scale * f64::from(viewport.height) / f64::from(viewport.width);
        (
            [place[0] * across, place[1] * scale, DISTANCE - place[2] - near, DISTANCE - place[2]],
            place[2],
            [u, v],
        )
    };
    let (mut views, mut vertices) = (Vec::new(), Vec::new());
    for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
        let corners = [corner(x, y), corner(x, y + 1), corner(x + 1, y), corner(x + 1, y + 1)];
        // A place is seen from above the plane that touches the globe there.
        if corners.iter().all(|(_, towards, _)| towards * DISTANCE < 1.0) {
            continue;
        }
        let [origin, down, right, _] = corners.map(|(clip, ..)| clip);
        let to = |end: [f64; 4]| std::array::from_fn(|row| end[row] - origin[row]);
        let pixel = |[u, v]: [f64; 2]| [u * f64::from(whole.width), v * f64::from(whole.height)];
        let ([left, top], [end, bottom]) = (pixel(corners[0].2), pixel(corners[3].2));
        let (pixels, matrix) = ([left, top, end, bottom], [to(right), to(down), [0.0; 4], origin]);
        views.push(View::Surface(SurfaceView { picture, pixels, matrix, viewport }));
        for (clip, _, uv) in [0, 1, 2, 2, 1, 3].map(|index: usize| corners[index]) {
            vertices.extend(clip.iter().chain(&uv).map(|&number| number as f32));
        }
    }
    (views, vertices)
}

/// What a host keeps: a device of its own, the tiles, and their pages there.
pub struct Host {
    context: Context,
    tiles: Tiles,
    texture: VirtualTexture,
    picture: PictureId,
    triangles: Triangles,
}

impl Host {
    /// Draws into textures of a format.
    pub fn new(context: Context, image: &Image, session: &Session, into: TextureFormat) -> Outcome<Self> {
        let software = context.adapter_info().device_type == wgpu::DeviceType::Cpu;
        let decoder = if software { Decoder::cpu() } else { Decoder::with_gpu(context.clone())? };
        let mut tiles = Tiles::new(&decoder, TilesOptions::new());
        let texture = VirtualTexture::new(&context, &mut tiles, VirtualTextureOptions::new())?;
        let source = Arc::new(session.tile_source(image));
        let picture = tiles.add(image, PictureOptions::default(), Some(source))?; // its number is 0
        tiles.start()?; // pages are made on a thread of their own
        let shader = texture.shader(0) + SHADER; // bound as group 0
        let triangles = Triangles::new(context.device(), &shader, texture.bind_group_layout(), into);
        Ok(Self { context, tiles, texture, picture, triangles })
    }

    /// Draws a frame. True: it is as good as it gets.
    pub fn frame(&mut self, target: &wgpu::Texture, turned: f64, now: Duration) -> Outcome<bool> {
        let whole = self.tiles.pyramid(self.picture).ok_or("the picture is gone")?.level(0).size();
        let (views, vertices) =
            globe(self.picture, turned, whole, Size::new(target.width(), target.height()));
        let settled = self.tiles.update(&views, now).settled;
        let device = self.context.device();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.texture.poll(&mut self.tiles, &mut encoder, FrameBudget::default())?;
        self.triangles.draw(device, &mut encoder, target, self.texture.bind_group(), &vertices);
        self.context.queue().submit([encoder.finish()]);
        Ok(settled)
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: embed jpip://HOST:PORT/NAME [FRAMES FOLDER]";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let url = arguments.first().ok_or(usage)?;
    let session = runtime.block_on(Session::open(url, ClientConfig::default()))?;
    let image = runtime.block_on(session.image())?;
    match &arguments[1..] {
        [] => {
            let mut host = None;
            window::run("A globe", move |context, target, now| {
                let host = match &mut host {
                    Some(host) => host,
                    None => host.insert(Host::new(context.clone(), &image, &session, target.format())?),
                };
                host.frame(target, now.as_secs_f64() / 10.0, now)
            })
        }
        [count, folder] => {
            for (number, frame) in frames(&session, &image, count.parse()?)?.iter().enumerate() {
                snapshot::save(frame, SIZE, &format!("{folder}/{number}.png"))?;
            }
            Ok(())
        }
        _ => Err(usage.into()),
    }
}

/// Frames without a window, an eighth of a turn apart: rows of RGBA texels.
pub fn frames(session: &Session, image: &Image, count: u32) -> Outcome<Vec<Vec<u8>>> {
    let context = Context::request_blocking()?;
    let target = snapshot::target(&context, SIZE);
    let mut host = Host::new(context.clone(), image, session, target.format())?;
    let turned = |number: u32| f64::from(number) * TAU / 8.0;
    (0..count)
        .map(|number| snapshot::settled(&context, &target, |now| host.frame(&target, turned(number), now)))
        .collect()
}
