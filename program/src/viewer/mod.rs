//! The live window: pan, zoom, and watch the picture arrive.

mod app;
mod camera;
mod loader;

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wavetile_engine::data_bin::DataBins;
use wavetile_engine::image::Image;

pub(crate) use camera::Wanted;
pub(crate) use loader::Wake;

/// What a source tells the window about its transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Where the picture comes from, in words.
    pub(crate) from: String,
    /// Bytes of responses received.
    pub(crate) bytes: u64,
    /// Why the source stopped, if it did.
    pub(crate) failure: Option<String>,
}

/// Tells a source what is looked at.
pub(crate) type Steer = Box<dyn Fn(&Image, Wanted) + Send>;

/// A picture to look at.
pub(crate) struct Source {
    /// Its name, for the window's title.
    pub(crate) name: String,
    /// Its data, perhaps still arriving.
    pub(crate) bins: Arc<dyn DataBins + Send + Sync>,
    /// Tells the source what is looked at.
    pub(crate) steer: Steer,
    /// State of the transfer; `None` for a local file.
    pub(crate) transfer: Option<Arc<Mutex<Transfer>>>,
    /// Given the sender that wakes the window's decoder when data arrives.
    pub(crate) on_start: Box<dyn FnOnce(Sender<Wake>) + Send>,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// A message for people: no display, or no usable graphics driver.
pub(crate) fn run(source: Source) -> Result<(), String> {
    app::run(source)
}

/// Whether a window can be expected to open here.
#[must_use]
pub(crate) fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // Elsewhere there is always a desktop.
    !cfg!(any(target_os = "linux", target_os = "freebsd")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// "1.23 s" or "45 ms".
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
