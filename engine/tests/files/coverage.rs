//! A region decodes the code-blocks that its samples depend on and no others: counted sample by sample.

use crate::{empty_codestream, open, open_path};
use std::collections::BTreeSet;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::header::WaveletTransform;
use wavetile_engine::low_level::codestream::precinct::Precinct;
use wavetile_engine::low_level::plan::{CellSize, Target};
use wavetile_engine::{DataBins, DecodeRequest, Decoder, Image, Limits, Rect};
use wavetile_testing::shared;

/// Interleaved positions of one dimension that the positions `wanted` of a resolution `start..end` depend on:
/// the lifting steps of T.800 F.3.8 walked backwards, the signal extended as F.3.7 says.
fn needed_positions(wanted: &BTreeSet<i64>, start: i64, end: i64, kernel: WaveletTransform) -> BTreeSet<i64> {
    let mut needed = wanted.clone();
    if end - start == 1 {
        return needed;
    }
    let steps: &[bool] = match kernel {
        WaveletTransform::Reversible53 => &[true, false],
        WaveletTransform::Irreversible97 => &[true, false, true, false],
    };
    for &changes_odd in steps {
        for position in needed.clone() {
            if (position.rem_euclid(2) == 1) == changes_odd {
                for neighbour in [position - 1, position + 1] {
                    let inside = if neighbour < start {
                        2 * start - neighbour
                    } else if neighbour >= end {
                        2 * (end - 1) - neighbour
                    } else {
                        neighbour
                    };
                    needed.insert(inside);
                }
            }
        }
    }
    needed
}

/// The coefficients of one dimension in the low or high band.
fn split(positions: &BTreeSet<i64>, high: bool) -> BTreeSet<i64> {
    positions
        .iter()
        .filter(|p| (p.rem_euclid(2) == 1) == high)
        .map(|p| p.div_euclid(2))
        .collect::<BTreeSet<_>>()
}

/// Code-blocks needed, coded ones among them, and staging bytes of these when each is counted once.
fn literal(image: &Image, region: Rect) -> (u64, u64) {
    let header = image.header();
    let size = &header.size;
    let (mut blocks_needed, mut blocks_coded) = (0, 0);
    for index in 0..header.tile_count() {
        let tile = image.tile(index).unwrap().tile;
        for (component, geometry) in tile.components.iter().enumerate() {
            let coding = &tile.parameters.components[component].coding;
            let (dx, dy) =
                (u32::from(size.components[component].dx), u32::from(size.components[component].dy));
            let grid = region.ceil_div(dx, dy);
            let positions = |a: u32, b: u32, c: u32, d: u32| -> BTreeSet<i64> {
                (i64::from(a.max(c))..i64::from(b.min(d))).collect()
            };
            let rect = geometry.rect;
            let mut columns = positions(grid.x0, grid.x1, rect.x0, rect.x1);
            let mut rows = positions(grid.y0, grid.y1, rect.y0, rect.y1);
            if columns.is_empty() || rows.is_empty() {
                continue;
            }
            for resolution in (0..geometry.resolutions.len()).rev() {
                let level = &geometry.resolutions[resolution];
                let bounds = level.rect;
                if resolution > 0 {
                    let (x0, x1) = (i64::from(bounds.x0), i64::from(bounds.x1));
                    let (y0, y1) = (i64::from(bounds.y0), i64::from(bounds.y1));
                    columns = needed_positions(&columns, x0, x1, coding.transform);
                    rows = needed_positions(&rows, y0, y1, coding.transform);
                }
                for number in 0..level.precincts_wide * level.precincts_high {
                    let id = PrecinctId {
                        tile: index,
                        component: component as u32,
                        precinct: level.first_precinct + u64::from(number),
                    };
                    let id = id.in_class_id(tile.components.len() as u32, header.tile_count()).unwrap();
                    let bin = image.bins().bin(0, DataBinId::Precinct(id)).unwrap().unwrap();
                    let limits = Limits::default();
                    let mut precinct =
                        Precinct::new(&tile, component as u32, resolution as u32, number, &limits).unwrap();
                    precinct.read(&bin.bytes, bin.complete).unwrap();
                    let coded: BTreeSet<u32> = precinct.contributions().iter().map(|c| c.block).collect();
                    for (band, blocks) in precinct.bands.iter().enumerate() {
                        let (high_x, high_y) = level.bands[band].orientation.high_pass();
                        let (band_columns, band_rows) = if resolution == 0 {
                            (columns.clone(), rows.clone())
                        } else {
                            (split(&columns, high_x), split(&rows, high_y))
                        };
                        for block in 0..blocks.grid.len() as u32 {
                            let rect = blocks.grid.rect(block);
                            let inside = |set: &BTreeSet<i64>, from: u32, to: u32| {
                                set.range(i64::from(from)..i64::from(to)).next().is_some()
                            };
                            if inside(&band_columns, rect.x0, rect.x1) && inside(&band_rows, rect.y0, rect.y1)
                            {
                                blocks_needed += 1;
                                blocks_coded += u64::from(coded.contains(&(blocks.first_block + block)));
                            }
                        }
                    }
                }
                if resolution > 0 {
                    columns = split(&columns, false);
                    rows = split(&rows, false);
                }
            }
        }
    }
    (blocks_needed, blocks_coded)
}

