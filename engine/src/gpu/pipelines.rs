//! The compute pipelines, all built before the first decode.

use super::context::Context;
use crate::error::DeviceError;
use wavetile_shaders::wgsl;

/// One pipeline for each shader.
#[derive(Debug)]
pub(super) struct Pipelines {
    pub(super) dequantise: wgpu::ComputePipeline,
    pub(super) idwt_53: wgpu::ComputePipeline,
    pub(super) idwt_97: wgpu::ComputePipeline,
    pub(super) component_transform: wgpu::ComputePipeline,
    pub(super) pack: wgpu::ComputePipeline,
}

impl Pipelines {
    pub(super) fn new(context: &Context) -> Result<Self, DeviceError> {
        context.guarded("building pipelines", || {
            let device = context.device();
            Ok(Self {
                dequantise: build(device, "dequantise", wgsl::DEQUANTISE),
                idwt_53: build(device, "idwt_53", wgsl::IDWT_53),
                idwt_97: build(device, "idwt_97", wgsl::IDWT_97),
                component_transform: build(device, "component_transform", wgsl::COMPONENT_TRANSFORM),
                pack: build(device, "pack", wgsl::PACK),
            })
        })
    }
}

fn build(device: &wgpu::Device, label: &str, text: &str) -> wgpu::ComputePipeline {
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
            ..Default::default()
        },
        cache: None,
    })
}
