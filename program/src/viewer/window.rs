//! A window on a picture: which pixel of the picture each pixel of the screen shows, and the pipeline that draws them.

use eframe::wgpu;
use wavetile_engine::tiles::VirtualTexture;
use wavetile_engine::{Rect, Size};

/// `Window` of window.wgsl, word by word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window([u32; WORDS]);

const WORDS: usize = 14;
const BYTES: u64 = 4 * WORDS as u64;

impl Window {
    /// What is seen of a picture of `whole` pixels: `pixels`, left, top, right, bottom in pixels from its upper left corner, on
    /// a part of the screen. Positions are told from a pixel near the window, so that they are exact in pictures of any size.
    pub(crate) fn new(picture: u32, whole: Size, pixels: [f64; 4], screen: Rect) -> Self {
        let [left, top, right, bottom] = pixels;
        let along = |start: f64, end: f64, whole: u32, screen: u32| {
            // `as` saturates.
            let base = (start.max(0.0).floor() as u32).min(whole);
            let step = (end - start) / f64::from(screen.max(1));
            let from = |edge: f64| ((edge - f64::from(base)) as f32).to_bits();
            (base, from(start), (step as f32).to_bits(), from(0.0), from(f64::from(whole)))
        };
        let x = along(left, right, whole.width, screen.width());
        let y = along(top, bottom, whole.height, screen.height());
        let corner = |at: u32| (at as f32).to_bits();
        let (screen_x, screen_y) = (corner(screen.x0), corner(screen.y0));
        Self([x.0, y.0, x.1, y.1, x.2, y.2, x.3, y.3, x.4, y.4, screen_x, screen_y, picture, 0])
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }
}

/// Draws the pages of a picture into a window.
pub(crate) struct WindowPipeline {
    pipeline: wgpu::RenderPipeline,
    window: wgpu::Buffer,
    group: wgpu::BindGroup,
}

impl WindowPipeline {
    /// For targets of a format.
    pub(crate) fn new(device: &wgpu::Device, target: wgpu::TextureFormat, pages: &VirtualTexture) -> Self {
        let label = Some("wavetile window");
        let window = device.create_buffer(&wgpu::BufferDescriptor {
            label,
            size: BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let entry = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries = &[entry];
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries });
        let entries = &[wgpu::BindGroupEntry { binding: 0, resource: window.as_entire_binding() }];
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout: &layout, entries });
        let text = pages.shader(1) + include_str!("window.wgsl");
        let source = wgpu::ShaderSource::Wgsl(text.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout), Some(pages.bind_group_layout())],
            ..wgpu::PipelineLayoutDescriptor::default()
        });
        let blend = Some(wgpu::BlendState::ALPHA_BLENDING);
        let target = wgpu::ColorTargetState { format: target, blend, write_mask: wgpu::ColorWrites::ALL };
        let compilation_options = wgpu::PipelineCompilationOptions::default();
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label,
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("cover"),
                compilation_options: compilation_options.clone(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("draw"),
                compilation_options,
                targets: &[Some(target)],
            }),
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            multiview_mask: None,
            cache: None,
        });
        Self { pipeline, window, group }
    }

    /// What is drawn from now on.
    pub(crate) fn set(&self, queue: &wgpu::Queue, window: &Window) {
        queue.write_buffer(&self.window, 0, &window.bytes());
    }

    /// Draws. `pages`: the bind group of the pages.
    pub(crate) fn draw(&self, pass: &mut wgpu::RenderPass<'_>, pages: &wgpu::BindGroup) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.set_bind_group(1, pages, &[]);
        pass.draw(0..3, 0..1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pixel of the picture that is seen at a place along one axis, as the shader finds it: from the base.
    fn at(window: &Window, axis: usize, place: f32) -> (u32, f32) {
        let word = |at: usize| f32::from_bits(window.0[at + axis]);
        (window.0[axis], word(2) + (place - word(10)) * word(4))
    }

    #[test]
    fn positions_are_exact_in_pictures_of_any_size() {
        let whole = Size::new(u32::MAX, u32::MAX);
        let (left, top) = (4_000_000_000.25, 17.5);
        let screen = Rect::new(10, 20, 1290, 820);
        let window = Window::new(3, whole, [left, top, left + 20.0, top + 12.5], screen);
        assert_eq!(window.0[12], 3);
        // A 64th of a pixel a pixel of the screen.
        assert_eq!(at(&window, 0, 10.5), (4_000_000_000, 0.25 + 0.5 / 64.0));
        assert_eq!(at(&window, 0, 1289.5), (4_000_000_000, 0.25 + 1279.5 / 64.0));
        assert_eq!(at(&window, 1, 20.5), (17, 0.5 + 0.5 / 64.0));
    }

    #[test]
    fn a_window_may_reach_beyond_the_picture() {
        let screen = Rect::new(0, 0, 100, 100);
        let window = Window::new(0, Size::new(50, 60), [-25.0, 70.0, 75.0, 170.0], screen);
        assert_eq!((at(&window, 0, 25.0), at(&window, 1, 0.0)), ((0, 0.0), (60, 10.0)));
        let edges: [f32; 4] = std::array::from_fn(|edge| f32::from_bits(window.0[6 + edge]));
        assert_eq!(edges, [0.0, -60.0, 50.0, 0.0]);
    }

    #[test]
    fn a_window_without_pixels_is_none() {
        let window = Window::new(0, Size::new(50, 60), [0.0, 0.0, 0.0, 0.0], Rect::new(0, 0, 0, 0));
        assert_eq!(at(&window, 0, 0.0), (0, 0.0));
    }
}
