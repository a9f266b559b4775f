//! Files made here: broken, lenient and odd ones.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use super::testing::{CODESTREAM, PLAIN, START, boxed, enumerated, file, ihdr, jpx, read, size};
use super::*;
use std::borrow::Cow;

#[test]
fn the_last_box_may_run_to_the_end_and_have_an_extended_length() {
    let header = boxed(b"jp2h", &[ihdr(1), enumerated(17)].concat());
    let open = [START, &header, b"\0\0\0\0jp2c", CODESTREAM].concat();
    assert_eq!(read(&open).unwrap().codestreams, [85..93]);
    let long = [START, &header, b"\0\0\0\x01jp2c\0\0\0\0\0\0\0\x18", CODESTREAM, &boxed(b"xml ", b"<a/>")];
    let container = read(&long.concat()).unwrap();
    assert_eq!(container.codestreams, [93..101]);
    assert_eq!(container.boxes.last().unwrap().name(), "xml ");
    assert_eq!(container.warnings, [""; 0]);
}

#[test]
fn a_codestream_is_found_where_the_chain_of_boxes_breaks() {
    let broken = [START, b"\0\0\0\x03jp2h", &boxed(b"jp2c", CODESTREAM)].concat();
    let container = read(&broken).unwrap();
    assert_eq!(container.codestreams, [48..56]);
    assert_eq!(container.warnings[0], "'jp2h' box at byte 32: length 3 is less than that of its header");
    let error = read(&[START, b"\0\0\0\x03jp2hnothing here"].concat()).unwrap_err();
    assert_eq!(error.to_string(), "the file has no 'jp2c' box");
}

#[test]
fn a_codestream_box_with_a_wrong_length_keeps_the_codestream() {
    let mut bytes = file(&[ihdr(1), enumerated(17)]);
    let length = bytes.len() as u64;
    let at = bytes.len() - 16;
    bytes[at + 3] = 14;
    let short = read(&bytes).unwrap();
    assert_eq!((short.codestreams[0].end, short.warnings.len()), (length, 1));
    bytes[at + 3] = 99;
    let long = read(&bytes).unwrap();
    assert_eq!((long.codestreams[0].end, long.warnings.len()), (length, 1));
}

#[test]
fn other_files_are_refused_with_their_first_bytes() {
    let error = read(b"\x89PNG\r\n\x1a\n").unwrap_err().to_string();
    assert!(error.contains("[89, 50, 4e, 47"), "{error}");
    assert!(read(b"").is_err());
    assert_eq!(read(CODESTREAM).unwrap().codestreams, [0..8]);
}

#[test]
fn endless_nesting_and_countless_boxes_are_bounded() {
    let mut nested = boxed(b"lbl ", b"deep");
    for _ in 0..100 {
        nested = boxed(b"asoc", &nested);
    }
    let many = boxed(b"free", b"").repeat(Container::MAX_BOXES + 10);
    let container = read(&[START, &nested, &many, &boxed(b"jp2c", CODESTREAM)].concat()).unwrap();
    assert_eq!(container.codestreams.len(), 1);
    assert!(container.boxes.len() <= Container::MAX_BOXES);
    assert!(container.warnings[0].contains("16 deep"), "{:?}", container.warnings);
}

#[test]
fn a_broken_palette_stops_rendering_but_not_the_codestream() {
    let container = read(&file(&[ihdr(1), enumerated(16), boxed(b"pclr", &[0, 9, 3, 7, 7, 7, 1])])).unwrap();
    let error = container.rendering(&size(&[PLAIN])).unwrap_err();
    assert_eq!(error.to_string(), "'pclr' box at byte 77: 1 bytes are too few for 9 entries of 3 bytes");
    let mapped = [boxed(b"pclr", &[0, 1, 1, 7, 5]), boxed(b"cmap", &[0, 0, 1, 1])].concat();
    let container = read(&file(&[ihdr(1), enumerated(16), mapped])).unwrap();
    let error = container.rendering(&size(&[PLAIN])).unwrap_err();
    assert_eq!(error.to_string(), "'cmap' box at byte 90: there is no palette column 1");
}

#[test]
fn metadata_bins_give_the_boxes_and_follow_placeholders() {
    let mut phld = vec![0, 0, 0, 4];
    phld.extend([0; 8]);
    phld.extend(b"\0\0\x10\0jp2c");
    phld.extend([0; 24]);
    let header = [ihdr(1), enumerated(17)].concat();
    let elsewhere = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5][..], b"\0\0\0\x2djp2h"].concat();
    let bin_0 = [START, &boxed(b"phld", &elsewhere), &boxed(b"phld", &phld)].concat();
    let bins = |n: u64| match n {
        0 => Some(Cow::Borrowed(&bin_0[..])),
        5 => Some(Cow::Borrowed(&header[..])),
        _ => None,
    };
    let container = Container::from_metadata(&bins);
    assert_eq!((container.kind, container.headers.colour.len()), (ContainerKind::Jp2, 1));
    assert_eq!(container.headers.image_header.unwrap().height, 5);
    let codestream = Placeholder { kind: *b"jp2c", original_bin: None, codestream: Some(0) };
    assert_eq!(container.placeholders[1], codestream);
    assert!(container.codestreams.is_empty());
    assert_eq!(Container::from_metadata(&|_| None), Container::default());
    // A placeholder that leads to itself ends.
    let knot = |_: u64| Some(Cow::Owned(boxed(b"phld", &elsewhere)));
    assert!(Container::from_metadata(&knot).placeholders.len() <= 20);
}

