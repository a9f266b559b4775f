//! Limits, broken plans and lost devices are errors, not panics.

use crate::rig::{executor, plan_on_arena};
use wavetile_engine::Rect;
use wavetile_engine::error::DeviceError;
use wavetile_engine::gpu::{Context, TexelFormat};
use wavetile_engine::low_level::executor::GpuExecutor;
use wavetile_engine::low_level::plan::Plan;
use wavetile_shaders::pack::PackParameters;

fn refusal(result: Result<impl Sized, DeviceError>) -> String {
    match result {
        Err(DeviceError::Refused { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn a_texture_larger_than_the_device_has_is_refused() {
    let Some(executor) = executor() else { return };
    let side = executor.context().device().limits().max_texture_dimension_2d + 1;
    let plan = Plan { window: Rect::new(0, 0, side, 1), ..Plan::default() };
    let reason = refusal(executor.decode_to_texture(&plan, &[], TexelFormat::Rgba8));
    assert!(reason.contains(&format!("{side}x1")), "{reason}");
}

#[test]
fn a_cell_larger_than_a_binding_is_refused() {
    let Some(executor) = executor() else { return };
    let mut plan = plan_on_arena(4);
    plan.cells[0].arena_words = u32::MAX;
    let reason = refusal(executor.read_planes(&plan, &[0; 4], &mut |_, _, _| ()));
    assert!(reason.contains("samples of a cell"), "{reason}");
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let Some(executor) = executor() else { return };
    let ignore = &mut |_: &_, _: &_, _: &[i32]| ();
    let mut plan = plan_on_arena(4);
    plan.cells[0].planes[0].offset = 1;
    assert!(refusal(executor.read_planes(&plan, &[0; 4], ignore)).contains("inside its arena"));

    let plan = plan_on_arena(4);
    let error = executor.read_planes(&plan, &[0; 3], ignore).unwrap_err();
    assert!(error.to_string().contains("not among the coefficients"), "{error}");
    let mut plan = plan_on_arena(4);
    plan.cells[0].upload_words = 3;
    let error = executor.read_planes(&plan, &[0; 4], ignore).unwrap_err();
    assert!(error.to_string().contains("more words"), "{error}");

    let mut plan = plan_on_arena(4);
    plan.window = Rect::new(0, 0, 2, 2);
    plan.cells[0].rect = Rect::new(1, 0, 3, 2);
    plan.cells[0].pack = PackParameters { width: 2, height: 2, ..PackParameters::default() };
    assert!(refusal(executor.read_texels(&plan, &[0; 4], TexelFormat::Rgba8)).contains("outside its window"));
    plan.cells[0].pack.width = 1;
    assert!(refusal(executor.read_texels(&plan, &[0; 4], TexelFormat::Rgba8)).contains("the plan packs"));

    // The executor still works.
    let mut taken = 0;
    executor.read_planes(&plan_on_arena(4), &[0; 4], &mut |_, _, _| taken += 1).unwrap();
    assert_eq!(taken, 1);
}

#[test]
fn a_lost_device_is_an_error() {
    if executor().is_none() {
        return;
    }
    let context = Context::request_blocking().unwrap();
    // One that reports its loss, and one of a host that does not tell us.
    let host = Context::new(context.device().clone(), context.queue().clone());
    let executors = [context, host].map(|context| GpuExecutor::new(&context).unwrap());
    executors[0].context().device().destroy();
    for executor in &executors {
        let error = executor.read_planes(&plan_on_arena(4), &[0; 4], &mut |_, _, _| ()).unwrap_err();
        assert!(matches!(error, DeviceError::Failed { .. }), "{error}");
        let plan = Plan { window: Rect::new(0, 0, 4, 1), ..plan_on_arena(4) };
        let error = executor.decode_to_texture(&plan, &[0; 4], TexelFormat::Rgba8).unwrap_err();
        assert!(matches!(error, DeviceError::Failed { .. } | DeviceError::Refused { .. }), "{error}");
    }
}
