//! Where the data of a picture comes from, and how it is told what is wanted.

use super::page::Priority;
use crate::data_bin::DataBinId;
use crate::request::DecodeRequest;
use std::sync::Arc;

/// Something to be fetched: what a decoder would be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The region on the reference grid, the levels that are discarded, layers and components. The region is what is seen, no
    /// more: what the wavelet needs around it is the source's to know.
    pub request: DecodeRequest,
    /// How urgent it is. Wishes of [`Priority::Prefetch`] can wait until all that is visible has come.
    pub priority: Priority,
}

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrivals {
    /// Nothing.
    Nothing,
    /// Bytes of these bins, or their ends; by codestream. A bin may be named twice.
    Bins(Vec<(u32, DataBinId)>),
    /// It is not known what.
    Anything,
    /// It is another picture now: what was made of the one before is of no use.
    Replaced,
}

/// Called when something has come; from any thread, and not for long.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Steers what brings the data of a picture: a session with a server, ranges of bytes, a store. Its bins are those of the
/// [`Image`](crate::Image). No call waits. Pictures that are all there, files and memory, need none.
pub trait TileSource: Send + Sync {
    /// What is wanted now, most urgent first, in place of what was wanted before. What has come for that stays.
    fn want(&self, wishes: &[Wish]);

    /// A number that grows whenever something has come. Cheap.
    fn generation(&self) -> u64;

    /// What has come after generation `since`.
    fn arrivals(&self, since: u64) -> Arrivals;

    /// Whether all that is wanted has come, or nothing more of it will: nothing is under way.
    fn is_idle(&self) -> bool;

    /// `wake` is to be called from now on whenever something has come, or nothing more will.
    fn wake_by(&self, wake: Wake);
}
