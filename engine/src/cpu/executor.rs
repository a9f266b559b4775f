//! Runs the cells of a plan on the CPU, several at a time.

use super::sink;
use crate::error::DeviceError;
use crate::executor::{Coefficients, Executor, Statistics, TexelRows, Waiting};
use crate::picture::Component;
use crate::plan::{Cell, CellSize, Plan, TexelFormat};
use crate::runner::ParallelRunner;
use std::sync::{Arc, Mutex, PoisonError};
use wavetile_shaders::{component_transform, dequantise, idwt};

/// Runs plans with the shaders' CPU twins.
#[derive(Clone)]
pub struct CpuExecutor {
    runner: Arc<dyn ParallelRunner>,
    /// Memory of those who made pages.
    idle: Arc<Mutex<Vec<Worker>>>,
}

/// What one worker keeps from cell to cell.
#[derive(Default)]
struct Worker {
    arena: Vec<u32>,
    scratch: idwt::Scratch,
}

impl CpuExecutor {
    /// Runs cells on `runner`.
    #[must_use]
    pub fn new(runner: Arc<dyn ParallelRunner>) -> Self {
        Self { runner, idle: Arc::default() }
    }

    /// Runs all cells; `sink` gets each when it is done, with its number and its arena, from whichever worker ran it.
    /// At most one arena for each worker is alive.
    ///
    /// # Panics
    /// The coefficients of a cell's blocks are not all in `coefficients`.
    pub fn run<'a>(
        &self,
        plan: &Plan,
        coefficients: impl Into<Coefficients<'a>>,
        sink: &(dyn Fn(usize, &Cell, &mut [u32]) + Sync),
    ) {
        let coefficients = coefficients.into();
        let idle = Mutex::new(Vec::<Worker>::new());
        self.runner.run(plan.cells.len(), &|index| {
            let worker = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut worker = worker.unwrap_or_default();
            let cell = &plan.cells[index];
            run_cell(plan, coefficients, cell, &mut worker);
            sink(index, cell, &mut worker.arena[..cell.arena_words as usize]);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        });
    }

    /// The texels of a plan of one cell in `format`, rows without gaps. On the calling thread.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub(crate) fn page(&self, plan: &Plan, coefficients: Coefficients<'_>, format: TexelFormat) -> Vec<u8> {
        let Some(cell) = plan.cells.first() else { return Vec::new() };
        let worker = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = worker.unwrap_or_default();
        run_cell(plan, coefficients, cell, &mut worker);
        let texels = sink::page(plan, cell, format, &worker.arena[..cell.arena_words as usize]);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        texels
    }
}

impl Executor for CpuExecutor {
    fn name(&self) -> &str {
        "CPU"
    }

    fn cell_size(&self) -> CellSize {
        CellSize::CPU
    }

    async fn texels(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        format: TexelFormat,
        rows: TexelRows<'_>,
        _: Waiting,
    ) -> Result<Statistics, DeviceError> {
        self.run(plan, coefficients, &sink::texels(plan, format, rows));
        Ok(statistics(plan))
    }

    async fn components(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        components: &mut [Component],
        _: Waiting,
    ) -> Result<Statistics, DeviceError> {
        self.run(plan, coefficients, &sink::components(plan, components));
        Ok(statistics(plan))
    }

