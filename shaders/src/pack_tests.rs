//! The packing twin against one texel at a time, in the widest types.
#![allow(clippy::unwrap_used)]

use crate::component_transform::{self, ComponentTransformJob};
use crate::dispatch::Job;
use crate::pack::{self, PackChannel, PackFinish, PackParameters};
use crate::texels;
use proptest::prelude::*;

/// The value at a place: a sample less the lowest, or between samples.
fn sample(channel: &PackChannel, tables: &[u32], arena: &[u32], x: u32, y: u32) -> Result<u64, f64> {
    let place = |at: u32, n: u32, d: u32, offset: f32, first: u32| {
        f64::from(at) * f64::from(n) / f64::from(d) + f64::from(offset) - f64::from(first)
    };
    let x = place(x, channel.x_numerator, channel.x_denominator, channel.x_offset, channel.x0);
    let y = place(y, channel.y_numerator, channel.y_denominator, channel.y_offset, channel.y0);
    let sample = |column: f64, row: f64| {
        let column = (column as i64).clamp(0, i64::from(channel.width) - 1);
        let row = (row as i64).clamp(0, i64::from(channel.height) - 1);
        let at = i64::from(channel.plane) + row * i64::from(channel.row) + column;
        let mut value = (i64::from(arena[at as usize] as i32) - i64::from(channel.low)) as u64;
        if channel.table != PackChannel::NO_TABLE {
            let index = value.min(u64::from(channel.table_length) - 1);
            value = tables[channel.table as usize + index as usize].into();
        }
        value.min(channel.high.into())
    };
    if x.fract() == 0.0 && y.fract() == 0.0 {
        return Ok(sample(x, y));
    }
    let mut sum = 0.0;
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let weight = |at: f64, d: f64| 1.0 - (at - at.floor() - d).abs();
        sum += weight(x, dx) * weight(y, dy) * sample(x.floor() + dx, y.floor() + dy) as f64;
    }
    Err(sum)
}

/// The bits of a channel: an integer up to `top`, or a float.
fn bits(p: &PackParameters, sample: Result<u64, f64>, high: u32) -> u32 {
    if matches!(p.format, PackParameters::R16F | PackParameters::RGBA16F | PackParameters::R32F) {
        let number =
            sample.map_or_else(|sum| (sum / f64::from(high)) as f32, |value| value as f32 / high as f32);
        return if p.format == PackParameters::R32F { number.to_bits() } else { texels::to_half(number) };
    }
    let top = match p.format {
        PackParameters::R8 | PackParameters::RG8 | PackParameters::RGBA8 => 255,
        _ => 65_535,
    };
    let high = u64::from(high);
    match sample {
        Ok(value) => ((value * top + high / 2) / high) as u32,
        Err(sum) => (sum / high as f64 * top as f64).round() as u32,
    }
}

/// Red, green, blue, opacity, colours unconverted.
fn texel(p: &PackParameters, tables: &[u32], arena: &[u32], x: u32, y: u32) -> [u32; 4] {
    let mut texel = [0; 4];
    for (c, channel) in p.channels[..4].iter().enumerate() {
        texel[c] = match (channel.plane, c) {
            (PackChannel::OPAQUE, 3) => bits(p, Ok(1), 1),
            (PackChannel::OPAQUE, _) => texel[0],
            _ => bits(p, sample(channel, tables, arena, x, y), channel.high),
        };
    }
    texel
}

/// Channels of a texel, and bytes of a channel.
fn layout(format: u32) -> (usize, usize) {
    match format {
        PackParameters::RGBA8 => (4, 1),
        PackParameters::R16 | PackParameters::R16F => (1, 2),
        PackParameters::RGBA16 | PackParameters::RGBA16F => (4, 2),
        PackParameters::R8 => (1, 1),
        PackParameters::RG8 => (2, 1),
        PackParameters::RG16 => (2, 2),
        PackParameters::R32F => (1, 4),
        _ => panic!("format {format}"),
    }
}

