//! Whole files: the index made from packet lengths is that made from packet headers and leaves no byte
//! over; the data-bins are those that other servers send; and damage stays where it is.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::Limits;
use crate::boxes::Container;
use crate::byte_source::FileSource;
use crate::codestream::header::MainHeader;
use crate::codestream::header::concatenate_by_index;
use crate::codestream::marker::{self, MarkerSegments};
use crate::codestream::tile::Tile;
use crate::data_bin::{DataBinCache, DataBinId, DataBins, PrecinctId};
use proptest::prelude::*;
use wavetile_testing::codestream::segment;
use wavetile_testing::compare::pairs;
use wavetile_testing::shared;

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
    let Some(folder) = shared("testdata/conformance/part4") else { return };
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
        let Some(path) = shared(name) else { return };
        let statistics =
            |file: &IndexedFile| file.codestream(0).unwrap().unwrap().packet_index(0).unwrap().statistics;
        let found = statistics(&open(&path));
        assert!(found.used_lengths && found.headers_parsed == 0, "{name}");
        check_index(&path);
    }
}

#[test]
fn packets_are_looked_for_in_any_order_and_no_further_than_asked() {
    for name in [
        "testdata/files/byte_tlm_plt.jp2",
        "testdata/files/gray-64x64-tp-layers-53.j2k",
        "testdata/conformance/part4/p1_03.j2k",
        "testdata/conformance/part4/p0_05.j2k",
        "testdata/conformance/part4/p1_06.j2k",
        "interop/one3.j2c",
    ] {
        let Some(path) = shared(name) else { return };
        let bytes = std::fs::read(path).unwrap();
        let whole = in_memory(&bytes);
        let stream = whole.codestream(0).unwrap().unwrap();
        let indices: Vec<_> =
            (0..stream.header().tile_count()).map(|t| stream.packet_index(t).unwrap()).collect();
        let mut ids: Vec<_> = (0..stream.header().tile_count())
            .flat_map(|t| precincts(&stream.tile(t).unwrap()).collect::<Vec<_>>())
            .collect();
        for round in 0..3 {
            let file = in_memory(&bytes);
            let lazy = file.codestream(0).unwrap().unwrap();
            for id in &ids {
                let index = &indices[id.tile as usize];
                let mut expected = Vec::new();
                for packet in index.packets(id.component, id.precinct) {
                    expected.extend(packet.packed_header);
                    expected.extend(&bytes[packet.range.start as usize..packet.range.end as usize]);
                }
                let bin = bin_id(stream.header(), *id);
                assert_eq!(file.read_bin(bin, 0..u64::MAX).unwrap(), expected, "{name}, {id:?}");
                assert_eq!(file.packet_ends(*id).unwrap(), whole.packet_ends(*id).unwrap(), "{name}, {id:?}");
            }
            for (tile, index) in (0u32..).zip(&indices) {
                assert_eq!(lazy.packets_found(tile) as u64, index.statistics.packets, "{name}");
            }
            // Backwards, then shuffled.
            let length = ids.len();
            ids = match round {
                0 => ids.into_iter().rev().collect(),
                _ => (0..length).map(|i| ids[i * 7919 % length]).collect(),
            };
        }
        let first = in_memory(&bytes);
        let lazy = first.codestream(0).unwrap().unwrap();
        let id = PrecinctId { tile: 0, component: 0, precinct: 0 };
        let layers = usize::from(lazy.tile(0).unwrap().parameters.style.layers);
        assert_eq!(first.packet_ends(id).unwrap().len(), layers);
        let found = lazy.packets_found(0);
        assert!(found >= layers && found as u64 <= indices[0].statistics.packets, "{name}: {found}");
        if name.ends_with("one3.j2c") {
            assert_eq!(found, layers, "{name} has the coarsest resolution of the first component first");
        }
    }
}

/// All data-bins of the first codestream, with their bytes.
fn bins(file: &IndexedFile) -> Vec<(DataBinId, Vec<u8>, bool)> {
    let stream = file.codestream(0).unwrap().unwrap();
    let mut ids = vec![DataBinId::MainHeader];
    for t in 0..stream.header().tile_count() {
        ids.push(DataBinId::TileHeader(t));
        if let Ok(tile) = stream.tile(t) {
            ids.extend(precincts(&tile).map(|id| bin_id(stream.header(), id)));
        }
    }
    let read = |id| {
        let view = file.bin(0, id).unwrap().unwrap();
        assert_eq!(file.read_bin(id, 0..u64::MAX).unwrap(), &view.bytes[..]);
        (id, view.bytes.into_owned(), view.complete)
    };
    ids.into_iter().map(read).collect()
}

