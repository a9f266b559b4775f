//! Packets written by hand, bit by bit (T.800 B.10).
#![allow(clippy::unwrap_used)]

use super::*;
use crate::codestream::header::testing::{cod, parse, qcd, soc_siz};
use crate::error::Error;

/// Writes header bits with the stuffing of T.800 B.10.1; blanks in the text mean nothing.
fn header(text: &str) -> Vec<u8> {
    let mut bytes = vec![0u8];
    let mut free = 8;
    for bit in text.bytes().filter(|byte| *byte != b' ') {
        if free == 0 {
            free = if bytes[bytes.len() - 1] == 0xFF { 7 } else { 8 };
            bytes.push(0);
        }
        free -= 1;
        *bytes.last_mut().unwrap() |= (bit - b'0') << free;
    }
    if bytes[bytes.len() - 1] == 0xFF {
        bytes.push(0);
    }
    bytes
}

/// One component of 96 x 64 samples, not decomposed: 3 x 2 code-blocks in one precinct.
fn tile(scod: u8, layers: u16, style: u8) -> Tile {
    let image = Rect::new(0, 0, 96, 64);
    let cod = cod(scod, layers, 0, (5, 5), style, &[]);
    let header = parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod, qcd(0)]);
    Tile::new(&header, 0, header.tile_parameters.clone()).unwrap()
}

fn precinct(tile: &Tile) -> Precinct {
    Precinct::new(tile, 0, 0, 0, &Limits::default()).unwrap()
}

fn part(layer: u16, block: u32, passes: u8, offset: u64, length: u32) -> Contribution {
    Contribution { block, layer, passes, segment: 0, offset, length }
}

/// Layers of first inclusion 0 0 1 / 2 1 1, empty bit-planes 3 4 7 / - 3 6; worked out by hand.
fn two_packets() -> (Vec<u8>, Vec<Contribution>) {
    let first = header("1  111 000111 1100 0 0100  1 01 10 10 00100  0 0 0");
    let second = header("1  1 1100 0 1010  0  11 000101 0 0 001  0  1 1 0 0 010  1 1 111100000 0 00011");
    let bodies = (first.len() as u64, (first.len() + 8 + second.len()) as u64);
    let contributions = vec![
        part(0, 0, 3, bodies.0, 4),
        part(0, 1, 2, bodies.0 + 4, 4),
        part(1, 0, 3, bodies.1, 10),
        part(1, 2, 1, bodies.1 + 10, 1),
        part(1, 4, 1, bodies.1 + 11, 2),
        part(1, 5, 6, bodies.1 + 13, 3),
    ];
    ([first, vec![0xAA; 8], second, vec![0xBB; 16]].concat(), contributions)
}

#[test]
fn packets_worked_by_hand() {
    let (mut bin, expected) = two_packets();
    bin.push(0); // The third packet is empty.
    let mut precinct = precinct(&tile(0, 3, 0));
    precinct.read(&bin, true).unwrap();
    assert_eq!((precinct.contributions(), precinct.layers), (&expected[..], 3));
    let zeros: Vec<_> = (0..6).map(|block| precinct.zero_bit_planes(block)).collect();
    assert_eq!(zeros, [3, 4, 7, 0, 3, 6]);
    assert_eq!(precinct.bands[0].block_rect(5), Some(Rect::new(64, 32, 96, 64)));
    assert_eq!(precinct.bands[0].block_rect(6), None);
}

#[test]
fn arriving_byte_by_byte_changes_nothing_but_the_time() {
    let (bin, expected) = two_packets();
    let tile = tile(0, 2, 0);
    let mut slow = precinct(&tile);
    for length in 0..=bin.len() {
        slow.read(&bin[..length], length == bin.len()).unwrap();
        let mut fresh = precinct(&tile);
        fresh.read(&bin[..length], false).unwrap();
        assert_eq!((slow.contributions(), slow.layers), (fresh.contributions(), fresh.layers), "{length}");
        let whole = expected.iter().filter(|part| part.offset + u64::from(part.length) <= length as u64);
        assert!(slow.contributions().iter().eq(whole), "{length}");
    }
    assert_eq!(slow.layers, 2);
}

