//! A whole file: opening, boxes, plan, samples, picture.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wavetile_engine::runner::Serial;
use wavetile_engine::{DecodeRequest, Decoder, ImageOptions, Limits, Rect, TexelFormat};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::strict().max_bytes(32 << 20).max_code_blocks(1 << 16);
    let Ok(image) = ImageOptions::new().limits(limits).open(bytes.to_vec()) else { return };
    let decoder = Decoder::cpu().with_runner(Arc::new(Serial));
    let area = image.area();
    let corner = Rect::new(area.x0, area.y0, area.x0.saturating_add(300), area.y0.saturating_add(300));
    for reduce in [0, 1] {
        let request = DecodeRequest::new().reduce(reduce).region(corner);
        let _ = decoder.components(&image, &request);
    }
    let request = DecodeRequest::new().region(corner).format(TexelFormat::Rgba16);
    let _ = decoder.render(&image, &request);
});