/// The data messages of a JPP-stream: class, codestream, number, offset, bytes, last.
fn messages(mut body: &[u8]) -> Vec<(u64, u32, u64, u64, Vec<u8>, bool)> {
    fn vbas(body: &mut &[u8], first_bits: u32) -> (u8, u64) {
        let head = body[0];
        let mut value = u64::from(head) & ((1 << first_bits) - 1);
        let mut byte = head;
        *body = &body[1..];
        while byte & 0x80 != 0 {
            byte = body[0];
            value = value << 7 | u64::from(byte & 0x7F);
            *body = &body[1..];
        }
        (head, value)
    }
    let (mut found, mut class, mut codestream) = (Vec::new(), 0, 0);
    while !body.is_empty() {
        if body[0] == 0 {
            body = &body[2..];
            let length = vbas(&mut body, 7).1 as usize;
            body = &body[length..];
            continue;
        }
        let (head, id) = vbas(&mut body, 4);
        let form = head >> 5 & 3;
        if form >= 2 {
            class = vbas(&mut body, 7).1;
        }
        if form == 3 {
            codestream = vbas(&mut body, 7).1 as u32;
        }
        let offset = vbas(&mut body, 7).1;
        let length = vbas(&mut body, 7).1 as usize;
        if class % 2 == 1 {
            vbas(&mut body, 7);
        }
        found.push((class, codestream, id, offset, body[..length].to_vec(), head & 0x10 != 0));
        body = &body[length..];
    }
    found
}

#[test]
fn recorded_sessions_hold_the_same_data_bins() {
    for (prefix, picture, whole) in [
        ("esajpip1_one3_", "one3.jp2", true),
        ("openhtj2k_one3_", "one3.j2c", true),
        ("openhtj2k_tiled4_", "tiled4.j2c", true),
        ("openhtj2k_ht_", "ht.j2c", false),
        ("openjpip_tiled4_", "o15_tiled4.jp2", true),
    ] {
        let Some(path) = shared(&format!("interop/{picture}")) else { return };
        let mut bodies: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.starts_with(prefix) && name.ends_with(".body") && !name.contains("jpt")
            })
            .collect();
        bodies.sort();
        assert!(bodies.len() > 4);
        let mut cache = DataBinCache::new();
        for body in bodies {
            for (class, codestream, id, offset, bytes, last) in messages(&std::fs::read(body).unwrap()) {
                let id = match class {
                    0 => DataBinId::Precinct(id),
                    6 => DataBinId::MainHeader,
                    8 => DataBinId::Metadata(id),
                    _ => continue,
                };
                cache.insert(codestream, id, offset, &bytes, last);
            }
        }
        let file = open(&path);
        let mut precincts = 0;
        for (codestream, id) in cache.ids().collect::<Vec<_>>() {
            let held = cache.bin(codestream, id).unwrap().unwrap();
            match id {
                DataBinId::Precinct(_) if whole => {
                    let ours = file.bin(0, id).unwrap().unwrap();
                    assert!(ours.bytes.starts_with(&held.bytes), "{prefix} {id:?}");
                    if held.complete {
                        assert_eq!(ours, held, "{prefix} {id:?}");
                        precincts += 1;
                    }
                }
                DataBinId::Precinct(_) => {}
                DataBinId::MainHeader => {
                    let ours = file.bin(0, id).unwrap().unwrap();
                    let theirs = MainHeader::parse(&held.bytes, &Limits::default()).unwrap();
                    assert_eq!(theirs.tile_parameters, file.header().tile_parameters, "{prefix}");
                    let again = MainHeader::parse(&ours.bytes, &Limits::default()).unwrap();
                    assert_eq!(again.tile_parameters, file.header().tile_parameters, "{prefix}");
                }
                // Some servers send an empty one, or send their index boxes along.
                DataBinId::Metadata(0) if prefix.starts_with("esajpip") => {
                    assert_eq!(file.bin(0, id).unwrap().unwrap(), held, "{prefix}");
                }
                _ => {}
            }
        }
        let wanted = if whole { 700 } else { 0 };
        assert!(precincts >= wanted, "{prefix}: {precincts} precincts");
    }
}

