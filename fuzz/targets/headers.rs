//! Main headers, tile-part headers and the geometry that they make.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_engine::Limits;
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::low_level::codestream::tile_part::{TilePartHeader, TileParts};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::strict();
    let Ok(header) = MainHeader::parse(bytes, &limits) else { return };
    let source = bytes.to_vec();
    let range = header.length.min(bytes.len() as u64)..bytes.len() as u64;
    let Ok(parts) = TileParts::scan(&source, range, header.tile_count()) else { return };
    for part in parts.as_slice().iter().take(16) {
        let Ok(head) = TilePartHeader::read(&source, part) else { continue };
        let Ok(parameters) = header.tile_parameters(part.tile, &head.segments) else { continue };
        if parameters.check_limits(&limits).is_err() {
            continue;
        }
        let Ok(tile) = Tile::new(&header, part.tile, parameters) else { continue };
        for component in tile.components.iter().take(8) {
            for resolution in &component.resolutions {
                let last = resolution.precinct_count().saturating_sub(1) as u32;
                assert!(
                    resolution.rect.is_empty()
                        || resolution.precincts_meeting(resolution.rect).next() == Some(0)
                );
                for (number, band) in resolution.bands.iter().enumerate() {
                    let _ = band.code_blocks(resolution.precinct_band_rect(last, number)).len();
                }
            }
        }
    }
});
