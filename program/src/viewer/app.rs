//! The window itself: input, drawing and the overlay (eframe on winit and wgpu).

use super::camera::Camera;
use super::canvas::Canvas;
use super::overlay;
use super::source::{Feed, Source};
use eframe::egui::{self, Color32, Key};
use eframe::egui_wgpu::{self, WgpuConfiguration, WgpuSetup};
use eframe::wgpu;
use std::sync::Arc;
use wavetile_engine::{Rect, Size};

struct App {
    canvas: Canvas,
    feed: Option<Box<dyn Feed>>,
    camera: Option<Camera>,
    /// Why the picture cannot be shown as it is now.
    failure: Option<String>,
}

pub(super) fn run(source: Source) -> Result<(), String> {
    let title = format!("{} - Wavetile", source.name);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([1280.0, 800.0]),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options: with_storage_buffers(),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        &title,
        options,
        Box::new(move |context| {
            let state = context.wgpu_render_state.as_ref().ok_or("the window has no wgpu device")?;
            let Source { image, tiles, feed, .. } = source;
            if let Some(feed) = &feed {
                let repaint = context.egui_ctx.clone();
                feed.wake_by(Arc::new(move || repaint.request_repaint()));
            }
            let canvas = Canvas::new(state, context.egui_ctx.clone(), image, tiles)?;
            Ok(Box::new(App { canvas, feed, camera: None, failure: None }))
        }),
    )
    .map_err(|error| format!("cannot open a window: {error}"))
}

/// A device with the limits that decoding and drawing need, as far as the adapter has them; egui alone would do with less.
fn with_storage_buffers() -> WgpuConfiguration {
    let mut configuration = WgpuConfiguration::default();
    if let WgpuSetup::CreateNew(setup) = &mut configuration.wgpu_setup {
        setup.device_descriptor = Arc::new(|adapter| wgpu::DeviceDescriptor {
            label: Some("wavetile window"),
            required_limits: wgpu::Limits::default().or_worse_values_from(&adapter.limits()),
            ..wgpu::DeviceDescriptor::default()
        });
    }
    configuration
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        if let Some(other) = self.feed.as_ref().and_then(|feed| feed.take_other()) {
            self.failure = self.canvas.replace(other).err().map(|error| error.to_string());
            self.camera = None;
        }
        let area = ui.max_rect();
        let pixels_per_point = ui.ctx().pixels_per_point();
        // As egui rounds them.
        let pixel = |at: f32| (at * pixels_per_point).round() as u32;
        let screen = Rect::new(pixel(area.min.x), pixel(area.min.y), pixel(area.max.x), pixel(area.max.y));
        let response = ui.allocate_rect(area, egui::Sense::click_and_drag());
        ui.painter().rect_filled(area, 0.0, Color32::from_gray(18));
        let image = self.canvas.image();
        let viewport = Size::new(screen.width(), screen.height());
        let camera = self.camera.get_or_insert_with(|| Camera::fit(image.area(), viewport));
        camera.viewport = viewport;
        steer_camera(camera, ui, &response, image.area(), pixels_per_point);
        let shown = camera.shown(image.area(), self.canvas.pixels());
        let drawing = self.canvas.look(shown, screen);
        ui.painter().add(egui_wgpu::Callback::new_paint_callback(area, drawing));
        let transfer = self.feed.as_ref().map(|feed| feed.transfer());
        let mut lines = overlay::lines(&image, camera, &self.canvas.standing(), transfer);
        lines.extend(self.failure.clone());
        overlay::show(ui, lines);
    }
}

/// Drag, wheel, pinch and keys.
fn steer_camera(
    camera: &mut Camera,
    ui: &egui::Ui,
    response: &egui::Response,
    image: Rect,
    pixels_per_point: f32,
) {
    let scale = f64::from(pixels_per_point);
    let drag = response.drag_delta();
    camera.pan((f64::from(drag.x) * scale, f64::from(drag.y) * scale), image);
    let middle = response.rect.center();
    let (pinch, scroll, pointer) = ui.input(|input| {
        (input.zoom_delta(), input.smooth_scroll_delta().y, input.pointer.hover_pos().unwrap_or(middle))
    });
    let pointer = pointer - response.rect.min;
    let pointer = (f64::from(pointer.x) * scale, f64::from(pointer.y) * scale);
    let factor = f64::from(pinch) * f64::from(scroll / 400.0).exp();
    if (factor - 1.0).abs() > 1e-6 {
        camera.zoom(factor, pointer, image);
    }
    let centre = (f64::from(camera.viewport.width) / 2.0, f64::from(camera.viewport.height) / 2.0);
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    let step = f64::from(camera.viewport.width) / 8.0;
    for (key, dx, dy) in [
        (Key::ArrowLeft, step, 0.0),
        (Key::ArrowRight, -step, 0.0),
        (Key::ArrowUp, 0.0, step),
        (Key::ArrowDown, 0.0, -step),
    ] {
        if pressed(key) {
            camera.pan((dx, dy), image);
        }
    }
    if pressed(Key::Plus) || pressed(Key::Equals) {
        camera.zoom(2.0, centre, image);
    }
    if pressed(Key::Minus) {
        camera.zoom(0.5, centre, image);
    }
    if pressed(Key::Home) || response.double_clicked() {
        *camera = Camera::fit(image, camera.viewport);
    }
    if pressed(Key::Escape) {
        ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
    }
}
