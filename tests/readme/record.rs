use wavetile::engine::gpu::TextureTarget;
use wavetile::engine::wgpu::{CommandEncoder, Texture};
use wavetile::engine::{DecodeRequest, Decoder, Image, Rect, Result};

// The decoder is Decoder::with_gpu(Context::new(device.clone(), queue.clone()))?, on the device of the host.
pub fn record(decoder: &Decoder, image: &Image, encoder: &mut CommandEncoder, atlas: &Texture) -> Result<()> {
    let window = DecodeRequest::new().region(Rect::new(32, 16, 96, 64));
    let prepared = decoder.prepare(image, &window)?; // entropy decoding: on any thread, without the device
    prepared.record(encoder, TextureTarget::new(atlas).at(16, 8))?; // the rest; never waits, submits nothing
    Ok(())
}
