//! The window itself: input, drawing and the overlay (eframe on winit and wgpu).

use super::camera::{Camera, Wanted};
use super::loader::{Frame, Loader, Surroundings};
use super::source::{Source, Transfer, Wake};
use eframe::egui::{self, Color32, Key, TextureId};
use eframe::{egui_wgpu, wgpu};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wavetile_engine::{Image, Rect, Size};

/// A decoded view on the GPU, under the name egui knows it by.
struct Shown {
    id: TextureId,
    wanted: Wanted,
    completeness: f64,
    resolution: Size,
}

struct App {
    loader: Loader,
    transfer: Option<Arc<Mutex<Transfer>>>,
    camera: Option<Camera>,
    /// The newest frame of the current view.
    detail: Option<Shown>,
    /// The newest frame that shows the whole picture: it fills in while details load.
    overview: Option<Shown>,
    asked: Option<Wanted>,
}

pub(super) fn run(source: Source) -> Result<(), String> {
    let title = format!("{} - Wavetile", source.name);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([1280.0, 800.0]),
        renderer: eframe::Renderer::Wgpu,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        &title,
        options,
        Box::new(move |context| {
            let state = context.wgpu_render_state.as_ref().ok_or("the window has no wgpu device")?;
            let repaint = context.egui_ctx.clone();
            let loader = Loader::start(Surroundings {
                bins: source.bins,
                steer: source.steer,
                device: state.device.clone(),
                queue: state.queue.clone(),
                software: state.adapter.get_info().device_type == wgpu::DeviceType::Cpu,
                repaint: Box::new(move || repaint.request_repaint()),
            })?;
            (source.on_start)(loader.wake.clone());
            Ok(Box::new(App {
                loader,
                transfer: source.transfer,
                camera: None,
                detail: None,
                overview: None,
                asked: None,
            }))
        }),
    )
    .map_err(|error| format!("cannot open a window: {error}"))
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let area = ui.max_rect();
        let pixels_per_point = ui.ctx().pixels_per_point();
        let viewport =
            Size::new((area.width() * pixels_per_point) as u32, (area.height() * pixels_per_point) as u32);
        let (image, made) = {
            let mut progress = self.loader.progress.lock().unwrap_or_else(PoisonError::into_inner);
            (progress.image.clone(), progress.frame.take())
        };
        if let (Some(made), Some(image), Some(state)) = (made, &image, frame.wgpu_render_state()) {
            self.take(made, image.area(), state);
        }
        let response = ui.allocate_rect(area, egui::Sense::click_and_drag());
        ui.painter().rect_filled(area, 0.0, Color32::from_gray(18));
        let Some(image) = image else {
            ui.put(area, egui::Label::new("connecting..."));
            self.overlay(ui, None);
            return;
        };
        let camera = self.camera.get_or_insert_with(|| Camera::fit(image.area(), viewport));
        camera.viewport = viewport;
        steer_camera(camera, ui, &response, image.area(), pixels_per_point);
        let camera = *camera;
        self.ask(&camera, &image);
        for shown in [&self.overview, &self.detail].into_iter().flatten() {
            let corner = |x: u32, y: u32| {
                let (x, y) = camera.screen_at((f64::from(x), f64::from(y)));
                area.min + egui::vec2(x as f32, y as f32) / pixels_per_point
            };
            let region = shown.wanted.region;
            let place = egui::Rect::from_min_max(corner(region.x0, region.y0), corner(region.x1, region.y1));
            let whole = egui::Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
            ui.painter().with_clip_rect(area).image(shown.id, place, whole, Color32::WHITE);
        }
        self.overlay(ui, Some((&image, &camera)));
    }
}

impl App {
    /// Makes a frame known to egui; the frame it replaces is let go.
    fn take(&mut self, made: Frame, image: Rect, state: &egui_wgpu::RenderState) {
        // egui blends in gamma space, so the texels go through as they are.
        let view = made.texture.create_view(&wgpu::TextureViewDescriptor::default());
        let mut renderer = state.renderer.write();
        let shown = Shown {
            id: renderer.register_native_texture(&state.device, &view, wgpu::FilterMode::Linear),
            wanted: made.wanted,
            completeness: made.report.completeness(),
            resolution: Size::new(made.texture.width(), made.texture.height()),
        };
        let (slot, other) = if made.wanted.region == image {
            (&mut self.overview, self.detail.take())
        } else {
            (&mut self.detail, None)
        };
        for old in [slot.replace(shown), other].into_iter().flatten() {
            renderer.free_texture(&old.id);
        }
    }

    fn ask(&mut self, camera: &Camera, image: &Image) {
        let levels = image.levels();
        let wanted = camera.wanted(image.area(), levels);
        if wanted != self.asked
            && let Some(wanted) = wanted
        {
            self.asked = Some(wanted);
            // The thread ends only with the window.
            let _ = self.loader.wake.send(Wake::View(wanted));
        }
    }

    fn overlay(&self, ui: &egui::Ui, looking: Option<(&Image, &Camera)>) {
        let mut lines = Vec::new();
        if let Some((image, camera)) = looking {
            let size = image.area().size();
            let layers = image.header().tile_parameters.style.layers;
            lines.push(format!(
                "{} x {}, {layers} layers, {:.3}x",
                size.width,
                size.height,
                1.0 / camera.scale
            ));
        }
        if let Some(shown) = self.detail.as_ref().or(self.overview.as_ref()) {
            lines.push(format!(
                "showing 1/{} as {} x {}, {:.0} % of its packets",
                1u64 << shown.wanted.reduce,
                shown.resolution.width,
                shown.resolution.height,
                shown.completeness * 100.0
            ));
        }
        if let Some(transfer) = &self.transfer {
            let transfer = transfer.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(format!("{} kB received from {}", transfer.bytes / 1000, transfer.from));
            lines.extend(transfer.failure.clone());
        }
        let progress = self.loader.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let time = |duration: Option<_>| duration.map_or_else(|| "...".to_owned(), seconds);
        lines.push(format!(
            "first picture {}, settled {}",
            time(progress.first_picture),
            time(progress.settled)
        ));
        lines.extend(progress.error.clone());
        drop(progress);
        egui::Area::new(egui::Id::unique("overlay"))
            .fixed_pos(ui.max_rect().min + egui::vec2(12.0, 12.0))
            .show(ui.ctx(), |ui| {
                egui::Frame::popup(ui.style()).fill(Color32::from_black_alpha(170)).show(ui, |ui| {
                    ui.set_max_width(420.0);
                    for line in lines {
                        ui.colored_label(Color32::WHITE, line);
                    }
                    ui.weak("drag to pan, scroll to zoom, Home for the whole, Esc to leave");
                });
            });
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

/// "1.23 s" or "45 ms".
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
