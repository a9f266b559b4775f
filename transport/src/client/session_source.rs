//! A session as the source of a picture's tiles.

use std::sync::{Arc, PoisonError, RwLock};

use wavetile_engine::Image;
use wavetile_engine::data_bin::{Changes, DataBinCache};
use wavetile_engine::tiles::{Arrivals, TileSource, Wake, Wish};

use super::shared::Shared;
use crate::jpip::client::windows;

/// Fetches what tiles of a picture wish for through a [`Session`](super::Session): [`Session::tile_source`](super::Session::tile_source).
///
/// The session is asked for windows, most urgent first; what somebody else asks of it meanwhile takes the place of the wishes. They
/// stand while the connection is lost, and are met when there is another: it is tried for as long as the session lives. A session
/// that has ended, and a server that refuses, are idle.
#[derive(Debug)]
pub struct SessionSource {
    shared: Arc<Shared>,
    bins: Arc<RwLock<DataBinCache>>,
    image: Image,
    /// How often all had been dropped when the image was read.
    resets: u64,
}

impl SessionSource {
    pub(super) fn new(shared: Arc<Shared>, bins: Arc<RwLock<DataBinCache>>, image: Image) -> Self {
        let resets = shared.resets();
        Self { shared, bins, image, resets }
    }

    /// The picture.
    #[must_use]
    pub const fn image(&self) -> &Image {
        &self.image
    }
}

impl TileSource for SessionSource {
    fn want(&self, wishes: &[Wish]) {
        // Of another picture, the wishes are of no use.
        if self.shared.resets() == self.resets {
            self.shared.set_wishes(windows(&self.image, wishes));
        }
    }

    fn generation(&self) -> u64 {
        self.bins.read().unwrap_or_else(PoisonError::into_inner).generation()
    }

    fn arrivals(&self, since: u64) -> Arrivals {
        // Told again and again: whoever asks may have heard of the bins that were dropped before it was known why.
        if self.shared.resets() != self.resets {
            return Arrivals::Replaced;
        }
        let changes = self.bins.read().unwrap_or_else(PoisonError::into_inner).changes_since(since);
        match changes {
            Changes::Bins(bins) if bins.is_empty() => Arrivals::Nothing,
            Changes::Bins(bins) => Arrivals::Bins(bins),
            _ => Arrivals::Anything,
        }
    }

    fn is_idle(&self) -> bool {
        self.shared.is_idle()
    }

    fn wake_by(&self, wake: Wake) {
        self.shared.wake_by(wake);
    }
}
