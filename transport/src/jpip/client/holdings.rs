//! What a client tells a server of the data-bins that it holds (`model`, T.808 C.8).

use crate::jpip::wire::cache_model::{BinSelector, CacheModel, Extent, Statement};
use crate::jpip::wire::fields::NumberRange;
use std::collections::BTreeSet;
use std::ops::Range;
use wavetile_engine::data_bin::{DataBinCache, DataBinId};

/// Takes back whatever the server believes: of codestream 0 and the metadata, or of all. `tiles`: it sends tiles.
pub(super) fn nothing(first_only: bool, tiles: bool) -> Vec<Statement> {
    let all = NumberRange::ALL;
    let mut bins = vec![BinSelector::MainHeader];
    match tiles {
        true => bins.push(BinSelector::Tiles(all)),
        false => bins.extend([BinSelector::TileHeaders(all), BinSelector::Precincts(all)]),
    }
    bins.push(BinSelector::Metadata(all));
    let codestreams = (!first_only).then(|| vec![NumberRange { from: 0, to: None }]);
    let lacks = |bins| Statement { codestreams: codestreams.clone(), ..Statement::lacks(bins) };
    bins.into_iter().map(lacks).collect()
}

/// Statements for what `cache` holds, at most `room` bytes of text: of codestream 0 and the metadata alone, as many
/// servers know no other, or of all. What finds no room will be sent again: single bins are left out before runs
/// of them.
pub(super) fn statements(cache: &DataBinCache, first_only: bool, room: usize) -> Vec<Statement> {
    let mut ids: Vec<(u32, DataBinId)> =
        cache.ids().filter(|(codestream, _)| *codestream == 0 || !first_only).collect();
    ids.sort_unstable();
    let mut runs: Vec<(u32, DataBinId, u64)> = Vec::new();
    let mut partial: Vec<(u32, DataBinId, u64)> = Vec::new();
    let mut islands: Vec<(u32, DataBinId, Range<u64>)> = Vec::new();
    for (codestream, id) in ids {
        if !cache.is_complete(codestream, id) {
            partial.push((codestream, id, cache.contiguous_len(codestream, id)));
            let ranges = cache.ranges(codestream, id);
            let behind = ranges.as_slice().iter().filter(|range| range.start > 0);
            islands.extend(behind.map(|range| (codestream, id, range.clone())));
            continue;
        }
        match runs.last_mut() {
            Some((of, first, count)) if *of == codestream && follows(*first, *count, id) => *count += 1,
            _ => runs.push((codestream, id, 1)),
        }
    }
    partial.retain(|(.., bytes)| *bytes > 0);
    runs.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    partial.sort_by_key(|(.., bytes)| std::cmp::Reverse(*bytes));
    let about = |codestream: u32, bins| Statement {
        codestreams: (!first_only).then(|| vec![NumberRange::one(codestream.into())]),
        ..Statement::has(bins)
    };
    let runs = runs
        .into_iter()
        .map(|(codestream, first, count)| (codestream, about(codestream, select(first, count))));
    let partial = partial.into_iter().map(|(codestream, id, bytes)| {
        let extent = Extent::Bytes(bytes);
        (codestream, Statement { extent, ..about(codestream, select(id, 1)) })
    });
    let islands = islands.into_iter().map(|(codestream, id, range)| {
        let extent = Extent::Between(range.start, range.end);
        (codestream, Statement { extent, ..about(codestream, select(id, 1)) })
    });
    let mut used = 0;
    let mut fitting: Vec<(u32, Statement)> = runs
        .chain(partial)
        .chain(islands)
        .take_while(|(_, statement)| {
            used += CacheModel { statements: vec![statement.clone()] }.to_string().len() + 1;
            used <= room
        })
        .collect();
    // A bracket holds for all that follows it.
    fitting.sort_by_key(|(codestream, _)| *codestream);
    fitting.into_iter().map(|(_, statement)| statement).collect()
}

/// Statements that nothing is held of `lost`, and then what of it is held after all. Bins between two of them that are not held
/// either are said along: that is as true, and shorter.
pub(super) fn lost(
    cache: &DataBinCache,
    lost: &BTreeSet<(u32, DataBinId)>,
    first_only: bool,
) -> Vec<Statement> {
    let mut held: Vec<(u32, DataBinId)> = cache.ids().collect();
    held.sort_unstable();
    let mut runs: Vec<(u32, DataBinId, DataBinId)> = Vec::new();
    for &(codestream, id) in lost {
        match runs.last_mut() {
            Some((of, first, last)) if *of == codestream && number(*first).0 == number(id).0 => {
                let next = held.partition_point(|&known| known <= (codestream, *last));
                match held.get(next) {
                    Some(&known) if known < (codestream, id) => runs.push((codestream, id, id)),
                    _ => *last = id,
                }
            }
            _ => runs.push((codestream, id, id)),
        }
    }
    let brackets = |codestream: u32| (!first_only).then(|| vec![NumberRange::one(codestream.into())]);
    let mut statements = Vec::new();
    for (codestream, first, last) in runs {
        let count = number(last).1 - number(first).1 + 1;
        let codestreams = brackets(codestream);
        statements.push(Statement { codestreams, ..Statement::lacks(select(first, count)) });
    }
    let about =
        |codestream: u32, bins| Statement { codestreams: brackets(codestream), ..Statement::has(bins) };
    let mut whole: Vec<(u32, DataBinId, u64)> = Vec::new();
    for &(codestream, id) in lost.iter().filter(|(codestream, id)| cache.is_complete(*codestream, *id)) {
        match whole.last_mut() {
            Some((of, first, count)) if *of == codestream && follows(*first, *count, id) => *count += 1,
            _ => whole.push((codestream, id, 1)),
        }
    }
    statements.extend(whole.into_iter().map(|(of, first, count)| about(of, select(first, count))));
    for &(codestream, id) in lost.iter().filter(|(codestream, id)| !cache.is_complete(*codestream, *id)) {
        let ranges = cache.ranges(codestream, id);
        let extents = ranges.as_slice().iter().map(|range| match range.start {
            0 => Extent::Bytes(range.end),
            start => Extent::Between(start, range.end),
        });
        statements.extend(extents.map(|extent| Statement { extent, ..about(codestream, select(id, 1)) }));
    }
    statements
}

