//! Our own decode, whole and in its stages.

use super::Picture;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wavetile::engine::low_level::entropy::decode_plan;
use wavetile::engine::low_level::executor::CpuExecutor;
use wavetile::engine::low_level::plan::{CellSize, Plan, Target};
use wavetile::engine::runner::Serial;
use wavetile::engine::{Component, DecodeRequest, Decoder, Image, Result};
use wavetile_shaders::pack::{self, PackParameters};

/// Samples as they are in the codestream.
pub(crate) const COMPONENTS: Target = Target::Components;
/// 8-bit texels.
pub(crate) const RENDERED: Target = Target::Rendered;

/// Plans a decode.
pub(crate) fn try_plan(image: &Image, request: &DecodeRequest, target: Target) -> Result<Plan> {
    image.plan(request, target, CellSize::CPU).map(|(plan, _)| plan)
}

/// From the bytes of a file to a plan: headers, index, packets, layout of the passes.
pub(crate) fn plan(picture: &Picture, target: Target) -> Plan {
    try_plan(&picture.open(), &picture.request, target).expect("it was planned before")
}

/// Decodes all blocks of a plan on this thread.
pub(crate) fn blocks(plan: &Plan) -> Vec<u32> {
    let mut staging = vec![0; plan.staging_words];
    blocks_into(plan, &mut staging);
    staging
}

/// The same into memory that is there.
pub(crate) fn blocks_into(plan: &Plan, staging: &mut [u32]) {
    assert_eq!(decode_plan(plan, &Serial, staging), 0);
}

/// The same for the GPU, which takes larger cells.
#[cfg(feature = "gpu")]
pub(crate) fn gpu_plan(picture: &Picture, cells: CellSize) -> Plan {
    let planned = picture.open().plan(&picture.request, RENDERED, cells);
    planned.expect("it was planned before").0
}

/// Runs the passes of a plan for [`RENDERED`] on this thread; returns how many texels they gave.
pub(crate) fn passes(plan: &Plan, staging: &[u32]) -> usize {
    let texels = AtomicUsize::new(0);
    CpuExecutor::new(Arc::new(Serial)).run(plan, staging, &|_, cell, arena| {
        let row = cell.rect.width();
        let mut packed = vec![0u32; row as usize * cell.rect.height() as usize];
        pack::run(&PackParameters { row, ..cell.pack }, &plan.tables, arena, &mut packed);
        texels.fetch_add(black_box(packed).len(), Ordering::Relaxed);
    });
    texels.into_inner()
}

/// A decoder on one thread of the CPU.
pub(crate) fn serial() -> Decoder {
    Decoder::cpu().with_runner(Arc::new(Serial))
}

/// From the bytes of a file to samples.
pub(crate) fn decode(picture: &Picture, decoder: &Decoder) -> Vec<Component> {
    let (components, report) =
        decoder.components(&picture.open(), &picture.request).expect("it was decoded before");
    assert!(report.is_complete());
    components
}