/// Rows of bytes, then rows of words, the rest of the last one 0.
fn literal(p: &PackParameters, tables: &[u32], arena: &[u32], texels: &mut [u32]) {
    let (channels, bytes) = layout(p.format);
    for row in 0..p.height {
        let mut packed = Vec::new();
        for column in 0..p.width {
            let x = p.x0 + column.saturating_sub(p.left).min(p.width - p.left - p.right - 1);
            let y = p.y0 + row.saturating_sub(p.top).min(p.height - p.top - p.bottom - 1);
            let mut texel = texel(p, tables, arena, x, y);
            if channels == 2 && p.channels[1].plane == PackChannel::OPAQUE {
                texel[1] = texel[3];
            }
            for value in &texel[..channels] {
                packed.extend_from_slice(&value.to_le_bytes()[..bytes]);
            }
        }
        packed.resize(packed.len().next_multiple_of(4), 0);
        let words = packed.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        texels[(row * p.row) as usize..].iter_mut().zip(words).for_each(|(out, word)| *out = word);
    }
}

/// Packs both ways and gives the index of the first value that differs by more than `margin`.
fn compare(p: &PackParameters, tables: &[u32], arena: &[u32], margin: u32) -> Option<usize> {
    let mut made = vec![0xAAAA_AAAA; (p.row * p.height) as usize];
    let mut right = made.clone();
    pack::run(p, tables, arena, &mut made);
    literal(p, tables, arena, &mut right);
    if p.format >= PackParameters::R16F && margin > 0 {
        // Steps of floats near 0 are too small to count.
        return first_distance(
            p.format,
            &made,
            &right,
            if p.format == PackParameters::R32F { 1e-6 } else { 5e-4 },
        );
    }
    first_difference(&made, &right, 8 * layout(p.format).1 as u32, margin)
}

/// The index of the first float that is further from the right one than `margin`.
fn first_distance(format: u32, made: &[u32], right: &[u32], margin: f32) -> Option<usize> {
    let bytes = layout(format).1;
    let format = if bytes == 4 { PackParameters::R32F } else { PackParameters::R16F };
    let floats = |words: &[u32]| -> Vec<f32> {
        let packed: &[u8] = bytemuck::cast_slice(words);
        packed.chunks(bytes).map(|bytes| texels::unpack(format, false, bytes)[0]).collect()
    };
    let near = |(made, right): (f32, f32)| made == right || (made - right).abs() <= margin;
    floats(made).into_iter().zip(floats(right)).position(|pair| !near(pair))
}

fn first_difference(made: &[u32], right: &[u32], bits: u32, margin: u32) -> Option<usize> {
    assert_eq!(made.len(), right.len());
    let values = |words: &[u32]| -> Vec<u32> {
        let split = |word: &u32| {
            (0..32).step_by(bits as usize).map(|at| *word >> at & (u32::MAX >> (32 - bits))).collect()
        };
        words.iter().flat_map::<Vec<u32>, _>(split).collect()
    };
    values(made).iter().zip(values(right)).position(|(made, right)| made.abs_diff(right) > margin)
}

fn plain(plane: u32, width: u32, height: u32, high: u32) -> PackChannel {
    PackChannel {
        plane,
        row: width,
        width,
        height,
        x_numerator: 1,
        x_denominator: 1,
        y_numerator: 1,
        y_denominator: 1,
        high,
        table: PackChannel::NO_TABLE,
        ..PackChannel::default()
    }
}

const OPAQUE: PackChannel = PackChannel { plane: PackChannel::OPAQUE, ..EMPTY };
const EMPTY: PackChannel = PackChannel {
    plane: 0,
    row: 0,
    x0: 0,
    y0: 0,
    width: 0,
    height: 0,
    x_numerator: 1,
    x_denominator: 1,
    y_numerator: 1,
    y_denominator: 1,
    low: 0,
    high: 1,
    table: PackChannel::NO_TABLE,
    table_length: 0,
    x_offset: 0.0,
    y_offset: 0.0,
};

#[test]
fn eight_bits_are_copied_and_missing_channels_filled() {
    let arena = [0, 1, 254, 255];
    let mut p = PackParameters { width: 4, height: 1, row: 5, ..PackParameters::default() };
    p.channels = [plain(0, 4, 1, 255), OPAQUE, OPAQUE, OPAQUE, OPAQUE];
    let mut texels = [7; 5];
    pack::run(&p, &[], &arena, &mut texels);
    assert_eq!(texels, [0xFF00_0000, 0xFF01_0101, 0xFFFE_FEFE, 0xFFFF_FFFF, 7]);
}

