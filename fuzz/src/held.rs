//! What a client holds, decoded.

use crate::limits;
use std::sync::{Arc, PoisonError};
use wavetile_engine::runner::Serial;
use wavetile_engine::source::TileBins;
use wavetile_engine::{DecodeRequest, Decoder, Image, ImageOptions, Opening, Rect};
use wavetile_transport::jpip::{Client, StreamKind};

/// Opens and decodes a corner of the picture, as far as it has come.
pub fn decode_held(client: &Client) {
    let Ok(Some(image)) = client.image(&limits()) else { return };
    if client.stream() != StreamKind::Tiles {
        return decode(&image);
    }
    let bins = client.bins().read().unwrap_or_else(PoisonError::into_inner).clone();
    let options = ImageOptions::new().limits(limits()).codestream(image.codestream());
    if let Ok(Opening::Image(image)) = options.open_stream(Arc::new(TileBins::new(bins, &limits()))) {
        decode(&image);
    }
}

fn decode(image: &Image) {
    let area = image.area();
    let corner = Rect::new(area.x0, area.y0, area.x0.saturating_add(100), area.y0.saturating_add(100));
    let request = DecodeRequest::new().region(corner);
    let _ = Decoder::cpu().with_runner(Arc::new(Serial)).render(image, &request);
}
