//! How many bytes of device memory are taken, and how many may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the device memory of what shares it; clones are the same count. What is reserved is never above the limit of the
/// moment when it was reserved.
///
/// It counts what is asked for: drivers may round that up.
#[derive(Clone, Debug)]
pub struct DeviceBytes(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limit: AtomicU64,
    used: AtomicU64,
    most: AtomicU64,
}

impl DeviceBytes {
    /// Nothing of `limit` bytes is taken yet.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        let [limit, used, most] = [limit, 0, 0].map(AtomicU64::new);
        Self(Arc::new(Counts { limit, used, most }))
    }

    /// Bytes that may be taken.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Another limit. What is taken already stays so.
    pub fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that are taken.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever taken at once.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.0.most.load(Ordering::Relaxed)
    }

    /// Takes `bytes` bytes, if the limit allows.
    pub(crate) fn reserve(&self, bytes: u64) -> Option<Reservation> {
        let limit = self.limit();
        let fits = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        let before = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        self.0.most.fetch_max(before + bytes, Ordering::Relaxed);
        Some(Reservation { count: self.clone(), bytes })
    }
}

/// Bytes that are taken for as long as this lives.
#[derive(Debug)]
pub(crate) struct Reservation {
    count: DeviceBytes,
    bytes: u64,
}

impl Reservation {
    #[cfg(test)]
    const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.count.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reservations_never_exceed_the_limit_and_give_back_what_they_took() {
        let bytes = DeviceBytes::new(100);
        let first = bytes.reserve(60).unwrap();
        assert!(bytes.reserve(41).is_none());
        let second = bytes.reserve(40).unwrap();
        assert_eq!((bytes.used(), bytes.peak(), first.bytes(), second.bytes()), (100, 100, 60, 40));
        assert!(bytes.reserve(u64::MAX).is_none());
        drop(first);
        assert_eq!((bytes.used(), bytes.peak()), (40, 100));
        bytes.set_limit(30);
        assert!(bytes.reserve(1).is_none());
        drop(second);
        assert!(bytes.reserve(30).is_some());
        assert_eq!(bytes.used(), 0);
    }
}
