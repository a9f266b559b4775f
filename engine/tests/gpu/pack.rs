//! Packing: depths, palettes, up-sampling, missing channels, colour conversions.

use crate::rig::{executor, plan_on_arena};
use wavetile_engine::Rect;
use wavetile_engine::gpu::TexelFormat;
use wavetile_engine::low_level::plan::PlaneWindow;
use wavetile_shaders::colour::ColourParameters;
use wavetile_shaders::component_transform::{self, ComponentTransformJob};
use wavetile_shaders::pack::{self, PackChannel, PackParameters};
use wavetile_shaders::texels;
use wavetile_testing::compare::{assert_near, assert_same};
use wavetile_testing::random::Random;

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
    x_offset: 0.0,
    y_offset: 0.0,
};

struct Case {
    name: &'static str,
    rect: Rect,
    channels: [PackChannel; 5],
    colour: ColourParameters,
    tables: Vec<u32>,
    arena: Vec<i32>,
}

/// One channel of one output sample by the definition, in 64-bit arithmetic.
fn literal(case: &Case, c: usize, x: u32, y: u32, top: u64) -> u64 {
    let channel = &case.channels[c];
    if channel.plane == PackChannel::OPAQUE {
        return if c == 3 { top } else { literal(case, 0, x, y, top) };
    }
    let column = x.saturating_sub(channel.x0).min(channel.width - 1);
    let row = y.saturating_sub(channel.y0).min(channel.height - 1);
    let sample = case.arena[(channel.plane + row * channel.row + column) as usize];
    let mut value = sample.wrapping_sub(channel.low) as u32;
    if channel.table != PackChannel::NO_TABLE {
        value = case.tables[(channel.table + value.min(channel.table_length - 1)) as usize];
    }
    let high = u64::from(channel.high);
    (u64::from(value).min(high) * top + high / 2) / high
}

fn parameters(case: &Case) -> PackParameters {
    PackParameters {
        x0: case.rect.x0,
        y0: case.rect.y0,
        width: case.rect.width(),
        height: case.rect.height(),
        colour: case.colour,
        channels: case.channels,
        ..PackParameters::default()
    }
}

/// What the GPU packs.
fn packed(case: &Case, format: TexelFormat) -> Option<Vec<u8>> {
    let executor = executor()?;
    let mut plan = plan_on_arena(case.arena.len() as u32);
    plan.window = case.rect;
    plan.tables.clone_from(&case.tables);
    plan.cells[0].rect = case.rect;
    plan.cells[0].pack = parameters(case);
    let staging: &[u32] = bytemuck::cast_slice(&case.arena);
    Some(executor.read_texels(&plan, staging, format).unwrap().0)
}

/// Without a colour conversion and up-sampling, every bit is that of the definition.
fn check(case: &Case) {
    assert_eq!(case.colour.steps, 0);
    for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
        let Some(found) = packed(case, format) else { return };
        let mut expected = Vec::new();
        for y in case.rect.y0..case.rect.y1 {
            for x in case.rect.x0..case.rect.x1 {
                let texel = |top| [0, 1, 2, 3].map(|c| literal(case, c, x, y, top));
                let words = |values: &[u64]| {
                    values.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect::<Vec<_>>()
                };
                match format {
                    TexelFormat::Rgba8 => expected.extend(texel(255).map(|v| v as u8)),
                    TexelFormat::R16 => expected.extend(words(&[literal(case, 0, x, y, 65_535)])),
                    _ => expected.extend(words(&texel(65_535))),
                }
            }
        }
        assert_same(format_args!("{} {format:?}", case.name), &found, &expected);
    }
    for &format in &TexelFormat::ALL[3..] {
        let Some(found) = packed(case, format) else { return };
        let expected = twin(case, format);
        // The device divides less exactly.
        let margin = match format {
            TexelFormat::R32Float => 4.0,
            TexelFormat::R16Float | TexelFormat::Rgba16Float => 1.0,
            _ => 0.0,
        };
        let (found, expected) = (values(&found, format), values(&expected, format));
        assert_near(format_args!("{} {format:?}", case.name), &found, &expected, margin);
    }
}

/// What the twin packs.
fn twin(case: &Case, format: TexelFormat) -> Vec<u8> {
    let row = (case.rect.width() * format.bytes()).div_ceil(4);
    let p = PackParameters { row, format: format.pack_format(), ..parameters(case) };
    let mut texels = vec![0; (row * case.rect.height()) as usize];
    pack::run(&p, &case.tables, bytemuck::cast_slice(&case.arena), &mut texels);
    let rows = bytemuck::cast_slice::<u32, u8>(&texels).chunks((row * 4) as usize);
    rows.flat_map(|row| &row[..(case.rect.width() * format.bytes()) as usize]).copied().collect()
}

