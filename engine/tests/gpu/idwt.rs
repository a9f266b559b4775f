//! Both wavelet kernels on windows of all shapes, many jobs in one dispatch.

use crate::rig::{executor, plan_on_arena, run_on_arena};
use std::ops::Range;
use wavetile_shaders::idwt::IdwtJob;
use wavetile_testing::compare::{assert_same, difference};
use wavetile_testing::random::Random;

/// Input window and output window of a job, both on absolute coordinates.
struct Shape {
    input: [Range<u32>; 2],
    output: [Range<u32>; 2],
}

fn whole(x: Range<u32>, y: Range<u32>) -> Shape {
    Shape { input: [x.clone(), y.clone()], output: [x, y] }
}

fn shapes(random: &mut Random) -> Vec<Shape> {
    let mut shapes = vec![
        whole(0..1, 0..1),
        whole(1..2, 1..2),
        whole(0..1, 0..9),
        whole(1..2, 0..9),
        whole(7..8, 3..75),
        whole(3..75, 7..8),
        whole(0..70, 0..1),
        whole(0..2, 0..2),
        whole(1..3, 1..3),
        whole(0..3, 1..3),
        whole(5..8, 4..6),
        whole(0..32, 0..32),
        whole(1..33, 1..33),
        whole(31..65, 30..64),
        whole(0..97, 0..65),
        whole(13..110, 27..92),
        // Coordinates use all 32 bits.
        whole(u32::MAX - 37..u32::MAX, u32::MAX - 3..u32::MAX),
        whole(0x8000_0000 - 20..0x8000_0000 + 21, 0x7fff_fff0..0x8000_0010),
        // Output windows inside the input windows.
        Shape { input: [0..100, 0..90], output: [50..83, 41..86] },
        Shape { input: [3..60, 5..44], output: [3..9, 39..44] },
        Shape { input: [10..31, 11..32], output: [15..16, 17..18] },
        Shape { input: [0..50, 0..50], output: [20..20, 0..50] },
    ];
    for _ in 0..20 {
        let mut side = || {
            let begin = random.below(9);
            let end = begin + 1 + random.below(70);
            let first = begin + random.below(end - begin);
            let last = first + 1 + random.below(end - first);
            (begin..end, first..last)
        };
        let ((x, out_x), (y, out_y)) = (side(), side());
        shapes.push(Shape { input: [x, y], output: [out_x, out_y] });
    }
    shapes
}

/// Lays all jobs' bands and outputs one after another; gives the jobs and the words they take.
/// Jobs for `shapes` with the flags of `flags`, taken in turns.
fn lay_out(shapes: &[Shape], flags: &[u32]) -> (Vec<IdwtJob>, u32) {
    let mut end = 0;
    let mut take = |words: u32| {
        end += words;
        end - words
    };
    let jobs = shapes
        .iter()
        .zip(flags.iter().cycle())
        .map(|(Shape { input: [x, y], output: [out_x, out_y] }, &flags)| {
            let low = |range: &Range<u32>| range.end.div_ceil(2) - range.start.div_ceil(2);
            let high = |range: &Range<u32>| range.end / 2 - range.start / 2;
            // One word more: rows with gaps.
            let out_row = out_x.end - out_x.start + 1;
            IdwtJob {
                x0: x.start,
                y0: y.start,
                x1: x.end,
                y1: y.end,
                out_x0: out_x.start,
                out_y0: out_y.start,
                out_x1: out_x.end,
                out_y1: out_y.end,
                ll: take(low(x) * low(y)),
                hl: take(high(x) * low(y)),
                lh: take(low(x) * high(y)),
                hh: take(high(x) * high(y)),
                out: take(out_row * (out_y.end - out_y.start)),
                out_row,
                flags,
                padding: 0,
            }
        })
        .collect();
    (jobs, end)
}