#[test]
fn sixteen_bits_of_an_odd_row_leave_half_a_word_zero() {
    let arena = [1, 2, 65_535];
    let mut p = PackParameters { width: 3, height: 1, row: 2, ..PackParameters::default() };
    p.format = PackParameters::R16;
    p.channels = [plain(0, 3, 1, 65_535), OPAQUE, OPAQUE, OPAQUE, OPAQUE];
    let mut texels = [u32::MAX; 2];
    pack::run(&p, &[], &arena, &mut texels);
    assert_eq!(texels, [0x0002_0001, 0x0000_FFFF]);
}

#[test]
fn edges_are_repeated_around_the_cell_and_nothing_around_an_empty_one() {
    let arena = [1, 2, 3, 4, 5, 6];
    let mut p = PackParameters { width: 3, height: 2, row: 2, ..PackParameters::default() };
    p.format = PackParameters::R8;
    p.channels = [plain(0, 3, 2, 255), OPAQUE, OPAQUE, OPAQUE, OPAQUE];
    assert_eq!(p.repeating(0, 0, u32::MAX, 0), None);
    let p = p.repeating(2, 1, 1, 2).unwrap();
    assert_eq!((p.width, p.height, p.cell_size()), (6, 5, Some((3, 2))));
    let mut texels = [7; 10];
    pack::run(&p, &[], &arena, &mut texels);
    let (first, second) = ([0x0201_0101, 0x0303], [0x0504_0404, 0x0606]);
    assert_eq!(texels, [first, first, second, second, second].concat()[..]);
    for (width, height, right) in [(3, 5, 1), (2, 5, 1), (6, 3, 1), (6, 5, u32::MAX)] {
        let empty = PackParameters { width, height, right, ..p };
        let mut texels = [7; 10];
        pack::run(&empty, &[], &arena, &mut texels);
        assert_eq!((empty.cell_size(), empty.workgroups(), texels), (None, 0, [7; 10]));
    }
}

#[test]
fn two_channels_are_grey_and_opacity_where_there_is_no_second_colour() {
    let arena = [10, 20, 30];
    let mut p = PackParameters { width: 1, height: 1, row: 1, ..PackParameters::default() };
    p.format = PackParameters::RG8;
    for (second, opacity, expected) in [
        (OPAQUE, OPAQUE, 0xFF0A),
        (OPAQUE, plain(2, 1, 1, 255), 0x1E0A),
        (plain(1, 1, 1, 255), plain(2, 1, 1, 255), 0x140A),
    ] {
        p.channels = [plain(0, 1, 1, 255), second, OPAQUE, opacity, OPAQUE];
        let mut texels = [7];
        pack::run(&p, &[], &arena, &mut texels);
        assert_eq!(texels, [expected]);
    }
}

#[test]
fn every_value_of_every_depth_scales_exactly() {
    for depth in 1..=31 {
        let high = u32::MAX >> (32 - depth);
        let mut arena: Vec<u32> = if depth <= 16 {
            (0..=high).collect()
        } else {
            (0..20_000_u32).map(|i| i.wrapping_mul(2_654_435_761) & high).chain([0, high / 2, high]).collect()
        };
        arena.push(high);
        let width = arena.len() as u32;
        for format in 0..PackParameters::FORMATS {
            let p = PackParameters {
                width,
                height: 1,
                row: 2 * width,
                format,
                channels: [plain(0, width, 1, high), OPAQUE, OPAQUE, OPAQUE, OPAQUE],
                ..PackParameters::default()
            };
            assert_eq!(compare(&p, &[], &arena, 0), None, "{depth} bits");
        }
    }
}

#[test]
fn odd_maxima_scale_exactly() {
    for high in (1..=65_535).step_by(97).chain([3, 100, 254, 256, 65_534]) {
        let arena: Vec<u32> = (0..300).map(|i| i * high / 299).chain([high + 1, u32::MAX]).collect();
        let p = PackParameters {
            width: 302,
            height: 1,
            row: 302,
            channels: [plain(0, 302, 1, high), OPAQUE, OPAQUE, OPAQUE, OPAQUE],
            ..PackParameters::default()
        };
        let mut made = vec![0; 302];
        pack::run(&p, &[], &arena, &mut made);
        for (value, texel) in arena.iter().zip(&made) {
            let value = u64::from((*value).min(high));
            assert_eq!(u64::from(texel & 255), (value * 255 + u64::from(high) / 2) / u64::from(high));
        }
    }
}

