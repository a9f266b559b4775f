//! The compute pipelines, all built before the first decode.

use super::context::Context;
use crate::error::DeviceError;
use wavetile_shaders::idwt::IdwtJob;
use wavetile_shaders::pack::PackParameters;
use wavetile_shaders::wgsl;

/// A shader, as far as it is compiled for what its jobs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    Dequantise,
    Idwt53,
    Idwt97,
    IdwtBoth,
    ComponentTransform,
    Pack,
    PackPlain,
}

impl Kernel {
    /// For the jobs of one level.
    pub(super) fn idwt(jobs: impl IntoIterator<Item = IdwtJob>) -> Self {
        let (mut reversible, mut irreversible) = (false, false);
        for job in jobs {
            let kind = if job.is_irreversible() { &mut irreversible } else { &mut reversible };
            *kind = true;
        }
        match (reversible, irreversible) {
            (_, false) => Self::Idwt53,
            (false, true) => Self::Idwt97,
            (true, true) => Self::IdwtBoth,
        }
    }

    /// For what packs cells.
    pub(super) fn pack(jobs: &[PackParameters]) -> Self {
        if jobs.iter().all(PackParameters::is_plain) { Self::PackPlain } else { Self::Pack }
    }
}

/// A pipeline and what it binds.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// One pipeline for each kernel.
#[derive(Debug)]
pub(super) struct Pipelines {
    dequantise: Pipeline,
    idwt_53: Pipeline,
    idwt_97: Pipeline,
    idwt_both: Pipeline,
    component_transform: Pipeline,
    pack: Pipeline,
    pack_plain: Pipeline,
}

impl Pipelines {
    pub(super) fn new(context: &Context) -> Result<Self, DeviceError> {
        context.guarded("building pipelines", || {
            let device = context.device();
            Ok(Self {
                dequantise: build(device, "dequantise", wgsl::DEQUANTISE, &[]),
                idwt_53: build(device, "idwt_53", wgsl::IDWT, &[("WITH_97", 0.0)]),
                idwt_97: build(device, "idwt_97", wgsl::IDWT, &[("WITH_53", 0.0)]),
                idwt_both: build(device, "idwt", wgsl::IDWT, &[]),
                component_transform: build(device, "component_transform", wgsl::COMPONENT_TRANSFORM, &[]),
                pack: build(device, "pack", wgsl::PACK, &[]),
                pack_plain: build(device, "pack", wgsl::PACK, &[("INTERPOLATES", 0.0), ("CONVERTS", 0.0)]),
            })
        })
    }

    pub(super) const fn of(&self, kernel: Kernel) -> &Pipeline {
        match kernel {
            Kernel::Dequantise => &self.dequantise,
            Kernel::Idwt53 => &self.idwt_53,
            Kernel::Idwt97 => &self.idwt_97,
            Kernel::IdwtBoth => &self.idwt_both,
            Kernel::ComponentTransform => &self.component_transform,
            Kernel::Pack => &self.pack,
            Kernel::PackPlain => &self.pack_plain,
        }
    }
}

fn build(device: &wgpu::Device, label: &str, text: &str, constants: &[(&str, f64)]) -> Pipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(label),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        // The kernels write all workgroup memory before they read it.
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            constants,
        },
        cache: None,
    });
    let layout = pipeline.get_bind_group_layout(0);
    Pipeline { pipeline, layout }
}
