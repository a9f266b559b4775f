//! What a server believes a client holds of the data-bins of one class: runs of identifiers whose state
//! is the same.

/// How much of one data-bin a client holds, without a gap from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Held {
    /// Nothing.
    #[default]
    Nothing,
    /// That many bytes.
    Bytes(u64),
    /// The packets of that many quality layers.
    Layers(u16),
    /// All of it, and it knows that.
    All,
}

impl Held {
    /// This, or `other` if that is more. Bytes and layers cannot be compared here: then `other`, the
    /// newer, stands.
    #[must_use]
    pub(super) fn at_least(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::Nothing) => self,
            (Self::Bytes(mine), Self::Bytes(theirs)) => Self::Bytes(mine.max(theirs)),
            (Self::Layers(mine), Self::Layers(theirs)) => Self::Layers(mine.max(theirs)),
            _ => other,
        }
    }

    /// This, or `other` if that is less. Nothing, where bytes and layers cannot be compared.
    #[must_use]
    pub(super) fn at_most(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) => other,
            (_, Self::All) => self,
            (Self::Bytes(mine), Self::Bytes(theirs)) => Self::Bytes(mine.min(theirs)),
            (Self::Layers(mine), Self::Layers(theirs)) => Self::Layers(mine.min(theirs)),
            _ => Self::Nothing,
        }
    }

    fn normal(self) -> Self {
        match self {
            Self::Bytes(0) | Self::Layers(0) => Self::Nothing,
            other => other,
        }
    }
}

/// State of all data-bins of one class, by in-class identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HeldMap {
    /// Ascending, disjoint; neighbours that touch differ; never [`Held::Nothing`].
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    last: u64,
    held: Held,
}

impl HeldMap {
    /// State of one data-bin.
    #[must_use]
    pub(super) fn held(&self, id: u64) -> Held {
        let index = self.runs.partition_point(|run| run.last < id);
        match self.runs.get(index) {
            Some(run) if run.first <= id => run.held,
            _ => Held::Nothing,
        }
    }

    /// Changes the state of all data-bins `first..=last`.
    pub(super) fn update(&mut self, first: u64, last: u64, change: impl Fn(Held) -> Held) {
        if last < first {
            return;
        }
        let change = |held| change(held).normal();
        // A neighbour on each side is taken in, so that it can be joined.
        let start = self.runs.partition_point(|run| run.last < first).saturating_sub(1);
        let end = (self.runs.partition_point(|run| run.first <= last) + 1).min(self.runs.len());
        let mut joined: Vec<Run> = Vec::with_capacity(end - start + 2);
        let mut put = |first: u64, last: u64, held: Held| match joined.last_mut() {
            _ if held == Held::Nothing => (),
            Some(before) if before.held == held && before.last.checked_add(1) == Some(first) => {
                before.last = last;
            }
            _ => joined.push(Run { first, last, held }),
        };
        // The next identifier of `first..=last` that has not been dealt with.
        let mut next = Some(first);
        for run in &self.runs[start..end] {
            if let Some(gap) = next.filter(|&gap| gap < run.first && run.last >= first) {
                let gap_last = (run.first - 1).min(last);
                put(gap, gap_last, change(Held::Nothing));
                next = after(gap_last, last);
            }
            if run.first < first {
                put(run.first, run.last.min(first - 1), run.held);
            }
            if run.first <= last && run.last >= first {
                let (from, to) = (run.first.max(first), run.last.min(last));
                put(from, to, change(run.held));
                next = after(to, last);
            }
            if run.last > last {
                put(run.first.max(last.saturating_add(1)), run.last, run.held);
            }
        }
        if let Some(gap) = next {
            put(gap, last, change(Held::Nothing));
        }
        self.runs.splice(start..end, joined);
    }