    fn release_memory(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn statistics(plan: &Plan) -> Statistics {
    Statistics { cells: plan.cells.len() as u64, ..Statistics::default() }
}

fn run_cell(plan: &Plan, coefficients: Coefficients<'_>, cell: &Cell, worker: &mut Worker) {
    let Worker { arena, scratch } = worker;
    if arena.len() < cell.arena_words as usize {
        arena.resize(cell.arena_words as usize, 0);
    }
    cell.clear.iter().for_each(|words| arena[words.start as usize..words.end as usize].fill(0));
    for (index, (job, &block)) in cell.dequantise.iter().zip(&cell.blocks).enumerate() {
        let words = coefficients.words(plan, block).expect("those of the plan's blocks are there");
        let job = match cell.parts.get(index) {
            Some(part) => part.whole(*job),
            None => dequantise::DequantiseJob { source: 0, ..*job },
        };
        dequantise::run(&job, words, arena);
    }
    cell.levels.iter().flatten().for_each(|job| idwt::run(job, arena, scratch));
    cell.transform.iter().for_each(|job| component_transform::run(job, arena));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::codestream::code_block::{BlockCoder, Orientation};
    use crate::codestream::header::CodeBlockStyle;
    use crate::geometry::{Rect, Size};
    use crate::plan::{BlockOrigin, PlannedBlock};
    use crate::runner::Serial;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use wavetile_shaders::component_transform::ComponentTransformJob;
    use wavetile_shaders::dequantise::DequantiseJob;
    use wavetile_shaders::idwt::IdwtJob;

    /// Cells of one 4 x 4 tile each: a 2 x 2 LL block of `value` and nothing else, so all samples are
    /// `value` before the level shift. The jobs' `source` counts in an upload that the CPU does not have.
    fn plan(values: &[i32]) -> (Plan, Vec<u32>) {
        let mut plan = Plan::default();
        let mut staging = Vec::new();
        for (index, &value) in values.iter().enumerate() {
            let begin = staging.len();
            staging.extend([value as u32; 4]);
            plan.blocks.push(PlannedBlock {
                size: Size::new(2, 2),
                orientation: Orientation::Ll,
                coder: BlockCoder::BitPlane,
                style: CodeBlockStyle::default(),
                bit_planes: 8,
                clean_up_plane: 0,
                roi_shift: 0,
                fraction: false,
                packed_16: false,
                origin: BlockOrigin::default(),
                segments: 0..0,
                staging: begin..staging.len(),
            });
            let dequantise = DequantiseJob {
                source: 1000,
                source_row: 2,
                width: 2,
                height: 2,
                target_row: 2,
                ..DequantiseJob::default()
            };
            let level = IdwtJob {
                x1: 4,
                y1: 4,
                out_x1: 4,
                out_y1: 4,
                hl: 4,
                lh: 8,
                hh: 12,
                out: 16,
                out_row: 4,
                ..IdwtJob::default()
            };
            let transform = ComponentTransformJob {
                source: [16; 4],
                source_row: [4; 4],
                target: [16; 4],
                target_row: [4; 4],
                shift: [128; 4],
                high: [255; 4],
                width: 4,
                height: 4,
                count: 1,
                ..ComponentTransformJob::default()
            };
            let x = 4 * index as u32;
            plan.cells.push(Cell {
                rect: Rect::new(x, 0, x + 4, 4),
                arena_words: 32,
                clear: std::iter::once(4..16).collect(),
                blocks: vec![index as u32],
                upload_words: 4,
                dequantise: vec![dequantise],
                levels: vec![vec![level]],
                transform: vec![transform],
                ..Cell::default()
            });
        }
        plan.staging_words = staging.len();
        (plan, staging)
    }

    /// Hands out tasks on three threads of its own.
    struct Threads;

    impl ParallelRunner for Threads {
        fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
            let next = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..self.workers() {
                    scope.spawn(|| {
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            if index >= count {
                                return;
                            }
                            task(index);
                        }
                    });
                }
            });
        }

        fn workers(&self) -> usize {
            3
        }
    }

    #[test]
    fn coefficients_lie_in_one_array_or_in_one_for_each_block() {
        let (plan, staging) = plan(&[7, -9, 200]);
        let blocks: Vec<Arc<[u32]>> = staging.chunks(4).map(Arc::from).collect();
        let run = |coefficients: Coefficients<'_>| {
            let results = Mutex::new(vec![Vec::new(); 3]);
            CpuExecutor::new(Arc::new(Serial)).run(&plan, coefficients, &|index, _, arena| {
                results.lock().unwrap()[index] = arena[16..].to_vec();
            });
            results.into_inner().unwrap()
        };
        let made = run(Coefficients::from(&blocks[..]));
        assert_eq!(made, run(Coefficients::from(&staging)));
        assert_eq!(made, [135, 119, 255].map(|value| vec![value; 16]));

        let short: Vec<Arc<[u32]>> = staging.chunks(3).map(Arc::from).collect();
        assert_eq!(Coefficients::from(&short[..]).words(&plan, 0), None);
        assert_eq!(Coefficients::from(&staging[..5]).words(&plan, 1), None);
        assert_eq!(Coefficients::from(&blocks[..]).words(&plan, 3), None);
    }

    #[test]
    fn cells_come_out_the_same_on_any_runner_with_an_arena_for_each_worker() {
        let values: Vec<i32> = (0..200).map(|i| i * 3 - 300).collect();
        let (plan, staging) = plan(&values);
        let runners: [Arc<dyn ParallelRunner>; 3] =
            [Arc::new(Serial), Arc::new(Threads), crate::runner::default_runner()];
        for runner in runners {
            let results = Mutex::new(vec![None; values.len()]);
            let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            CpuExecutor::new(runner.clone()).run(&plan, &staging, &|index, cell, arena| {
                assert_eq!(cell.rect, plan.cells[index].rect);
                most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                assert_eq!(arena.len(), 32);
                let earlier =
                    results.lock().unwrap()[cell.rect.x0 as usize / 4].replace(arena[16..].to_vec());
                assert_eq!(earlier, None);
                // What a sink leaves behind must not reach the next cell.
                arena.fill(0xFFFF);
                alive.fetch_sub(1, Ordering::SeqCst);
            });
            for (result, value) in results.into_inner().unwrap().into_iter().zip(&values) {
                assert_eq!(result.unwrap(), [(value + 128).clamp(0, 255) as u32; 16]);
            }
            assert!(most.into_inner() <= runner.workers());
        }
    }
}
