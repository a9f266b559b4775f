//! Bytes of a data-bin, wherever they lie.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Bytes of a data-bin: of a file in memory, made for whoever asks, or shared with a cache that grows meanwhile.
#[derive(Clone)]
pub enum BinBytes<'a> {
    /// They lie where the bins do.
    Borrowed(&'a [u8]),
    /// They were put together.
    Owned(Vec<u8>),
    /// A cache holds them, too. What comes later is not among them.
    Shared(Arc<Vec<u8>>),
}

impl BinBytes<'_> {
    /// The same bytes without the borrow. Those that are shared stay so.
    #[must_use]
    pub fn into_static(self) -> BinBytes<'static> {
        match self {
            Self::Borrowed(bytes) => BinBytes::Owned(bytes.to_vec()),
            Self::Owned(bytes) => BinBytes::Owned(bytes),
            Self::Shared(bytes) => BinBytes::Shared(bytes),
        }
    }

    /// The bytes as a vector of the caller's own, copied unless they are already.
    #[must_use]
    pub fn into_owned(self) -> Vec<u8> {
        match self {
            Self::Borrowed(bytes) => bytes.to_vec(),
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => Arc::unwrap_or_clone(bytes),
        }
    }
}

impl Deref for BinBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for BinBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for BinBytes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl PartialEq for BinBytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for BinBytes<'_> {}

impl<'a> From<Cow<'a, [u8]>> for BinBytes<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => Self::Borrowed(bytes),
            Cow::Owned(bytes) => Self::Owned(bytes),
        }
    }
}