#[test]
fn a_cut_file_has_the_beginning_of_each_data_bin() {
    for name in [
        "testdata/files/gray-64x64-plt-53.j2k",
        "testdata/files/gray-64x48-tp-interleaved-53.j2k",
        "testdata/files/gray-64x64-tp-layers-53.j2k",
        "testdata/conformance/part4/p1_06.j2k",
        "testdata/conformance/part4/p0_03.j2k",
    ] {
        let Some(path) = shared(name) else { return };
        let bytes = std::fs::read(path).unwrap();
        let whole = in_memory(&bytes);
        let expected = bins(&whole);
        assert!(expected.iter().all(|(_, _, complete)| *complete));
        let start = whole.header().length as usize;
        let mut held_before = 0;
        for length in (start..bytes.len()).step_by(1 + (bytes.len() - start) / 150) {
            let cut = in_memory(&bytes[..length]);
            let found = bins(&cut);
            let stream = cut.codestream(0).unwrap().unwrap();
            for t in 0..stream.header().tile_count() {
                let walked = stream.packet_index_from_headers(t).unwrap();
                let index = stream.packet_index(t).unwrap();
                // From lengths a packet is known of whose first byte is there; so it is by its header.
                assert!(index.same_packets(&walked), "{name}, {length} bytes, tile {t}");
            }
            let mut held = 0;
            for ((id, whole, _), (cut_id, cut, complete)) in pairs(&expected, &found) {
                assert_eq!(id, cut_id);
                assert!(whole.starts_with(cut), "{name}, {length} bytes: {id:?}");
                assert!(!complete || whole == cut, "{name}, {length} bytes: {id:?}");
                held += cut.len();
            }
            assert!(held >= held_before, "{name}, {length} bytes");
            held_before = held;
        }
        let total: usize = expected.iter().map(|(_, bytes, _)| bytes.len()).sum();
        assert!(held_before > total / 2);
    }
}

/// The same codestream with PLT of its only tile-part moved to PLM, after `change` was done to the lengths.
fn with_plm(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let header = MainHeader::parse(bytes, &Limits::default()).unwrap();
    let start = header.length as usize;
    let mut segments = MarkerSegments::new(&bytes[start + 12..], 0);
    let (mut kept, mut plt) = (Vec::new(), Vec::new());
    while let Some(found) = segments.read().unwrap() {
        match found.marker {
            marker::SOD => break,
            marker::PLT => plt.push(found.payload),
            _ => kept.extend(segment(found.marker, found.payload)),
        }
    }
    let mut lengths = concatenate_by_index(&plt).unwrap();
    change(&mut lengths);
    let plm = [&[0, lengths.len() as u8], &lengths[..]].concat();
    let data = segments.rest();
    // The data still has EOC at its end; SOD is not counted in it.
    let psot = (12 + kept.len() + 2 + data.len() - 2) as u32;
    let mut sot = bytes[start..start + 12].to_vec();
    sot[6..10].copy_from_slice(&psot.to_be_bytes());
    [&bytes[..start], &segment(marker::PLM, &plm), &sot, &kept, &marker::SOD.to_be_bytes(), data].concat()
}

#[test]
fn packet_lengths_in_the_main_header_serve_as_well_and_wrong_ones_are_not_trusted() {
    let Some(path) = shared("testdata/files/gray-64x64-plt-53.j2k") else { return };
    let bytes = std::fs::read(path).unwrap();
    let precinct_bins = |file: &IndexedFile| {
        let mut bins = bins(file);
        bins.retain(|(id, ..)| matches!(id, DataBinId::Precinct(_)));
        bins
    };
    let expected = precinct_bins(&in_memory(&bytes));
    let check = |change: fn(&mut Vec<u8>), trusted: bool| {
        let file = in_memory(&with_plm(&bytes, change));
        let index = file.codestream(0).unwrap().unwrap().packet_index(0).unwrap();
        assert_eq!(index.statistics.used_lengths, trusted);
        assert_eq!(index.statistics.bytes_unused, 0);
        assert_eq!(precinct_bins(&file), expected);
        let main = file.bin(0, DataBinId::MainHeader).unwrap().unwrap();
        assert!(!main.bytes.windows(2).any(|pair| pair == marker::PLM.to_be_bytes()));
    };
    check(|_| {}, true);
    check(|lengths| *lengths.last_mut().unwrap() ^= 1, false);
    check(|lengths| lengths.extend([0, 0]), false);
    check(|lengths| *lengths.last_mut().unwrap() |= 0x80, false);
}

