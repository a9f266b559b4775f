//! The colour conversion's twin against known colours and against the steps' definitions in 64 bits.
#![allow(clippy::unwrap_used)]

use crate::colour::{self, ColourParameters, Colours};
use crate::pack::{self, PackChannel, PackParameters};

fn convert(p: &ColourParameters, tables: &[u32], colour: [f32; 3], opacity: f32, black: f32) -> [f32; 3] {
    let [mut red, mut green, mut blue] = colour.map(|value| [value]);
    let channels = [&mut red[..], &mut green[..], &mut blue[..]];
    colour::run(p, tables, Colours { channels, opacity: &[opacity], black: &[black] });
    [red[0], green[0], blue[0]]
}

fn close(made: [f32; 3], wanted: [f32; 3]) -> bool {
    made.iter().zip(wanted).all(|(made, wanted)| (made - wanted).abs() < 1e-5)
}

fn words(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// Full-range YCC of 8 bits.
pub(crate) fn sycc() -> ColourParameters {
    let zero = 128.0 / 255.0;
    ColourParameters {
        steps: ColourParameters::AFFINE,
        affine: [
            [1.0, 0.0, 1.402, -1.402 * zero],
            [1.0, -0.344_136, -0.714_136, (0.344_136 + 0.714_136) * zero],
            [1.0, 1.772, 0.0, -1.772 * zero],
        ],
        ..ColourParameters::default()
    }
}

#[test]
fn sycc_of_known_colours() {
    // Y, Cb, Cr of white, black, mid grey, and sRGB red as 4:4:4 full range.
    let arena = [255, 0, 128, 76, 128, 128, 128, 85, 128, 128, 128, 255];
    let channel = |plane| PackChannel {
        plane,
        row: 4,
        width: 4,
        height: 1,
        x_numerator: 1,
        x_denominator: 1,
        y_numerator: 1,
        y_denominator: 1,
        high: 255,
        table: PackChannel::NO_TABLE,
        ..PackChannel::default()
    };
    let absent = channel(PackChannel::OPAQUE);
    let p = PackParameters {
        width: 4,
        height: 1,
        row: 4,
        colour: sycc(),
        channels: [channel(0), channel(4), channel(8), absent, absent],
        ..PackParameters::default()
    };
    let mut texels = [0; 4];
    pack::run(&p, &[], &arena, &mut texels);
    assert_eq!(texels, [0xFFFF_FFFF, 0xFF00_0000, 0xFF80_8080, 0xFF00_00FE]);
}

#[test]
fn inks_leave_what_light_they_do_not_take() {
    let p = ColourParameters {
        steps: ColourParameters::AFFINE | ColourParameters::BLACK,
        affine: [[-1.0, 0.0, 0.0, 1.0], [0.0, -1.0, 0.0, 1.0], [0.0, 0.0, -1.0, 1.0]],
        ..ColourParameters::default()
    };
    assert!(close(convert(&p, &[], [0.0, 0.25, 1.0], 1.0, 0.5), [0.5, 0.375, 0.0]));
    assert!(close(convert(&p, &[], [0.2, 0.3, 0.4], 1.0, 1.0), [0.0; 3]));
}

#[test]
fn curves_are_straight_between_entries_and_end_at_both_ends() {
    let tables =
        [vec![9], words([0.0, 0.1, 1.0]), words([1.0, 0.5, 0.0]), words([0.3, 0.3, 0.3]), words([0.0, 0.8])];
    let p = ColourParameters {
        steps: ColourParameters::CURVES,
        curves: 1,
        curve_length: 3,
        encoding: 10,
        encoding_length: 2,
        matrix: [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.25], [0.0, 0.0, 2.0, 0.0]],
        ..ColourParameters::default()
    };
    let tables = tables.concat();
    assert!(close(convert(&p, &tables, [0.25, 0.25, 0.25], 1.0, 0.0), [0.05, 0.75, 0.3]));
    assert!(close(convert(&p, &tables, [0.75, 7.0, -1.0], 1.0, 0.0), [0.55, 0.0, 0.3]));
    assert!(close(convert(&p, &tables, [f32::NAN, 0.5, 0.0], 1.0, 0.0), [0.0, 0.5, 0.3]));
    let p = ColourParameters { steps: ColourParameters::CURVES | ColourParameters::MATRIX, ..p };
    assert!(close(convert(&p, &tables, [0.25, 0.25, 0.25], 1.0, 0.0), [0.6, 0.24, 0.48]));
}

#[test]
fn a_lattice_of_a_linear_map_is_that_map() {
    for dimensions in [3, 4] {
        let side = 4_u32;
        // The colour of a point: one value follows the first channel, one the mean of all, one the last.
        let colour = |place: &[f64]| {
            let mean = place.iter().sum::<f64>() / place.len() as f64;
            [place[0], mean, *place.last().unwrap()]
        };
        let mut tables = vec![u32::MAX; 3];
        for point in 0..side.pow(dimensions) {
            let place: Vec<f64> = (0..dimensions)
                .map(|d| f64::from(point / side.pow(dimensions - 1 - d) % side) / f64::from(side - 1))
                .collect();
            let [red, green, blue] = colour(&place).map(|value| (value * 65_535.0).round() as u32);
            tables.extend([red | green << 16, blue]);
        }
        let p = ColourParameters {
            steps: ColourParameters::LATTICE,
            lattice: 3,
            lattice_side: side,
            lattice_dimensions: dimensions,
            ..ColourParameters::default()
        };
        for n in 0..1000_u32 {
            let place = [7, 11, 13, 17].map(|step| f64::from(n * step % 101) / 100.0);
            let [red, green, blue, black] = place.map(|value| value as f32);
            let made = convert(&p, &tables, [red, green, blue], 1.0, black);
            let wanted = colour(&place[..dimensions as usize]).map(|value| value as f32);
            assert!(close(made, wanted), "{dimensions} dimensions, {place:?}: {made:?}, not {wanted:?}");
        }
    }
}

#[test]
fn premultiplied_colours_are_converted_whole() {
    let p = sycc();
    let premultiplied = ColourParameters { steps: p.steps | ColourParameters::PREMULTIPLIED, ..p };
    let whole = convert(&p, &[], [0.6, 0.4, 0.7], 1.0, 0.0);
    let made = convert(&premultiplied, &[], [0.6, 0.4, 0.7].map(|value| value * 0.5), 0.5, 0.0);
    assert!(close(made, whole.map(|value| value * 0.5)), "{made:?} of {whole:?}");
    assert_eq!(convert(&premultiplied, &[], [0.6, 0.4, 0.7], 0.0, 0.0), [0.0; 3]);
}