    /// Forgets about half of the runs, the shortest: what is least to be sent again.
    pub(super) fn forget_shortest(&mut self) {
        let length = |run: &Run| run.last - run.first;
        let mut longest: Vec<(u64, u64)> = self.runs.iter().map(|run| (length(run), run.first)).collect();
        longest.sort_unstable();
        let least = longest.get(longest.len().div_ceil(2));
        self.runs.retain(|run| least.is_some_and(|&least| (length(run), run.first) >= least));
        self.runs.shrink_to_fit();
    }

    /// Bytes of memory that the runs take.
    #[must_use]
    pub(super) fn memory(&self) -> usize {
        self.runs.len() * size_of::<Run>()
    }
}

fn after(done: u64, last: u64) -> Option<u64> {
    if done < last { Some(done + 1) } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_layer_sent_for_all_precincts_ends_as_one_run() {
        let mut map = HeldMap::default();
        for id in [4, 0, 2, 1, 3, 5] {
            map.update(id, id, |held| held.at_least(Held::Layers(1)));
        }
        assert_eq!(map.runs, [Run { first: 0, last: 5, held: Held::Layers(1) }]);
        map.update(2, 2, |_| Held::All);
        assert_eq!(map.runs.len(), 3);
        map.update(0, u64::MAX, |_| Held::All);
        assert_eq!(map.runs.len(), 1);
        assert_eq!(map.held(u64::MAX), Held::All);
        map.update(0, u64::MAX, |_| Held::Bytes(0));
        assert_eq!(map.memory(), 0);
    }

    #[test]
    fn statements_that_cannot_be_compared_err_on_the_side_of_sending_again() {
        assert_eq!(Held::Layers(2).at_most(Held::Bytes(5)), Held::Nothing);
        assert_eq!(Held::Layers(2).at_least(Held::Bytes(5)), Held::Bytes(5));
        assert_eq!(Held::All.at_least(Held::Bytes(5)), Held::All);
        assert_eq!(Held::All.at_most(Held::Bytes(5)), Held::Bytes(5));
    }

    #[test]
    fn the_longer_half_is_kept() {
        let mut map = HeldMap::default();
        for (number, length) in [5, 1, 9, 1, 1, 7, 1, 3].into_iter().enumerate() {
            let first = 100 * number as u64;
            map.update(first, first + length - 1, |_| Held::All);
        }
        let lengths = |map: &HeldMap| map.runs.iter().map(|run| run.last - run.first + 1).collect::<Vec<_>>();
        map.forget_shortest();
        assert_eq!(lengths(&map), [5, 9, 7, 3]);
        map.forget_shortest();
        map.forget_shortest();
        map.forget_shortest();
        assert!(map.runs.is_empty());
        (0..9).for_each(|id| map.update(2 * id, 2 * id, |_| Held::All));
        map.forget_shortest();
        assert_eq!(map.runs.len(), 4);
    }

    fn state() -> impl Strategy<Value = Held> {
        prop_oneof![
            Just(Held::Nothing),
            (0u64..3).prop_map(Held::Bytes),
            (0u16..3).prop_map(Held::Layers),
            Just(Held::All)
        ]
    }

    proptest! {
        #[test]
        fn the_map_agrees_with_a_plain_array(updates in proptest::collection::vec((0u64..24, 0u64..24, state(), any::<bool>()), 0..40)) {
            let mut map = HeldMap::default();
            let mut plain = [Held::Nothing; 24];
            for (first, last, held, more) in updates {
                let change = |before: Held| if more { before.at_least(held) } else { before.at_most(held) };
                map.update(first, last, change);
                if first <= last {
                    for entry in &mut plain[first as usize..=last as usize] {
                        *entry = change(*entry).normal();
                    }
                }
                for (id, held) in plain.iter().enumerate() {
                    prop_assert_eq!(map.held(id as u64), *held);
                }
                for pair in map.runs.windows(2) {
                    prop_assert!(pair[0].last < pair[1].first);
                    prop_assert!(pair[0].last + 1 < pair[1].first || pair[0].held != pair[1].held);
                }
            }
        }
    }
}
