//! What a server knows of bytes that a client holds behind a gap: T.808 has no words for that, `beyond` of ours has.

use std::collections::BTreeMap;
use std::ops::Range;
use wavetile_engine::data_bin::DataBinId;

use crate::jpip::wire::cache_model::BinSelector;

/// Ranges of bytes that do not begin where their data-bin begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Islands {
    /// Ends of the ranges, by bin and beginning.
    ends: BTreeMap<(DataBinId, u64), u64>,
}

/// Most ranges; further ones are forgotten, and sent again.
const MOST: usize = 1024;

impl Islands {
    /// Notes that the client holds `range`.
    pub(super) fn insert(&mut self, id: DataBinId, range: Range<u64>) {
        if !range.is_empty() && (self.ends.len() < MOST || self.ends.contains_key(&(id, range.start))) {
            let end = self.ends.entry((id, range.start)).or_default();
            *end = range.end.max(*end);
        }
    }

    /// Forgets what is known of `bins`.
    pub(super) fn remove(&mut self, bins: &BinSelector) {
        self.ends.retain(|(id, _), _| !bins.holds(*id));
    }

    /// The first of them that ends behind `at`.
    pub(super) fn next(&self, id: DataBinId, at: u64) -> Option<Range<u64>> {
        let of_bin = self.ends.range((id, 0)..=(id, u64::MAX));
        of_bin.map(|((_, start), end)| *start..*end).find(|range| range.end > at)
    }

    /// Bytes of memory that they take.
    pub(super) fn memory(&self) -> usize {
        self.ends.len() * size_of::<((DataBinId, u64), u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpip::wire::fields::NumberRange;

    #[test]
    fn the_next_one_is_the_first_that_reaches_beyond() {
        let id = DataBinId::Precinct(4);
        let mut islands = Islands::default();
        islands.insert(id, 40..50);
        islands.insert(id, 10..20);
        islands.insert(id, 10..15);
        islands.insert(DataBinId::Precinct(5), 0..99);
        islands.insert(id, 7..7);
        for (at, next) in [(0, Some(10..20)), (19, Some(10..20)), (20, Some(40..50)), (50, None)] {
            assert_eq!(islands.next(id, at), next, "{at}");
        }
        islands.remove(&BinSelector::Precincts(NumberRange::one(4)));
        assert_eq!(islands.next(id, 0), None);
        assert_eq!(islands.next(DataBinId::Precinct(5), 0), Some(0..99));
    }

    #[test]
    fn they_are_bounded() {
        let mut islands = Islands::default();
        for start in 0..10_000 {
            islands.insert(DataBinId::MainHeader, 2 * start..2 * start + 1);
        }
        assert_eq!(islands.memory(), MOST * size_of::<((DataBinId, u64), u64)>());
    }
}
