use std::error::Error;
use std::sync::mpsc::{Receiver, Sender};
use wavetile::engine::gpu::TextureTarget;
use wavetile::engine::wgpu::{CommandEncoder, Texture};
use wavetile::engine::{Decoder, Prepared, Rect, Result};
use wavetile::transport::client::{Client, ClientConfig};

// Runs beside the window, on tokio.
pub async fn watch(server: &str, decoder: &Decoder, arrived: Sender<Prepared>) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(server, ClientConfig::default()).await?;
    let session = client.create_session("moon.jp2").await;
    let mut image = session.request_region(Rect::new(0, 0, 4096, 4096), 0).await?;
    while image.next_update().await.is_some() {
        arrived.send(image.prepare(decoder)?)?; // what there is by now
    }
    Ok(())
}

// The window calls this once a frame. It never waits.
pub fn frame(arrived: &Receiver<Prepared>, encoder: &mut CommandEncoder, texture: &Texture) -> Result<()> {
    if let Some(newest) = arrived.try_iter().last() {
        newest.record(encoder, TextureTarget::new(texture))?;
    }
    Ok(())
}
