//! Windows so small that a reduction leaves few pixels of them, or none: a picture of the right size, or an error that
//! says so, and never a panic.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[cfg(feature = "gpu")]
mod adapter;

use wavetile_engine::error::RequestError;
use wavetile_engine::{DecodeRequest, Decoder, Error, Image, Rect, TexelFormat};

const FORMATS: &[TexelFormat] = TexelFormat::ALL;

/// Decodes every window of a few sides at a few places; returns how many hold pixels, and how many none.
fn walk(decoder: &Decoder, image: &Image, sides: &[u32], step: usize) -> (u32, u32) {
    let area = image.area();
    let (mut pictures, mut refused) = (0, 0);
    for reduce in 0..=image.levels() {
        for x0 in (area.x0..area.x1).step_by(step).chain([area.x1 - 1]) {
            for (&width, &height) in sides.iter().zip(sides.iter().rev()) {
                let y0 = area.y1.saturating_sub(height).max(area.y0);
                let region = Rect::new(x0, y0, x0.saturating_add(width), y0.saturating_add(height));
                let request = DecodeRequest::new().reduce(reduce).region(region);
                let inside = region.intersect(area).ceil_shift(reduce);
                let (components, _) = decoder.components(image, &request).unwrap();
                assert!(components.iter().all(|c| c.samples.len() as u64 == c.rect.area()));
                let format = FORMATS[(x0 + width) as usize % FORMATS.len()];
                match decoder.render(image, &request.clone().format(format)) {
                    Ok((picture, _)) => {
                        assert_eq!(picture.size, inside.size(), "{region} at {reduce}");
                        assert_eq!(
                            picture.bytes.len() as u64,
                            inside.area() * u64::from(format.bytes()),
                            "{region} at {reduce}"
                        );
                        pictures += 1;
                    }
                    Err(error) => {
                        let named = matches!(error, Error::Request(RequestError::NoPixels { .. }));
                        assert!(named && inside.is_empty(), "{region} at {reduce}: {error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    (pictures, refused)
}

fn gradient() -> Image {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gradient.jp2");
    Image::open_file(path).unwrap()
}

#[test]
fn on_the_cpu() {
    let (pictures, refused) = walk(&Decoder::cpu(), &gradient(), &[1, 2, 3, 5, 6, 7, 9, 40], 1);
    assert!(pictures > 1000 && refused > 500, "{pictures}, {refused}");
}

#[test]
fn a_window_of_no_width_lies_outside() {
    let image = gradient();
    for region in [Rect::new(5, 5, 5, 9), Rect::new(9, 9, 5, 5), Rect::new(96, 0, 200, 64)] {
        let request = DecodeRequest::new().region(region);
        let refused = Decoder::cpu().render(&image, &request).unwrap_err();
        assert!(matches!(refused, Error::Request(RequestError::EmptyRegion { .. })), "{refused}");
    }
}

#[cfg(feature = "gpu")]
#[test]
fn on_the_gpu() {
    let Some(decoder) = adapter::gpu() else { return };
    let (pictures, refused) = walk(&decoder, &gradient(), &[1, 3, 6, 40], 7);
    assert!(pictures > 20 && refused > 20, "{pictures}, {refused}");
}

#[test]
fn requests_beyond_all_bounds_are_refused() {
    let image = gradient();
    let decoder = Decoder::cpu();
    let everywhere = [None, Some(Rect::new(0, 0, u32::MAX, u32::MAX)), Some(Rect::new(95, 63, 96, 64))];
    for reduce in [image.levels() + 1, 31, 32, 33, 63, 64, 65, u32::MAX] {
        for region in everywhere {
            let request = DecodeRequest::new().reduce(reduce).region(region);
            assert!(decoder.render(&image, &request).is_err(), "{request:?}");
            assert!(decoder.components(&image, &request).is_err(), "{request:?}");
            let window = image.rendered_window(&request).unwrap();
            assert!(window.resolve(image.header()).reduce <= image.levels());
        }
    }
    for components in [vec![], vec![3], vec![0, u32::MAX], vec![0; 100_000]] {
        let request = DecodeRequest::new().components(components);
        let sizes = (image.rendered_size(&request).is_ok(), image.component_rects(&request).is_ok());
        let decoded = decoder.render(&image, &request);
        assert_eq!(sizes.0, decoded.is_ok(), "{:?}", decoded.map(|_| ()));
        assert_eq!(sizes.1, decoder.components(&image, &request).is_ok());
        assert!(image.component_window(&request).components.is_none_or(|wanted| wanted.len() <= 100_003));
    }
    for tile in [1, 65_535, u32::MAX] {
        assert!(image.tile(tile).is_err());
    }
}
