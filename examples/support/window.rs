//! A window of winit with a device of wgpu's: nothing that is not in every program of its kind.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wavetile::engine::gpu::Context;
use wavetile::engine::wgpu;
use winit::application::ApplicationHandler;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::window::{Window, WindowId};

/// Opens a window and calls `draw` for each frame, with the time since it was opened, until it is closed.
///
/// # Errors
/// No display, no device for it, or what `draw` gives.
pub(crate) fn run(
    title: &str,
    draw: impl FnMut(&Context, &wgpu::Texture, Duration) -> Result<bool, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut program =
        Program { title: title.to_owned(), draw, shown: None, start: Instant::now(), error: None };
    EventLoop::new()?.run_app(&mut program)?;
    program.error.map_or(Ok(()), Err)
}

struct Program<Draw> {
    title: String,
    draw: Draw,
    shown: Option<Shown>,
    start: Instant,
    error: Option<Box<dyn Error>>,
}

/// What there is once the window is there.
struct Shown {
    window: Arc<Window>,
    surface: wgpu::Surface<'static>,
    configuration: wgpu::SurfaceConfiguration,
    context: Context,
}

impl Shown {
    fn new(events: &ActiveEventLoop, title: &str) -> Result<Self, Box<dyn Error>> {
        let window = Arc::new(events.create_window(Window::default_attributes().with_title(title))?);
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let surface = instance.create_surface(window.clone())?;
        let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions {
            compatible_surface: Some(&surface),
            ..Default::default()
        }))?;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
        let size = window.inner_size();
        let configuration = surface
            .get_default_config(&adapter, size.width.max(1), size.height.max(1))
            .ok_or("the adapter cannot draw into the window")?;
        // The colours of the picture are those of the screen.
        let configuration =
            wgpu::SurfaceConfiguration { format: configuration.format.remove_srgb_suffix(), ..configuration };
        surface.configure(&device, &configuration);
        Ok(Self { window, surface, configuration, context: Context::new(device, queue) })
    }

    fn resize(&mut self, width: u32, height: u32) {
        (self.configuration.width, self.configuration.height) = (width.max(1), height.max(1));
        self.surface.configure(self.context.device(), &self.configuration);
    }
}

impl<Draw> ApplicationHandler for Program<Draw>
where
    Draw: FnMut(&Context, &wgpu::Texture, Duration) -> Result<bool, Box<dyn Error>>,
{
    fn resumed(&mut self, events: &ActiveEventLoop) {
        match Shown::new(events, &self.title) {
            Ok(shown) => {
                shown.window.request_redraw();
                self.shown = Some(shown);
            }
            Err(error) => self.end(events, error),
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        let Some(shown) = &mut self.shown else { return };
        match event {
            WindowEvent::CloseRequested => events.exit(),
            WindowEvent::Resized(size) => shown.resize(size.width, size.height),
            WindowEvent::RedrawRequested => {
                use wgpu::CurrentSurfaceTexture as Current;
                match shown.surface.get_current_texture() {
                    Current::Success(frame) | Current::Suboptimal(frame) => {
                        let drawn = (self.draw)(&shown.context, &frame.texture, self.start.elapsed());
                        shown.context.queue().present(frame);
                        if let Err(error) = drawn {
                            return self.end(events, error);
                        }
                    }
                    Current::Outdated | Current::Lost => {
                        let (width, height) = (shown.configuration.width, shown.configuration.height);
                        shown.resize(width, height);
                    }
                    // Hidden, or not ready: the next time.
                    _ => {}
                }
                shown.window.request_redraw();
            }
            _ => {}
        }
    }
}

impl<Draw> Program<Draw> {
    fn end(&mut self, events: &ActiveEventLoop, error: Box<dyn Error>) {
        self.error = Some(error);
        events.exit();
    }
}
