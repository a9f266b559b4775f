//! One data-bin as it arrives: its beginning, and what came out of order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BinBytes, BinView, ByteRanges, Insert};

#[derive(Clone, Debug, Default)]
pub(super) struct Bin {
    /// The contiguous beginning.
    prefix: Arc<Vec<u8>>,
    /// What came out of order, by offset: disjoint, not empty, and after a gap behind `prefix`.
    fragments: BTreeMap<u64, Arc<Vec<u8>>>,
    /// Sum of the fragments' lengths.
    fragment_bytes: u64,
    len: Option<u64>,
    /// When it was last written or read.
    used: Stamp,
}

/// What an insertion may change, apart from the bytes themselves.
#[derive(PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) held: u64,
    pub(super) memory: u64,
    pub(super) len: Option<u64>,
    pub(super) complete: bool,
}

impl Bin {
    /// The contiguous beginning.
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.prefix.capacity()
    }

    #[cfg(test)]
    pub(super) fn fragments(&self) -> u64 {
        self.fragments.len() as u64
    }

    /// Length in bytes, once its last byte was announced.
    pub(super) const fn len(&self) -> Option<u64> {
        self.len
    }

    pub(super) fn ranges(&self) -> ByteRanges {
        let mut ranges = ByteRanges::new();
        ranges.insert(0..self.prefix.len() as u64);
        for (&start, bytes) in &self.fragments {
            ranges.insert(start..start + bytes.len() as u64);
        }
        ranges
    }

    /// When it was last written or read.
    pub(super) fn used(&self) -> u64 {
        self.used.0.load(Ordering::Relaxed)
    }

    /// It is written or read at `time`.
    pub(super) fn touch(&self, time: u64) {
        self.used.0.store(time, Ordering::Relaxed);
    }

    pub(super) fn shared(&self) -> BinView<'static> {
        BinView { bytes: BinBytes::Shared(self.prefix.clone()), complete: self.is_complete() }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.len == Some(self.prefix.len() as u64)
    }

    pub(super) fn outline(&self) -> Outline {
        Outline {
            held: self.prefix.len() as u64 + self.fragment_bytes,
            memory: BIN_COST
                + self.prefix.len() as u64
                + self.fragment_bytes
                + FRAGMENT_COST * self.fragments.len() as u64,
            len: self.len,
            complete: self.is_complete(),
        }
    }

    pub(super) fn insert(&mut self, offset: u64, bytes: &[u8], last: bool) -> Insert {
        let mut insert = Insert::default();
        let size = bytes.len() as u64;
        let Some(end) = offset.checked_add(size) else {
            insert.excess_bytes = size;
            return insert;
        };
        if last && self.len.is_none() {
            self.set_len(end);
        }
        let limit = self.len.unwrap_or(u64::MAX);
        insert.excess_bytes = end.saturating_sub(limit.max(offset));
        let bytes = &bytes[..(size - insert.excess_bytes) as usize];
        for gap in self.gaps(offset..offset + bytes.len() as u64) {
            let part = &bytes[(gap.start - offset) as usize..(gap.end - offset) as usize];
            insert.new_bytes += part.len() as u64;
            if gap.start == self.prefix.len() as u64 {
                extend(&mut self.prefix, part);
            } else {
                self.fragment_bytes += part.len() as u64;
                self.fragments.insert(gap.start, Arc::new(part.to_vec()));
            }
        }
        insert.duplicate_bytes = bytes.len() as u64 - insert.new_bytes;
        self.join();
        if insert.new_bytes > 0
            && self.is_complete()
            && let Some(prefix) = Arc::get_mut(&mut self.prefix)
        {
            // It grows no more.
            prefix.shrink_to_fit();
        }
        insert
    }

    /// Learns the length. What may have been read already stays, what lies beyond is dropped.
    fn set_len(&mut self, end: u64) {
        let end = end.max(self.prefix.len() as u64);
        self.len = Some(end);
        self.fragments.split_off(&end);
        if let Some((&start, bytes)) = self.fragments.iter_mut().next_back() {
            let most = usize::try_from(end - start).unwrap_or(usize::MAX);
            if bytes.len() > most {
                Arc::make_mut(bytes).truncate(most);
            }
        }
        self.fragment_bytes = self.fragments.values().map(|bytes| bytes.len() as u64).sum();
    }

    /// The parts of `range` that are not held, ascending.
    fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start.max(self.prefix.len() as u64);
        let before = self.fragments.range(..=at).next_back();
        if let Some((&start, bytes)) = before {
            at = at.max(start + bytes.len() as u64);
        }
        if at < range.end {
            for (&start, bytes) in self.fragments.range(at..range.end) {
                if at < start {
                    gaps.push(at..start);
                }
                at = start + bytes.len() as u64;
            }
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// Moves the fragments that the prefix has reached into it.
    fn join(&mut self) {
        while let Some(entry) = self.fragments.first_entry() {
            if *entry.key() != self.prefix.len() as u64 {
                break;
            }
            let bytes = entry.remove();
            self.fragment_bytes -= bytes.len() as u64;
            extend(&mut self.prefix, &bytes);
        }
    }
}

/// Adds to a vector, which gets at most an eighth more memory than it needs.
fn extend(prefix: &mut Arc<Vec<u8>>, bytes: &[u8]) {
    let prefix = Arc::make_mut(prefix);
    let length = prefix.len() + bytes.len();
    if length > prefix.capacity() {
        prefix.reserve_exact(bytes.len() + length / 8);
    }
    prefix.extend_from_slice(bytes);
}

/// A time that those who read may write.
#[derive(Debug, Default)]
struct Stamp(AtomicU64);

impl Clone for Stamp {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

/// Bytes of memory that a bin takes beside its own: its entry in the map, and two allocations.
pub(super) const BIN_COST: u64 = 256;
/// The same for each fragment.
pub(super) const FRAGMENT_COST: u64 = 128;
