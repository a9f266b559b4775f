//! The graphics device, and how its failures become errors.

use super::waiting::Poller;
use crate::error::DeviceError;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

/// A graphics device to decode on.
#[derive(Clone, Debug)]
pub struct Context {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter_info: wgpu::AdapterInfo,
    buffer_bytes: u64,
    lost: Arc<OnceLock<String>>,
    poller: Arc<Poller>,
}

impl Context {
    /// Takes the host's device. It needs no features, and limits no higher than
    /// [`wgpu::Limits::default`]; its callbacks are left alone.
    #[must_use]
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let adapter_info = device.adapter_info();
        let limits = device.limits();
        let buffer_bytes =
            limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(Self::BUFFER_BYTES) / 4
                * 4;
        Self { device, queue, adapter_info, buffer_bytes, lost: Arc::default(), poller: Arc::default() }
    }

    /// Bytes of a buffer at most, where the device allows more and the host does not ask for less.
    const BUFFER_BYTES: u64 = 1 << 30;

    /// Bounds the device's memory: no buffer made here is larger. There is one each for samples, uploads and texels, and for
    /// each decode under way up to two that carry uploads, and two for results that are read back. What needs more is cut
    /// into cells, and what these upload or read back into submissions. At most what the device binds; 1 GiB by default if it
    /// binds as much.
    #[must_use]
    pub fn with_buffer_bytes(mut self, bytes: u64) -> Self {
        let limits = self.device.limits();
        self.buffer_bytes =
            bytes.min(limits.max_storage_buffer_binding_size).min(limits.max_buffer_size) / 4 * 4;
        self
    }

    /// Bytes of the largest buffer that is made here.
    #[must_use]
    pub const fn buffer_bytes(&self) -> u64 {
        self.buffer_bytes
    }

    /// Opens a device of its own: a graphics card if there is one, else a software adapter. Buffers and textures
    /// may be as large as the adapter has them; else it is a device of WebGPU's default limits. The variables `WGPU_BACKEND` and the like are heeded.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], or [`DeviceError::Refused`] if the adapter gives no device.
    pub async fn request() -> Result<Self, DeviceError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let hardware = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let software = wgpu::RequestAdapterOptions { force_fallback_adapter: true, ..Default::default() };
        let adapter = match instance.request_adapter(&hardware).await {
            Ok(adapter) => adapter,
            Err(reason) => instance
                .request_adapter(&software)
                .await
                .map_err(|_| DeviceError::NoAdapter { reason: reason.to_string() })?,
        };
        let offered = adapter.limits();
        let required_limits = wgpu::Limits {
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            max_buffer_size: offered.max_buffer_size,
            max_texture_dimension_2d: offered.max_texture_dimension_2d,
            ..wgpu::Limits::default()
        };
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("wavetile"), required_limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|reason| DeviceError::Refused { reason: reason.to_string() })?;
        let context = Self::new(device, queue);
        let lost = Arc::downgrade(&context.lost);
        context.device.set_device_lost_callback(move |_, reason| {
            if let Some(lost) = lost.upgrade() {
                // The first reason is the cause.
                drop(lost.set(reason));
            }
        });
        Ok(context)
    }

    /// [`Self::request`], waiting for it on this thread.
    ///
    /// # Errors
    /// As [`Self::request`].
    #[cfg(all(feature = "blocking", not(target_arch = "wasm32")))]
    pub fn request_blocking() -> Result<Self, DeviceError> {
        pollster::block_on(Self::request())
    }

    /// The device.
    #[must_use]
    pub const fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// Its queue.
    #[must_use]
    pub const fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// What the driver tells of the adapter.
    #[must_use]
    pub const fn adapter_info(&self) -> &wgpu::AdapterInfo {
        &self.adapter_info
    }

    /// Bytes that the place of a binding in a buffer is a multiple of.
    pub(super) fn binding_alignment(&self) -> u64 {
        let limits = self.device.limits();
        limits.min_uniform_buffer_offset_alignment.max(limits.min_storage_buffer_offset_alignment).into()
    }

    /// Polls for those who do not want to wait for the device themselves.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "browsers poll"))]
    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// An OpenGL context takes one thread at a time: `wgpu` panics in one that has waited for others for some seconds.
    /// Here they wait for as long as it takes.
    pub(super) fn turn(&self) -> Option<MutexGuard<'static, ()>> {
        static TURN: Mutex<()> = Mutex::new(());
        let one_at_a_time = self.adapter_info.backend == wgpu::Backend::Gl;
        one_at_a_time.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether this is a clone of the other one. Devices cannot be compared: those of different instances may have the same
    /// number.
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lost, &other.lost)
    }

    /// Lets the device tell what it is done with. Waits for nothing.
    pub(crate) fn poll(&self) {
        let _turn = self.turn();
        // What went wrong is told to those whom it concerns.
        drop(self.device.poll(wgpu::PollType::Poll));
    }

    /// Runs `work` on the device; what the device reports meanwhile becomes an error, instead of
    /// going to the host's handler or a panic.
    pub(crate) fn guarded<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        let _turn = self.turn();
        let filters =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
        let [internal, memory, validation] = filters.map(|filter| self.device.push_error_scope(filter));
        let result = work();
        let errors = [reported(validation), reported(memory), reported(internal)];
        if let Some(reason) = self.lost.get() {
            return Err(DeviceError::Failed { doing, reason: format!("the device was lost: {reason}") });
        }
        // What failed in `work` may only follow from what the device reported.
        match errors.into_iter().flatten().next() {
            Some(error) => Err(DeviceError::Failed { doing, reason: error.to_string() }),
            None => result,
        }
    }
}

/// The error a scope caught. It is known at once, except in browsers: there it is not waited for.
fn reported(scope: wgpu::ErrorScopeGuard) -> Option<wgpu::Error> {
    match pin!(scope.pop()).as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(error) => error,
        Poll::Pending => None,
    }
}
