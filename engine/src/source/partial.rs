//! A file of which only pieces are here: what is read in vain is noted, to be fetched.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::IndexedFile;
use crate::byte_source::ByteSource;
use crate::data_bin::{BinView, ByteRanges, DataBinId, DataBins};
use crate::error::{CodestreamError, Error, Result};
use crate::limits::Limits;

/// Pieces of a file. Reading what is not there fails with [`io::ErrorKind::WouldBlock`], and is noted.
///
/// Memory is bounded by the bytes received, whatever length the file is said to have; and by a bound of the caller's
/// ([`set_bound`](Self::set_bound)): pieces that were not read for longest are then dropped, to be fetched again.
#[derive(Debug)]
pub struct PartialSource {
    len: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is here, by offset: disjoint.
    pieces: BTreeMap<u64, Piece>,
    held: ByteRanges,
    /// Bytes that have come, those included that were dropped.
    received: u64,
    memory: u64,
    /// Most bytes of memory.
    bound: Option<u64>,
    /// There is no room for more.
    full: bool,
    /// What pieces that are written or read are stamped with.
    time: u64,
    /// What was read in vain.
    missing: ByteRanges,
    /// How often in a row a single range was missing: somebody follows a chain.
    chain: u32,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// When it was last written or read.
    used: u64,
}

impl State {
    /// Makes room for `bytes` bytes; whether there is some.
    fn make_room(&mut self, bytes: u64) -> bool {
        let Some(bound) = self.bound else { return true };
        let needed = bytes.saturating_add(PIECE_COST);
        if self.memory.saturating_add(needed) <= bound {
            return true;
        }
        if !self.full {
            // A quarter at once, as that takes a look at all of them.
            self.drop_unused((bound - bound / 4).min(bound.saturating_sub(needed)));
        }
        let fits = self.memory.saturating_add(needed) <= bound;
        self.full |= !fits;
        fits
    }

    /// Drops pieces of the past, those first that were not used for longest, until the rest takes `budget` bytes.
    fn drop_unused(&mut self, budget: u64) {
        let mut unused: Vec<(u64, u64)> = self
            .pieces
            .iter()
            .filter(|(_, piece)| piece.used < self.time)
            .map(|(&start, piece)| (piece.used, start))
            .collect();
        unused.sort_unstable();
        for (_, start) in unused {
            if self.memory <= budget {
                break;
            }
            if let Some(piece) = self.pieces.remove(&start) {
                let length = piece.bytes.len() as u64;
                self.held.remove(start..start + length);
                self.memory -= length + PIECE_COST;
            }
        }
    }
}

