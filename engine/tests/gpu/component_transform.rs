//! Component transforms, level shift and clamping of several jobs in one dispatch.

use crate::rig::{executor, plan_on_arena, run_on_arena};
use wavetile_shaders::component_transform::ComponentTransformJob;
use wavetile_testing::compare::{assert_near, assert_same};
use wavetile_testing::random::Random;

/// Jobs of one kind on planes that lie one after another; half of them in place.
fn random_jobs(random: &mut Random, flags: u32, count: u32) -> (Vec<ComponentTransformJob>, u32) {
    let mut words = 0;
    let jobs = (0..12)
        .map(|index| {
            let (width, height) = (1 + random.below(90), 1 + random.below(60));
            let mut job =
                ComponentTransformJob { width, height, count, flags, ..ComponentTransformJob::default() };
            for c in 0..count as usize {
                job.source_row[c] = width + random.below(3);
                job.source[c] = words;
                words += job.source_row[c] * height;
                job.target_row[c] = job.source_row[c];
                job.target[c] = job.source[c];
                if index % 2 == 0 {
                    job.target_row[c] = width;
                    job.target[c] = words;
                    words += width * height;
                }
                let depth = 1 + random.below(16);
                let signed = random.below(2) == 1;
                job.shift[c] = if signed { 0 } else { 1 << (depth - 1) };
                job.low[c] = if signed { -(1 << (depth - 1)) } else { 0 };
                job.high[c] = job.low[c] + (1 << depth) - 1;
            }
            job
        })
        .collect();
    (jobs, words)
}

/// The formulas of Annex G, literally.
fn literal(job: &ComponentTransformJob, arena: &mut [u32]) {
    let transform = job.flags & 0xff;
    for y in 0..job.height {
        for x in 0..job.width {
            let words: Vec<u32> = (0..job.count as usize)
                .map(|c| arena[(job.source[c] + y * job.source_row[c] + x) as usize])
                .collect();
            let round = |value: f32| value.round_ties_even() as i32;
            let values = match transform {
                ComponentTransformJob::RCT => {
                    let [y0, y1, y2] = [words[0] as i32, words[1] as i32, words[2] as i32];
                    let green = y0.wrapping_sub(y1.wrapping_add(y2) >> 2);
                    vec![y2.wrapping_add(green), green, y1.wrapping_add(green)]
                }
                ComponentTransformJob::ICT => {
                    let [y0, y1, y2] = [words[0], words[1], words[2]].map(f32::from_bits);
                    vec![
                        round(y0 + 1.402 * y2),
                        round(y0 - 0.344_136 * y1 - 0.714_136 * y2),
                        round(y0 + 1.772 * y1),
                    ]
                }
                _ => (0..job.count as usize)
                    .map(|c| match job.flags & (ComponentTransformJob::FLOAT_0 << c) {
                        0 => words[c] as i32,
                        _ => round(f32::from_bits(words[c])),
                    })
                    .collect(),
            };
            for (c, value) in values.into_iter().enumerate() {
                let sample = value.saturating_add(job.shift[c]).clamp(job.low[c], job.high[c]);
                arena[(job.target[c] + y * job.target_row[c] + x) as usize] = sample as u32;
            }
        }
    }
}

fn found_and_expected(flags: u32, count: u32, word: &mut dyn FnMut() -> u32) -> Option<[Vec<u32>; 2]> {
    let executor = executor()?;
    let (jobs, words) = random_jobs(&mut Random::new(flags.into()), flags, count);
    let staging: Vec<u32> = (0..words).map(|_| word()).collect();
    let mut plan = plan_on_arena(words);
    plan.cells[0].transform = jobs.clone();
    let found = run_on_arena(executor, &plan, &staging);
    let mut expected = staging;
    jobs.iter().for_each(|job| literal(job, &mut expected));
    Some([found, expected])
}

#[test]
fn reversible_transform_is_bit_exact_even_when_it_overflows() {
    let mut random = Random::new(5);
    for mask in [0x1ff, 0x1ffff, u32::MAX] {
        let mut word = || (random.word() & mask).wrapping_sub(mask / 2);
        let Some([found, expected]) = found_and_expected(ComponentTransformJob::RCT, 3, &mut word) else {
            return;
        };
        assert_same("RCT", &found, &expected);
    }
}

#[test]
fn untransformed_integers_and_floats_are_bit_exact() {
    let mut random = Random::new(6);
    // One float and one integer plane; halves round to even.
    let halves = [0.5_f32, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, 1e30, -1e30, f32::INFINITY, f32::NAN, -0.0];
    let mut word = || match random.below(3) {
        0 => halves[random.below(halves.len() as u32) as usize].to_bits(),
        1 => random.float(70_000.0).to_bits(),
        _ => random.below(100_000).wrapping_sub(50_000),
    };
    let flags = ComponentTransformJob::FLOAT_0 << 1;
    let Some([found, expected]) = found_and_expected(flags, 3, &mut word) else { return };
    assert_same("no transform", &found, &expected);
    let Some([found, expected]) = found_and_expected(ComponentTransformJob::FLOAT_0, 1, &mut word) else {
        return;
    };
    assert_same("one component", &found, &expected);
}

#[test]
fn irreversible_transform_is_within_one_of_the_formulas() {
    let mut random = Random::new(7);
    let mut word = || random.float(300.0).to_bits();
    let Some([found, expected]) = found_and_expected(ComponentTransformJob::ICT, 3, &mut word) else {
        return;
    };
    let software = executor()
        .is_some_and(|executor| executor.context().adapter_info().device_type == wgpu::DeviceType::Cpu);
    if software {
        assert_same("ICT", &found, &expected);
    }
    // Words that no job writes hold floats: they must be the same words.
    let samples = |words: &[u32]| -> Vec<i32> { words.iter().map(|&word| word as i32).collect() };
    assert_near("ICT", &samples(&found), &samples(&expected), 1.0);
}