/// The channels of packed texels: integers, or the bits of floats.
fn values(bytes: &[u8], format: TexelFormat) -> Vec<u32> {
    let channel = (format.bytes() / format.channels()) as usize;
    let value = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
    bytes.chunks(channel).map(value).collect()
}

/// With them, the GPU agrees with the CPU's twin to a step of the output: `f32` may round differently.
fn check_against_twin(case: &Case) {
    for &format in TexelFormat::ALL {
        let Some(found) = packed(case, format) else { return };
        let (found, expected) = (values(&found, format), values(&twin(case, format), format));
        assert!(expected.iter().any(|value| value != &expected[0]), "{} {format:?} is flat", case.name);
        let name = format_args!("{} {format:?}", case.name);
        match format {
            TexelFormat::R32Float => {
                let floats = |bits: &[u32]| bits.iter().map(|&bits| f32::from_bits(bits)).collect::<Vec<_>>();
                assert_near(name, &floats(&found), &floats(&expected), 1.0 / 65_535.0)
            }
            TexelFormat::R16Float | TexelFormat::Rgba16Float => {
                let floats = |bits: &[u32]| bits.iter().map(|&bits| half(bits)).collect::<Vec<_>>();
                assert_near(name, &floats(&found), &floats(&expected), 1.0 / 2048.0)
            }
            _ => assert_near(name, &found, &expected, 1.0),
        };
    }
}

/// A 16-bit float.
fn half(bits: u32) -> f32 {
    texels::unpack(PackParameters::R16F, false, &bits.to_le_bytes())[0]
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
        let channels =
            [channel(0, size, high, low), MISSING, MISSING, channel(1, [66, 9], high, low), MISSING];
        let rect = Rect::new(0, 0, 67, 9);
        check(&Case {
            name: "depths",
            rect,
            channels,
            colour: ColourParameters::default(),
            tables: vec![],
            arena,
        });
    }
}

#[test]
fn palettes_are_looked_up_and_clamped() {
    let mut random = Random::new(12);
    let mut channels = [channel(0, [65, 64], 255, 0); 5];
    channels[1].table = 0;
    channels[1].table_length = 5;
    channels[2].table = 5;
    channels[2].table_length = 200;
    channels[2].high = 4095;
    channels[3..].fill(MISSING);
    let tables = (0..205).map(|_| random.below(256)).collect();
    let arena = (0..65 * 64).map(|_| random.below(256) as i32).collect();
    let rect = Rect::new(0, 0, 65, 64);
    check(&Case { name: "palettes", rect, channels, colour: ColourParameters::default(), tables, arena });
}

#[test]
fn sub_sampled_planes_far_from_the_origin_are_found() {
    let mut random = Random::new(13);
    let rect = Rect::new(4_000_000_001, 3_000_000_000, 4_000_000_072, 3_000_000_033);
    let mut channels = [channel(0, [71, 33], 255, 0); 5];
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
    channels[3..].fill(MISSING);
    let arena = (0..71 * 33 + 2 * 36 * 22).map(|_| random.below(256) as i32).collect();
    channels[2].x_offset = -0.25;
    channels[2].y_offset = 0.5;
    check_against_twin(&Case {
        name: "far planes",
        rect,
        channels,
        colour: ColourParameters::default(),
        tables: vec![],
        arena,
    });
}

