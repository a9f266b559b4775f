//! The passes after block decoding on the GPU: coefficients in host memory in, finished texture out.

#[cfg(feature = "gpu")]
mod wavelet;

use crate::support::Bench;

#[cfg(not(feature = "gpu"))]
pub(crate) fn run(bench: &mut Bench) {
    if bench.wants("gpu") {
        bench.note("skipped: gpu: built without the feature gpu".to_owned());
    }
}

#[cfg(feature = "gpu")]
pub(crate) fn run(bench: &mut Bench) {
    use crate::support::ours;
    use wavetile::engine::TexelFormat;
    use wavetile::engine::gpu::Context;
    use wavetile::engine::low_level::executor::GpuExecutor;
    use wavetile::engine::wgpu::PollType;

    if !bench.wants("gpu") && !bench.wants("wavelet") {
        return;
    }
    let executor = Context::request_blocking().and_then(|context| GpuExecutor::new(&context));
    let executor = match executor {
        Ok(executor) => executor,
        Err(error) => return bench.note(format!("skipped: gpu: {error}")),
    };
    if bench.wants("wavelet") {
        wavelet::run(bench, executor.context());
    }
    if !bench.wants("gpu") {
        return;
    }
    for picture in bench.pictures().iter().filter(|picture| !picture.is_large()) {
        let (cpu, gpu) = (ours::plan(picture, ours::RENDERED), ours::gpu_plan(picture, executor.cell_size()));
        let (cpu_staging, gpu_staging) = (ours::blocks(&cpu), ours::blocks(&gpu));
        let passes = || {
            let decoded = executor.decode_to_texture(&gpu, &gpu_staging, TexelFormat::Rgba8);
            let (texture, _) = decoded.expect("the device runs it");
            executor.context().device().poll(PollType::wait_indefinitely()).expect("the device finishes it");
            texture
        };
        bench.group("gpu").bench_function(&picture.name, |b| b.iter(passes));
        bench.ratio(
            &format!(
                "gpu ({}), {}, against our CPU passes on one thread",
                executor.adapter_name(),
                picture.name
            ),
            passes,
            || ours::passes(&cpu, &cpu_staging),
        );
    }
}
