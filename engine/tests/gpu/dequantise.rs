//! Dequantisation of blocks in both storage layouts.

use crate::rig::{block, executor, plan_on_arena, run_on_arena};
use wavetile_engine::Rect;
use wavetile_engine::low_level::plan::{Cell, Plan, PlaneWindow};
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_testing::compare::assert_same;
use wavetile_testing::random::Random;

/// A plan of `count` blocks of random shapes; blocks lie in the staging in the opposite order.
fn random_plan(random: &mut Random, count: usize) -> Plan {
    let mut cell = Cell::default();
    let mut plan = Plan::default();
    let mut sizes = Vec::new();
    for _ in 0..count {
        let (width, height) = match random.below(4) {
            0 => (1 + random.below(1024), 1 + random.below(4)),
            1 => (1 + random.below(4), 1 + random.below(1024)),
            _ => (1 + random.below(64), 1 + random.below(64)),
        };
        let flags = random.below(4);
        let source_row = if flags & DequantiseJob::PACKED_16 != 0 { width.div_ceil(2) } else { width };
        let (source_x, source_y) = (random.below(width), random.below(height));
        let job = DequantiseJob {
            source: cell.upload_words as u32,
            source_row,
            source_x,
            source_y,
            width: 1 + random.below(width - source_x),
            height: 1 + random.below(height - source_y),
            target: cell.arena_words,
            target_row: width + random.below(3),
            flags,
            step: random.float(2.0),
            padding: [0; 2],
        };
        sizes.push((source_row * height) as usize);
        cell.upload_words += u64::from(source_row * height);
        cell.arena_words += job.target_row * job.height;
        cell.dequantise.push(job);
        cell.blocks.push(0);
    }
    for (index, &words) in sizes.iter().rev().enumerate() {
        plan.blocks.push(block(plan.staging_words, words));
        plan.staging_words += words;
        cell.blocks[count - 1 - index] = index as u32;
    }
    let words = cell.arena_words;
    // Rows of targets have gaps.
    cell.clear = std::iter::once(0..words).collect();
    cell.planes = vec![PlaneWindow { component: 0, rect: Rect::new(0, 0, words, 1), offset: 0, row: words }];
    plan.cells = vec![cell];
    plan
}

#[test]
fn blocks_of_all_layouts_are_bit_exact() {
    let Some(executor) = executor() else { return };
    let mut random = Random::new(1);
    let plan = random_plan(&mut random, 150);
    let staging: Vec<u32> = (0..plan.staging_words).map(|_| random.word()).collect();
    let cell = &plan.cells[0];
    let mut expected = vec![0; cell.arena_words as usize];
    for (job, &index) in cell.dequantise.iter().zip(&cell.blocks) {
        let block = &staging[plan.blocks[index as usize].staging.clone()];
        for y in 0..job.height {
            for x in 0..job.width {
                let (from_x, from_y) = (job.source_x + x, job.source_y + y);
                let value = if job.flags & DequantiseJob::PACKED_16 != 0 {
                    let word = block[(from_y * job.source_row + from_x / 2) as usize];
                    i32::from((word >> (16 * (from_x % 2))) as u16 as i16)
                } else {
                    block[(from_y * job.source_row + from_x) as usize] as i32
                };
                expected[(job.target + y * job.target_row + x) as usize] =
                    if job.flags & DequantiseJob::IRREVERSIBLE != 0 {
                        (value as f32 * job.step).to_bits()
                    } else {
                        value as u32
                    };
            }
        }
    }
    assert_same("dequantise", &run_on_arena(executor, &plan, &staging), &expected);
}

#[test]
fn the_arena_is_cleared_between_cells() {
    let Some(executor) = executor() else { return };
    let mut plan = random_plan(&mut Random::new(2), 3);
    let full = vec![0x7fff_7fff; plan.staging_words];
    run_on_arena(executor, &plan, &full);
    plan.cells[0].dequantise.clear();
    assert!(run_on_arena(executor, &plan, &full).iter().all(|&word| word == 0));
}

#[test]
fn more_workgroups_than_one_row_of_a_dispatch_holds_are_all_run_once() {
    let Some(executor) = executor() else { return };
    let count = 70_001;
    assert!(count > executor.context().device().limits().max_compute_workgroups_per_dimension);
    let mut plan = plan_on_arena(count);
    let job = DequantiseJob { width: 1, height: 1, ..DequantiseJob::default() };
    plan.cells[0].dequantise =
        (0..count).map(|at| DequantiseJob { source: at, target: count - 1 - at, ..job }).collect();
    let staging: Vec<u32> = (1..=count).collect();
    let expected: Vec<u32> = staging.iter().rev().copied().collect();
    assert_same("one-sample jobs", &run_on_arena(executor, &plan, &staging), &expected);
}
