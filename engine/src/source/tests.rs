//! Whole files: the index made from packet lengths is that made from packet headers and leaves no byte
//! over.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::*;
use crate::Limits;
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::data_bin::{DataBinId, PrecinctId};

/// A file under `../shared`; `None`, with a line that says so, where that is missing.
fn shared(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WAVETILE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {test} needs ../shared ({name})");
    None
}

fn open(path: &Path) -> IndexedFile {
    IndexedFile::open(FileSource::open(path).unwrap(), &Limits::default()).unwrap()
}

fn in_memory(bytes: &[u8]) -> IndexedFile {
    IndexedFile::open(bytes.to_vec(), &Limits::default()).unwrap()
}

fn precincts(tile: &Tile) -> impl Iterator<Item = PrecinctId> + '_ {
    (0u32..).zip(&tile.components).flat_map(move |(component, geometry)| {
        (0..geometry.precincts).map(move |precinct| PrecinctId { tile: tile.index, component, precinct })
    })
}

fn bin_id(header: &MainHeader, id: PrecinctId) -> DataBinId {
    let number = id.in_class_id(header.size.components.len() as u32, header.tile_count());
    DataBinId::Precinct(number.unwrap())
}

/// Every byte of every tile-part lies in exactly one packet, and every precinct is complete; whichever way
/// the index is made, and wherever the bytes are.
fn check_index(path: &Path) {
    let name = path.display();
    let file = open(path);
    let copy = in_memory(&std::fs::read(path).unwrap());
    let stream = file.codestream(0).unwrap().unwrap();
    let stream_in_memory = copy.codestream(0).unwrap().unwrap();
    for t in 0..stream.header().tile_count() {
        let index = stream.packet_index(t).unwrap();
        let walked = stream.packet_index_from_headers(t).unwrap();
        assert!(index.same_packets(&walked), "{name}, tile {t}");
        assert!(
            stream_in_memory.packet_index_from_headers(t).unwrap().same_packets(&walked),
            "{name}, tile {t}"
        );
        assert_eq!(walked.statistics.bytes_unused, 0, "{name}, tile {t}");
        assert_eq!(walked.statistics.headers_parsed, walked.statistics.packets);
        assert_eq!((&index.damage, &walked.damage), (&None, &None), "{name}, tile {t}");
        let tile = stream.tile(t).unwrap();
        let mut ranges = Vec::new();
        for id in precincts(&tile) {
            assert!(index.is_complete(id.component, id.precinct), "{name}, {id:?}");
            ranges.extend(index.packets(id.component, id.precinct).map(|packet| packet.range));
            let bin = bin_id(stream.header(), id);
            let ends = file.packet_ends(id).unwrap();
            assert_eq!(ends.len(), usize::from(tile.parameters.style.layers));
            assert_eq!(file.bin_len(bin).unwrap(), ends.last().copied());
        }
        ranges.retain(|range| !range.is_empty());
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{name}, tile {t}");
    }
}

#[test]
fn every_conformance_stream_is_indexed_to_the_last_byte() {
    let Some(folder) = shared("every_conformance_stream", "testdata/conformance/part4") else { return };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "j2k") {
            check_index(&path);
            count += 1;
        }
    }
    assert!(count >= 20, "{count} streams");
}

#[test]
fn packet_lengths_agree_with_packet_headers() {
    for name in [
        "testdata/files/byte_tlm_plt.jp2",
        "testdata/files/mono_plt_tlm.j2k",
        "testdata/files/gray-64x64-plt-53.j2k",
        "testdata/streaming/mosaic8192_p1_rpcl_7lev_5layers_plt_tlm.jp2",
        "interop/one3.jp2",
        "interop/tiled4.jp2",
    ] {
        let Some(path) = shared("packet_lengths_agree", name) else { return };
        let statistics =
            |file: &IndexedFile| file.codestream(0).unwrap().unwrap().packet_index(0).unwrap().statistics;
        let found = statistics(&open(&path));
        assert!(found.used_lengths && found.headers_parsed == 0, "{name}");
        check_index(&path);
    }
}
