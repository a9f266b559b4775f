//! Recorded sessions of three public servers, replayed: the messages must be those that another parser
//! listed, and the data-bins those of the file that was served.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use wavetile_engine::Limits;
use wavetile_engine::byte_source::FileSource;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, DataBins, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::source::IndexedFile;
use wavetile_testing::compare::pairs;
use wavetile_testing::shared;
use wavetile_transport::jpip::{MessageEvent, MessageReader};

/// Names of the recordings with a body, without extension, that start with `prefix`; in order.
fn bodies(directory: &Path, prefix: &str) -> Vec<String> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> =
        names.filter_map(|name| name.strip_suffix(".body").map(str::to_owned)).collect();
    names.into_iter().filter(|name| name.starts_with(prefix)).collect()
}

/// One line of a message list.
#[derive(Debug, PartialEq)]
struct Listed {
    class: u64,
    codestream: u32,
    id: u64,
    offset: u64,
    length: u64,
    last: bool,
    aux: Option<u64>,
}

/// The messages that a list names, and its end-of-response.
fn list(text: &str) -> (Vec<Listed>, Option<u8>) {
    let mut end = None;
    let mut messages = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("EOR reason=") {
            end = Some(rest.split(' ').next().unwrap().parse().unwrap());
        }
        if !line.starts_with('@') {
            continue;
        }
        let field = |name: &str| {
            let word = line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap();
            word.split('(').next().unwrap()
        };
        messages.push(Listed {
            class: field("cls=").parse().unwrap(),
            codestream: field("cs=").parse().unwrap(),
            id: field("id=").parse().unwrap(),
            offset: field("off=").parse().unwrap(),
            length: field("len=").parse().unwrap(),
            last: field("last=") == "1",
            aux: field("aux=").parse().ok(),
        });
    }
    (messages, end)
}

fn class(id: DataBinId, extended: bool) -> (u64, u64) {
    match id {
        DataBinId::Precinct(id) => (u64::from(extended), id),
        DataBinId::TileHeader(tile) => (2, tile.into()),
        DataBinId::Tile(tile) => (4 + u64::from(extended), tile.into()),
        DataBinId::MainHeader => (6, 0),
        DataBinId::Metadata(id) => (8, id),
    }
}

/// The messages of a body that comes in pieces of `step` bytes, and its end-of-response.
fn parse(body: &[u8], step: usize, cache: &mut DataBinCache) -> (Vec<Listed>, Option<u8>) {
    let mut reader = MessageReader::new();
    let mut messages: Vec<Listed> = Vec::new();
    let mut end = None;
    let mut open = false;
    for piece in body.chunks(step) {
        reader
            .push(piece, |event| match event {
                MessageEvent::Data { codestream, id, aux, offset, bytes, last } => {
                    cache.insert(codestream, id, offset, bytes, last);
                    let (class, id) = class(id, aux.is_some());
                    if open
                        && messages.last().is_some_and(|message| message.offset + message.length == offset)
                    {
                        let message = messages.last_mut().unwrap();
                        message.length += bytes.len() as u64;
                        message.last = last;
                    } else {
                        let length = bytes.len() as u64;
                        messages.push(Listed { class, codestream, id, offset, length, last, aux });
                    }
                    // Set for what follows in the same message: that is, in a later piece.
                    open = false;
                }
                MessageEvent::EndOfResponse { reason, .. } => end = Some(reason),
            })
            .unwrap();
        open = !reader.is_between_messages();
    }
    assert!(reader.is_between_messages());
    (messages, end)
}

#[test]
fn recorded_messages_are_read_as_another_parser_listed_them() {
    let Some(directory) = shared("interop") else { return };
    let mut compared = 0;
    for name in bodies(&directory, "") {
        let Ok(text) = fs::read_to_string(directory.join(format!("{name}.txt"))) else { continue };
        let body = fs::read(directory.join(format!("{name}.body"))).unwrap();
        let (listed, end) = list(&text);
        if listed.is_empty() {
            // Some lists hold only sums.
            continue;
        }
        let (found, found_end) = parse(&body, usize::MAX, &mut DataBinCache::new());
        assert_eq!(found.len(), listed.len(), "{name}");
        for (index, (found, listed)) in pairs(&found, &listed).enumerate() {
            assert_eq!(found, listed, "{name}, message {index}");
        }
        assert_eq!(found_end, end, "{name}");
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} message lists were compared");
}

/// A session whose recordings start with one of `prefixes`, merged into one cache.
fn replay(directory: &Path, prefixes: &[&str], step: usize) -> DataBinCache {
    let mut cache = DataBinCache::new();
    for prefix in prefixes {
        let names = bodies(directory, prefix);
        assert!(!names.is_empty(), "{prefix}");
        for name in names {
            let body = fs::read(directory.join(format!("{name}.body"))).unwrap();
            parse(&body, step, &mut cache);
        }
    }
    cache
}

/// OpenJPIP sends a tile-part header from within its SOT segment up to and including SOD.
fn tile_header_contents(bytes: &[u8]) -> &[u8] {
    let bytes = if bytes.starts_with(&[0, 10]) { &bytes[10..] } else { bytes };
    bytes.strip_suffix(&[0xff, 0x93]).unwrap_or(bytes)
}