#[test]
fn headers_alone_give_lengths_and_tell_cut_from_bad() {
    let (bin, _) = two_packets();
    let mut walker = precinct(&tile(0, 2, 0));
    let first = PacketHeader { header_length: 5, body_length: 8 };
    for length in 0..5 {
        assert_eq!(walker.read_packet_header(&bin[..length], true).unwrap(), None);
    }
    assert_eq!(walker.read_packet_header(&bin, true).unwrap(), Some(first));
    assert_eq!(walker.layers, 1);
    let second = walker.read_packet_header(&bin[13..], true).unwrap().unwrap();
    assert_eq!(second, PacketHeader { header_length: bin.len() - 13 - 16, body_length: 16 });
    assert!(walker.contributions().is_empty());
    assert!(walker.read_packet_header(&bin, true).is_err());

    let mut walker = precinct(&tile(0, 2, 0));
    let too_many_zeros = header("1 111 000000000000000000001");
    let error = walker.read_packet_header(&too_many_zeros, true).unwrap_err();
    assert!(matches!(error, Error::Codestream(CodestreamError::BadPacket { layer: 0, .. })), "{error}");
    assert!(walker.read_packet_header(&bin, true).is_err());
}

#[test]
fn sop_and_eph_may_stand_there_or_not() {
    let packet = [&header("1 111 111 0 0 010 0 0 0 0")[..], &[0xAA, 0xAB]].concat();
    let (head, body) = packet.split_at(packet.len() - 2);
    let sop = [0xFF, 0x91, 0, 4, 0, 0];
    let eph = [0xFF, 0x92];
    for (scod, before, after) in [
        (0, &[][..], &[][..]),
        (6, &[], &[]),
        (6, &sop, &eph),
        (2, &sop, &[]),
        (4, &[], &eph),
        (0, &sop, &[]),
    ] {
        let bin = [before, head, after, body].concat();
        let mut precinct = precinct(&tile(scod, 1, 0));
        for length in 0..bin.len() {
            precinct.read(&bin[..length], false).unwrap();
            assert_eq!(precinct.layers, 0);
        }
        precinct.read(&bin, true).unwrap();
        assert_eq!(precinct.layers, 1);
        assert_eq!(precinct.contributions(), [part(0, 0, 1, bin.len() as u64 - 2, 2)]);
    }
    // An empty last packet without the EPH that was announced.
    let mut precinct = precinct(&tile(4, 1, 0));
    precinct.read(&[0], false).unwrap();
    assert_eq!(precinct.layers, 0);
    precinct.read(&[0], true).unwrap();
    assert_eq!(precinct.layers, 1);
}

/// (layer, segment, passes, length) of every contribution.
fn segments(style: u8, headers: &[&str]) -> Vec<(u16, u16, u8, u32)> {
    let mut precinct = precinct(&tile(0, headers.len() as u16, style));
    let mut bin = Vec::new();
    for text in headers {
        let bytes = header(text);
        let mut walker = precinct.clone();
        walker.layers = walker.headers;
        let body = walker.read_packet_header(&bytes, true).unwrap().unwrap().body_length;
        bin.extend(bytes);
        bin.resize(bin.len() + body as usize, 0x55);
        precinct.read(&bin, false).unwrap();
    }
    assert_eq!(usize::from(precinct.layers), headers.len());
    precinct.contributions().iter().map(|part| (part.layer, part.segment, part.passes, part.length)).collect()
}

#[test]
fn bypass_ends_segments_after_ten_passes_and_then_by_turns() {
    // Nine passes: six bits; then four: the 10th (3 bits), two raw (4 bits), one clean-up (3 bits);
    // then one raw pass (3 bits); then two: the raw segment goes on (3 bits), a clean-up follows.
    let found = segments(
        CodeBlockStyle::BYPASS,
        &[
            "1 111 111 111100011 0 010000 0 0 0 0",
            "1 1 1101 0 001 0010 011 0 0 0 0",
            "1 1 0 0 100 0 0 0 0",
            "1 1 10 0 101 110 0 0 0 0",
        ],
    );
    let expected =
        [(0, 0, 9, 16), (1, 0, 1, 1), (1, 1, 2, 2), (1, 2, 1, 3), (2, 3, 1, 4), (3, 3, 1, 5), (3, 4, 1, 6)];
    assert_eq!(found, expected);
}

