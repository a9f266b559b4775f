//! A whole file: opening, boxes, plan, samples, picture.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wavetile_engine::runner::Serial;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DecodeRequest, Decoder, Image, Limits, Rect, TexelFormat};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_bytes: 32 << 20, max_code_blocks: 1 << 16, ..Limits::strict() };
    let Ok(file) = IndexedFile::open(bytes.to_vec(), &limits) else { return };
    let Ok(image) = Image::open(&file, &limits) else { return };
    let image = image.expect("a file has all headers that it has");
    let decoder = Decoder::cpu().with_runner(Arc::new(Serial));
    let area = image.area();
    let corner = Rect::new(area.x0, area.y0, area.x0.saturating_add(300), area.y0.saturating_add(300));
    for reduce in [0, 1] {
        let request = DecodeRequest { reduce, region: Some(corner), ..DecodeRequest::default() };
        let _ = decoder.components(&image, &file, &request);
    }
    let request = DecodeRequest { region: Some(corner), ..DecodeRequest::default() };
    let _ = decoder.render(&image, &file, &request, TexelFormat::Rgba16);
});
