//! What a client tells a server of the data-bins that it holds (`model`, T.808 C.8).

use crate::jpip::wire::cache_model::{BinSelector, CacheModel, Extent, Statement};
use crate::jpip::wire::fields::NumberRange;
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
}