#[test]
fn regions_decode_the_blocks_that_their_samples_depend_on() {
    let Some(testdata) = shared("testdata") else { return };
    // Odd offsets, tiles, small precincts, sub-sampling, both wavelets, one-sample ranges.
    let files = [
        "files/gray-33x29-off35-t17-prec16-pcrl-l3-53.j2k",
        "files/gray-33x29-off31-97.j2k",
        "files/gray-96x80-offtiled-53.j2k",
        "files/rgb-48x48-cprl-sub3-mp-53.j2k",
        "files/sycc_420_odd_origin_x_coord.jp2",
        "files/tile_size_16.jp2",
        "files/b1_mono.j2c",
        "files/byte.jp2",
        "conformance/part4/p1_06.j2k",
        "conformance/part4/p0_11.j2k",
        "conformance/part4/p1_07.j2k",
    ];
    let decoder = Decoder::cpu();
    let mut partial = 0;
    for name in files {
        let image = open_path(&testdata.join(name));
        let area = image.area();
        let (w, h) = (area.width(), area.height());
        let at = |x: u32, y: u32, width: u32, height: u32| {
            let (x0, y0) = (area.x0 + x.min(w - 1), area.y0 + y.min(h - 1));
            Rect::new(x0, y0, x0 + width, y0 + height).intersect(area)
        };
        let mut regions = vec![area, at(0, 0, 1, 1), at(w - 1, h - 1, 1, 1), at(w / 2, h / 2, 1, 1)];
        regions.extend((1..8).map(|i| at(w * i / 9, h * (8 - i) / 9, 1 + w * i / 40, 1 + h / (i + 4))));
        for region in regions {
            let request = DecodeRequest::new().region(region).// The transform would draw in the components that it needs.
                without_component_transform(true);
            let (plan, coverage) = image.plan(&request, Target::Components, CellSize::of_side(64)).unwrap();
            let (needed, coded) = literal(&image, region);
            assert_eq!((coverage.blocks_needed, coverage.blocks_coded), (needed, coded), "{name} {region:?}");

            // The coefficients hold those blocks, each once, without a gap; none is empty.
            assert_eq!(plan.blocks.len() as u64, coded, "{name} {region:?}");
            let mut end = 0;
            for block in &plan.blocks {
                assert!(!block.segments.is_empty() && block.staging.start == end, "{name}");
                let row = if block.packed_16 { block.size.width.div_ceil(2) } else { block.size.width };
                end += row as usize * block.size.height as usize;
                assert_eq!(block.staging.end, end, "{name}");
            }
            assert_eq!(plan.staging_words, end, "{name}");
            for cell in &plan.cells {
                // Of each block no more than the cell reads, rounded to words.
                let words = cell.parts.iter().map(|part| part.len());
                assert_eq!(cell.upload_words, words.sum::<u64>(), "{name}");
                assert_eq!((cell.parts.len(), cell.dequantise.len()), (cell.blocks.len(), cell.blocks.len()));
                for ((&block, part), job) in cell.blocks.iter().zip(&cell.parts).zip(&cell.dequantise) {
                    let staging = plan.blocks[block as usize].staging.len() as u64;
                    let samples = u64::from(job.width) * u64::from(job.height);
                    assert!(part.len() <= staging && part.len() <= samples.max(1) + u64::from(job.height));
                }
            }

            if region.area() > 0 {
                let whole_blocks = literal(&image, area).0;
                partial += u64::from(needed < whole_blocks && needed > 0);
                let (_, report) = decoder.components(&image, &request).unwrap();
                assert_eq!(report.coefficient_bytes, plan.staging_words as u64 * 4, "{name}");
            }
        }
    }
    assert!(partial > 40, "only {partial} regions needed a part of their picture");
}

