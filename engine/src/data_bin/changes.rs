//! Which data-bins have changed lately, and when.

use std::collections::{HashSet, VecDeque};

use super::DataBinId;

/// What has changed in a [`DataBinCache`](super::DataBinCache) after some generation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changes {
    /// These bins, as (codestream, id), each once, in no order: bytes or the length have come, or it was dropped. Metadata-bins
    /// are under codestream 0. None: nothing has changed.
    Bins(Vec<(u32, DataBinId)>),
    /// Perhaps any: it was too long ago to tell, or everything was dropped meanwhile.
    Everything,
}

impl Changes {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Bins(bins) if bins.is_empty())
    }
}

/// The last changes, by generation. Bounded: older ones are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangeLog {
    /// Ascending in the generation. Neighbours are of different bins.
    entries: VecDeque<(u64, u32, DataBinId)>,
    /// What changed up to this generation is not known.
    forgotten: u64,
}

impl ChangeLog {
    /// Notes that a bin has changed, which made it `generation`.
    pub(super) fn note(&mut self, generation: u64, codestream: u32, id: DataBinId) {
        match self.entries.back_mut() {
            // The messages of a long bin follow one another.
            Some(last) if (last.1, last.2) == (codestream, id) => last.0 = generation,
            _ => {
                if self.entries.len() >= MOST_LOGGED
                    && let Some((oldest, ..)) = self.entries.pop_front()
                {
                    self.forgotten = oldest;
                }
                self.entries.push_back((generation, codestream, id));
            }
        }
    }

    /// Everything has changed, which made it `generation`.
    pub(super) fn forget(&mut self, generation: u64) {
        self.entries.clear();
        self.forgotten = generation;
    }

    /// What has changed after `since`.
    pub(super) fn since(&self, since: u64) -> Changes {
        if since < self.forgotten {
            return Changes::Everything;
        }
        let first = self.entries.partition_point(|(generation, ..)| *generation <= since);
        let changed: HashSet<_> = self.entries.range(first..).map(|&(_, of, id)| (of, id)).collect();
        Changes::Bins(changed.into_iter().collect())
    }
}

/// So many changes are known one by one: half a megabyte.
const MOST_LOGGED: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: fn(u64) -> DataBinId = DataBinId::Precinct;

    #[test]
    fn what_has_changed_since_is_told_once_for_each_bin() {
        let mut log = ChangeLog::default();
        assert!(log.since(0).is_empty());
        for (generation, id) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
            log.note(generation, 0, ID(id));
        }
        let since = |generation| match log.since(generation) {
            Changes::Bins(mut bins) => {
                bins.sort_unstable();
                bins
            }
            Changes::Everything => unreachable!("nothing was forgotten"),
        };
        assert_eq!(since(0), [(0, ID(7)), (0, ID(8))]);
        assert_eq!(since(2), [(0, ID(7)), (0, ID(8))]);
        assert_eq!(since(3), [(0, ID(7))]);
        assert_eq!(since(4), []);
        assert_eq!(since(99), []);
    }

    #[test]
    fn the_log_is_bounded_and_says_what_it_does_not_know() {
        let mut log = ChangeLog::default();
        let most = MOST_LOGGED as u64;
        for generation in 1..=most + 5 {
            log.note(generation, 0, ID(generation));
        }
        assert_eq!(log.entries.len(), MOST_LOGGED);
        assert_eq!(log.since(4), Changes::Everything);
        assert!(matches!(log.since(5), Changes::Bins(bins) if bins.len() == MOST_LOGGED));
        log.forget(most + 6);
        assert_eq!(log.since(most + 5), Changes::Everything);
        assert!(log.since(most + 6).is_empty());
    }
}