#[test]
fn an_empty_plane_is_black_and_an_empty_palette_too() {
    let mut p = PackParameters { width: 2, height: 1, row: 2, ..PackParameters::default() };
    p.channels = [plain(0, 0, 0, 255), OPAQUE, OPAQUE, OPAQUE, OPAQUE];
    let mut texels = [1; 2];
    pack::run(&p, &[], &[], &mut texels);
    assert_eq!(texels, [0xFF00_0000; 2]);
    p.channels[0] = PackChannel { table: 0, ..plain(0, 2, 1, 255) };
    pack::run(&p, &[], &[9, 9], &mut texels);
    assert_eq!(texels, [0xFF00_0000; 2]);
}

#[test]
fn values_between_samples_lie_on_the_line_through_them() {
    // Chroma at even columns from 2 and even rows from 4, as 10 * column + row of the output's grid.
    let arena: Vec<u32> = (0..20).map(|at| 10 * (2 + 2 * (at % 5)) + 4 + 2 * (at / 5)).collect();
    let mut p = PackParameters { x0: 1, y0: 4, width: 11, height: 7, row: 11, ..PackParameters::default() };
    let chroma = PackChannel { x0: 1, y0: 2, x_denominator: 2, y_denominator: 2, ..plain(0, 5, 4, 255) };
    p.channels = [chroma, OPAQUE, OPAQUE, OPAQUE, OPAQUE];
    let mut texels = [0; 77];
    pack::run(&p, &[], &arena, &mut texels);
    for (at, texel) in (0..).zip(texels) {
        // Beyond the first and the last sample, the nearest stands in.
        let (x, y) = ((1 + at % 11).clamp(2, 10), (4 + at / 11).clamp(4, 10));
        assert_eq!(texel & 255, 10 * x + y, "{at}");
    }
    let repeated = PackParameters { up_sampling: PackParameters::REPEATED, ..p };
    pack::run(&repeated, &[], &arena, &mut texels);
    assert_eq!(
        texels[11..18].iter().map(|texel| texel & 255).collect::<Vec<_>>(),
        [24, 24, 24, 44, 44, 64, 64]
    );
    // Samples a quarter of their distance further right: half a column.
    p.channels[0].x_offset = -0.25;
    pack::run(&p, &[], &arena, &mut texels);
    assert_eq!([texels[2] & 255, texels[3] & 255, texels[4] & 255], [29, 39, 49]);
}

#[test]
fn one_wrong_texel_is_noticed() {
    assert_eq!(first_difference(&[1, 2, 3], &[1, 2, 3], 8, 0), None);
    assert_eq!(first_difference(&[1, 2, 0x300], &[1, 2, 0x200], 8, 0), Some(9));
    assert_eq!(first_difference(&[1, 2, 0x300], &[1, 2, 0x200], 8, 1), None);
}

fn channel() -> impl Strategy<Value = PackChannel> {
    let scale = || prop::sample::select(vec![(1, 1), (1, 1), (1, 2), (1, 4), (2, 1), (2, 3), (3, 7)]);
    (
        (0_u32..20, 1_u32..30, 1_u32..9, 0_u32..9, 0_u32..9),
        (scale(), scale(), prop::sample::select(vec![0.0, 0.0, 0.25, -0.5, 0.999])),
        -300..300_i32,
        prop::sample::select(vec![1_u32, 15, 255, 256, 1023, 4095, 65_535, 65_536, (1 << 24) - 1, u32::MAX]),
        prop::option::of((0_u32..8, 1_u32..24)),
        any::<bool>(),
    )
        .prop_map(|((plane, width, height, x0, y0), (x, y, offset), low, high, table, opaque)| {
            PackChannel {
                plane: if opaque { PackChannel::OPAQUE } else { plane },
                row: width + 2,
                x0,
                y0,
                width,
                height,
                x_numerator: x.0,
                x_denominator: x.1,
                y_numerator: y.0,
                y_denominator: y.1,
                low,
                high,
                table: table.map_or(PackChannel::NO_TABLE, |table| table.0),
                table_length: table.map_or(0, |table| table.1),
                x_offset: offset,
                y_offset: -offset,
            }
        })
}

