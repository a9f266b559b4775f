//! The pages of a picture on the window's device, and how they are drawn.

use super::source::Coming;
use super::window::{Window, WindowPipeline};
use eframe::egui_wgpu::{CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use eframe::{egui, wgpu};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wavetile_engine::gpu::Context;
use wavetile_engine::tiles::{
    FrameBudget, FrameReport, PictureId, PictureOptions, PlanarView, TileSource, Tiles, TilesOptions, View,
    VirtualTexture, VirtualTextureOptions, Wake,
};
use wavetile_engine::{Decoder, Error, Image, Rect, Result, Size};

/// A picture, and the pages of it that are on the device. The window and what egui calls back share it.
#[derive(Clone)]
pub(crate) struct Canvas(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    start: Instant,
    egui: egui::Context,
}

struct State {
    tiles: Tiles,
    texture: VirtualTexture,
    pipeline: WindowPipeline,
    image: Image,
    picture: PictureId,
    first_picture: Option<Duration>,
    /// When pages were written last.
    written: Option<Duration>,
    /// Why the device draws no pages.
    failure: Option<String>,
}

/// How it stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// What the last frame found.
    pub(crate) report: FrameReport,
    /// From the start to the first frame without a hole.
    pub(crate) first_picture: Option<Duration>,
    /// Bytes of device memory.
    pub(crate) device_bytes: u64,
    /// What went wrong last.
    pub(crate) error: Option<String>,
}

/// From a frame to the next one while nothing is there for it, but more is to come: numbers change.
const PAUSE: Duration = Duration::from_millis(50);

impl Canvas {
    /// Makes pages from now on: on the window's device, or on the processor if the device is one.
    ///
    /// # Errors
    /// A picture that cannot be rendered, or a device that refuses.
    pub(crate) fn new(
        window: &RenderState,
        egui: egui::Context,
        image: Image,
        source: Option<Arc<dyn TileSource>>,
    ) -> Result<Self> {
        let context = Context::new(window.device.clone(), window.queue.clone());
        let software = window.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
        let decoder = if software { Decoder::cpu() } else { Decoder::with_gpu(context.clone())? };
        let repaint = egui.clone();
        let wake: Wake = Arc::new(move || repaint.request_repaint());
        let mut tiles = Tiles::new(&decoder, TilesOptions::new().wake(wake));
        // egui blends colours as they are shown; to a target of linear values they are given as such.
        let options = VirtualTextureOptions::new().srgb(window.target_format.is_srgb());
        let texture = VirtualTexture::new(&context, &mut tiles, options).map_err(Error::from)?;
        let pipeline = WindowPipeline::new(&window.device, window.target_format, &texture);
        let picture = tiles.add(&image, PictureOptions::default(), source)?;
        tiles.start()?;
        let state = State {
            tiles,
            texture,
            pipeline,
            image,
            picture,
            first_picture: None,
            written: None,
            failure: None,
        };
        Ok(Self(Arc::new(Shared { state: Mutex::new(state), start: Instant::now(), egui })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows another picture instead.
    ///
    /// # Errors
    /// It cannot be rendered.
    pub(crate) fn replace(&self, coming: Coming) -> Result<()> {
        let Coming { image, tiles } = coming;
        let mut state = self.state();
        let picture = state.tiles.add(&image, PictureOptions::default(), Some(tiles))?;
        let old = std::mem::replace(&mut state.picture, picture);
        state.tiles.remove(old);
        state.image = image;
        Ok(())
    }

    /// The picture.
    pub(crate) fn image(&self) -> Image {
        self.state().image.clone()
    }

    /// The picture at full size.
    pub(crate) fn pixels(&self) -> Size {
        let state = self.state();
        state.tiles.pyramid(state.picture).map(|pyramid| pyramid.level(0).size()).unwrap_or_default()
    }

    /// A frame: what is seen of the picture (`pixels`: left, top, right, bottom in pixels of full size) on a part of the screen.
    /// Returns what draws it.
    pub(crate) fn look(&self, pixels: [f64; 4], screen: Rect) -> Drawing {
        let now = self.0.start.elapsed();
        let mut state = self.state();
        let state = &mut *state;
        let picture = state.picture;
        let view = PlanarView { picture, pixels, viewport: screen.size() };
        let report = state.tiles.update(&[View::Planar(view)], now);
        if report.visible > 0 && report.holes == 0 {
            state.first_picture.get_or_insert(now);
        }
        let whole = state.tiles.pyramid(picture).map(|pyramid| pyramid.level(0).size()).unwrap_or_default();
        let window = Window::new(picture.number(), whole, pixels, screen);
        Drawing { canvas: self.clone(), window }
    }

    /// How it stands after the last frame.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.state();
        let error = state.failure.clone();
        let error = error.or_else(|| state.tiles.error(state.picture).map(ToString::to_string));
        Standing {
            report: *state.tiles.report(),
            first_picture: state.first_picture,
            device_bytes: state.texture.device_bytes().used(),
            error,
        }
    }

    /// Records what has been made since the last frame, and asks for the next one if there is to be one.
    fn poll(&self, encoder: &mut wgpu::CommandEncoder) {
        let now = self.0.start.elapsed();
        let mut state = self.state();
        let State { tiles, texture, .. } = &mut *state;
        let report = match texture.poll(tiles, encoder, FrameBudget::default()) {
            Ok(report) => report,
            Err(error) => {
                state.failure = Some(error.to_string());
                return;
            }
        };
        let fade = tiles.options().fade;
        let is_settled = tiles.report().settled;
        state.failure = None;
        if report.pages.pages > 0 {
            state.written = Some(now);
        }
        let is_fading = state.written.is_some_and(|written| now < written + fade);
        drop(state);
        if is_fading || report.waiting > 0 {
            self.0.egui.request_repaint();
        } else if !is_settled {
            self.0.egui.request_repaint_after(PAUSE);
        }
    }
}

/// Draws a frame of a canvas.
pub(crate) struct Drawing {
    canvas: Canvas,
    window: Window,
}

impl CallbackTrait for Drawing {
    fn prepare(
        &self,
        _: &wgpu::Device,
        queue: &wgpu::Queue,
        _: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        _: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        self.canvas.poll(encoder);
        self.canvas.state().pipeline.set(queue, &self.window);
        Vec::new()
    }

    fn paint(&self, _: egui::PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, _: &CallbackResources) {
        let state = self.canvas.state();
        if let Some(pages) = state.texture.bind_group() {
            state.pipeline.draw(pass, pages);
        }
    }
}
