//! Data-bins: the pieces a picture is cut into for delivery (T.808 Annex A). Local files are read
//! through the same cut, so that the decoder knows one kind of input only.

mod bin;
mod bytes;
mod cache;
mod changes;
mod id;
mod ranges;

pub use bytes::BinBytes;
pub use cache::{DataBinCache, Insert};
pub use changes::Changes;
pub use id::{DataBinId, PrecinctId};
pub use ranges::ByteRanges;

use std::sync::Arc;

use crate::error::{CodestreamError, Result};

/// What is held of one data-bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinView<'a> {
    /// The bytes held without a gap from the start of the bin.
    pub bytes: BinBytes<'a>,
    /// These are all the bytes the bin has.
    pub complete: bool,
}

impl BinView<'_> {
    /// The same view without the borrow; bytes that are shared with a cache stay so.
    #[must_use]
    pub fn into_owned(self) -> BinView<'static> {
        BinView { bytes: self.bytes.into_static(), complete: self.complete }
    }
}

/// Anything that data-bins can be read from: a cache that a client fills, or an indexed file.
pub trait DataBins {
    /// The contiguous beginning of a bin; `None` if nothing is known of it. Metadata-bins belong to
    /// the whole file: `codestream` is ignored for them.
    ///
    /// # Errors
    /// Reading the file failed, or the codestream is too damaged to tell where the bin is. A cache
    /// never fails.
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>>;

    /// How many bytes [`bin`](Self::bin) would give, and whether they are all that the bin has, where that is known without
    /// reading them. `None`: only [`bin`](Self::bin) can tell.
    ///
    /// # Errors
    /// As [`bin`](Self::bin).
    fn extent(&self, _codestream: u32, _id: DataBinId) -> Result<Option<(u64, bool)>> {
        Ok(None)
    }

    /// The first thing found broken while the bins of a tile were made: what lies behind it is missing
    /// from them. `None` if nothing is known to be broken, as for bins that come ready-made.
    fn damage(&self, _codestream: u32, _tile: u32) -> Option<CodestreamError> {
        None
    }
}

impl<T: DataBins + ?Sized> DataBins for &T {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        (**self).bin(codestream, id)
    }

    fn extent(&self, codestream: u32, id: DataBinId) -> Result<Option<(u64, bool)>> {
        (**self).extent(codestream, id)
    }

    fn damage(&self, codestream: u32, tile: u32) -> Option<CodestreamError> {
        (**self).damage(codestream, tile)
    }
}

impl<T: DataBins + ?Sized> DataBins for Arc<T> {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        (**self).bin(codestream, id)
    }

    fn extent(&self, codestream: u32, id: DataBinId) -> Result<Option<(u64, bool)>> {
        (**self).extent(codestream, id)
    }

    fn damage(&self, codestream: u32, tile: u32) -> Option<CodestreamError> {
        (**self).damage(codestream, tile)
    }
}
