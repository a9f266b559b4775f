//! Runs the cells of a plan on the CPU, several at a time.

use crate::plan::{Cell, Plan};
use crate::runner::ParallelRunner;
use std::sync::{Mutex, PoisonError};
use wavetile_shaders::{component_transform, dequantise, idwt, idwt_53, idwt_97};

/// Runs plans with the shaders' CPU twins.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuExecutor;

/// What one worker keeps from cell to cell.
#[derive(Default)]
struct Worker {
    arena: Vec<u32>,
    scratch: idwt::Scratch,
}

impl CpuExecutor {
    /// Runs all cells; `sink` gets each when it is done, with its arena, from whichever worker ran it.
    /// At most one arena for each worker is alive.
    pub fn run(
        self,
        plan: &Plan,
        staging: &[u32],
        runner: &dyn ParallelRunner,
        sink: &(dyn Fn(&Cell, &mut [u32]) + Sync),
    ) {
        let idle = Mutex::new(Vec::<Worker>::new());
        runner.run(plan.cells.len(), &|index| {
            let worker = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut worker = worker.unwrap_or_default();
            let cell = &plan.cells[index];
            run_cell(plan, staging, cell, &mut worker);
            sink(cell, &mut worker.arena);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        });
    }
}

fn run_cell(plan: &Plan, staging: &[u32], cell: &Cell, worker: &mut Worker) {
    let Worker { arena, scratch } = worker;
    arena.clear();
    arena.resize(cell.arena_words as usize, 0);
    for (job, &block) in cell.dequantise.iter().zip(&cell.blocks) {
        let coefficients = &staging[plan.blocks[block as usize].staging.clone()];
        dequantise::run(&dequantise::DequantiseJob { source: 0, ..*job }, coefficients, arena);
    }
    for level in &cell.levels {
        level.reversible.iter().for_each(|job| idwt_53::run(job, arena, scratch));
        level.irreversible.iter().for_each(|job| idwt_97::run(job, arena, scratch));
    }
    cell.transform.iter().for_each(|job| component_transform::run(job, arena));
}
