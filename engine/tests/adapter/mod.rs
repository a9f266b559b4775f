//! A decoder on the GPU, for tests that can do without.

use wavetile_engine::error::DeviceError;
use wavetile_engine::{Backend, Decoder, Error};
use wavetile_testing::skip_adapter;

/// A decoder with a GPU; `None` in a build without, and, the test being skipped, where there is no adapter.
#[track_caller]
pub fn gpu() -> Option<Decoder> {
    match Decoder::new(Backend::Gpu) {
        Ok(decoder) => Some(decoder),
        Err(Error::Device(DeviceError::NotBuilt)) if !cfg!(feature = "gpu") => None,
        Err(Error::Device(DeviceError::NoAdapter { reason })) => {
            skip_adapter(reason);
            None
        }
        Err(error) => panic!("{error}"),
    }
}