impl PartialSource {
    /// A file of `len` bytes, none of which is here.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Self { len, state: Mutex::default() }
    }

    /// Takes in bytes that lie at `offset`. What is here already, or beyond the end, is dropped. Returns how many were new.
    pub fn insert(&self, offset: u64, bytes: &[u8]) -> u64 {
        let end = offset.saturating_add(bytes.len() as u64).min(self.len);
        let mut state = self.state();
        let mut new = 0;
        for gap in state.held.missing(offset.min(end)..end) {
            // They lie in `bytes`.
            let part = &bytes[(gap.start - offset) as usize..(gap.end - offset) as usize];
            if !state.make_room(part.len() as u64) {
                break;
            }
            let used = state.time;
            state.pieces.insert(gap.start, Piece { bytes: part.to_vec(), used });
            state.memory += part.len() as u64 + PIECE_COST;
            state.held.insert(gap.clone());
            new += gap.end - gap.start;
        }
        state.received += new;
        new
    }

    /// Bounds the memory of what is here; `None`: as much as comes. What was read or has come since the last
    /// [`advance_time`](Self::advance_time) stays; what there is no room for then is dropped as it comes
    /// ([`is_full`](Self::is_full)). A bound that is lowered below that takes all the same.
    pub fn set_bound(&self, bound: Option<u64>) {
        let mut state = self.state();
        state.bound = bound;
        state.full = false;
        let Some(bound) = bound else { return };
        state.drop_unused(bound);
        if state.memory > bound {
            let now = std::mem::replace(&mut state.time, u64::MAX);
            state.drop_unused(bound);
            state.time = now;
        }
    }

    /// Begins another time: what is not read or does not come from now on may be dropped.
    pub fn advance_time(&self) {
        let mut state = self.state();
        state.time += 1;
        state.full = false;
    }

    /// Whether something has come lately that there was no room for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state().full
    }

    /// Bytes of memory that the pieces take, bookkeeping included.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.state().memory
    }

    /// Bytes that have come and were new, those included that were dropped later.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.state().received
    }

    /// Bytes that are here.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.state().held.total()
    }

    /// What of `range` is not here.
    #[must_use]
    pub fn lacks(&self, range: Range<u64>) -> Vec<Range<u64>> {
        self.state().held.missing(range)
    }

    /// The ranges to fetch so that what was read in vain since the last call can be read; each is worth a request of its own.
    /// More than was read, where little more saves a request: what lies close together is one range, and who follows a
    /// chain of boxes, tile-parts or packets is given more each time.
    #[must_use]
    pub fn take_missing(&self) -> Vec<Range<u64>> {
        let mut state = self.state();
        let missing = std::mem::take(&mut state.missing);
        let missing = missing.as_slice();
        state.chain = if missing.len() == 1 { state.chain + 1 } else { 0 };
        let least =
            if missing.len() == 1 { LEAST_ALONE << (state.chain - 1).min(MOST_DOUBLINGS) } else { LEAST };
        let mut wanted: Vec<Range<u64>> = Vec::new();
        for range in missing {
            let end = range.end.max(range.start.saturating_add(least)).min(self.len);
            // What is here needs not be fetched again at the ends; in between it costs less than a request.
            let lacking = state.held.missing(range.start..end);
            let (Some(first), Some(last)) = (lacking.first(), lacking.last()) else { continue };
            match wanted.last_mut().filter(|before| first.start <= before.end.saturating_add(CLOSE)) {
                Some(before) => before.end = before.end.max(last.end),
                None => wanted.push(first.start..last.end),
            }
        }
        wanted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of memory that a piece takes beside its own.
const PIECE_COST: u64 = 128;
/// Least bytes to fetch at a time where there are several ranges.
const LEAST: u64 = 16 << 10;
/// Least bytes to fetch at first where there is one; doubled each time.
const LEAST_ALONE: u64 = 64 << 10;
const MOST_DOUBLINGS: u32 = 8;
/// Ranges no further apart are fetched as one.
const CLOSE: u64 = 32 << 10;

impl ByteSource for PartialSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.len);
        let Some(end) = end else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        if buffer.is_empty() {
            return Ok(());
        }
        let mut state = self.state();
        let lacking = state.held.missing(offset..end);
        if !lacking.is_empty() {
            lacking.into_iter().for_each(|range| state.missing.insert(range));
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "these bytes of the file are yet to be fetched",
            ));
        }
        let first = state.pieces.range(..=offset).next_back().map_or(offset, |(&start, _)| start);
        let time = state.time;
        for (&start, piece) in state.pieces.range_mut(first..end) {
            let (from, to) = (offset.max(start), end.min(start + piece.bytes.len() as u64));
            if from < to {
                piece.used = time;
                let part = &piece.bytes[(from - start) as usize..(to - start) as usize];
                buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
            }
        }
        Ok(())
    }

    fn is_sparse(&self) -> bool {
        true
    }
}

/// A picture file that arrives in pieces, as data-bins: what has not arrived is missing, and no error. Each attempt to open
/// it, to plan or to decode something notes what that lacks ([`PartialSource::take_missing`]).
pub struct PartialFile {
    source: Arc<PartialSource>,
    file: OnceLock<IndexedFile>,
    limits: Limits,
}

impl PartialFile {
    /// A file whose pieces will be in `source`.
    #[must_use]
    pub fn new(source: Arc<PartialSource>, limits: &Limits) -> Self {
        Self { source, file: OnceLock::new(), limits: limits.clone() }
    }

    /// Its pieces.
    #[must_use]
    pub fn source(&self) -> &Arc<PartialSource> {
        &self.source
    }

    /// The file, once its boxes and its first main header are there; `None` until then, and what they lack is noted.
    ///
    /// # Errors
    /// As for [`IndexedFile::open`].
    pub fn open(&self) -> Result<Option<&IndexedFile>> {
        if let Some(file) = self.file.get() {
            return Ok(Some(file));
        }
        let opened = IndexedFile::open(self.source.clone(), &self.limits);
        // Boxes that cannot be read are passed over: what was opened, or failed, without them does not count.
        if !self.source.state().missing.is_empty() {
            return Ok(None);
        }
        let opened = opened?;
        Ok(Some(self.file.get_or_init(|| opened)))
    }
}

