//! An executor for all tests, plans made of single steps, random numbers.

use std::sync::OnceLock;
use wavetile_engine::codestream::code_block::{BlockCoder, Orientation};
use wavetile_engine::error::DeviceError;
use wavetile_engine::gpu::{Context, GpuExecutor};
use wavetile_engine::plan::{Cell, Plan, PlaneWindow, PlannedBlock};
use wavetile_engine::{Rect, Size};
use wavetile_shaders::dequantise::DequantiseJob;

/// The shared executor; `None`, with a line that says so, where there is no adapter.
pub(crate) fn executor(test: &str) -> Option<&'static GpuExecutor> {
    static EXECUTOR: OnceLock<Option<GpuExecutor>> = OnceLock::new();
    let executor = EXECUTOR
        .get_or_init(|| match Context::request_blocking() {
            Ok(context) => Some(GpuExecutor::new(&context).unwrap()),
            Err(DeviceError::NoAdapter { reason }) => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no adapter: {reason}");
                None
            }
            Err(error) => panic!("{error}"),
        })
        .as_ref();
    if executor.is_none() {
        println!("skipped: {test} needs a graphics adapter (Vulkan; Mesa's llvmpipe will do)");
    }
    executor
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

/// A small generator (xorshift64*), the same numbers in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// `0..end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.word() % end
    }

    /// About `-size..size`.
    pub(crate) fn float(&mut self, size: f32) -> f32 {
        (self.word() as f32 / (1u32 << 31) as f32 - 1.0) * size
    }
}

/// # Panics
/// At the first word that differs.
pub(crate) fn assert_same_words(name: &str, found: &[u32], expected: &[u32]) {
    assert_eq!(found.len(), expected.len(), "{name}: length");
    if let Some(at) = (0..found.len()).find(|&at| found[at] != expected[at]) {
        let different = found.iter().zip(expected).filter(|(a, b)| a != b).count();
        panic!(
            "{name}: {different} of {} words differ, first word {at}: {:#x}, expected {:#x}",
            found.len(),
            found[at],
            expected[at]
        );
    }
}

#[test]
#[should_panic(expected = "1 of 3 words differ, first word 2: 0x4, expected 0x3")]
fn one_wrong_word_fails_the_comparison() {
    assert_same_words("alarm", &[1, 2, 4], &[1, 2, 3]);
}