/// The literal 2D_SR (T.800 F.3.2): interleaves, then synthesises all rows, then all columns.
fn literal(job: &IdwtJob, arena: &mut [u32], line: impl Fn(u32, &mut [u32])) {
    let (width, height) = ((job.x1 - job.x0) as usize, (job.y1 - job.y0) as usize);
    let low_width = (job.x1.div_ceil(2) - job.x0.div_ceil(2)) as usize;
    let mut samples = vec![0; width * height];
    for (at, sample) in samples.iter_mut().enumerate() {
        let (x, y) = (job.x0 + (at % width) as u32, job.y0 + (at / width) as u32);
        let band = [[job.ll, job.hl], [job.lh, job.hh]][(y & 1) as usize][(x & 1) as usize];
        let columns = if x & 1 == 0 { low_width } else { width - low_width };
        let column = if x & 1 == 0 { x / 2 - job.x0.div_ceil(2) } else { x / 2 - job.x0 / 2 } as usize;
        let row = if y & 1 == 0 { y / 2 - job.y0.div_ceil(2) } else { y / 2 - job.y0 / 2 } as usize;
        *sample = arena[band as usize + row * columns + column];
    }
    samples.chunks_mut(width).for_each(|row| line(job.x0, row));
    for x in 0..width {
        let mut column: Vec<u32> = samples.iter().skip(x).step_by(width).copied().collect();
        line(job.y0, &mut column);
        samples.iter_mut().skip(x).step_by(width).zip(column).for_each(|(sample, made)| *sample = made);
    }
    for y in job.out_y0..job.out_y1 {
        for x in job.out_x0..job.out_x1 {
            let out = job.out + (y - job.out_y0) * job.out_row + (x - job.out_x0);
            arena[out as usize] = samples[(y - job.y0) as usize * width + (x - job.x0) as usize];
        }
    }
}

/// Extends a line on both sides (F.3.7), lifts it, and cuts it again.
fn extended(first: u32, line: &mut [u32], lift: impl Fn(&mut [u32])) {
    const MARGIN: i64 = 6;
    let last = line.len() as i64 - 1;
    // An even margin, or an odd one before an odd first sample: positions keep their parity.
    let margin = MARGIN + i64::from(first & 1);
    let mut wide: Vec<u32> = (-margin..=last + MARGIN)
        .map(|at| {
            let offset = at.rem_euclid(2 * last);
            line[offset.min(2 * last - offset) as usize]
        })
        .collect();
    lift(&mut wide);
    line.copy_from_slice(&wide[margin as usize..][..line.len()]);
}

fn literal_53(first: u32, line: &mut [u32]) {
    if let [only] = line {
        *only = if first & 1 == 0 { *only } else { (*only as i32 >> 1) as u32 };
        return;
    }
    extended(first, line, |x| {
        let at = |x: &[u32], n: usize| x[n] as i32;
        for n in (2..x.len() - 1).step_by(2) {
            let sum = at(x, n - 1).wrapping_add(at(x, n + 1)).wrapping_add(2);
            x[n] = at(x, n).wrapping_sub(sum >> 2) as u32;
        }
        for n in (3..x.len() - 2).step_by(2) {
            let sum = at(x, n - 1).wrapping_add(at(x, n + 1));
            x[n] = at(x, n).wrapping_add(sum >> 1) as u32;
        }
    });
}

fn literal_97(first: u32, line: &mut [u32]) {
    // Table F.4.
    const ALPHA: f32 = -1.586_134_342_059_924_f64 as f32;
    const BETA: f32 = -0.052_980_118_572_961_f64 as f32;
    const GAMMA: f32 = 0.882_911_075_530_934_f64 as f32;
    const DELTA: f32 = 0.443_506_852_043_971_f64 as f32;
    const K: f32 = 1.230_174_104_914_001_f64 as f32;
    if let [only] = line {
        *only = if first & 1 == 0 { *only } else { (f32::from_bits(*only) * 0.5).to_bits() };
        return;
    }
    extended(first, line, |words| {
        let mut x: Vec<f32> = words.iter().map(|&word| f32::from_bits(word)).collect();
        for (n, x) in x.iter_mut().enumerate() {
            *x *= if n % 2 == 0 { K } else { (1.0 / 1.230_174_104_914_001_f64) as f32 };
        }
        for (begin, factor) in [(2, DELTA), (3, GAMMA), (4, BETA), (5, ALPHA)] {
            for n in (begin..x.len() - begin + 1).step_by(2) {
                x[n] -= factor * (x[n - 1] + x[n + 1]);
            }
        }
        words.iter_mut().zip(x).for_each(|(word, x)| *word = x.to_bits());
    });
}

