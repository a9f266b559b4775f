//! The live window: pan, zoom, and watch the picture arrive.

mod app;
mod camera;
mod loader;

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wavetile_engine::data_bin::DataBins;
use wavetile_engine::image::Image;

pub use camera::{Camera, Wanted};
pub use loader::Wake;

/// What a source tells the window about its transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Where the picture comes from, in words.
    pub from: String,
    /// Bytes of responses received.
    pub bytes: u64,
    /// Why the source stopped, if it did.
    pub failure: Option<String>,
}

/// A picture to look at.
pub struct Source {
    /// Its name, for the window's title.
    pub name: String,
    /// Its data, perhaps still arriving.
    pub bins: Arc<dyn DataBins + Send + Sync>,
    /// Tells the source what is looked at.
    pub steer: Box<dyn Fn(&Image, Wanted) + Send>,
    /// State of the transfer; `None` for a local file.
    pub transfer: Option<Arc<Mutex<Transfer>>>,
    /// Given the sender that wakes the window's decoder when data arrives.
    pub on_start: Box<dyn FnOnce(Sender<Wake>) + Send>,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// A message for people: no display, or no usable graphics driver.
pub fn run(source: Source) -> Result<(), String> {
    app::run(source)
}

/// "1.23 s" or "45 ms".
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
