//! A ring of mapped buffers that carry uploads: filled on any thread, recorded on the host's, mapped again when the device
//! is done with them. Nobody waits for anything.

use super::context::Context;
use super::device_bytes::{DeviceBytes, Reservation};
use super::filling::failed;
use crate::error::DeviceError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wgpu::WriteOnly;

/// Called when a buffer has come back; from any thread that polls the device or drops commands.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// At most a number of buffers of one size.
#[derive(Clone)]
pub struct UploadRing(Arc<Shared>);

struct Shared {
    context: Context,
    bytes: u64,
    most: usize,
    count: DeviceBytes,
    wake: Option<Wake>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Ready to be filled.
    mapped: Vec<RingBuffer>,
    /// Not mapped, and no command uses them.
    idle: Vec<RingBuffer>,
    /// Used by commands, or about to be mapped; by number.
    away: Vec<(u64, RingBuffer)>,
    /// Buffers there are, those that are being filled included.
    made: usize,
    /// Some could not be mapped again.
    broken: bool,
    next: u64,
}

struct RingBuffer {
    buffer: wgpu::Buffer,
    _bytes: Reservation,
}

impl UploadRing {
    /// Up to `most` buffers of `bytes` bytes, a multiple of 256.
    pub fn new(context: &Context, bytes: u64, most: usize, count: &DeviceBytes, wake: Option<Wake>) -> Self {
        let (context, count) = (context.clone(), count.clone());
        Self(Arc::new(Shared { context, bytes, most, count, wake, state: Mutex::default() }))
    }

    /// Bytes of a buffer.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Buffers that commands use, or that are being mapped.
    pub fn in_flight(&self) -> usize {
        self.0.state().away.len()
    }

    /// Whether a buffer could not be mapped again: the device is lost.
    pub fn is_broken(&self) -> bool {
        self.0.state().broken
    }

    /// Makes the buffers that are not there, as far as bytes may be taken. For the host's thread, so that others have nothing to
    /// do with the device.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] if the device gives none.
    pub fn fill_up(&self) -> Result<(), DeviceError> {
        while self.0.state().made < self.0.most {
            let Some(held) = self.0.make()? else { break };
            let mut state = self.0.state();
            state.made += 1;
            state.mapped.push(held);
        }
        Ok(())
    }

    /// A buffer to be filled; `None` if all are in use, or not made. On any thread.
    pub fn take(&self) -> Option<MappedBuffer> {
        let held = self.0.state().mapped.pop()?;
        Some(MappedBuffer { held: Some(held), ring: Arc::clone(&self.0) })
    }

    /// Begins to map what came back without having been used.
    pub fn collect(&self) {
        let idle = std::mem::take(&mut self.0.state().idle);
        for held in idle {
            let buffer = held.buffer.clone();
            let returning = self.0.send_away(held);
            buffer.map_async(wgpu::MapMode::Write, .., move |result| returning.mapped(result.is_ok()));
        }
    }
}

impl std::fmt::Debug for UploadRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { bytes, most, .. } = *self.0;
        f.debug_struct("UploadRing").field("bytes", &bytes).field("most", &most).finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self) -> Result<Option<RingBuffer>, DeviceError> {
        let Some(bytes) = self.count.reserve(self.bytes) else { return Ok(None) };
        self.context.guarded("making an upload buffer", || {
            let buffer = self.context.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("wavetile uploads"),
                size: self.bytes,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            });
            Ok(Some(RingBuffer { buffer, _bytes: bytes }))
        })
    }

    /// The buffer is not to be touched until what is returned says so.
    fn send_away(self: &Arc<Self>, held: RingBuffer) -> Returning {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.away.push((number, held));
        Returning { ring: Arc::downgrade(self), number, mapped: None }
    }

    fn bring_back(&self, number: u64, mapped: Option<bool>) {
        let mut state = self.state();
        let Some(at) = state.away.iter().position(|(away, _)| *away == number) else { return };
        let (_, held) = state.away.swap_remove(at);
        let mut broken = None;
        match mapped {
            Some(true) => state.mapped.push(held),
            None => state.idle.push(held),
            Some(false) => {
                state.made -= 1;
                state.broken = true;
                broken = Some(held);
            }
        }
        // Dropping a buffer, and who is woken, may call back.
        drop(state);
        drop(broken);
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}

/// Brings a buffer back to its ring: mapped, or not used, if it is dropped without having been called.
///
/// The ring is not kept alive, nor the buffer: a device that nobody polls any more may keep this for ever.
struct Returning {
    ring: Weak<Shared>,
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
        if let Some(ring) = self.ring.upgrade() {
            ring.bring_back(self.number, self.mapped);
        }
    }
}

/// A buffer of a ring that can be filled. Dropped, it goes back.
pub struct MappedBuffer {
    held: Option<RingBuffer>,
    ring: Arc<Shared>,
}

impl MappedBuffer {
    /// Lets `write` fill the first `bytes` bytes.
    pub(crate) fn fill<T>(
        &mut self,
        bytes: u64,
        write: impl FnOnce(WriteOnly<'_, [u8]>) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        let held = self.held.as_ref().filter(|_| bytes <= self.ring.bytes);
        let held = held.ok_or_else(|| failed("more than an upload buffer holds"))?;
        let mut view =
            held.buffer.get_mapped_range_mut(..bytes).map_err(|error| failed(&error.to_string()))?;
        write(view.slice(..))
    }

    /// Unmaps it for commands that read it, to be recorded into `encoder`. When they are done, it is mapped again; when they
    /// are dropped without having been submitted, likewise.
    pub(crate) fn record(mut self, encoder: &wgpu::CommandEncoder) -> Option<wgpu::Buffer> {
        let held = self.held.take()?;
        let buffer = held.buffer.clone();
        buffer.unmap();
        let returning = self.ring.send_away(held);
        encoder.map_buffer_on_submit(&buffer, wgpu::MapMode::Write, .., move |result| {
            returning.mapped(result.is_ok());
        });
        Some(buffer)
    }
}

impl Drop for MappedBuffer {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.ring.state().mapped.push(held);
            if let Some(wake) = &self.ring.wake {
                wake();
            }
        }
    }
}

impl std::fmt::Debug for MappedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedBuffer").field("bytes", &self.ring.bytes).finish_non_exhaustive()
    }
}
