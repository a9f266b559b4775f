//! Which pages a feedback pass found to be visible, read back without waiting.

use crate::error::DeviceError;
use crate::gpu::Context;
use crate::tiles::{PageId, PageKey, PictureId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wavetile_shaders::feedback_virtual::WantedPage;

/// Reads back what a pass with `feedback_virtual` drew into a small texture ([`Self::FORMAT`]): each of its texels names the
/// page that is wanted there. For [`View::Pages`](super::super::View::Pages).
///
/// Its buffers go round: while all are under way, [`record`](Self::record) records nothing.
pub struct PageFeedback(Arc<Shared>);

struct Shared {
    context: Context,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// To be copied into.
    free: Vec<wgpu::Buffer>,
    /// Used by commands, or about to be mapped; by number.
    away: Vec<(u64, Copied)>,
    /// Mapped; by number.
    there: Vec<(u64, Copied)>,
    next: u64,
}

/// A copy of a texture.
struct Copied {
    buffer: wgpu::Buffer,
    width: u32,
    row_bytes: u32,
}

impl fmt::Debug for PageFeedback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PageFeedback").finish_non_exhaustive()
    }
}

impl PageFeedback {
    /// The format of the texture that the pass draws into.
    pub const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rg32Uint;
    /// Copies under way at a time.
    const MOST: usize = 3;

    /// For textures on this device.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self(Arc::new(Shared { context: context.clone(), state: Mutex::default() }))
    }

    /// Records a copy of the first layer of `texture`, of [`Self::FORMAT`] and with the usage `COPY_SRC`, behind the pass that
    /// draws into it. False: too many copies are under way, and none was recorded.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if the texture is another one; [`DeviceError::Failed`] if the device has no memory or is lost.
    pub fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        texture: &wgpu::Texture,
    ) -> Result<bool, DeviceError> {
        let usage = texture.usage().contains(wgpu::TextureUsages::COPY_SRC);
        let is_flat = texture.dimension() == wgpu::TextureDimension::D2 && texture.sample_count() == 1;
        if texture.format() != Self::FORMAT || !usage || !is_flat {
            let reason = format!("no feedback is read from a texture of {:?}", texture.format());
            return Err(DeviceError::Refused { reason });
        }
        let row_bytes = (texture.width() * 8).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let bytes = u64::from(row_bytes) * u64::from(texture.height());
        let shared = &self.0;
        let free = {
            let mut state = shared.state();
            if state.away.len() + state.there.len() >= Self::MOST {
                return Ok(false);
            }
            let fitting = state.free.iter().position(|buffer| buffer.size() == bytes);
            let kept = fitting.map(|at| state.free.swap_remove(at));
            // Those of a texture of another size are of no use any more.
            let useless = if kept.is_none() { std::mem::take(&mut state.free) } else { Vec::new() };
            drop(state);
            drop(useless);
            kept
        };
        shared.context.guarded("reading feedback", || {
            let make = || {
                shared.context.device().create_buffer(&wgpu::BufferDescriptor {
                    label: Some("wavetile feedback"),
                    size: bytes,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            };
            let buffer = free.unwrap_or_else(make);
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(row_bytes),
                rows_per_image: None,
            };
            let to = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
            let size = wgpu::Extent3d { depth_or_array_layers: 1, ..texture.size() };
            encoder.copy_texture_to_buffer(texture.as_image_copy(), to, size);
            let copied = Copied { buffer: buffer.clone(), width: texture.width(), row_bytes };
            let returning = shared.send_away(copied);
            encoder.map_buffer_on_submit(&buffer, wgpu::MapMode::Read, .., move |result| {
                returning.mapped(result.is_ok());
            });
            Ok(true)
        })
    }

    /// The pages that the newest of the copies that are there names, those that most texels want first. `None`: none has come
    /// since the last call. Waits for nothing; whoever submits to the queue or polls the device makes copies come.
    pub fn collect(&self) -> Option<Vec<PageKey>> {
        let mut there = std::mem::take(&mut self.0.state().there);
        there.sort_unstable_by_key(|(number, _)| *number);
        let pages = there.last().and_then(|(_, newest)| newest.pages());
        let buffers = there.into_iter().map(|(_, copied)| {
            copied.buffer.unmap();
            copied.buffer
        });
        let buffers: Vec<_> = buffers.collect();
        self.0.state().free.extend(buffers);
        pages
    }
}

impl Copied {
    fn pages(&self) -> Option<Vec<PageKey>> {
        let view = self.buffer.get_mapped_range(..).ok()?;
        let mut counts: HashMap<[u32; 2], u32> = HashMap::new();
        for row in view.chunks_exact(self.row_bytes as usize) {
            let texels = row.as_chunks::<8>().0.iter().take(self.width as usize);
            // Neighbours mostly want the same.
            let mut run: ([u8; 8], u32) = ([0; 8], 0);
            for &texel in texels.chain([&[0; 8]]) {
                if texel == run.0 {
                    run.1 += 1;
                    continue;
                }
                *counts.entry(words(run.0)).or_default() += run.1;
                run = (texel, 1);
            }
        }
        let mut pages: Vec<_> = counts
            .into_iter()
            .filter_map(|(words, count)| {
                let WantedPage { picture, reduce, x, y } = WantedPage::unpack(words)?;
                Some((count, PageKey { picture: PictureId(picture), page: PageId { reduce, x, y } }))
            })
            .collect();
        pages.sort_unstable_by_key(|&(count, key)| (std::cmp::Reverse(count), key));
        Some(pages.into_iter().map(|(_, key)| key).collect())
    }
}

fn words([a, b, c, d, e, f, g, h]: [u8; 8]) -> [u32; 2] {
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_away(self: &Arc<Self>, copied: Copied) -> Returning {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.away.push((number, copied));
        Returning { shared: Arc::downgrade(self), number, mapped: None }
    }

    fn bring_back(&self, number: u64, mapped: Option<bool>) {
        let mut state = self.state();
        let Some(at) = state.away.iter().position(|(away, _)| *away == number) else { return };
        let (number, copied) = state.away.swap_remove(at);
        let broken = match mapped {
            Some(true) => {
                state.there.push((number, copied));
                None
            }
            // The commands were dropped.
            None => {
                state.free.push(copied.buffer);
                None
            }
            Some(false) => Some(copied),
        };
        // Dropping a buffer may call back.
        drop(state);
        drop(broken);
    }
}

/// Brings a buffer back when its copy is there, or will never be.
struct Returning {
    shared: Weak<Shared>,
    number: u64,
    mapped: Option<bool>,
}

impl Returning {
    fn mapped(mut self, is_mapped: bool) {
        self.mapped = Some(is_mapped);
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.bring_back(self.number, self.mapped);
        }
    }
}
