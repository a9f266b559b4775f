//! A picture among tiles, an atlas on a device, and a clock that the test moves.

use crate::rig::Rig;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use wavetile_engine::error::DeviceError;
use wavetile_engine::gpu::Context;
use wavetile_engine::tiles::{
    FrameBudget, FrameReport, PageKey, PollReport, Tiles, TilesOptions, View, VirtualTexture,
    VirtualTextureOptions,
};
use wavetile_engine::{Decoder, wgpu};
use wavetile_testing::skip_adapter;

/// Where texels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    OnDevice,
    OnProcessor,
}

/// The shared decoder on a device; `None`, the test being skipped, where there is no adapter.
#[track_caller]
pub fn decoder() -> Option<Decoder> {
    static DECODER: OnceLock<Result<Decoder, String>> = OnceLock::new();
    let decoder = DECODER.get_or_init(|| match Context::request_blocking() {
        Ok(context) => Ok(Decoder::with_gpu(context).unwrap()),
        Err(DeviceError::NoAdapter { reason }) => Err(reason),
        Err(error) => panic!("{error}"),
    });
    decoder.as_ref().map_err(skip_adapter).ok().cloned()
}

pub struct DeviceRig {
    pub tiles: Tiles,
    pub texture: VirtualTexture,
    pub context: Context,
    pub now: Duration,
    pub polled: Mutex<Vec<PollReport>>,
}

impl DeviceRig {
    pub fn new(decoder: &Decoder, making: Making, options: TilesOptions, bytes: u64) -> Self {
        let context = decoder.gpu().unwrap().clone();
        let decoder = match making {
            Making::OnDevice => decoder.clone(),
            Making::OnProcessor => Decoder::cpu(),
        };
        let mut tiles = Tiles::new(&decoder, options);
        let options = VirtualTextureOptions::new().device_bytes(bytes);
        let texture = VirtualTexture::new(&context, &mut tiles, options).unwrap();
        Self { tiles, texture, context, now: Duration::ZERO, polled: Mutex::default() }
    }

    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.context.device().create_command_encoder(&Default::default())
    }

    /// Looks at `views`, 10 ms after the frame before, and records into a new encoder.
    pub fn record(&mut self, views: &[View], budget: FrameBudget) -> (wgpu::CommandEncoder, PollReport) {
        self.now += Duration::from_millis(10);
        self.tiles.update(views, self.now);
        while self.tiles.work() {}
        let mut encoder = self.encoder();
        let polled = self.texture.poll(&mut self.tiles, &mut encoder, budget).unwrap();
        assert!(polled.device_bytes <= self.texture.device_bytes().limit());
        self.polled.lock().unwrap().push(polled);
        (encoder, polled)
    }

    /// A frame that is drawn, and waited for.
    pub fn frame(&mut self, views: &[View]) -> FrameReport {
        let (encoder, _) = self.record(views, FrameBudget::default());
        self.context.queue().submit([encoder.finish()]);
        self.wait();
        *self.tiles.report()
    }

    pub fn wait(&self) {
        self.context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    }

    /// Frames until all is settled.
    pub fn settle(&mut self, views: &[View]) -> FrameReport {
        for _ in 0..40 {
            let report = self.frame(views);
            if report.settled {
                return report;
            }
        }
        let error = views.iter().find_map(|view| match view {
            View::Planar(view) => self.tiles.error(view.picture),
            _ => None,
        });
        panic!(
            "it does not settle: {:?} {error:?} {:?}",
            self.tiles.report(),
            self.polled.lock().unwrap().last()
        );
    }

    /// The texels of a page in the atlas, border included.
    pub fn page(&self, key: PageKey) -> Vec<u8> {
        let side = self.tiles.options().layout.slot_side();
        let texel = self.tiles.options().format.bytes();
        let origin = self.texture.place(key).unwrap_or_else(|| panic!("{key:?} is not there"));
        let row = (side * texel).next_multiple_of(256);
        let buffer = self.context.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(row * side),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            wgpu::TexelCopyTextureInfo { origin, ..self.texture.atlas().unwrap().as_image_copy() },
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 },
        );
        self.context.queue().submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., Result::unwrap);
        self.wait();
        let view = buffer.get_mapped_range(..).unwrap();
        view.chunks(row as usize).flat_map(|line| &line[..(side * texel) as usize]).copied().collect()
    }

    /// A page is what it is in host memory, within one where filters round.
    pub fn check_page(&self, host: &Rig, key: PageKey) {
        let (device, host) = (self.page(key), host.atlas.page(key).unwrap());
        assert_eq!(device.len(), host.len());
        let worst = device.iter().zip(host).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 1, "{key:?} is {worst} off");
    }
}
