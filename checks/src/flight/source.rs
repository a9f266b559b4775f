//! A client on a link as the source of a picture's tiles.

use crate::link::Link;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use wavetile_engine::Image;
use wavetile_engine::data_bin::{Changes, DataBinCache};
use wavetile_engine::tiles::{Arrivals, TileSource, Wake, Wish};
use wavetile_transport::jpip::client::windows;

/// What a session is on a real road: it asks for windows, and tells what has come. It wakes nobody, since whoever lets the
/// link's time pass knows.
pub struct LinkSource {
    link: Arc<Mutex<Link>>,
    bins: Arc<RwLock<DataBinCache>>,
    image: Image,
}

impl LinkSource {
    /// `bins`: those of the link's client, which are not behind the link's lock. `image`: the picture that they hold.
    #[must_use]
    pub const fn new(link: Arc<Mutex<Link>>, bins: Arc<RwLock<DataBinCache>>, image: Image) -> Self {
        Self { link, bins, image }
    }
}

impl TileSource for LinkSource {
    fn want(&self, wishes: &[Wish]) {
        let windows = windows(&self.image, wishes);
        self.link.lock().unwrap_or_else(PoisonError::into_inner).client().set_wishes(windows);
    }

    fn generation(&self) -> u64 {
        self.bins.read().unwrap_or_else(PoisonError::into_inner).generation()
    }

    fn arrivals(&self, since: u64) -> Arrivals {
        match self.bins.read().unwrap_or_else(PoisonError::into_inner).changes_since(since) {
            Changes::Bins(bins) if bins.is_empty() => Arrivals::Nothing,
            Changes::Bins(bins) => Arrivals::Bins(bins),
            _ => Arrivals::Anything,
        }
    }

    fn is_idle(&self) -> bool {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).client().is_idle()
    }

    fn wake_by(&self, _wake: Wake) {}
}
