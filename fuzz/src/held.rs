//! What a client holds, decoded.

use crate::limits;
use std::sync::{Arc, PoisonError};
use wavetile_engine::runner::Serial;
use wavetile_engine::source::TileBins;
use wavetile_engine::{DataBins, DecodeRequest, Decoder, Image, Rect, TexelFormat};
use wavetile_transport::jpip::{Client, Stream};

/// Opens and decodes a corner of the picture, as far as it has come.
pub fn decode_held(client: &Client) {
    let Ok(Some(image)) = client.image(&limits()) else { return };
    let bins = client.bins();
    let bins = bins.read().unwrap_or_else(PoisonError::into_inner);
    match client.stream() {
        Stream::Tiles => decode(&image, &TileBins::new(bins.clone(), &limits())),
        _ => decode(&image, &*bins),
    }
}

fn decode(image: &Image, bins: &dyn DataBins) {
    let area = image.area();
    let corner = Rect::new(area.x0, area.y0, area.x0.saturating_add(100), area.y0.saturating_add(100));
    let request = DecodeRequest { region: Some(corner), ..DecodeRequest::default() };
    let _ = Decoder::cpu().with_runner(Arc::new(Serial)).render(image, bins, &request, TexelFormat::Rgba8);
}
