//! Where the pages of a flight are: in host memory, or on a device.

#[cfg(feature = "gpu")]
use std::time::Duration;
use wavetile_engine::Result;
use wavetile_engine::tiles::{FrameBudget, HostAtlas, PageKey, Tiles};
#[cfg(feature = "gpu")]
use wavetile_engine::{
    error::DeviceError,
    gpu::Context,
    tiles::{VirtualTexture, VirtualTextureOptions},
    wgpu,
};

/// An atlas of either kind.
pub enum Atlas {
    /// In host memory.
    Host {
        /// The atlas.
        atlas: HostAtlas,
        /// Its bound.
        bytes: u64,
    },
    /// On a device.
    #[cfg(feature = "gpu")]
    Device(Box<DeviceAtlas>),
}

/// An atlas on a device.
#[cfg(feature = "gpu")]
pub struct DeviceAtlas {
    context: Context,
    texture: VirtualTexture,
    /// Texels of a row of a slot.
    side: u32,
    /// The most bytes of device memory at a time.
    most: u64,
}

impl Atlas {
    /// In host memory, of at most `bytes`.
    #[must_use]
    pub fn host(tiles: &mut Tiles, bytes: u64) -> Self {
        Self::Host { atlas: HostAtlas::new(tiles, bytes), bytes }
    }

    /// On the device of the tiles' decoder, of at most `bytes` with all that belongs to it.
    ///
    /// # Errors
    /// The device has not the memory.
    #[cfg(feature = "gpu")]
    pub fn device(context: Context, tiles: &mut Tiles, bytes: u64) -> Result<Self> {
        let options = VirtualTextureOptions::new().device_bytes(bytes);
        let texture = VirtualTexture::new(&context, tiles, options)?;
        let side = tiles.options().layout.slot_side();
        Ok(Self::Device(Box::new(DeviceAtlas { context, texture, side, most: 0 })))
    }

    /// A frame: takes what was made, and waits for the device.
    ///
    /// # Errors
    /// The device is lost.
    pub fn poll(&mut self, tiles: &mut Tiles) -> Result<()> {
        match self {
            Self::Host { atlas, .. } => {
                atlas.poll(tiles, FrameBudget::pages(64));
            }
            #[cfg(feature = "gpu")]
            Self::Device(device) => {
                let mut encoder = device.encoder();
                let report = device.texture.poll(tiles, &mut encoder, FrameBudget::pages(64))?;
                device.most = device.most.max(report.device_bytes);
                device.context.queue().submit([encoder.finish()]);
                device.wait();
            }
        }
        Ok(())
    }

    /// The most bytes that it took at a time.
    #[must_use]
    pub fn most_bytes(&self) -> u64 {
        match self {
            // It takes no less later.
            Self::Host { atlas, .. } => atlas.bytes(),
            #[cfg(feature = "gpu")]
            Self::Device(device) => device.most,
        }
    }

    /// It is gone, and another takes its place: on a new device, the one before being destroyed.
    ///
    /// # Errors
    /// There is no other device.
    pub fn lose(&mut self, tiles: &mut Tiles) -> Result<()> {
        match self {
            Self::Host { atlas, bytes } => *atlas = HostAtlas::new(tiles, *bytes),
            #[cfg(feature = "gpu")]
            Self::Device(device) => {
                device.context.device().destroy();
                let lost = (0..MOST_FRAMES).any(|_| {
                    let mut encoder = device.encoder();
                    tiles.update(&[], Duration::ZERO);
                    let polled = device.texture.poll(tiles, &mut encoder, FrameBudget::pages(64));
                    device.context.queue().submit([encoder.finish()]);
                    polled.is_err()
                });
                if !lost {
                    let reason = "a lost device was not noticed".to_owned();
                    return Err(DeviceError::Failed { doing: "losing a device", reason }.into());
                }
                let context = Context::request_blocking()?;
                device.texture.replace_device(&context, tiles)?;
                device.context = context;
            }
        }
        Ok(())
    }

    /// The texels of a page, border included; `None` if it is not there.
    #[must_use]
    pub fn page(&self, key: PageKey) -> Option<Vec<u8>> {
        match self {
            Self::Host { atlas, .. } => atlas.page(key).map(<[u8]>::to_vec),
            #[cfg(feature = "gpu")]
            Self::Device(device) => device.page(key),
        }
    }

    /// The one in host memory, which can be drawn from here.
    #[must_use]
    pub const fn in_host_memory(&self) -> Option<&HostAtlas> {
        match self {
            Self::Host { atlas, .. } => Some(atlas),
            #[cfg(feature = "gpu")]
            Self::Device(_) => None,
        }
    }
}

/// Frames within which the loss of a device is noticed.
#[cfg(feature = "gpu")]
const MOST_FRAMES: u32 = 20;

#[cfg(feature = "gpu")]
impl DeviceAtlas {
    fn encoder(&self) -> wgpu::CommandEncoder {
        self.context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// A device that is lost has nothing to wait for: the next frame says so.
    fn wait(&self) {
        let _ = self.context.device().poll(wgpu::PollType::wait_indefinitely());
    }

    /// Reads a page of 32-bit texels.
    fn page(&self, key: PageKey) -> Option<Vec<u8>> {
        let side = self.side;
        let (origin, atlas) = (self.texture.place(key)?, self.texture.atlas()?);
        let row = (side * 4).next_multiple_of(256);
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
            wgpu::TexelCopyTextureInfo { origin, ..atlas.as_image_copy() },
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 },
        );
        self.context.queue().submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., drop);
        self.wait();
        let view = buffer.get_mapped_range(..).ok()?;
        Some(view.chunks(row as usize).flat_map(|line| &line[..(side * 4) as usize]).copied().collect())
    }
}
