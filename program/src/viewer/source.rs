//! Where the window's picture comes from, and what the two tell each other.

use super::camera::Wanted;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use wavetile_engine::Image;
use wavetile_engine::data_bin::DataBins;

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

/// What wakes the window's decoder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wake {
    /// The view changed.
    View(Wanted),
    /// Data arrived.
    Data,
}