proptest! {
    #[test]
    fn any_packing_equals_the_formula(
        channels in [channel(), channel(), channel(), channel(), channel()],
        (x0, y0) in (0_u32..50, 0_u32..20),
        (width, height) in (prop_oneof![1_u32..40, 500_u32..530], 1_u32..6),
        format in 0..PackParameters::FORMATS,
        (left, top, right, bottom) in prop_oneof![
            Just((0, 0, 0, 0)),
            (0_u32..6, 0_u32..4, 0_u32..9, 0_u32..4),
        ],
        seed: u32,
    ) {
        let mut channels = channels;
        if channels[0].plane == PackChannel::OPAQUE {
            channels[0].plane = 3;
        }
        // Samples are never below the lowest value.
        let lowest = channels.iter().map(|channel| channel.low).max().unwrap();
        let noise = |i: u32| (i ^ seed).wrapping_mul(0x9E37_79B1).rotate_left(13).wrapping_mul(0x85EB_CA77);
        let arena: Vec<u32> =
            (0..400).map(|i| (lowest + (noise(i) >> (8 + i % 20)) as i32) as u32).collect();
        let tables: Vec<u32> = (0..32).map(|i| noise(i + 1000) >> (i % 32)).collect();
        let (width, height) = (left + width + right, top + height + bottom);
        let p = PackParameters {
            x0, y0, width, height,
            row: 2 * width + 1,
            left, top, right, bottom,
            format,
            channels,
            ..PackParameters::default()
        };
        // Values between samples are sums in `f32`, which may round to a neighbour, or be a few last bits off.
        let interpolates = channels.iter().any(PackChannel::interpolates);
        let margin = u32::from(interpolates);
        prop_assert_eq!(compare(&p, &tables, &arena, margin), None);
    }
}

/// Three planes of 6 x 4 words, then packed: the transform run before, and left to packing.
fn both_ways(flags: u32, depth: u32, arena: &[u32]) -> [Vec<u32>; 2] {
    let (width, height) = (6, 4);
    let half = 1_i32 << (depth - 1);
    let (shift, low, high) = (half, 0, 2 * half - 1);
    let mut p = PackParameters { width: 7, height: 5, row: 14, ..PackParameters::default() };
    p.format = PackParameters::RGBA16;
    p.channels = [0, 1, 2, 0, 0].map(|c| plain(24 * c, width, height, high as u32));
    p.channels[4] = OPAQUE;
    let mut jobs = Vec::new();
    let kind = flags & 0xFF;
    for c in 0..3 {
        let (planes, slot) = if kind == 0 { ([24 * c as u32, 0, 0], 0) } else { ([0, 24, 48], c as u32) };
        let flags = if kind == 0 { (flags >> c) & ComponentTransformJob::FLOAT_0 } else { flags };
        p.finishes[c] = PackFinish { planes, flags: flags | PackFinish::PENDING, slot, shift, low, high };
        if kind == 0 || c == 0 {
            let planes = [planes[0], planes[1], planes[2], 0];
            jobs.push(ComponentTransformJob {
                source: planes,
                source_row: [width; 4],
                target: planes,
                target_row: [width; 4],
                shift: [shift; 4],
                low: [low; 4],
                high: [high; 4],
                width,
                height,
                count: if kind == 0 { 1 } else { 3 },
                flags,
            });
        }
    }
    p.finishes[3] = p.finishes[0];
    let mut fused = vec![0; 70];
    pack::run(&p, &[], arena, &mut fused);
    let mut arena = arena.to_vec();
    jobs.iter().for_each(|job| component_transform::run(job, &mut arena));
    let mut apart = vec![0; 70];
    pack::run(&PackParameters { finishes: Default::default(), ..p }, &[], &arena, &mut apart);
    [fused, apart]
}

proptest! {
    #[test]
    fn samples_finished_while_packing_are_those_of_the_component_transform(
        samples in prop::collection::vec(-300.0_f32..300.0, 72),
        depth in 1_u32..13,
    ) {
        let integers: Vec<u32> = samples.iter().map(|&sample| sample as i32 as u32).collect();
        let floats: Vec<u32> = samples.iter().map(|sample| sample.to_bits()).collect();
        for (flags, arena) in [
            (ComponentTransformJob::RCT, &integers),
            (ComponentTransformJob::NONE, &integers),
            (ComponentTransformJob::ICT | 0x700, &floats),
            (ComponentTransformJob::NONE | 0x700, &floats),
        ] {
            let [mut fused, apart] = both_ways(flags, depth, arena);
            prop_assert_eq!(&fused, &apart);
            fused[69] ^= 1;
            prop_assert_ne!(fused, apart);
        }
    }
}
