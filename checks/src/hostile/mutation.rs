//! Changed bytes: anywhere, and where each bit counts.

use super::numbers::Numbers;
use std::ops::Range;
use wavetile_engine::boxes::{BoxInfo, Container};
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DataBins, Limits};
use wavetile_transport::jpip::{MessageHeader, MessageWriter, eor};

/// `whole` with one to three bytes changed: a quarter of the changes lie anywhere, a quarter in box headers and the
/// main header, a quarter in marker segments of tile-parts, a quarter in packet headers.
pub(crate) fn change(whole: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let anywhere = 0..whole.len();
    let mut places = [vec![anywhere.clone()], headers(whole), tile_part_headers(whole), Vec::new()];
    // Finding the packets takes longest.
    let kind = numbers.below(4) as usize;
    if kind == 3 {
        places[3] = packet_headers(whole);
    }
    for _ in 0..1 + numbers.below(3) {
        let ranges = &places[kind];
        let range = ranges.get(numbers.below(ranges.len() as u64) as usize).unwrap_or(&anywhere);
        let at = range.start + numbers.below(range.len() as u64) as usize;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value(*byte, numbers);
        }
    }
    bytes
}

/// A JPP-stream (T.808 Annex A) of all data-bins of a file, one to three bytes of which are changed.
pub(crate) fn change_stream(whole: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = stream(whole).unwrap_or_else(|| whole.to_vec());
    for _ in 0..1 + numbers.below(3) {
        let length = bytes.len() as u64;
        let at = if numbers.below(2) == 0 { length } else { length.min(600) };
        if let Some(byte) = bytes.get_mut(numbers.below(at) as usize) {
            *byte = value(*byte, numbers);
        }
    }
    bytes
}

/// What a byte becomes.
fn value(byte: u8, numbers: &mut Numbers) -> u8 {
    match numbers.below(8) {
        0 => 0,
        1 => 0xFF,
        2 => 0x7F,
        3 => byte.wrapping_add(1),
        4 => byte.wrapping_sub(1),
        5 => numbers.next() as u8,
        _ => byte ^ 1 << numbers.below(8),
    }
}

/// Box headers with the contents of small boxes, and the main header of the first codestream.
fn headers(whole: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let source = whole.to_vec();
    if let Ok(container) = Container::read(&source) {
        add_boxes(&container.boxes, whole.len(), &mut ranges);
        if let Some(codestream) = container.codestreams.first() {
            let start = codestream.start as usize;
            let length = find(&whole[start.min(whole.len())..], [0xFF, 0x90]).unwrap_or(200);
            ranges.push(start..(start + length).min(whole.len()));
        }
    }
    ranges
}

fn add_boxes(boxes: &[BoxInfo], end: usize, ranges: &mut Vec<Range<usize>>) {
    for found in boxes {
        let start = found.offset as usize;
        let length = if found.length < 200 { found.length as usize } else { found.header_length.into() };
        ranges.push(start.min(end)..(start + length).min(end));
        add_boxes(&found.children, end, ranges);
    }
}

/// From SOT to SOD, and a little beyond.
fn tile_part_headers(whole: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(sot) = find(&whole[at..], [0xFF, 0x90])
        && ranges.len() < 1000
    {
        let start = at + sot;
        let length = find(&whole[start..], [0xFF, 0x93]).unwrap_or(12);
        at = start + length.max(2);
        ranges.push(start..(at + 10).min(whole.len()));
    }
    ranges
}

/// The first bytes of each packet of the first tiles.
fn packet_headers(whole: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let limits = Limits::default();
    let Ok(file) = IndexedFile::open(whole.to_vec(), &limits) else { return ranges };
    let Ok(Some(codestream)) = file.codestream(0) else { return ranges };
    for tile in 0..codestream.header().tile_count().min(4) {
        let (Ok(geometry), Ok(index)) = (codestream.tile(tile), codestream.packet_index(tile)) else {
            continue;
        };
        for (component, geometry) in (0..).zip(&geometry.components).take(4) {
            for precinct in 0..geometry.precincts.min(400) {
                let packets = index.packets(component, precinct).take(20);
                ranges.extend(packets.map(|packet| {
                    let start = packet.range.start as usize;
                    start..(start + 8).min(packet.range.end as usize).min(whole.len())
                }));
            }
        }
    }
    ranges.retain(|range| !range.is_empty());
    ranges
}

/// All data-bins of a file as messages.
fn stream(whole: &[u8]) -> Option<Vec<u8>> {
    let file = IndexedFile::open(whole.to_vec(), &Limits::default()).ok()?;
    let (components, tiles) = (file.header().size.components.len() as u32, file.header().tile_count());
    let mut ids = vec![DataBinId::Metadata(0), DataBinId::MainHeader];
    for tile in 0..tiles.min(64) {
        ids.push(DataBinId::TileHeader(tile));
        let Ok(geometry) = file.tile(tile) else { continue };
        for (component, geometry) in (0..).zip(&geometry.components) {
            let id = |precinct| PrecinctId { tile, component, precinct }.in_class_id(components, tiles);
            ids.extend((0..geometry.precincts.min(4096)).filter_map(id).map(DataBinId::Precinct));
        }
    }
    let mut writer = MessageWriter::new();
    let mut out = Vec::new();
    for id in ids {
        let Ok(Some(bin)) = file.bin(0, id) else { continue };
        let length = bin.bytes.len() as u64;
        let header = MessageHeader { codestream: 0, id, aux: None, offset: 0, length, last: bin.complete };
        writer.write_header(&mut out, &header);
        out.extend_from_slice(&bin.bytes);
    }
    writer.write_end(&mut out, eor::IMAGE_DONE, &[]);
    Some(out)
}

fn find(bytes: &[u8], marker: [u8; 2]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == marker)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;
    use wavetile_transport::jpip::MessageReader;

    fn gradient() -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/gradient.jp2");
        std::fs::read(path).unwrap()
    }

    #[test]
    fn changes_are_few_repeatable_and_reach_headers_and_packets() {
        let whole = gradient();
        assert!(headers(&whole).len() > 4 && !tile_part_headers(&whole).is_empty());
        // One tile, three components, four resolutions, three layers.
        assert_eq!(packet_headers(&whole).len(), 36);
        let mut different = 0;
        for number in 0..100 {
            let changed = change(&whole, &mut Numbers::new(1, number));
            assert_eq!(changed, change(&whole, &mut Numbers::new(1, number)));
            let count = changed.iter().zip(&whole).filter(|(a, b)| a != b).count();
            assert!(count <= 3);
            different += usize::from(count > 0);
        }
        assert!(different > 80);
    }

    #[test]
    fn a_stream_holds_the_whole_file() {
        let mut reader = MessageReader::new();
        let mut held = 0;
        let mut count = |event: wavetile_transport::jpip::MessageEvent<'_>| {
            if let wavetile_transport::jpip::MessageEvent::Data { bytes, .. } = event {
                held += bytes.len();
            }
        };
        let whole = gradient();
        reader.push(&stream(&whole).unwrap(), &mut count).unwrap();
        assert!(held > whole.len() - 200, "{held} of {}", whole.len());
    }
}
