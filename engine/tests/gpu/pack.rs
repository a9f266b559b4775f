//! Packing: depths, palettes, up-sampling, missing channels, sYCC.

use crate::rig::{Random, executor, plan_on_arena};
use wavetile_engine::Rect;
use wavetile_engine::gpu::TexelFormat;
use wavetile_shaders::pack::{PackChannel, PackParameters};

/// A plane of its own for each channel: `[width, height]` samples from 0 to `high` less `low`.
fn channel(plane: u32, [width, height]: [u32; 2], high: u32, low: i32) -> PackChannel {
    PackChannel {
        plane,
        row: width,
        width,
        height,
        x_numerator: 1,
        x_denominator: 1,
        y_numerator: 1,
        y_denominator: 1,
        low,
        high,
        table: PackChannel::NO_TABLE,
        ..PackChannel::default()
    }
}

const MISSING: PackChannel = PackChannel {
    plane: PackChannel::OPAQUE,
    row: 0,
    x0: 0,
    y0: 0,
    width: 0,
    height: 0,
    x_numerator: 0,
    x_denominator: 0,
    y_numerator: 0,
    y_denominator: 0,
    low: 0,
    high: 0,
    table: PackChannel::NO_TABLE,
    table_length: 0,
    padding: [0; 2],
};

struct Case {
    name: &'static str,
    rect: Rect,
    channels: [PackChannel; 4],
    colour: u32,
    tables: Vec<u32>,
    arena: Vec<i32>,
}

/// One channel of one output sample by the definition, in 64-bit arithmetic.
fn literal(case: &Case, c: usize, x: u32, y: u32, top: u64) -> u64 {
    let channel = &case.channels[c];
    if channel.plane == PackChannel::OPAQUE {
        return if c == 3 { top } else { literal(case, 0, x, y, top) };
    }
    let place = |at: u32, numerator: u32, denominator: u32, first: u32, length: u32| {
        let at = u64::from(at) * u64::from(numerator) / u64::from(denominator);
        at.saturating_sub(first.into()).min(u64::from(length) - 1)
    };
    let column = place(x, channel.x_numerator, channel.x_denominator, channel.x0, channel.width);
    let row = place(y, channel.y_numerator, channel.y_denominator, channel.y0, channel.height);
    let sample = case.arena[(u64::from(channel.plane) + row * u64::from(channel.row) + column) as usize];
    let mut value = sample.wrapping_sub(channel.low) as u32;
    if channel.table != PackChannel::NO_TABLE {
        value = case.tables[(channel.table + value.min(channel.table_length - 1)) as usize];
    }
    let high = u64::from(channel.high);
    (u64::from(value).min(high) * top + high / 2) / high
}

fn literal_texel(case: &Case, x: u32, y: u32, top: u64) -> [u64; 4] {
    let [red, green, blue, alpha] = [0, 1, 2, 3].map(|c| literal(case, c, x, y, top));
    if case.colour != PackParameters::COLOUR_SYCC {
        return [red, green, blue, alpha];
    }
    let middle = top.div_ceil(2) as f32;
    let (luma, blue, red) = (red as f32, green as f32 - middle, blue as f32 - middle);
    let clamp = |value: f32| value.round_ties_even().clamp(0.0, top as f32) as u64;
    [
        clamp(luma + 1.402 * red),
        clamp(luma - 0.344_136 * blue - 0.714_136 * red),
        clamp(luma + 1.772 * blue),
        alpha,
    ]
}

