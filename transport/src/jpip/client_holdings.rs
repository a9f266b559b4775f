//! What a client tells a server of the data-bins that it holds (`model`, T.808 C.8).

use super::cache_model::{BinSelector, Extent, Statement};
use super::fields::NumberRange;
use wavetile_engine::data_bin::{DataBinCache, DataBinId};

/// Takes back whatever the server believes.
pub(super) fn nothing() -> Vec<Statement> {
    let all = NumberRange::ALL;
    let bins = [
        BinSelector::MainHeader,
        BinSelector::TileHeaders(all),
        BinSelector::Precincts(all),
        BinSelector::Metadata(all),
    ];
    bins.map(Statement::lacks).into()
}

/// Statements for what `cache` holds of codestream 0 and the metadata, at most `room` bytes of text. What
/// finds no room will be sent again: single bins are left out before runs of them.
pub(super) fn statements(cache: &DataBinCache, room: usize) -> Vec<Statement> {
    let mut ids: Vec<DataBinId> =
        cache.ids().filter(|(codestream, _)| *codestream == 0).map(|(_, id)| id).collect();
    ids.sort_unstable();
    let mut runs: Vec<(DataBinId, u64)> = Vec::new();
    let mut partial: Vec<(DataBinId, u64)> = Vec::new();
    for id in ids {
        if !cache.is_complete(0, id) {
            partial.push((id, cache.contiguous_len(0, id)));
            continue;
        }
        match runs.last_mut() {
            Some((first, count)) if follows(*first, *count, id) => *count += 1,
            _ => runs.push((id, 1)),
        }
    }
    partial.retain(|(_, bytes)| *bytes > 0);
    runs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    partial.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let runs = runs.into_iter().filter_map(|(first, count)| Some(Statement::has(select(first, count)?)));
    let partial = partial.into_iter().filter_map(|(id, bytes)| {
        Some(Statement { extent: Extent::Bytes(bytes), ..Statement::has(select(id, 1)?) })
    });
    let mut used = 0;
    let fitting = runs.chain(partial).take_while(|statement| {
        used += statement.to_string().len() + 1;
        used <= room
    });
    fitting.collect()
}

/// Whether `id` is the `count`th after `first`.
fn follows(first: DataBinId, count: u64, id: DataBinId) -> bool {
    match (first, id) {
        (DataBinId::Precinct(first), DataBinId::Precinct(id))
        | (DataBinId::Metadata(first), DataBinId::Metadata(id)) => id - first == count,
        (DataBinId::TileHeader(first), DataBinId::TileHeader(id)) => u64::from(id - first) == count,
        _ => false,
    }
}

fn select(first: DataBinId, count: u64) -> Option<BinSelector> {
    let range = |first: u64| NumberRange { from: first, to: Some(first + (count - 1)) };
    match first {
        DataBinId::MainHeader => Some(BinSelector::MainHeader),
        DataBinId::TileHeader(tile) => Some(BinSelector::TileHeaders(range(tile.into()))),
        DataBinId::Precinct(id) => Some(BinSelector::Precincts(range(id))),
        DataBinId::Metadata(id) => Some(BinSelector::Metadata(range(id))),
        DataBinId::Tile(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::cache_model::CacheModel;
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
        CacheModel { statements: statements(&cache(), room) }.to_string()
    }

    #[test]
    fn whole_bins_go_in_runs_and_partial_ones_by_their_bytes() {
        assert_eq!(text(100), "P7-9,Hm,P20,M0,P10:4");
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