#[test]
fn a_layer_may_have_opacity_in_its_last_channel_but_not_several_codestreams() {
    let layer = |boxes: &[u8]| {
        let colour = boxed(b"cgrp", &enumerated(16));
        read(&jpx(&[boxed(b"jplh", &[&colour, boxes].concat())])).unwrap().of_codestream(0)
    };
    let alpha = |kind: u8, channels: usize| {
        let rendering = layer(&boxed(b"opct", &[kind])).rendering(&size(&vec![PLAIN; channels])).unwrap();
        rendering.alpha.map(|alpha| (alpha.channel.component, alpha.premultiplied))
    };
    assert_eq!(alpha(0, 4), Some((3, false)));
    assert_eq!(alpha(1, 4), Some((3, true)));
    assert_eq!(alpha(2, 3), None);
    let registered = boxed(b"creg", &[0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 2, 2, 0, 0]);
    let error = layer(&registered).rendering(&size(&[PLAIN; 3])).unwrap_err().to_string();
    assert!(error.contains("rendering compositing layer 0, made of 2 codestreams"), "{error}");
}

#[test]
fn fragments_make_a_codestream() {
    let entry = |offset: u64, length: u32, file: u16| {
        [&offset.to_be_bytes()[..], &length.to_be_bytes(), &file.to_be_bytes()].concat()
    };
    let table = |entries: &[Vec<u8>]| {
        let count = (entries.len() as u16).to_be_bytes();
        boxed(b"ftbl", &boxed(b"flst", &[&count[..], &entries.concat()].concat()))
    };
    let container = read(&jpx(&[table(&[entry(90, 3, 0), entry(85, 4, 0)])])).unwrap();
    assert_eq!((container.codestreams.len(), container.warnings.len()), (3, 0));
    let found = &container.fragment_tables[&1];
    assert_eq!(found.ranges(1000), Ok(vec![90..93, 85..89]));
    assert_eq!(found.ranges(91), Ok(vec![90..91]));
    let twice = read(&jpx(&[table(&[entry(0, 60, 0), entry(9, 60, 0)])])).unwrap();
    assert!(twice.fragment_tables[&1].ranges(100).unwrap_err().contains("longer than the file"));
    let elsewhere = read(&jpx(&[table(&[entry(0, 3, 0), entry(0, 4, 2)])])).unwrap();
    let error = elsewhere.fragment_tables[&1].ranges(1000).unwrap_err();
    assert_eq!(error, "fragment 1 of a codestream in another file (entry 2)");
    let broken = read(&jpx(&[table(&[]), table(&[vec![0; 13]])])).unwrap();
    assert_eq!((broken.fragment_tables.len(), broken.codestreams.len(), broken.warnings.len()), (0, 2, 2));
}

#[test]
fn metadata_is_read_with_what_it_is_about_and_up_to_a_limit() {
    let numbers = boxed(b"nlst", &[1, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0]);
    let uuid = boxed(b"uuid", b"0123456789abcdefrest");
    let inner = boxed(b"asoc", &[boxed(b"lbl ", b"name\0"), uuid].concat());
    let outer = boxed(b"asoc", &[numbers, inner, boxed(b"xml ", b"<a/>")].concat());
    let container =
        read(&jpx(&[outer, boxed(b"xml ", &vec![b' '; 5 << 20]), boxed(b"xml ", b"\xff")])).unwrap();
    let entities = vec![Entity::Codestream(0), Entity::Layer(1), Entity::Rendered, Entity::Other(9 << 24)];
    let named = Metadata::Association(vec![
        Metadata::Label("name".into()),
        Metadata::Uuid { id: *b"0123456789abcdef", data: b"rest".to_vec() },
    ]);
    let about = Metadata::Association(vec![Metadata::Numbers(entities), named, Metadata::Xml("<a/>".into())]);
    assert_eq!(container.metadata[0], about);
    assert!(
        matches!(container.metadata[1], Metadata::TooLong { kind: [b'x', b'm', b'l', b' '], length, .. } if length == 5 << 20)
    );
    assert_eq!(container.metadata[2], Metadata::Xml("\u{fffd}".into()));
    assert_eq!(container.warnings, [""; 0]);
}
