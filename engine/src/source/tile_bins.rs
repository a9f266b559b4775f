//! Tile data-bins (T.808 Annex A, JPT-streams) read as tile headers and precincts, so that the decoder knows one kind of
//! input only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::IndexedCodestream;
use crate::codestream::header::MainHeader;
use crate::codestream::marker;
use crate::data_bin::{BinView, DataBinId, DataBins, PrecinctId};
use crate::error::{CodestreamError, Result};
use crate::limits::Limits;

/// Data-bins with those that follow from tile data-bins: the headers and the precincts of a tile are looked for in its
/// tile-parts, as far as these have arrived, where they are not there as bins of their own.
///
/// It indexes a tile when that is first asked for, and holds a copy of it: `bins` must not change while it is used.
pub struct TileBins<B> {
    bins: B,
    limits: Limits,
    /// By codestream.
    headers: Known<u32, MainHeader>,
    /// By codestream and tile.
    tiles: Known<(u32, u32), IndexedCodestream>,
}

/// What was looked for; `None` where it is not there.
type Known<K, V> = Mutex<HashMap<K, Option<Arc<V>>>>;

impl<B: DataBins> TileBins<B> {
    /// Reads `bins`, within `limits`.
    pub fn new(bins: B, limits: &Limits) -> Self {
        Self { bins, limits: limits.clone(), headers: Mutex::default(), tiles: Mutex::default() }
    }

    fn header(&self, codestream: u32) -> Result<Option<Arc<MainHeader>>> {
        let mut headers = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = headers.get(&codestream) {
            return Ok(known.clone());
        }
        let header = match self.bins.bin(codestream, DataBinId::MainHeader)?.filter(|bin| bin.complete) {
            Some(bin) => Some(Arc::new(MainHeader::parse(&bin.bytes, &self.limits)?)),
            None => None,
        };
        headers.insert(codestream, header.clone());
        Ok(header)
    }

    /// The codestream that would have no tile but this one.
    fn tile(&self, codestream: u32, tile: u32) -> Result<Option<Arc<IndexedCodestream>>> {
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tiles.get(&(codestream, tile)) {
            return Ok(known.clone());
        }
        let indexed = self.index(codestream, tile)?.map(Arc::new);
        tiles.insert((codestream, tile), indexed.clone());
        Ok(indexed)
    }

    fn index(&self, codestream: u32, tile: u32) -> Result<Option<IndexedCodestream>> {
        let Some(parts) = self.bins.bin(codestream, DataBinId::Tile(tile))? else { return Ok(None) };
        let header = self.bins.bin(codestream, DataBinId::MainHeader)?.filter(|bin| bin.complete);
        let Some(header) = header.filter(|_| !parts.bytes.is_empty()) else { return Ok(None) };
        if self.header(codestream)?.is_some_and(|header| header.packed_headers.is_some()) {
            // PPM goes by the order of the tile-parts in the file, which tile data-bins do not tell.
            let feature = "packet headers in the main header (PPM) together with tile data-bins".to_owned();
            return Err(CodestreamError::Unsupported { feature }.into());
        }
        let mut bytes = header.bytes.into_owned();
        bytes.extend_from_slice(&parts.bytes);
        if parts.complete {
            bytes.extend(marker::EOC.to_be_bytes());
        }
        let end = bytes.len() as u64;
        IndexedCodestream::open(Arc::new(bytes), 0..end, &self.limits).map(Some)
    }
}

