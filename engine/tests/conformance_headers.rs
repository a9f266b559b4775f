//! Headers of the conformance codestreams (T.803) against the sizes and depths of their reference images.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use wavetile_engine::low_level::codestream::header::{MainHeader, main_header_length};
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::{Limits, Rect};
use wavetile_testing::{manifest, shared};

#[test]
fn sizes_and_depths_are_those_of_the_reference_images() {
    let Some(directory) = shared("testdata/conformance") else { return };
    let mut compared = 0;
    for entry in manifest(&directory.join("manifest.jsonl")) {
        let entry: Value = serde_json::from_str(&entry).unwrap();
        let number = |key: &str| entry[key].as_u64().unwrap() as u32;
        let name = entry["stream"].as_str().unwrap();
        if name.starts_with("(absent)") || !name.ends_with(".j2k") {
            continue;
        }
        let bytes = std::fs::read(directory.join(name)).unwrap();
        let header = MainHeader::parse(&bytes, &Limits::default()).unwrap();
        assert_eq!(main_header_length(&bytes), Ok(Some(header.length)), "{name}");
        let component = header.size.components[number("component") as usize];
        assert_eq!(u32::from(component.depth), number("stream_bits"), "{name}");
        assert_eq!(u32::from(component.signed), number("stream_signed"), "{name}");

        let reduce = number("reduction");
        let on_component =
            |rect: Rect| rect.ceil_div(component.dx.into(), component.dy.into()).ceil_shift(reduce);
        let whole = on_component(header.size.image);
        if !entry["note"].as_str().unwrap().contains("only") {
            let reference = (number("ref_width"), number("ref_height"));
            assert_eq!((whole.width(), whole.height()), reference, "{name}");
        }
        let mut area = 0;
        for index in 0..header.tile_count() {
            let tile = Tile::new(&header, index, header.tile_parameters.clone()).unwrap();
            let resolutions = &tile.components[number("component") as usize].resolutions;
            let resolution = &resolutions[resolutions.len() - 1 - reduce as usize];
            assert_eq!(resolution.rect, on_component(tile.rect), "{name}, tile {index}");
            area += resolution.rect.area();
        }
        assert_eq!(area, whole.area(), "{name}: tiles cover the component");
        compared += 1;
    }
    assert!(compared > 60, "only {compared} entries");
}
