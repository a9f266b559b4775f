//! The viewer's decoding thread: turns what has arrived into textures, newest view first.

use super::camera::Wanted;
use super::source::{Steer, Wake};
use eframe::wgpu;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wavetile_engine::data_bin::DataBins;
use wavetile_engine::{Backend, DecodeRequest, Decoder, Image, Report, Result};

/// One decoded view.
pub(crate) struct Frame {
    /// RGBA, 8 bits.
    pub(crate) texture: wgpu::Texture,
    /// What it shows.
    pub(crate) wanted: Wanted,
    /// How complete it is.
    pub(crate) report: Report,
}

/// What the thread hands to the window.
#[derive(Default)]
pub(crate) struct Progress {
    /// Set once the headers are there.
    pub(crate) image: Option<Image>,
    /// The newest frame, taken by the window.
    pub(crate) frame: Option<Frame>,
    /// From the start to the first frame that shows anything.
    pub(crate) first_picture: Option<Duration>,
    /// From the last change of view to a complete frame.
    pub(crate) settled: Option<Duration>,
    /// What went wrong last.
    pub(crate) error: Option<String>,
}

/// Where the loader's input comes from and its output goes.
pub(crate) struct Surroundings {
    /// The picture's data.
    pub(crate) bins: Arc<dyn DataBins + Send + Sync>,
    /// Tells the source what is looked at.
    pub(crate) steer: Steer,
    /// Device that the window draws with.
    pub(crate) device: wgpu::Device,
    /// Its queue.
    pub(crate) queue: wgpu::Queue,
    /// A software device: the CPU decodes faster.
    pub(crate) software: bool,
    /// Called when there is something new to draw.
    pub(crate) repaint: Box<dyn Fn() + Send>,
}

/// A handle to the thread; it ends when all senders are dropped.
pub(crate) struct Loader {
    /// Wakes the thread.
    pub(crate) wake: Sender<Wake>,
    /// What it made.
    pub(crate) progress: Arc<Mutex<Progress>>,
}

/// Frames are not made more often than this while data streams in.
const INTERVAL: Duration = Duration::from_millis(80);

impl Loader {
    /// Starts the thread.
    ///
    /// # Errors
    /// A device that refuses the decoder's pipelines.
    pub(crate) fn start(surroundings: Surroundings) -> Result<Self> {
        let decoder = if surroundings.software {
            Decoder::new(Backend::Cpu)?
        } else {
            Decoder::with_gpu(wavetile_engine::gpu::Context::new(
                surroundings.device.clone(),
                surroundings.queue.clone(),
            ))?
        };
        let (wake, woken) = mpsc::channel();
        let progress = Arc::new(Mutex::new(Progress::default()));
        let shared = Arc::clone(&progress);
        std::thread::spawn(move || {
            Thread { surroundings, decoder, progress: shared, started: Instant::now() }.run(&woken);
        });
        Ok(Self { wake, progress })
    }
}

struct Thread {
    surroundings: Surroundings,
    decoder: Decoder,
    progress: Arc<Mutex<Progress>>,
    started: Instant,
}

impl Thread {
    fn run(&self, woken: &Receiver<Wake>) {
        let mut view: Option<(Wanted, Instant)> = None;
        let mut image: Option<Image> = None;
        let mut stale = true;
        let mut due = Instant::now();
        loop {
            // With nothing to do it sleeps; otherwise only until the next frame is due.
            let woken_by = if stale {
                woken.recv_timeout(due.saturating_duration_since(Instant::now()))
            } else {
                woken.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match woken_by {
                Ok(Wake::Data) => stale = true,
                Ok(Wake::View(wanted)) if view.is_none_or(|(old, _)| old != wanted) => {
                    stale = true;
                    view = Some((wanted, Instant::now()));
                    self.with(|progress| progress.settled = None);
                    if let Some(image) = &image {
                        (self.surroundings.steer)(image, wanted);
                    }
                }
                Ok(Wake::View(_)) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    stale = false;
                    if image.is_none() {
                        image = self.open();
                        if let (Some(image), Some((wanted, _))) = (&image, view) {
                            (self.surroundings.steer)(image, wanted);
                        }
                    }
                    if let (Some(image), Some((wanted, since))) = (&image, view) {
                        self.frame(image, wanted, since);
                    }
                    due = Instant::now() + INTERVAL;
                    (self.surroundings.repaint)();
                }
            }
        }
    }

    fn with(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&self) -> Option<Image> {
        match Image::open_stream(self.surroundings.bins.clone()) {
            Ok(opening) => {
                let image = opening.image();
                self.with(|progress| progress.image.clone_from(&image));
                image
            }
            Err(error) => {
                self.with(|progress| progress.error = Some(error.to_string()));
                None
            }
        }
    }

    fn frame(&self, image: &Image, wanted: Wanted, since: Instant) {
        match self.decode(image, wanted) {
            Ok((texture, report)) => self.with(|progress| {
                if report.is_picture() {
                    progress.first_picture.get_or_insert_with(|| self.started.elapsed());
                }
                if report.is_complete() {
                    progress.settled.get_or_insert_with(|| since.elapsed());
                }
                progress.error = None;
                progress.frame = Some(Frame { texture, wanted, report });
            }),
            Err(error) => self.with(|progress| progress.error = Some(error.to_string())),
        }
    }

    fn decode(&self, image: &Image, wanted: Wanted) -> Result<(wgpu::Texture, Report)> {
        let request = DecodeRequest::new().reduce(wanted.reduce).region(wanted.region);
        if !self.surroundings.software {
            return self.decoder.texture(image, &request);
        }
        let (picture, report) = self.decoder.render(image, &request)?;
        let size = wgpu::Extent3d {
            width: picture.size.width,
            height: picture.size.height,
            depth_or_array_layers: 1,
        };
        let texture = self.surroundings.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("wavetile view"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        self.surroundings.queue.write_texture(
            texture.as_image_copy(),
            &picture.bytes,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(4 * size.width),
                rows_per_image: None,
            },
            size,
        );
        Ok((texture, report))
    }
}