#[test]
fn every_pass_is_a_segment_when_all_are_terminated() {
    let style = CodeBlockStyle::TERMINATE_ALL | CodeBlockStyle::BYPASS;
    let found = segments(style, &["1 111 111 1100 0 001 010 011 0 0 0 0", "1 1 10 10 0100 0101 0 0 0 0"]);
    assert_eq!(found, [(0, 0, 1, 1), (0, 1, 1, 2), (0, 2, 1, 3), (1, 3, 1, 4), (1, 4, 1, 5)]);
}

#[test]
fn a_precinct_without_code_blocks_still_has_packets() {
    // One sample: the bands of resolution 1 are empty, because it falls to LL.
    let image = Rect::new(0, 0, 1, 1);
    let header = parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod(0, 2, 1, (6, 6), 0, &[]), qcd(1)]);
    let tile = Tile::new(&header, 0, header.tile_parameters.clone()).unwrap();
    let mut precinct = Precinct::new(&tile, 0, 1, 0, &Limits::default()).unwrap();
    assert_eq!((precinct.bands.len(), precinct.block_count()), (3, 0));
    precinct.read(&[0x80, 0x00], true).unwrap();
    assert_eq!(precinct.layers, 2);
}

#[test]
fn code_blocks_are_counted_before_they_are_made() {
    let image = Rect::new(0, 0, 1 << 15, 1 << 15);
    let header = parse(&[soc_siz(image, image, &[(7, 1, 1)]), cod(0, 1, 0, (2, 2), 0, &[]), qcd(0)]);
    let tile = Tile::new(&header, 0, header.tile_parameters.clone()).unwrap();
    let result = Precinct::new(&tile, 0, 0, 0, &Limits::default());
    assert!(matches!(result, Err(Error::Limit(LimitError { wanted: 0x400_0000, .. }))));
    assert!(Precinct::new(&tile, 0, 0, 1, &Limits::default()).is_err());
    assert!(Precinct::new(&tile, 0, 1, 0, &Limits::default()).is_err());
    assert!(Precinct::new(&tile, 1, 0, 0, &Limits::default()).is_err());
}

#[test]
fn high_throughput_blocks_come_in_sets_of_a_clean_up_pass_and_its_refinement() {
    let mut precinct = precinct(&tile(0, 5, CodeBlockStyle::HIGH_THROUGHPUT));
    let packets = [
        // Two placeholder passes, whose length 0 has 3 + 1 bits.
        ("1 111 111 10 0 0000 0 0 0 0", 0),
        // Two more, of which the second is the clean-up pass.
        ("1 1 10 0 0101 0 0 0 0", 5),
        // Both passes of the refinement.
        ("1 1 10 0 0111 0 0 0 0", 7),
        // The clean-up pass of an empty set.
        ("1 1 0 0 000 0 0 0 0", 0),
        // The refinement of that set, and the clean-up pass of the next.
        ("1 1 1100 0 0000 110 0 0 0 0", 6),
    ];
    let mut bin = Vec::new();
    let mut expected = Vec::new();
    let mut walker = precinct.clone();
    let contributions: [&[(u8, u16, u32)]; 5] =
        [&[], &[(1, 0, 5)], &[(2, 1, 7)], &[(1, 2, 0)], &[(2, 3, 0), (1, 4, 6)]];
    for ((layer, (text, body_length)), parts) in (0..).zip(packets).zip(contributions) {
        let bytes = header(text);
        let found = walker.read_packet_header(&bytes, true).unwrap().unwrap();
        assert_eq!(found, PacketHeader { header_length: bytes.len(), body_length });
        bin.extend_from_slice(&bytes);
        for &(passes, segment, length) in parts {
            let offset = bin.len() as u64;
            expected.push(Contribution { block: 0, layer, passes, segment, offset, length });
            bin.resize(bin.len() + length as usize, 0xAA);
        }
    }
    precinct.read(&bin, true).unwrap();
    assert_eq!(precinct.contributions(), expected);
    assert_eq!(precinct.coder(0), BlockCoder::HighThroughput);
}

