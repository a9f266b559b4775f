use std::{error::Error, sync::Arc, time::Duration};
use wavetile::engine::gpu::Context;
use wavetile::engine::tiles::{FrameBudget, PictureOptions, PlanarView, Tiles, TilesOptions, View};
use wavetile::engine::tiles::{PictureId, VirtualTexture, VirtualTextureOptions};
use wavetile::engine::{Decoder, Result, wgpu::CommandEncoder};
use wavetile::transport::client::Session;

pub type Scene = (Tiles, VirtualTexture, PictureId);

// Once. The session is Session::open("jpip://host/moon.jp2", ClientConfig::default()).await?.
pub async fn open(gpu: &Context, session: &Session) -> Result<Scene, Box<dyn Error>> {
    let mut tiles = Tiles::new(&Decoder::with_gpu(gpu.clone())?, TilesOptions::new());
    let texture = VirtualTexture::new(gpu, &mut tiles, VirtualTextureOptions::new().device_bytes(128 << 20))?;
    let image = session.image().await?;
    let source = Arc::new(session.tile_source(&image));
    let picture = tiles.add(&image, PictureOptions::default(), Some(source))?;
    tiles.start()?; // decodes on a thread of its own
    Ok((tiles, texture, picture))
}

// Once a frame; it never waits. Then a pass whose shader has texture.shader(1) binds texture.bind_group() as group 1, and
// calls sample_virtual(picture, uv, dpdx(uv), dpdy(uv)).
pub fn frame(scene: &mut Scene, into: &mut CommandEncoder, view: PlanarView, now: Duration) -> Result<bool> {
    let (tiles, texture, _) = scene;
    let settled = tiles.update(&[View::Planar(view)], now).settled;
    texture.poll(tiles, into, FrameBudget::default())?;
    Ok(settled)
}