/// Class and number of a bin.
fn number(id: DataBinId) -> (u8, u64) {
    match id {
        DataBinId::MainHeader => (0, 0),
        DataBinId::TileHeader(tile) => (1, tile.into()),
        DataBinId::Precinct(id) => (2, id),
        DataBinId::Tile(tile) => (3, tile.into()),
        DataBinId::Metadata(id) => (4, id),
    }
}

/// Whether `id` is the `count`th after `first`.
fn follows(first: DataBinId, count: u64, id: DataBinId) -> bool {
    match (first, id) {
        (DataBinId::Precinct(first), DataBinId::Precinct(id))
        | (DataBinId::Metadata(first), DataBinId::Metadata(id)) => id - first == count,
        (DataBinId::TileHeader(first), DataBinId::TileHeader(id))
        | (DataBinId::Tile(first), DataBinId::Tile(id)) => u64::from(id - first) == count,
        _ => false,
    }
}

fn select(first: DataBinId, count: u64) -> BinSelector {
    let range = |first: u64| NumberRange { from: first, to: Some(first + (count - 1)) };
    match first {
        DataBinId::MainHeader => BinSelector::MainHeader,
        DataBinId::TileHeader(tile) => BinSelector::TileHeaders(range(tile.into())),
        DataBinId::Precinct(id) => BinSelector::Precincts(range(id)),
        DataBinId::Metadata(id) => BinSelector::Metadata(range(id)),
        DataBinId::Tile(tile) => BinSelector::Tiles(range(tile.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cache() -> DataBinCache {
        let mut cache = DataBinCache::new();
        cache.insert(0, DataBinId::MainHeader, 0, b"header", true);
        cache.insert(0, DataBinId::Metadata(0), 0, b"", true);
        for id in [7, 8, 9, 20] {
            cache.insert(0, DataBinId::Precinct(id), 0, b"packets", true);
        }
        cache.insert(0, DataBinId::Precinct(10), 0, b"pack", false);
        cache.insert(0, DataBinId::Precinct(11), 3, b"after a gap", true);
        cache.insert(1, DataBinId::Precinct(12), 0, b"other codestream", true);
        cache
    }

    fn text(room: usize) -> String {
        CacheModel { statements: statements(&cache(), true, room) }.to_string()
    }

    #[test]
    fn other_codestreams_are_named_in_brackets() {
        let all = CacheModel { statements: statements(&cache(), false, 100) }.to_string();
        assert_eq!(all, "[0]P7-9,Hm,P20,M0,P10:4,P11:3-14,[1]P12");
        assert!(statements(&cache(), false, 5).is_empty());
        let nothing = CacheModel { statements: nothing(false, false) }.to_string();
        assert_eq!(nothing, "[0-]-Hm,-H*,-P*,-M*");
        assert_eq!(CacheModel { statements: super::nothing(true, true) }.to_string(), "-Hm,-T*,-M*");
    }

    #[test]
    fn whole_bins_go_in_runs_and_partial_ones_by_their_bytes_and_gaps() {
        assert_eq!(text(100), "P7-9,Hm,P20,M0,P10:4,P11:3-14");
    }

    #[test]
    fn the_room_is_kept() {
        for room in 0..30 {
            let text = text(room);
            assert!(text.len() <= room, "{text} in {room}");
        }
        assert_eq!(text(5), "P7-9");
    }

    #[test]
    fn what_is_lost_is_told_in_runs_and_then_what_is_held_of_it() {
        // Held: main header, M0, P7-9, P20, P10 in part, P11 behind a gap.
        let text = |ids: &[u64], first_only| {
            let ids = ids.iter().map(|&id| (0, DataBinId::Precinct(id))).collect();
            let [told, _, beyond] = CacheModel { statements: lost(&cache(), &ids, first_only) }
                .split()
                .map(|part| part.to_string());
            format!("{told}|{beyond}")
        };
        assert_eq!(text(&[], true), "|");
        assert_eq!(text(&[1, 3, 6], true), "-P1-6|");
        assert_eq!(text(&[1, 6, 12, 14, 21], true), "-P1-6,-P12-14,-P21|");
        assert_eq!(text(&[1, 6], false), "[0]-P1-6|");
        // One that has come again meanwhile, one of which a part is here, and one of which the end is.
        assert_eq!(text(&[6, 8], true), "-P6,-P8,P8|");
        assert_eq!(text(&[10, 11], true), "-P10-11,P10:4|P11:3-14");
    }
}