#[test]
fn levels_of_5_3_are_bit_exact_for_windows_of_all_shapes() {
    let Some(executor) = executor() else { return };
    let mut random = Random::new(53);
    let (jobs, words) = lay_out(&shapes(&mut random), &[0]);
    for mask in [0xff_u32, u32::MAX] {
        // Small values, and values that overflow.
        let staging: Vec<u32> = (0..words).map(|_| (random.word() & mask).wrapping_sub(mask / 2)).collect();
        let mut plan = plan_on_arena(words);
        plan.cells[0].levels = vec![jobs.clone()];
        let found = run_on_arena(executor, &plan, &staging);
        let mut expected = staging;
        jobs.iter().for_each(|job| literal(job, &mut expected, literal_53));
        assert_same("5/3", &found, &expected);
    }
}

/// Largest difference between `f32` words, over the largest magnitude.
fn relative_difference(found: &[u32], expected: &[u32]) -> f64 {
    let floats = |words: &[u32]| -> Vec<f32> { words.iter().map(|&word| f32::from_bits(word)).collect() };
    let (found, expected) = (floats(found), floats(expected));
    let largest = expected.iter().fold(0.0_f32, |largest, sample| largest.max(sample.abs()));
    difference(&found, &expected).unwrap().peak / f64::from(largest)
}

/// What a fused product and sum may make of that: each of the eight lifting steps then rounds once less.
const FUSED: f64 = 8.0 * f32::EPSILON as f64;

#[test]
fn levels_of_9_7_are_those_of_the_formulas_for_windows_of_all_shapes() {
    let Some(executor) = executor() else { return };
    let mut random = Random::new(97);
    let (jobs, words) = lay_out(&shapes(&mut random), &[IdwtJob::IRREVERSIBLE]);
    let staging: Vec<u32> = (0..words).map(|_| random.float(1000.0).to_bits()).collect();
    let mut plan = plan_on_arena(words);
    plan.cells[0].levels = vec![jobs.clone()];
    let found = run_on_arena(executor, &plan, &staging);
    let mut expected = staging;
    jobs.iter().for_each(|job| literal(job, &mut expected, literal_97));
    if executor.context().adapter_info().device_type == wgpu::DeviceType::Cpu {
        assert_same("9/7", &found, &expected);
    }
    let difference = relative_difference(&found, &expected);
    assert!(difference <= FUSED, "relative difference {difference:e}");
}

#[test]
fn a_level_with_both_wavelets_is_one_dispatch() {
    let Some(executor) = executor() else { return };
    let mut random = Random::new(5397);
    let (jobs, words) = lay_out(&shapes(&mut random), &[0, IdwtJob::IRREVERSIBLE, IdwtJob::IRREVERSIBLE]);
    // Any word is an integer to 5/3.
    let staging: Vec<u32> = (0..words).map(|_| random.float(1000.0).to_bits()).collect();
    let mut plan = plan_on_arena(words);
    plan.cells[0].levels = vec![jobs.clone()];
    let mut found = Vec::new();
    let take = &mut |_: &_, _: &_, samples: &[i32]| found.extend(samples.iter().map(|&sample| sample as u32));
    let statistics = executor.read_planes(&plan, &staging, take).unwrap();
    assert_eq!(statistics.dispatches, 2, "dequantise and the level");
    let mut expected = staging;
    for job in &jobs {
        literal(job, &mut expected, if job.is_irreversible() { literal_97 } else { literal_53 });
    }
    if executor.context().adapter_info().device_type == wgpu::DeviceType::Cpu {
        assert_same("both", &found, &expected);
    }
    let samples = |job: &IdwtJob, words: &[u32]| {
        words[job.out as usize..][..(job.out_row * (job.out_y1 - job.out_y0)) as usize].to_vec()
    };
    for job in jobs {
        let (found, expected) = (samples(&job, &found), samples(&job, &expected));
        if job.is_irreversible() {
            assert!(expected.is_empty() || relative_difference(&found, &expected) <= FUSED);
            assert_eq!(found.len(), expected.len());
        } else {
            assert_same("5/3 beside 9/7", &found, &expected);
        }
    }
}

#[test]
fn a_wrong_sample_fails_the_comparison_of_9_7() {
    let samples: Vec<u32> = [1000.0_f32, 1.0, 0.5].map(f32::to_bits).to_vec();
    let mut wrong = samples.clone();
    wrong[2] = 0.502_f32.to_bits();
    assert_eq!(relative_difference(&samples, &samples), 0.0);
    assert!(relative_difference(&wrong, &samples) > FUSED);
    wrong[2] = f32::NAN.to_bits();
    assert!(relative_difference(&wrong, &samples).is_nan());
}