#[test]
fn a_small_region_of_a_large_picture_reads_few_blocks() {
    let Some(testdata) = shared("testdata") else { return };
    let path = testdata.join("streaming/mosaic8192_p1_rpcl_7lev_5layers_plt_tlm.jp2");
    let image = open_path(&path);
    let region = Rect::new(3031, 3440, 3415, 3696);
    let request = DecodeRequest::new().region(region);
    let (_, coverage) = image.plan(&request, Target::Components, CellSize::CPU).unwrap();
    assert_eq!((coverage.blocks_needed, coverage.blocks_coded), literal(&image, region));
}

#[test]
fn a_header_that_claims_a_huge_picture_costs_what_is_asked_of_it() {
    let decoder = Decoder::cpu();
    let is_limit = |error| matches!(error, Err(wavetile_engine::Error::Limit(_)));
    for (width, height, tile) in [
        (1 << 31, 1 << 31, u32::MAX),
        (u32::MAX, 1000, u32::MAX),
        (1000, u32::MAX, u32::MAX),
        (u32::MAX, u32::MAX, 1 << 25),
    ] {
        let image = open(empty_codestream(width, height, tile, 8)).unwrap();
        // All of it is beyond the limits, before anything is allocated.
        assert!(is_limit(decoder.components(&image, &DecodeRequest::default()).map(|_| ())));
        // A corner of it is small.
        let corner = Rect::new(width - 100, height - 90, width, height);
        for reduce in [0, 5] {
            let request = DecodeRequest::new().region(corner).reduce(reduce);
            let planned = image.plan(&request, Target::Components, CellSize::CPU);
            if width == 1 << 31 {
                // 2^32 precincts of one resolution are more than can be numbered.
                assert!(is_limit(planned.map(|_| ())));
                continue;
            }
            let (plan, _) = planned.unwrap();
            assert!(plan.staging_words == 0 && plan.cells.len() <= 1, "{plan:?}");
            let words: u64 = plan.cells.iter().map(|cell| u64::from(cell.arena_words)).sum();
            assert!(words < 100_000, "{words} words");
            let (components, report) = decoder.components(&image, &request).unwrap();
            assert!(components[0].samples.iter().all(|&sample| sample == 128));
            assert!(!report.is_complete() && report.coefficient_bytes == 0);
        }
    }
}

#[test]
fn many_claimed_tiles_are_refused_or_cheap() {
    // 65 025 tiles, of which one has a header and none has data.
    let image = open(empty_codestream(255 * 128, 255 * 128, 128, 8)).unwrap();
    let request = DecodeRequest::new().reduce(5);
    let (components, report) = Decoder::cpu().components(&image, &request).unwrap();
    assert_eq!(components[0].samples.len(), 1020 * 1020);
    assert!(!report.is_picture() && report.completeness() == 0.0);
}