impl<B: DataBins> DataBins for TileBins<B> {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        let own = self.bins.bin(codestream, id)?;
        if own.as_ref().is_some_and(|bin| bin.complete) {
            return Ok(own);
        }
        let tile = match id {
            DataBinId::TileHeader(tile) => Some(tile),
            DataBinId::Precinct(id) => self
                .header(codestream)?
                .and_then(|header| {
                    let components = header.size.components.len() as u32;
                    PrecinctId::from_in_class_id(id, components, header.tile_count())
                })
                .map(|precinct| precinct.tile),
            DataBinId::MainHeader | DataBinId::Tile(_) | DataBinId::Metadata(_) => None,
        };
        let Some(tile) = tile.map(|tile| self.tile(codestream, tile)).transpose()?.flatten() else {
            return Ok(own);
        };
        let found = tile.bin(id)?.map(BinView::into_owned);
        let held = |bin: &Option<BinView<'_>>| bin.as_ref().map_or(0, |bin| bin.bytes.len());
        Ok(if found.as_ref().is_some_and(|bin| bin.complete) || held(&found) > held(&own) {
            found
        } else {
            own
        })
    }

    fn damage(&self, codestream: u32, tile: u32) -> Option<CodestreamError> {
        let own = self.bins.damage(codestream, tile);
        own.or_else(|| self.tile(codestream, tile).ok()??.damage(tile))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::byte_source::FileSource;
    use crate::data_bin::DataBinCache;
    use crate::source::IndexedFile;
    use std::path::{Path, PathBuf};

    fn files() -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = vec![root.join("tests/data/gradient.jp2")];
        files.extend(
            ["plain.j2k", "poc.j2c", "precincts.j2k", "tiles.jp2"]
                .map(|name| root.join("../transport/tests/data").join(name)),
        );
        files
    }

    fn open(path: &Path) -> IndexedFile {
        IndexedFile::open(FileSource::open(path).unwrap(), &Limits::default()).unwrap()
    }

    /// What a JPT-stream brings of `file`, each tile up to `share` of 16.
    fn arrived(file: &IndexedFile, share: usize) -> DataBinCache {
        let mut cache = DataBinCache::new();
        let header = file.bin(0, DataBinId::MainHeader).unwrap().unwrap();
        cache.insert(0, DataBinId::MainHeader, 0, &header.bytes, true);
        for tile in 0..file.header().tile_count() {
            let id = DataBinId::Tile(tile);
            let bin = file.bin(0, id).unwrap().unwrap();
            let end = bin.bytes.len() * share / 16;
            cache.insert(0, id, 0, &bin.bytes[..end], end == bin.bytes.len());
        }
        cache
    }

    /// Names of the headers and precincts of all tiles.
    fn ids(file: &IndexedFile) -> Vec<DataBinId> {
        let header = file.header();
        let (components, tiles) = (header.size.components.len() as u32, header.tile_count());
        let mut ids = Vec::new();
        for index in 0..tiles {
            ids.push(DataBinId::TileHeader(index));
            for (component, geometry) in (0..).zip(&file.tile(index).unwrap().components) {
                ids.extend((0..geometry.precincts).map(|precinct| {
                    let id = PrecinctId { tile: index, component, precinct };
                    DataBinId::Precinct(id.in_class_id(components, tiles).unwrap())
                }));
            }
        }
        ids
    }

    #[test]
    fn whole_tiles_have_the_headers_and_precincts_of_the_file() {
        for path in files() {
            let file = open(&path);
            let cache = arrived(&file, 16);
            let bins = TileBins::new(&cache, &Limits::default());
            let ids = ids(&file);
            assert!(ids.len() > 2, "{path:?}");
            for id in ids {
                assert_eq!(bins.bin(0, id).unwrap(), file.bin(0, id).unwrap(), "{path:?}: {id:?}");
            }
            assert_eq!(bins.damage(0, 0), None);
            assert_eq!(bins.bin(0, DataBinId::Precinct(u64::MAX)).unwrap(), None);
        }
    }

    #[test]
    fn parts_of_tiles_have_beginnings_of_them_which_only_grow() {
        for path in files() {
            let file = open(&path);
            let ids = ids(&file);
            let mut before = vec![0; ids.len()];
            for share in 0..=16 {
                let cache = arrived(&file, share);
                let bins = TileBins::new(&cache, &Limits::default());
                for (id, before) in ids.iter().zip(&mut before) {
                    let whole = file.bin(0, *id).unwrap().unwrap();
                    let Some(found) = bins.bin(0, *id).unwrap() else {
                        assert_eq!(*before, 0, "{path:?}: {id:?}");
                        continue;
                    };
                    assert!(whole.bytes.starts_with(&found.bytes), "{path:?}, {share}/16: {id:?}");
                    assert!(!found.complete || found.bytes.len() == whole.bytes.len(), "{path:?}: {id:?}");
                    assert!(found.bytes.len() >= *before, "{path:?}, {share}/16: {id:?}");
                    *before = found.bytes.len();
                }
            }
        }
    }

    #[test]
    fn packet_headers_in_the_main_header_are_refused_by_name() {
        let file = open(&files()[0]);
        let mut cache = DataBinCache::new();
        let mut header = file.bin(0, DataBinId::MainHeader).unwrap().unwrap().bytes.into_owned();
        // PPM, with no headers for the first tile-part.
        header.extend([0xff, 0x60, 0, 7, 0, 0, 0, 0, 0]);
        cache.insert(0, DataBinId::MainHeader, 0, &header, true);
        let tile = file.bin(0, DataBinId::Tile(0)).unwrap().unwrap();
        cache.insert(0, DataBinId::Tile(0), 0, &tile.bytes, true);
        let error = TileBins::new(&cache, &Limits::default()).bin(0, DataBinId::Precinct(0)).unwrap_err();
        assert!(error.to_string().contains("PPM"), "{error}");
    }

    #[test]
    fn bins_of_their_own_come_first_and_nothing_comes_of_nothing() {
        let file = open(&files()[0]);
        let mut cache = arrived(&file, 16);
        let limits = Limits::default();
        cache.insert(0, DataBinId::Precinct(0), 0, b"its own", true);
        let bins = TileBins::new(&cache, &limits);
        assert_eq!(&*bins.bin(0, DataBinId::Precinct(0)).unwrap().unwrap().bytes, b"its own");
        let empty = DataBinCache::new();
        let bins = TileBins::new(&empty, &limits);
        for id in
            [DataBinId::MainHeader, DataBinId::TileHeader(0), DataBinId::Precinct(0), DataBinId::Tile(0)]
        {
            assert_eq!(bins.bin(0, id).unwrap(), None);
        }
    }
}