fn check(case: &Case) {
    let Some(executor) = executor(case.name) else { return };
    let mut plan = plan_on_arena(case.arena.len() as u32);
    plan.window = case.rect;
    plan.tables.clone_from(&case.tables);
    plan.cells[0].rect = case.rect;
    plan.cells[0].pack = PackParameters {
        x0: case.rect.x0,
        y0: case.rect.y0,
        width: case.rect.width(),
        height: case.rect.height(),
        colour: case.colour,
        channels: case.channels,
        ..PackParameters::default()
    };
    let staging: &[u32] = bytemuck::cast_slice(&case.arena);
    for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
        let (found, _) = executor.read_texels(&plan, staging, format).unwrap();
        let mut expected = Vec::new();
        for y in case.rect.y0..case.rect.y1 {
            for x in case.rect.x0..case.rect.x1 {
                let words = |values: &[u64]| {
                    values.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect::<Vec<_>>()
                };
                match format {
                    TexelFormat::Rgba8 => expected.extend(literal_texel(case, x, y, 255).map(|v| v as u8)),
                    TexelFormat::R16 => expected.extend(words(&[literal(case, 0, x, y, 65_535)])),
                    TexelFormat::Rgba16 => expected.extend(words(&literal_texel(case, x, y, 65_535))),
                }
            }
        }
        assert_eq!(found.len(), expected.len(), "{} {format:?}", case.name);
        if let Some(at) = (0..found.len()).find(|&at| found[at] != expected[at]) {
            panic!("{} {format:?}: byte {at} is {}, expected {}", case.name, found[at], expected[at]);
        }
    }
}

#[test]
fn channels_of_all_depths_are_scaled_exactly() {
    let mut random = Random::new(11);
    for depth in [1, 2, 7, 8, 9, 12, 15, 16, 17, 20, 24, 25, 31, 32] {
        let high = u32::MAX >> (32 - depth);
        let low = if depth % 2 == 0 { 0 } else { (1_i32 << (depth - 1)).wrapping_neg() };
        let size = [67, 9];
        let mut arena: Vec<i32> =
            (0..67 * 9).map(|_| (random.word() & high).wrapping_add(low as u32) as i32).collect();
        arena[0] = (high.wrapping_add(low as u32)) as i32;
        arena[1] = low;
        let channels = [channel(0, size, high, low), MISSING, MISSING, channel(1, [66, 9], high, low)];
        let rect = Rect::new(0, 0, 67, 9);
        check(&Case {
            name: "depths",
            rect,
            channels,
            colour: PackParameters::COLOUR_AS_IS,
            tables: vec![],
            arena,
        });
    }
}

#[test]
fn palettes_are_looked_up_and_clamped() {
    let mut random = Random::new(12);
    let mut channels = [channel(0, [65, 64], 255, 0); 4];
    channels[1].table = 0;
    channels[1].table_length = 5;
    channels[2].table = 5;
    channels[2].table_length = 200;
    channels[2].high = 4095;
    channels[3] = MISSING;
    let tables = (0..205).map(|_| random.below(256)).collect();
    let arena = (0..65 * 64).map(|_| random.below(256) as i32).collect();
    let rect = Rect::new(0, 0, 65, 64);
    check(&Case { name: "palettes", rect, channels, colour: PackParameters::COLOUR_AS_IS, tables, arena });
}

#[test]
fn sub_sampled_planes_far_from_the_origin_are_found_in_sycc() {
    let mut random = Random::new(13);
    let rect = Rect::new(4_000_000_001, 3_000_000_000, 4_000_000_072, 3_000_000_033);
    let mut channels = [channel(0, [71, 33], 255, 0); 4];
    channels[0].x0 = rect.x0;
    channels[0].y0 = rect.y0;
    for c in [1, 2] {
        channels[c] = channel(71 * 33 + (c as u32 - 1) * 36 * 22, [36, 22], 255, 0);
        channels[c].x0 = rect.x0 / 2;
        channels[c].x_denominator = 2;
        // Two rows for three of the output: not representable without care for overflow.
        channels[c].y0 = 2_000_000_000;
        channels[c].y_numerator = 2;
        channels[c].y_denominator = 3;
    }
    channels[3] = MISSING;
    let arena = (0..71 * 33 + 2 * 36 * 22).map(|_| random.below(256) as i32).collect();
    check(&Case { name: "sYCC", rect, channels, colour: PackParameters::COLOUR_SYCC, tables: vec![], arena });
}
