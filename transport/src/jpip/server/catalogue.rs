//! The pictures that a server offers, by name.

use super::served_picture::ServedPicture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::data_bin::DataBinId;

/// Pictures by name, wherever they come from. Shared by threads; what it keeps of its own is behind locks of its own.
pub trait Catalogue: Send + Sync {
    /// Names of the pictures, as far as they are known.
    fn names(&self) -> Vec<String>;

    /// The picture called `name`. `now` counts from any fixed moment. May wait for a disk.
    ///
    /// # Errors
    /// [`TargetError`]
    fn find(&self, name: &str, now: Duration) -> Result<Arc<OfferedPicture>, TargetError>;
}

impl<C: Catalogue + ?Sized> Catalogue for Arc<C> {
    fn names(&self) -> Vec<String> {
        (**self).names()
    }

    fn find(&self, name: &str, now: Duration) -> Result<Arc<OfferedPicture>, TargetError> {
        (**self).find(name, now)
    }
}

/// A picture that is open.
pub struct OfferedPicture {
    /// What it is called.
    pub name: String,
    /// Says nothing about the picture but whether it is still the same ("JPIP-tid").
    pub target_id: String,
    /// The picture.
    pub picture: Arc<dyn ServedPicture>,
    has_changed: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl OfferedPicture {
    /// A picture that does not change.
    #[must_use]
    pub fn new(name: &str, target_id: String, picture: Arc<dyn ServedPicture>) -> Self {
        Self { name: name.to_owned(), target_id, picture, has_changed: None }
    }

    /// `has_changed` tells whether it has been replaced, extended or removed since it was opened.
    #[must_use]
    pub fn with_watch(mut self, has_changed: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.has_changed = Some(Box::new(has_changed));
        self
    }

    /// Whether it has been replaced, extended or removed since it was opened. May wait for a disk.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed.as_ref().is_some_and(|has_changed| has_changed())
    }
}

/// Why a target cannot be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum TargetError {
    /// There is none of that name.
    Unknown,
    /// It cannot be opened.
    Unreadable(wavetile_engine::Error),
}

impl TargetError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "target.unknown",
            Self::Unreadable(error) => error.code(),
        }
    }
}

/// Pictures that are already open.
pub struct MemoryCatalogue(BTreeMap<String, Arc<OfferedPicture>>);

impl MemoryCatalogue {
    /// Pictures by name.
    pub fn new(pictures: impl IntoIterator<Item = (String, Arc<dyn ServedPicture>)>) -> Self {
        let offered = pictures.into_iter().map(|(name, picture)| {
            let length =
                picture.bin_len(DataBinId::MainHeader).ok().flatten().map_or(0, |length| length.bytes);
            let header = picture.read_bin(DataBinId::MainHeader, 0..length).unwrap_or_default();
            let target_id = target_id(name.bytes().chain(header));
            let offered = OfferedPicture::new(&name, target_id, picture);
            (name, Arc::new(offered))
        });
        Self(offered.collect())
    }
}

impl Catalogue for MemoryCatalogue {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn find(&self, name: &str, _now: Duration) -> Result<Arc<OfferedPicture>, TargetError> {
        self.0.get(name).cloned().ok_or(TargetError::Unknown)
    }
}

/// FNV-1a, 128 bits: the same after a restart, so that clients keep what they hold.
pub(crate) fn target_id(bytes: impl Iterator<Item = u8>) -> String {
    let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}")
}
