//! Draws triangles with a shader: nothing that is not in every program of its kind.

use wavetile::engine::wgpu;
use wgpu::util::DeviceExt;

/// Corners of six numbers, a position in clip space and a place in a picture; those that face the eye run anticlockwise.
pub(crate) struct Triangles(wgpu::RenderPipeline);

impl Triangles {
    /// `shader` has one vertex and one fragment stage; group 0 is of `layout`.
    pub(crate) fn new(
        device: &wgpu::Device,
        shader: &str,
        layout: &wgpu::BindGroupLayout,
        into: wgpu::TextureFormat,
    ) -> Self {
        let source = wgpu::ShaderSource::Wgsl(shader.into());
        let module = &device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(layout)],
            immediate_size: 0,
        });
        let corner = wgpu::VertexBufferLayout {
            array_stride: 24,
            step_mode: wgpu::VertexStepMode::Vertex,
            attributes: &wgpu::vertex_attr_array![0 => Float32x4, 1 => Float32x2],
        };
        Self(device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: None,
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[Some(corner)],
            },
            fragment: Some(wgpu::FragmentState {
                module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(into.into())],
            }),
            primitive: wgpu::PrimitiveState { cull_mode: Some(wgpu::Face::Back), ..Default::default() },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            multiview_mask: None,
            cache: None,
        }))
    }

    /// Records a pass that draws them on black. Without a `group` it is black alone.
    pub(crate) fn draw(
        &self,
        device: &wgpu::Device,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::Texture,
        group: Option<&wgpu::BindGroup>,
        vertices: &[f32],
    ) {
        let corners = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(vertices),
            usage: wgpu::BufferUsages::VERTEX,
        });
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        if group.is_some() && !vertices.is_empty() {
            pass.set_pipeline(&self.0);
            pass.set_bind_group(0, group, &[]);
            pass.set_vertex_buffer(0, corners.slice(..));
            pass.draw(0..(vertices.len() / 6) as u32, 0..1);
        }
    }
}
