//! Pictures of every shape the standard allows, written by a literal encoder and decoded again, sample for
//! sample: odd offsets, empty resolutions, precincts of one sample, single samples, the largest counts.
#![allow(clippy::unwrap_used)]

mod pages;
mod registration;
mod wavelet;
mod writer;

use crate::geometry::Rect;
use crate::{DecodeRequest, Decoder, ImageOptions, Limits, Result};
use proptest::prelude::*;
use writer::{ComponentShape, Shape};

/// Decodes the codestream as a file.
fn decode(bytes: Vec<u8>, request: &DecodeRequest) -> Result<Vec<Vec<i32>>> {
    let image = ImageOptions::new().limits(Limits::trusted()).open(bytes)?;
    let (components, report) = Decoder::cpu().components(&image, request)?;
    assert!(report.is_complete(), "{report:?}");
    Ok(components.into_iter().map(|component| component.samples).collect())
}

/// Samples of every component, any value its depth allows, from a seed.
fn samples(shape: &Shape, seed: u64) -> Vec<Vec<i32>> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let component = |component: &ComponentShape| {
        let area = component.rect(shape.image).area() as usize;
        let (half, full) = (1i64 << (component.depth - 1), 1i64 << component.depth);
        let low = if component.signed { -half } else { 0 };
        // Runs of equal samples, so that some code-blocks are empty.
        let mut value = low;
        let mut sample = || {
            if next().is_multiple_of(3) {
                value = low + (next() % full as u64) as i64;
            }
            value as i32
        };
        (0..area).map(|_| sample()).collect()
    };
    shape.components.iter().map(component).collect()
}

fn assert_round_trip(shape: &Shape, seed: u64) {
    let samples = samples(shape, seed);
    let decoded = decode(shape.write(&samples), &DecodeRequest::default()).unwrap();
    assert!(decoded == samples, "{shape:?}, seed {seed}");
}

/// One grey component of 8 bits in one tile, 2 levels, code-blocks of 64 x 64, whole precincts.
fn grey(image: Rect) -> Shape {
    Shape {
        image,
        tile: Rect::new(image.x0, image.y0, image.x1, image.y1),
        components: vec![ComponentShape { depth: 8, signed: false, dx: 1, dy: 1 }],
        levels: 2,
        code_block: (6, 6),
        precincts: Vec::new(),
        progression: 0,
        style: 0,
    }
}