#[test]
fn mixed_blocks_tell_their_coder_by_their_first_length() {
    let read = |text: &str| {
        let mut precinct = precinct(&tile(0, 1, CodeBlockStyle::HIGH_THROUGHPUT | CodeBlockStyle::MIXED));
        let mut bin = header(text);
        let body = bin.len() as u64;
        bin.resize(bin.len() + 100, 0);
        precinct.read(&bin, true)?;
        let parts = precinct.contributions().iter().map(|part| (part.passes, part.segment, part.length));
        assert_eq!(precinct.contributions().first().map_or(body, |part| part.offset), body);
        Ok::<_, Error>((precinct.coder(0), parts.collect::<Vec<_>>(), precinct.zero_bit_planes(0)))
    };
    // A clean-up pass: the field has a bit more than it needs.
    let found = read("1 111 000111 0 10 0101 0 0 0 0").unwrap();
    assert_eq!(found, (BlockCoder::HighThroughput, vec![(1, 0, 5)], 3));
    // The same with three placeholder passes (2 more bits) and a refinement of one pass.
    let found = read("1 111 000111 1110 10 001111 0110 0 0 0 0").unwrap();
    assert_eq!(found, (BlockCoder::HighThroughput, vec![(1, 0, 15), (1, 1, 6)], 4));
    // The field is as short as can be.
    let found = read("1 111 000111 0 0 101 0 0 0 0").unwrap();
    assert_eq!(found, (BlockCoder::BitPlane, vec![(1, 0, 5)], 3));
    // Its first bit is 1; two passes have one bit more than the clean-up pass would.
    let found = read("1 111 000111 10 10 10011 0 0 0 0").unwrap();
    assert_eq!(found, (BlockCoder::BitPlane, vec![(2, 0, 19)], 3));
    // Five passes.
    let found = read("1 111 000111 1110 0 01010 0 0 0 0").unwrap();
    assert_eq!(found, (BlockCoder::BitPlane, vec![(5, 0, 10)], 3));
}

#[test]
fn lengths_that_no_high_throughput_block_has_are_errors() {
    let read = |text: &str| {
        let mut precinct = precinct(&tile(0, 1, CodeBlockStyle::HIGH_THROUGHPUT));
        precinct.read(&header(text), true).unwrap_err().to_string()
    };
    assert!(read("1 111 000111 0 0 001 0 0 0 0").contains("one byte"));
    assert!(read("1 111 000111 10 0 0001 0 0 0 0").contains("placeholder"));
}

#[test]
fn placeholder_passes_stand_for_empty_bit_planes() {
    let mut walker = precinct(&tile(0, 1, CodeBlockStyle::HIGH_THROUGHPUT));
    // Eight passes: six placeholders, the clean-up pass (3 + 2 bits), one more (3 bits). Three planes are empty.
    let bytes = header("1 111 000111 111100010 0 10001 101 0 0 0 0");
    assert_eq!(walker.read_packet_header(&bytes, true).unwrap().unwrap().body_length, 17 + 5);
    assert_eq!(walker.zero_bit_planes(0), 3 + 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), style in proptest::prelude::any::<u8>(), scod in 0u8..8,
    ) {
        // Bit 7 alone is reserved.
        let style = if style & 0xC0 == 0x80 { style & 0x3F } else { style };
        let mut precinct = precinct(&tile(scod & 6, 9, style));
        let mut whole = precinct.clone();
        let mut failed = false;
        for length in 0..=bytes.len() {
            failed = precinct.read(&bytes[..length], length == bytes.len()).is_err();
        }
        proptest::prop_assert_eq!(whole.read(&bytes, true).is_err(), failed);
        proptest::prop_assert_eq!(whole.contributions(), precinct.contributions());
        proptest::prop_assert_eq!(whole.layers, precinct.layers);
    }
}
