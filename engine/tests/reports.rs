//! Small files that once failed: each is opened, looked at, planned and decoded in odd windows, which ends in a picture of the
//! right size or in an error that says something, and never in a panic.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod adapter;

use std::panic::{AssertUnwindSafe, catch_unwind};
use wavetile_engine::low_level::plan::{CellSize, Target};
use wavetile_engine::{DecodeRequest, Decoder, Image, Rect, TexelFormat, UpSampling};
use wavetile_testing::shared;

/// Windows of all sides at the edges and beside them; some that are empty, turned around or nowhere.
fn windows(area: Rect) -> Vec<Option<Rect>> {
    let mut windows = vec![None];
    let places =
        |begin: u32, end: u32| [begin, begin + (end - begin) / 2, end.saturating_sub(6), end - 1, end];
    for (x, y) in places(area.x0, area.x1).into_iter().zip(places(area.y0, area.y1).into_iter().rev()) {
        for (width, height) in [(1, 1), (1, 200), (200, 1), (6, 40), (7, 3), (0, 5), (u32::MAX, u32::MAX)] {
            windows.push(Some(Rect::new(x, y, x.saturating_add(width), y.saturating_add(height))));
        }
    }
    windows.extend([Rect::new(9, 9, 2, 2), Rect::new(u32::MAX - 1, 0, u32::MAX, 5)].map(Some));
    windows
}

/// Goes the whole way of a request with each decoder; gives how many pictures that made.
fn walk(image: &Image, request: &DecodeRequest, decoders: &[Decoder]) -> usize {
    let mut pictures = 0;
    for cells in [CellSize::CPU, CellSize::of_side(1)] {
        let _ = image.plan(request, Target::Components, cells);
    }
    for decoder in decoders {
        match decoder.components(image, request) {
            Ok((components, _)) => {
                assert!(
                    components
                        .iter()
                        .all(|component| component.samples.len() as u64 == component.rect.area())
                );
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
            match decoder.render(image, &request.clone().format(format)) {
                Ok((picture, _)) => {
                    assert_eq!(picture.size, image.rendered_size(request).unwrap());
                    let area = u64::from(picture.size.width) * u64::from(picture.size.height);
                    assert_eq!(picture.bytes.len() as u64, area * u64::from(format.bytes()));
                    pictures += 1;
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    pictures
}

#[test]
fn files_that_once_failed_do_no_harm_in_any_window() {
    let Some(folder) = shared("testdata/reports") else { return };
    let decoders: Vec<Decoder> = [Some(Decoder::cpu()), adapter::gpu()].into_iter().flatten().collect();
    let (mut files, mut shown, mut panics) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !["jp2", "j2k", "jph"].contains(&ending) {
            continue;
        }
        files += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let opened = catch_unwind(|| {
            let image = Image::open(bytes).map_err(|error| error.to_string())?;
            // What `info` tells.
            let _ = format!("{:?} {:?} {:?}", image.container(), image.rendering(), image.header());
            assert!(image.tile(0).is_ok() && image.tile(u32::MAX).is_err());
            Ok::<_, String>(image)
        });
        let image = match opened {
            Ok(Ok(image)) => image,
            Ok(Err(reason)) => {
                assert!(!reason.is_empty(), "{name}");
                continue;
            }
            Err(_) => {
                panics.push(name);
                continue;
            }
        };
        let mut pictures = 0;
        for reduce in (0..=image.levels() + 1).chain([32, u32::MAX]) {
            for (at, window) in windows(image.area()).into_iter().enumerate() {
                let request = DecodeRequest::new().reduce(reduce).region(window);
                let request = match at % 4 {
                    0 => request.up_sampling(UpSampling::Repeated),
                    1 => request.without_component_transform(true),
                    2 => request.components(vec![0]),
                    _ => request.layers(1),
                };
                match catch_unwind(AssertUnwindSafe(|| walk(&image, &request, &decoders))) {
                    Ok(made) => pictures += made,
                    Err(_) => panics.push(format!("{name} {request:?}")),
                }
            }
        }
        shown += usize::from(pictures > 0);
    }
    assert!(panics.is_empty(), "{}", panics.join("\n"));
    assert!(files >= 12 && shown >= 5, "{files} files, {shown} of which were shown");
}
