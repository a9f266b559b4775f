//! Where the window's picture comes from, and what the two tell each other.

use std::sync::Arc;
use wavetile_engine::Image;
use wavetile_engine::tiles::{TileSource, Wake};

/// What a feed tells of its transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Where the picture comes from, in words.
    pub(crate) from: String,
    /// Bytes received.
    pub(crate) bytes: u64,
    /// Why nothing more comes, if it does not.
    pub(crate) failure: Option<String>,
}

/// A picture of which the data is still to come.
#[derive(Clone)]
pub(crate) struct Coming {
    /// Its headers, and what has come.
    pub(crate) image: Image,
    /// What brings the rest.
    pub(crate) tiles: Arc<dyn TileSource>,
}

/// What brings the data of a picture.
pub(crate) trait Feed {
    /// How far it is.
    fn transfer(&self) -> Transfer;

    /// `wake` is called from now on when there is something new to tell, from any thread.
    fn wake_by(&self, wake: Wake);

    /// The picture that there is now where the one before came from, if it has changed; once.
    fn take_other(&self) -> Option<Coming>;
}

/// A picture to look at.
pub(crate) struct Source {
    /// Its name, for the window's title.
    pub(crate) name: String,
    /// Its data, perhaps still arriving.
    pub(crate) image: Image,
    /// Is told what is looked at; `None`: all data is there.
    pub(crate) tiles: Option<Arc<dyn TileSource>>,
    /// Tells of the transfer, if there is one.
    pub(crate) feed: Option<Box<dyn Feed>>,
}
