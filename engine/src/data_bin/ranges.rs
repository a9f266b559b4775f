//! Sets of byte ranges.

use std::ops::Range;

/// A set of byte positions, kept as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteRanges {
    ranges: Vec<Range<u64>>,
}

impl ByteRanges {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds a range; an empty or reversed one adds nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|held| held.end < range.start);
        let last = self.ranges.partition_point(|held| held.start <= range.end);
        let start = self.ranges.get(first).map_or(range.start, |held| held.start.min(range.start));
        let end = match last.checked_sub(1).and_then(|i| self.ranges.get(i)) {
            Some(held) if last > first => held.end.max(range.end),
            _ => range.end,
        };
        // With nothing to merge, `first == last` is where the new range belongs.
        let start = if last > first { start } else { range.start };
        self.ranges.splice(first..last, std::iter::once(start..end));
    }

    /// Removes a range.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|held| held.end <= range.start);
        let last = self.ranges.partition_point(|held| held.start < range.end);
        let mut kept = Vec::new();
        for held in self.ranges.get(first..last).unwrap_or_default() {
            kept.extend(Some(held.start..held.end.min(range.start)).filter(|part| !part.is_empty()));
            kept.extend(Some(held.start.max(range.end)..held.end).filter(|part| !part.is_empty()));
        }
        if last > first {
            self.ranges.splice(first..last, kept);
        }
    }

    /// Whether every position of `range` is in the set.
    #[must_use]
    pub fn contains(&self, range: Range<u64>) -> bool {
        let at = self.ranges.partition_point(|held| held.end <= range.start);
        range.is_empty()
            || self.ranges.get(at).is_some_and(|held| held.start <= range.start && range.end <= held.end)
    }

    /// The parts of `range` that are not in the set, in order.
    #[must_use]
    pub fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Self::new();
        missing.insert(range.clone());
        let first = self.ranges.partition_point(|held| held.end <= range.start);
        for held in self.ranges.iter().skip(first).take_while(|held| held.start < range.end) {
            missing.remove(held.clone());
        }
        missing.ranges
    }

    /// How many positions from 0 on are in the set without a gap.
    #[must_use]
    pub fn contiguous(&self) -> u64 {
        self.ranges.first().filter(|held| held.start == 0).map_or(0, |held| held.end)
    }

    /// How many positions are in the set.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ranges.iter().map(|held| held.end - held.start).sum()
    }

    /// The ranges, ascending; between two of them there is a gap.
    #[must_use]
    pub fn as_slice(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..40), 0..40)) {
            let mut ranges = ByteRanges::new();
            let mut set = [false; 40];
            for (add, a, b) in steps {
                if add { ranges.insert(a..b) } else { ranges.remove(a..b) }
                (a..b).for_each(|i| set[i as usize] = add);
                for pair in ranges.as_slice().windows(2) {
                    prop_assert!(pair[0].end < pair[1].start);
                }
                let held = |i: u64| ranges.as_slice().iter().any(|r| r.contains(&i));
                for i in 0..40 {
                    prop_assert_eq!(set[i as usize], held(i));
                }
                prop_assert_eq!(ranges.contains(a..b), (a..b).all(held));
                let missing = ranges.missing(5..33);
                for i in 0..40 {
                    let expected = (5..33).contains(&i) && !held(i);
                    prop_assert_eq!(missing.iter().any(|r| r.contains(&i)), expected);
                }
                prop_assert_eq!(ranges.total(), set.iter().filter(|&&s| s).count() as u64);
                prop_assert_eq!(ranges.contiguous(), set.iter().take_while(|&&s| s).count() as u64);
            }
        }
    }
}