#[test]
fn metadata_has_placeholders_for_codestreams() {
    let Some(path) = shared("interop/movie.jpx") else { return };
    let file = open(&path);
    let metadata = |file: &IndexedFile| file.bin(0, DataBinId::Metadata(0)).unwrap().unwrap().into_owned();
    let bin = metadata(&file);
    assert!(bin.complete && bin.bytes.len() < 2000);
    let seen =
        Container::from_metadata(&|number| (number == 0).then(|| bin.bytes.clone().into_owned().into()));
    let codestreams: Vec<_> = seen.placeholders.iter().map(|found| found.codestream).collect();
    assert_eq!(codestreams, [Some(0), Some(1), Some(2)]);
    assert_eq!(seen.headers.image_header, file.container().headers.image_header);
    assert_eq!(seen.headers.colour, file.container().headers.colour);
    assert_eq!(file.codestream_count(), 3);
    // The frames of the film are files of their own, too.
    for (number, name) in [(1, "interop/f1.jp2"), (2, "interop/f2.jp2")] {
        let frame = open(&shared(name).unwrap());
        for (id, bytes, complete) in bins(&frame) {
            let view = file.bin(number, id).unwrap().unwrap();
            assert_eq!((&view.bytes[..], view.complete), (&bytes[..], complete), "{name} {id:?}");
        }
    }
    assert!(file.bin(3, DataBinId::MainHeader).unwrap().is_none());
    let bare = open(&shared("interop/one3.j2c").unwrap());
    let bin = metadata(&bare);
    assert!(bin.bytes.is_empty() && bin.complete);
}

#[test]
fn many_threads_read_one_file() {
    let Some(path) = shared("interop/tiled4.j2c") else { return };
    let expected = bins(&open(&path));
    let file = open(&path);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (file, expected) = (&file, &expected);
            scope.spawn(move || {
                for i in 0..expected.len() {
                    let (id, bytes, complete) = &expected[(i * 37 + thread * 101) % expected.len()];
                    let view = file.bin(0, *id).unwrap().unwrap();
                    assert_eq!((&view.bytes[..], view.complete), (&bytes[..], *complete));
                }
            });
        }
    });
}

/// Reads all there is, whatever it is.
fn exhaust(bytes: &[u8]) {
    let Ok(file) = IndexedFile::open(bytes.to_vec(), &Limits::strict()) else { return };
    let stream = file.codestream(0).unwrap().unwrap();
    for t in 0..stream.header().tile_count().min(64) {
        let _ = file.bin(0, DataBinId::TileHeader(t));
        let (Ok(tile), Ok(index)) = (stream.tile(t), stream.packet_index(t)) else { continue };
        let statistics = index.statistics;
        assert!(statistics.packet_bytes + statistics.bytes_unused <= bytes.len() as u64);
        for id in precincts(&tile).take(50) {
            let bin = bin_id(stream.header(), id);
            let length = file.bin_len(bin).unwrap().unwrap();
            assert_eq!(file.read_bin(bin, 0..u64::MAX).unwrap().len() as u64, length);
            assert!(file.packet_ends(id).unwrap().last().is_none_or(|&end| end <= length));
        }
    }
}

#[test]
fn malformed_files_are_refused_or_read_in_part() {
    let Some(folder) = shared("testdata/malformed") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        exhaust(&std::fs::read(entry.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen > 100, "{seen} files");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
    #[test]
    fn damaged_bytes_never_panic(
        which in 0usize..5,
        changes in prop::collection::vec((0usize..4000, any::<u8>()), 1..12),
    ) {
        let name = ["p1_06", "p0_02", "p1_03", "p0_03", "p1_05"][which];
        let Some(path) = shared(&format!("testdata/conformance/part4/{name}.j2k")) else {
            return Ok(());
        };
        let mut bytes = std::fs::read(path).unwrap();
        let length = bytes.len();
        for (at, value) in changes {
            bytes[at % length] = value;
        }
        exhaust(&bytes);
    }
}