prop_compose! {
    fn shapes()(
        (x0, y0, width, height) in (0u32..40, 0u32..40, 1u32..40, 1u32..40),
        (tile_width, tile_height, back_x, back_y) in (5u32..50, 5u32..50, 0u32..20, 0u32..20),
        components in prop::collection::vec((1u8..=16, any::<bool>(), 1u8..4, 1u8..4), 1..4),
        levels in prop_oneof![0u8..6, Just(32)],
        code_block in (2u8..7, 2u8..7),
        (ppx, ppy, whole) in (1u8..7, 1u8..7, any::<bool>()),
        progression in 0u8..5,
        style in 0u8..64,
    ) -> Shape {
        let back = |start: u32, back: u32, side: u32| start - start.min(back.min(side - 1));
        let (tile_x0, tile_y0) = (back(x0, back_x, tile_width), back(y0, back_y, tile_height));
        let mut precincts = vec![ppx | ppy << 4; usize::from(levels) + 1];
        precincts[0] = (ppx - 1) | (ppy - 1) << 4;
        Shape {
            image: Rect::new(x0, y0, x0 + width, y0 + height),
            tile: Rect::new(tile_x0, tile_y0, tile_x0 + tile_width, tile_y0 + tile_height),
            components: components
                .into_iter()
                .map(|(depth, signed, dx, dy)| ComponentShape { depth, signed, dx, dy })
                .collect(),
            levels,
            code_block,
            precincts: if whole { Vec::new() } else { precincts },
            progression,
            style,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn any_shape_comes_back(shape in shapes(), seed in any::<u64>()) {
        assert_round_trip(&shape, seed);
    }

    /// A region is the crop of the whole, and a reduced picture is the low-pass band of the levels left out.
    #[test]
    fn regions_and_reductions_are_parts_of_the_whole(
        shape in shapes(), seed in any::<u64>(), (u, v, width, height) in (0u32..60, 0u32..60, 1u32..60, 1u32..60), reduce in 0u32..4,
    ) {
        let region = Rect::new(u, v, u + width, v + height).intersect(shape.image);
        let reduce = reduce.min(shape.levels.into());
        prop_assume!(!region.is_empty());
        let samples = samples(&shape, seed);
        let request = DecodeRequest { reduce, region: Some(region), ..DecodeRequest::default() };
        let decoded = decode(shape.write(&samples), &request).unwrap();
        for ((component, samples), decoded) in shape.components.iter().zip(&samples).zip(decoded) {
            let whole = shape.reduced(component, samples, reduce);
            let crop = component.rect(region).ceil_shift(reduce);
            prop_assert_eq!(decoded, whole.crop(crop), "{:?}, region {:?}, reduced by {}", shape, region, reduce);
        }
    }
}

#[test]
fn a_single_sample_at_any_place() {
    for (x, y) in [(0, 0), (1, 0), (0, 1), (7, 13), (u32::MAX - 1, u32::MAX - 1)] {
        let image = Rect::new(x, y, x + 1, y + 1);
        for levels in [0, 1, 5, 32] {
            assert_round_trip(&Shape { levels, ..grey(image) }, 5);
        }
    }
}

#[test]
fn single_rows_and_columns() {
    for (width, height) in [(1, 300), (300, 1), (2, 129), (129, 2)] {
        for start in [0, 1] {
            let image = Rect::new(start, start, start + width, start + height);
            assert_round_trip(&Shape { levels: 9, ..grey(image) }, 7);
        }
    }
}

#[test]
fn precincts_of_one_sample() {
    let image = Rect::new(3, 2, 20, 15);
    // 1 x 1 at the coarsest resolution; 2 x 2 above it, which is one sample of each sub-band.
    for progression in 0..5 {
        let precincts = vec![0, 0x11, 0x11];
        assert_round_trip(&Shape { precincts, progression, ..grey(image) }, 11);
    }
}

#[test]
fn as_many_components_as_there_can_be() {
    let image = Rect::new(0, 0, 3, 2);
    let component = ComponentShape { depth: 5, signed: true, dx: 1, dy: 1 };
    assert_round_trip(&Shape { components: vec![component; 16_384], levels: 1, ..grey(image) }, 13);
}

#[test]
fn as_many_tiles_as_there_can_be() {
    let image = Rect::new(0, 0, 255, 257);
    let tile = Rect::new(0, 0, 1, 1);
    assert_round_trip(&Shape { tile, levels: 0, ..grey(image) }, 17);
    let too_many = Shape { tile, levels: 0, ..grey(Rect::new(0, 0, 256, 256)) };
    let error =
        ImageOptions::new().limits(Limits::trusted()).open(too_many.header()).err().unwrap().to_string();
    assert!(error.contains("65536"), "{error}");
}

#[test]
fn samples_of_up_to_28_bits_of_noise_and_31_of_a_picture() {
    let image = Rect::new(0, 0, 24, 24);
    let of = |depth, signed, levels| {
        let components = vec![ComponentShape { depth, signed, dx: 1, dy: 1 }];
        Shape { components, levels, ..grey(image) }
    };
    // The transform of noise takes up to two bits more than its samples.
    for signed in [false, true] {
        for depth in [1, 2, 17, 24, 27, 28] {
            assert_round_trip(&of(depth, signed, 2), 19);
        }
    }
    let shape = of(31, false, 3);
    let smooth = vec![(0..24 * 24).map(|i| (i % 24 + i / 24) * 40_000_000 + i % 3).collect::<Vec<i32>>()];
    assert_eq!(decode(shape.write(&smooth), &DecodeRequest::default()).unwrap(), smooth);
    // Beyond 30 bit-planes a code-block is refused by name.
    let noise = samples(&shape, 23);
    let error = decode(shape.write(&noise), &DecodeRequest::default()).unwrap_err().to_string();
    assert!(error.contains("bit-planes"), "{error}");
}