#[test]
fn every_step_of_a_colour_conversion_agrees_with_its_twin() {
    let mut random = Random::new(14);
    let rect = Rect::new(3, 5, 70, 38);
    let size = [rect.width(), rect.height()];
    let area = size[0] * size[1];
    let depths = [255, 4095, 65_535, 255, 1023];
    let mut channels = [MISSING; 5];
    let mut arena = Vec::new();
    for (c, high) in depths.into_iter().enumerate() {
        channels[c] = PackChannel { x0: rect.x0, y0: rect.y0, ..channel(c as u32 * area, size, high, 0) };
        arena.extend((0..area).map(|_| random.below(high + 1) as i32));
    }
    let curve = |power: f32| (0..65).map(move |n| (n as f32 / 64.0).powf(power).to_bits());
    let mut tables: Vec<u32> = curve(1.8).chain(curve(2.2)).chain(curve(1.0)).chain(curve(0.45)).collect();
    let lattice = tables.len() as u32;
    tables.extend((0..2 * 5 * 5 * 5 * 5).map(|_| random.word()));
    let colour = ColourParameters {
        curve_length: 65,
        encoding: 3 * 65,
        encoding_length: 65,
        lattice,
        lattice_side: 5,
        lattice_dimensions: 4,
        affine: [[1.0, 0.0, 1.402, -0.701], [1.0, -0.344, -0.714, 0.529], [1.0, 1.772, 0.0, -0.886]],
        matrix: [[0.9, 0.1, 0.0, 0.0], [0.05, 0.9, 0.05, 0.0], [0.0, 0.2, 0.8, 0.01]],
        ..ColourParameters::default()
    };
    let all = [
        ("affine", ColourParameters::AFFINE),
        ("black", ColourParameters::AFFINE | ColourParameters::BLACK),
        ("curves and matrix", ColourParameters::CURVES | ColourParameters::MATRIX),
        ("lattice", ColourParameters::LATTICE),
        ("premultiplied", ColourParameters::PREMULTIPLIED | ColourParameters::AFFINE),
    ];
    for (name, steps) in all {
        let colour = ColourParameters { steps, ..colour };
        check_against_twin(&Case {
            name,
            rect,
            channels,
            colour,
            tables: tables.clone(),
            arena: arena.clone(),
        });
    }
    let colour = ColourParameters {
        steps: ColourParameters::LATTICE,
        lattice_side: 8,
        lattice_dimensions: 3,
        ..colour
    };
    channels[3] = MISSING;
    channels[4] = MISSING;
    check_against_twin(&Case { name: "lattice of three", rect, channels, colour, tables, arena });
}

/// Two tiles side by side, both transformed; the one on the right with another shift if `differ`.
fn check_with_transform(flags: u32, differ: bool, dispatches: u64) {
    let Some(executor) = executor() else { return };
    let (width, height) = (70, 33);
    let words = width * height;
    let mut random = Random::new(u64::from(flags) + 11);
    let staging: Vec<u32> = (0..3 * words)
        .map(|_| match flags & 0xff {
            ComponentTransformJob::ICT => random.float(300.0).to_bits(),
            _ => random.below(600).wrapping_sub(300),
        })
        .collect();
    let mut plan = plan_on_arena(3 * words);
    let rect = Rect::new(0, 0, width, height);
    plan.window = rect;
    let cell = &mut plan.cells[0];
    cell.rect = rect;
    cell.planes = (0..3)
        .map(|component| PlaneWindow { component, rect, offset: component * words, row: width })
        .collect();
    let half = |x: u32, shift: i32| {
        let first = [x, words + x, 2 * words + x, 0];
        ComponentTransformJob {
            source: first,
            source_row: [width; 4],
            target: first,
            target_row: [width; 4],
            shift: [shift; 4],
            low: [0; 4],
            high: [255; 4],
            width: width / 2,
            height,
            count: 3,
            flags,
        }
    };
    cell.transform = vec![half(0, 128), half(width / 2, if differ { 100 } else { 128 })];
    let channel = |c: u32| channel(c * words, [width, height], 255, 0);
    cell.pack = PackParameters {
        width,
        height,
        row: width,
        channels: [channel(0), channel(1), channel(2), MISSING, MISSING],
        ..PackParameters::default()
    };
    let (found, statistics) = executor.read_texels(&plan, &staging, TexelFormat::Rgba8).unwrap();
    assert_eq!(statistics.dispatches, dispatches, "{flags}");
    let mut arena = staging;
    plan.cells[0].transform.iter().for_each(|job| component_transform::run(job, &mut arena));
    let mut texels = vec![0; words as usize];
    pack::run(&plan.cells[0].pack, &[], &arena, &mut texels);
    let expected: &[u8] = bytemuck::cast_slice(&texels);
    // A driver may fuse a product of the irreversible transform with a sum.
    let allowed = if flags & 0xff == ComponentTransformJob::ICT { 1.0 } else { 0.0 };
    assert_near(format_args!("{flags} {differ}"), &found, expected, allowed);
}

#[test]
fn the_component_transform_is_taken_along_where_tiles_agree() {
    for flags in [ComponentTransformJob::RCT, ComponentTransformJob::ICT | 0x700] {
        // Load and pack; and the transform between them.
        check_with_transform(flags, false, 2);
        check_with_transform(flags, true, 3);
    }
}