/// Compares every header and precinct that was received with the picture; returns how many were complete.
fn compare(cache: &DataBinCache, codestream: u32, picture: &IndexedFile, name: &str) -> usize {
    let mut complete = 0;
    for (of, id) in cache.ids().filter(|(_, id)| !matches!(id, DataBinId::Metadata(_))) {
        assert_eq!(of, codestream, "{name}");
        let found = cache.bin(codestream, id).unwrap().unwrap();
        let expected = picture.bin(0, id).unwrap().unwrap_or_else(|| panic!("{name}: {id:?} does not exist"));
        assert!(expected.complete);
        let found_bytes = if matches!(id, DataBinId::TileHeader(_)) {
            tile_header_contents(&found.bytes)
        } else {
            &found.bytes
        };
        if found.complete {
            assert_eq!(found_bytes, &expected.bytes[..], "{name}: {id:?}");
            complete += 1;
        } else {
            assert_eq!(found_bytes, &expected.bytes[..found_bytes.len()], "{name}: {id:?}");
        }
    }
    complete
}

/// Headers and precincts of a picture.
fn bins_of(picture: &IndexedFile) -> usize {
    let header = picture.header();
    let mut count = 1;
    for tile in 0..header.tile_count() {
        let tile = picture.tile(tile).unwrap();
        count += 1 + tile.components.iter().map(|component| component.precincts as usize).sum::<usize>();
        let last = tile.components[0].precincts - 1;
        let id = PrecinctId { tile: tile.index, component: 0, precinct: last };
        let layers = usize::from(tile.parameters.style.layers);
        assert_eq!(picture.packet_ends(id).unwrap().len(), layers);
    }
    count
}

/// Sessions that ended with everything of their picture: prefixes, codestream, picture. Those of `ht` are
/// compared message by message only: it has no packet lengths, and HTJ2K packets are not parsed.
const WHOLE: [(&[&str], u32, &str); 5] = [
    (&["esajpip1_one3_"], 0, "one3.jp2"),
    (&["openhtj2k_one3_01", "openhtj2k_one3_02", "openhtj2k_one3_03", "openhtj2k_one3_04"], 0, "one3.j2c"),
    (
        &["openhtj2k_tiled4_01", "openhtj2k_tiled4_02", "openhtj2k_tiled4_03", "openhtj2k_tiled4_04"],
        0,
        "tiled4.j2c",
    ),
    (
        &["openjpip_tiled4_01", "openjpip_tiled4_02", "openjpip_tiled4_03", "openjpip_tiled4_04"],
        0,
        "o15_tiled4.jp2",
    ),
    (&["openjpip_one3_01"], 1, "o15_one3.jp2"),
];

/// Recordings of parts of a picture.
const PARTS: [(&str, u32, &str); 6] = [
    ("openhtj2k_one3_06", 0, "one3.j2c"),
    ("openhtj2k_tiled4_06", 0, "tiled4.j2c"),
    ("openhtj2k_tiled4_02", 0, "tiled4.j2c"),
    ("openjpip_tiled4_05", 0, "o15_tiled4.jp2"),
    ("openjpip_tiled4_06", 0, "o15_tiled4.jp2"),
    ("esajpip1_one3_05", 0, "one3.jp2"),
];

fn open(directory: &Path, name: &str) -> IndexedFile {
    IndexedFile::open(FileSource::open(directory.join(name)).unwrap(), &Limits::default()).unwrap()
}

#[test]
fn recorded_sessions_rebuild_every_data_bin_of_their_picture() {
    let Some(directory) = shared("interop") else { return };
    for (prefixes, codestream, name) in WHOLE {
        let picture = open(&directory, name);
        for step in [usize::MAX, 977] {
            let cache = replay(&directory, prefixes, step);
            let complete = compare(&cache, codestream, &picture, prefixes[0]);
            assert_eq!(complete, bins_of(&picture), "{}", prefixes[0]);
        }
    }
}

#[test]
fn recorded_parts_agree_with_their_picture_as_far_as_they_go() {
    let Some(directory) = shared("interop") else { return };
    for (prefix, codestream, name) in PARTS {
        let cache = replay(&directory, &[prefix], 100);
        assert!(!cache.is_empty());
        compare(&cache, codestream, &open(&directory, name), prefix);
    }
}

#[test]
fn received_headers_say_the_same_as_those_of_the_file() {
    let Some(directory) = shared("interop") else {
        return;
    };
    for (prefixes, codestream, name) in WHOLE {
        let picture = open(&directory, name);
        let cache = replay(&directory, prefixes, usize::MAX);
        let main = cache.bin(codestream, DataBinId::MainHeader).unwrap().unwrap();
        let header = MainHeader::parse(&main.bytes, &Limits::default()).unwrap();
        assert_eq!(header.size, picture.header().size, "{name}");
        for tile in 0..header.tile_count() {
            let bin = cache.bin(codestream, DataBinId::TileHeader(tile)).unwrap().unwrap();
            let found = header.tile_parameters(tile, &bin.bytes).unwrap();
            assert_eq!(found, picture.tile(tile).unwrap().parameters, "{}, tile {tile}", prefixes[0]);
        }
    }
}
