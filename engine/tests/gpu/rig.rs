//! An executor for all tests, and plans made of single steps.

use std::sync::OnceLock;
use wavetile_engine::error::DeviceError;
use wavetile_engine::gpu::Context;
use wavetile_engine::low_level::codestream::code_block::{BlockCoder, Orientation};
use wavetile_engine::low_level::executor::GpuExecutor;
use wavetile_engine::low_level::plan::{BlockOrigin, Cell, Plan, PlaneWindow, PlannedBlock};
use wavetile_engine::{Rect, Size};
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_testing::skip_adapter;

/// The shared executor; `None`, the test being skipped, where there is no adapter.
#[track_caller]
pub(crate) fn executor() -> Option<&'static GpuExecutor> {
    static EXECUTOR: OnceLock<Result<GpuExecutor, String>> = OnceLock::new();
    let executor = EXECUTOR.get_or_init(|| match Context::request_blocking() {
        Ok(context) => Ok(GpuExecutor::new(&context).unwrap()),
        Err(DeviceError::NoAdapter { reason }) => Err(reason),
        Err(error) => panic!("{error}"),
    });
    executor.as_ref().map_err(skip_adapter).ok()
}

/// A block whose coefficients are `words` staging words from `start`.
pub(crate) fn block(start: usize, words: usize) -> PlannedBlock {
    PlannedBlock {
        size: Size::new(1, 1),
        orientation: Orientation::Ll,
        coder: BlockCoder::BitPlane,
        style: Default::default(),
        bit_planes: 0,
        clean_up_plane: 0,
        roi_shift: 0,
        fraction: false,
        packed_16: false,
        origin: BlockOrigin::default(),
        segments: 0..0,
        staging: start..start + words,
    }
}

/// A plan of one cell, whose first job fills the arena with the first `words` staging words, and
/// whose only plane is the whole arena.
pub(crate) fn plan_on_arena(words: u32) -> Plan {
    let load = DequantiseJob { source_row: words, width: words, height: 1, ..DequantiseJob::default() };
    let plane = PlaneWindow { component: 0, rect: Rect::new(0, 0, words, 1), offset: 0, row: words };
    Plan {
        blocks: vec![block(0, words as usize)],
        staging_words: words as usize,
        cells: vec![Cell {
            arena_words: words,
            blocks: vec![0],
            upload_words: words.into(),
            dequantise: vec![load],
            planes: vec![plane],
            ..Cell::default()
        }],
        ..Plan::default()
    }
}

/// Runs the plan and gives the arena of its only cell back.
pub(crate) fn run_on_arena(executor: &GpuExecutor, plan: &Plan, staging: &[u32]) -> Vec<u32> {
    let mut arena = Vec::new();
    executor
        .read_planes(plan, staging, &mut |_, _, samples| {
            arena.extend_from_slice(bytemuck::cast_slice(samples))
        })
        .unwrap();
    arena
}
