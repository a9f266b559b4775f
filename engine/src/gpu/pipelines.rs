//! The compute pipelines, all built before the first decode.

use super::context::Context;
use crate::error::DeviceError;
use wavetile_shaders::idwt::IdwtJob;
use wavetile_shaders::pack::PackParameters;
use wavetile_shaders::wgsl;

/// One pipeline for each shader.
#[derive(Debug)]
pub(super) struct Pipelines {
    pub(super) dequantise: wgpu::ComputePipeline,
    idwt_53: wgpu::ComputePipeline,
    idwt_97: wgpu::ComputePipeline,
    idwt_both: wgpu::ComputePipeline,
    pub(super) component_transform: wgpu::ComputePipeline,
    pack: wgpu::ComputePipeline,
    pack_plain: wgpu::ComputePipeline,
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

    /// The pipeline for the jobs of one level.
    pub(super) fn idwt(&self, jobs: &[IdwtJob]) -> &wgpu::ComputePipeline {
        let irreversible = jobs.iter().filter(|job| job.is_irreversible()).count();
        if irreversible == 0 {
            &self.idwt_53
        } else if irreversible == jobs.len() {
            &self.idwt_97
        } else {
            &self.idwt_both
        }
    }

    /// The pipeline for a cell.
    pub(super) fn pack(&self, parameters: &PackParameters) -> &wgpu::ComputePipeline {
        if parameters.is_plain() { &self.pack_plain } else { &self.pack }
    }
}

fn build(device: &wgpu::Device, label: &str, text: &str, constants: &[(&str, f64)]) -> wgpu::ComputePipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
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
    })
}
