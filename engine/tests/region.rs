//! A window decodes the code-blocks that its samples depend on, and no others.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::ops::Range;
use wavetile_engine::{DecodeRequest, Decoder, Image, Rect, Report};
use wavetile_testing::codestream::{OneTile, Pointers};

/// Coefficients of one level along one axis: low-pass and high-pass.
type Axis = (BTreeSet<u32>, BTreeSet<u32>);

/// What samples of one axis depend on, level by level, finest first: the lifting steps of T.800 F.3 are walked
/// backwards, sample by sample.
fn axis(window: Range<u32>, mut length: u32, levels: u8, irreversible: bool) -> Vec<Axis> {
    let mut needed: BTreeSet<u32> = window.collect();
    let mut axes = Vec::new();
    for _ in 0..levels {
        let steps: &[u32] = if irreversible { &[1, 0, 1, 0] } else { &[1, 0] };
        for &parity in steps {
            for sample in needed.clone().into_iter().filter(|sample| sample % 2 == parity) {
                let before = if sample == 0 { 1 } else { sample - 1 };
                let after = if sample + 1 == length { length - 2 } else { sample + 1 };
                needed.extend([before, after]);
            }
        }
        let of = |parity: u32| needed.iter().filter(move |&&s| s % 2 == parity).map(|s| s / 2).collect();
        let (low, high): Axis = (of(0), of(1));
        needed.clone_from(&low);
        axes.push((low, high));
        length = length.div_ceil(2);
    }
    axes
}

/// Blocks of one component that a window at full size depends on.
fn needed_blocks(size: (u32, u32), window: Rect, levels: u8, irreversible: bool) -> u64 {
    let columns = axis(window.x0..window.x1, size.0, levels, irreversible);
    let rows = axis(window.y0..window.y1, size.1, levels, irreversible);
    let blocks =
        |samples: &BTreeSet<u32>| samples.iter().map(|s| s / 64).collect::<BTreeSet<_>>().len() as u64;
    let mut count = 0;
    for (level, ((low_x, high_x), (low_y, high_y))) in columns.iter().zip(&rows).enumerate() {
        count += blocks(high_x) * blocks(low_y);
        count += blocks(low_x) * blocks(high_y);
        count += blocks(high_x) * blocks(high_y);
        if level + 1 == usize::from(levels) {
            count += blocks(low_x) * blocks(low_y);
        }
    }
    count
}

fn decode(image: &Image, window: Rect, components: Option<Vec<u32>>) -> Report {
    let request = DecodeRequest::new().region(window).components(components);
    let (components, report) = Decoder::cpu().components(image, &request).unwrap();
    assert_eq!(components[0].rect, window);
    report
}

const WINDOWS: [Rect; 4] = [
    Rect { x0: 3584, y0: 3584, x1: 4608, y1: 4608 },
    Rect { x0: 1001, y0: 4095, x1: 2025, y1: 5119 },
    Rect { x0: 0, y0: 7168, x1: 1024, y1: 8192 },
    Rect { x0: 8191, y0: 77, x1: 8192, y1: 78 },
];

#[test]
fn a_window_of_one_precinct_decodes_the_blocks_of_its_support() {
    for irreversible in [false, true] {
        let picture = OneTile {
            size: (8192, 8192),
            components: 1,
            levels: 5,
            irreversible,
            precincts: (15, 15),
            coded: 6,
            passes: 1,
            bytes: 2,
            pointers: Pointers::None,
        };
        let image = Image::open(picture.write()).unwrap();
        let whole = picture.blocks();
        for window in WINDOWS {
            let report = decode(&image, window, None);
            let needed = needed_blocks(picture.size, window, picture.levels, irreversible);
            assert_eq!(report.coverage.blocks_needed, needed, "{window:?}");
            assert_eq!(report.coverage.blocks_coded, needed, "{window:?}");
            assert!(report.is_complete() && needed < whole / 20, "{window:?}: {needed} of {whole}");
        }
    }
}

#[test]
fn a_window_of_many_precincts_decodes_the_blocks_of_its_support() {
    let bytes: &[u8] = include_bytes!("../../program/assets/mandelbrot.jp2");
    let image = Image::open(bytes).unwrap();
    for window in WINDOWS {
        let report = decode(&image, window, Some(vec![0]));
        // The component transform takes all three.
        let needed = 3 * needed_blocks((8192, 8192), window, 7, true);
        assert_eq!(report.coverage.blocks_needed, needed, "{window:?}");
        assert!(report.coverage.blocks_coded <= needed, "{window:?}");
    }
}