impl DataBins for PartialFile {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        let Some(file) = self.open()? else { return Ok(None) };
        match file.bin(codestream, id) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            found => found,
        }
    }

    fn damage(&self, codestream: u32, tile: u32) -> Option<CodestreamError> {
        self.file.get()?.damage(codestream, tile)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_read_in_vain_is_fetched_in_few_ranges() {
        let source = PartialSource::new(10 << 20);
        assert!(source.take_missing().is_empty());
        let read = |range: Range<u64>| {
            let mut buffer = vec![0; (range.end - range.start) as usize];
            source.read_at(range.start, &mut buffer).map_err(|error| error.kind())
        };
        for range in [100..200, 20_000..20_001, 5 << 20..(5 << 20) + 100_000] {
            assert_eq!(read(range), Err(io::ErrorKind::WouldBlock));
        }
        assert_eq!(read(10 << 20..(10 << 20) + 1), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(source.take_missing(), [100..20_000 + LEAST, 5 << 20..(5 << 20) + 100_000]);
        assert!(source.take_missing().is_empty());
        // A chain is followed in longer and longer steps, up to the end.
        let (mut at, mut steps) = (100, 0);
        while at < 10 << 20 {
            assert!(read(at..at + 12).is_err());
            let ranges = source.take_missing();
            assert_eq!((ranges.len(), ranges[0].start), (1, at));
            source.insert(at, &vec![7; (ranges[0].end - at) as usize]);
            (at, steps) = (ranges[0].end, steps + 1);
            assert_eq!(read(at - 12..at), Ok(()));
        }
        assert_eq!((steps, source.held()), (8, (10 << 20) - 100));
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_read_as_the_whole(
            pieces in prop::collection::vec((0u64..220, 0u64..60), 0..40),
            reads in prop::collection::vec((0u64..210, 0usize..50), 0..40),
        ) {
            let whole: Vec<u8> = (0..200).collect();
            let source = PartialSource::new(200);
            let mut held = [false; 200];
            for (start, length) in pieces {
                // What a server sends beyond the end is dropped.
                let bytes: Vec<u8> = (start..start + length).map(|at| at.min(255) as u8).collect();
                let range = start.min(200) as usize..(start + length).min(200) as usize;
                let new = held[range.clone()].iter().filter(|&&held| !held).count();
                prop_assert_eq!(source.insert(start, &bytes), new as u64);
                held[range].fill(true);
            }
            prop_assert_eq!(source.held(), held.iter().filter(|&&held| held).count() as u64);
            for (start, length) in reads {
                let mut buffer = vec![0; length];
                let end = start as usize + length;
                match source.read_at(start, &mut buffer) {
                    Ok(()) => prop_assert_eq!(&buffer[..], &whole[(start as usize).min(end)..end]),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => prop_assert!(end > 200),
                    Err(_) => prop_assert!(held[start as usize..end].contains(&false)),
                }
            }
            for range in source.take_missing() {
                prop_assert!(range.end <= 200 && !held[range.start as usize] && !held[range.end as usize - 1]);
            }
        }
    }

    #[test]
    fn pieces_that_were_not_read_for_longest_make_room_and_none_of_now() {
        let source = PartialSource::new(100_000);
        let cost = 1000 + PIECE_COST;
        source.set_bound(Some(4 * cost));
        let insert = |at: u64| source.insert(at, &[at as u8; 1000]);
        let held = || source.state().held.as_slice().iter().map(|range| range.start).collect::<Vec<_>>();
        for at in [0, 2000, 4000, 6000] {
            assert_eq!(insert(at), 1000);
            source.advance_time();
        }
        assert_eq!(source.memory(), 4 * cost);
        source.read_at(0, &mut [0; 10]).unwrap();
        assert_eq!(insert(8000), 1000);
        assert_eq!(held(), [0, 4000, 6000, 8000]);
        assert_eq!((insert(10_000), insert(12_000)), (1000, 1000));
        assert_eq!(held(), [0, 8000, 10_000, 12_000]);
        // All of these are of now.
        assert_eq!((insert(14_000), source.is_full(), source.memory()), (0, true, 4 * cost));
        assert!(source.read_at(2000, &mut [0; 10]).is_err());
        source.advance_time();
        assert_eq!((insert(2000), source.is_full()), (1000, false));
        assert_eq!(source.received(), 8000);
        source.set_bound(Some(2 * cost));
        assert_eq!(source.memory(), 2 * cost);
        assert!(held().contains(&2000));
        source.set_bound(Some(0));
        assert_eq!((source.memory(), source.held()), (0, 0));
        source.set_bound(None);
        assert_eq!(insert(0), 1000);
    }
}
