//! Files made here: broken, lenient and odd ones, and what is rendered of them.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use super::*;
use crate::codestream::header::{ComponentSize, ImageSize};
use crate::error::Result;
use crate::geometry::Rect;
use crate::plan::PlaneWindow;
use std::borrow::Cow;
use wavetile_shaders::colour::ColourParameters;
use wavetile_shaders::pack::{PackChannel, PackParameters};

fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut bytes = (contents.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(contents);
    bytes
}

fn ihdr(components: u8) -> Vec<u8> {
    boxed(b"ihdr", &[0, 0, 0, 5, 0, 0, 0, 7, 0, components, 7, 7, 0, 0])
}

fn enumerated(space: u8) -> Vec<u8> {
    boxed(b"colr", &[1, 0, 0, 0, 0, 0, space])
}

const START: &[u8] = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ";
const CODESTREAM: &[u8] = &[0xff, 0x4f, 0xff, 0x51, 1, 2, 3, 4];

/// A file whose JP2 header holds `header`.
fn file(header: &[Vec<u8>]) -> Vec<u8> {
    [START, &boxed(b"jp2h", &header.concat()), &boxed(b"jp2c", CODESTREAM)].concat()
}

fn read(bytes: &[u8]) -> Result<Container> {
    Container::read(&bytes.to_vec())
}

fn size(components: &[(u8, bool, u8, u8)]) -> ImageSize {
    ImageSize {
        capabilities: 0,
        image: Rect::new(0, 0, 7, 5),
        tile_x0: 0,
        tile_y0: 0,
        tile_width: 7,
        tile_height: 5,
        components: components
            .iter()
            .map(|&(depth, signed, dx, dy)| ComponentSize { depth, signed, dx, dy })
            .collect(),
    }
}

const PLAIN: (u8, bool, u8, u8) = (8, false, 1, 1);

fn components_of(rendering: &Rendering) -> Vec<u32> {
    rendering.colours.iter().map(|channel| channel.component).collect()
}

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
fn the_codestream_may_stand_before_the_header_and_the_header_may_be_missing() {
    let codestream = boxed(b"jp2c", CODESTREAM);
    let swapped = [START, &codestream, &boxed(b"jp2h", &[ihdr(1), enumerated(17)].concat())].concat();
    let container = read(&swapped).unwrap();
    assert_eq!((container.codestreams.len(), container.image_header.unwrap().width), (1, 7));
    let bare = read(&[START, &codestream].concat()).unwrap();
    let rendering = bare.rendering(&size(&[PLAIN; 3])).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::Rgb, 1));
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
    assert_eq!((container.kind, container.colour.len()), (ContainerKind::Jp2, 1));
    assert_eq!(container.image_header.unwrap().height, 5);
    let codestream = Placeholder { kind: *b"jp2c", original_bin: None, codestream: Some(0) };
    assert_eq!(container.placeholders[1], codestream);
    assert!(container.codestreams.is_empty());
    assert_eq!(Container::from_metadata(&|_| None), Container::default());
    // A placeholder that leads to itself ends.
    let knot = |_: u64| Some(Cow::Owned(boxed(b"phld", &elsewhere)));
    assert!(Container::from_metadata(&knot).placeholders.len() <= 20);
}

#[test]
fn bare_codestreams_are_guessed_by_their_components() {
    let container = read(CODESTREAM).unwrap();
    let render = |components: &[(u8, bool, u8, u8)]| {
        let rendering = container.rendering(&size(components)).unwrap();
        (rendering.colour, components_of(&rendering), rendering.alpha.map(|alpha| alpha.channel.component))
    };
    assert_eq!(render(&[PLAIN]), (RenderColour::Grey, vec![0], None));
    assert_eq!(render(&[PLAIN; 2]), (RenderColour::Grey, vec![0], Some(1)));
    assert_eq!(render(&[PLAIN; 3]), (RenderColour::Rgb, vec![0, 1, 2], None));
    assert_eq!(render(&[PLAIN; 4]), (RenderColour::Rgb, vec![0, 1, 2], Some(3)));
    assert_eq!(render(&[PLAIN; 5]), (RenderColour::Rgb, vec![0, 1, 2], None));
    let chroma = (8, false, 2, 2);
    assert_eq!(render(&[PLAIN, chroma, chroma]).0, RenderColour::Sycc);
    assert_eq!(render(&[chroma; 3]).0, RenderColour::Rgb);
}

#[test]
fn channels_are_put_in_the_order_of_their_colours() {
    let cdef = |entries: &[[u8; 6]]| {
        boxed(b"cdef", &[&(entries.len() as u16).to_be_bytes()[..], &entries.concat()].concat())
    };
    let render = |entries: &[[u8; 6]], components: usize| {
        read(&file(&[ihdr(components as u8), enumerated(16), cdef(entries)]))
            .unwrap()
            .rendering(&size(&vec![PLAIN; components]))
    };
    let bgr = [[0, 0, 0, 0, 0, 3], [0, 1, 0, 0, 0, 2], [0, 2, 0, 0, 0, 1]];
    assert_eq!(components_of(&render(&bgr, 3).unwrap()), [2, 1, 0]);
    let argb = [
        [0, 0, 0, 2, 0, 0],
        [0, 1, 0, 0, 0, 1],
        [0, 2, 0, 0, 0, 2],
        [0, 3, 0, 0, 0, 3],
        [0, 4, 0xff, 0xff, 0xff, 0xff],
    ];
    let rendering = render(&argb, 5).unwrap();
    assert_eq!(components_of(&rendering), [1, 2, 3]);
    assert!(rendering.alpha.is_some_and(|alpha| alpha.premultiplied && alpha.channel.component == 0));
    assert_eq!(rendering.components(), [0, 1, 2, 3]);
    assert!(render(&[[0, 9, 0, 0, 0, 1]], 3).is_err());
    assert!(render(&[[0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 1]], 2).is_err());
    assert!(render(&[[0, 0, 0, 1, 0, 0]], 1).is_err());
}

#[test]
fn of_several_colour_specifications_the_best_that_can_be_shown_counts() {
    let icc = |space: &[u8; 4]| boxed(b"colr", &[&[2, 0, 0][..], &[0; 16], space, &[0; 8]].concat());
    let render = |colours: &[Vec<u8>], components: usize| {
        read(&file(&[ihdr(components as u8), colours.concat()]))
            .unwrap()
            .rendering(&size(&vec![PLAIN; components]))
    };
    let rendering = render(&[icc(b"RGB "), enumerated(18)], 3).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::Sycc, 0));
    let preferred = boxed(b"colr", &[1, 2, 0, 0, 0, 0, 16]);
    assert_eq!(render(&[enumerated(18), preferred], 3).unwrap().colour, RenderColour::Rgb);
    let rendering = render(&[icc(b"GRAY")], 1).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::Grey, 1));
    assert!(rendering.notes[0].contains("is not applied ("), "{:?}", rendering.notes);
    let rendering = render(&[enumerated(16)], 1).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::Grey, 1));
    let rendering = render(&[enumerated(19), enumerated(12)], 4).unwrap();
    assert_eq!((rendering.colour, rendering.colours.len()), (RenderColour::Cmyk, 4));
    assert_eq!(
        render(&[enumerated(19)], 3).unwrap_err().to_string(),
        "not supported: rendering 3 channels of CIEJab (its components can be decoded as they are)"
    );
    assert!(render(&[enumerated(12)], 3).is_err());
}

#[test]
fn black_is_the_fourth_colour_and_opacity_may_follow() {
    let entries: [[u8; 6]; 5] =
        [[0, 4, 0, 0, 0, 4], [0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 3], [0, 3, 0, 0, 0, 2], [0, 2, 0, 2, 0, 0]];
    let cdef = boxed(b"cdef", &[&5_u16.to_be_bytes()[..], &entries.concat()].concat());
    let container = read(&file(&[ihdr(5), enumerated(12), cdef])).unwrap();
    let rendering = container.rendering(&size(&[PLAIN; 5])).unwrap();
    assert_eq!(components_of(&rendering), [1, 3, 0, 4]);
    let planes: Vec<PlaneWindow> = (0..5)
        .map(|component| PlaneWindow {
            component,
            rect: Rect::new(0, 0, 7, 5),
            offset: component * 35,
            row: 7,
        })
        .collect();
    let pack = rendering.pack_parameters(&planes, Rect::new(0, 0, 7, 5), PackParameters::RGBA8, 0).unwrap();
    assert_eq!(pack.channels.map(|channel| channel.plane / 35), [1, 3, 0, 2, 4]);
    let steps = ColourParameters::PREMULTIPLIED | ColourParameters::AFFINE | ColourParameters::BLACK;
    assert_eq!(pack.colour.steps, steps);
}

#[test]
fn parameters_of_cielab_are_read_and_others_are_not_taken_for_them() {
    let words = [100_u32, 0, 256, 128, 256, 128, 0x0044_3635].map(u32::to_be_bytes).concat();
    let colour = boxed(b"colr", &[&[1, 0, 0, 0, 0, 0, 14][..], &words].concat());
    let container = read(&file(&[ihdr(3), colour])).unwrap();
    assert_eq!(container.colour[0].cie_lab.unwrap().offsets, [0, 128, 128]);
    let rendering = container.rendering(&size(&[PLAIN; 3])).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::CieLab, 0));
    let unknown = boxed(b"colr", &[&[1, 0, 0, 0, 0, 0, 14][..], &words[..24], b"CT\x13\x88"].concat());
    let error = read(&file(&[ihdr(3), unknown])).unwrap().rendering(&size(&[PLAIN; 3])).unwrap_err();
    assert!(error.to_string().contains("CIELab under illuminant 0x43541388"), "{error}");
    let plain = boxed(b"colr", &[&[1, 0, 0, 0, 0, 0, 16][..], &words].concat());
    assert_eq!(read(&file(&[ihdr(3), plain])).unwrap().colour[0].cie_lab, None);
}

#[test]
fn packing_carries_palette_depth_sign_and_registration() {
    // Channel 0 direct from component 1 (12 bit signed, every second column), channels 1 and 2
    // through columns 1 (8 bit) and 0 (4 bit signed).
    let palette = boxed(b"pclr", &[0, 2, 2, 0x83, 7, 0x0f, 200, 0x07, 9]);
    let cmap = boxed(b"cmap", &[0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0]);
    let container = read(&file(&[ihdr(2), enumerated(16), palette, cmap])).unwrap();
    let rendering = container.rendering(&size(&[(1, false, 3, 1), (12, true, 2, 1)])).unwrap();
    assert_eq!(rendering.spacing, (2, 1));
    assert_eq!(rendering.depth(), 12);
    // Column 0: -1 and 7 over -8; column 1: 200 and 9.
    assert_eq!(rendering.tables(), [7, 15, 200, 9]);
    let rect = rendering.output_rect(Rect::new(0, 0, 7, 5), 0);
    assert_eq!(rect, Rect::new(0, 0, 4, 5));
    let planes = [
        PlaneWindow { component: 0, rect: Rect::new(0, 0, 3, 5), offset: 100, row: 4 },
        PlaneWindow { component: 1, rect: Rect::new(0, 0, 4, 5), offset: 200, row: 5 },
    ];
    let pack = rendering.pack_parameters(&planes, rect, PackParameters::RGBA16, 0).unwrap();
    assert_eq!((pack.width, pack.height, pack.format), (4, 5, PackParameters::RGBA16));
    let [red, green, blue, alpha, black] = pack.channels;
    assert_eq!((red.plane, red.row, red.low, red.high, red.table), (200, 5, -2048, 4095, u32::MAX));
    assert_eq!((red.x_numerator, red.x_denominator), (1, 1));
    assert_eq!((green.plane, green.table, green.table_length), (100, 2, 2));
    assert_eq!((green.low, green.high), (0, 255));
    assert_eq!((green.x_numerator, green.x_denominator, green.y_denominator), (2, 3, 1));
    assert_eq!((blue.table, blue.low, blue.high), (0, 0, 15));
    assert_eq!((alpha.plane, alpha.x_denominator), (PackChannel::OPAQUE, 1));
    assert_eq!((black.plane, pack.colour.steps), (PackChannel::OPAQUE, ColourParameters::AFFINE));
    assert!(rendering.pack_parameters(&planes[..1], rect, PackParameters::RGBA8, 0).is_err());
}

#[test]
fn registration_moves_channels_against_the_finest() {
    let chroma = (8, false, 2, 2);
    let rendering =
        read(&file(&[ihdr(3), enumerated(18)])).unwrap().rendering(&size(&[PLAIN, chroma, chroma]));
    // Chroma in the middle of four luma samples, as in JPEG: a quarter of its distance on.
    let rendering = rendering.unwrap().registered(&[(0, 0), (16_384, 16_384), (16_384, 0)]);
    let planes: Vec<PlaneWindow> = (0..3)
        .map(|component| PlaneWindow { component, rect: Rect::new(0, 0, 4, 3), offset: 0, row: 4 })
        .collect();
    let offsets = |reduce| {
        let rect = Rect::new(0, 0, 7, 5);
        let pack = rendering.pack_parameters(&planes, rect, PackParameters::RGBA8, reduce).unwrap();
        [0, 1, 2].map(|c| (pack.channels[c].x_offset, pack.channels[c].y_offset))
    };
    assert_eq!(offsets(0), [(0.0, 0.0), (-0.25, -0.25), (-0.25, 0.0)]);
    assert_eq!(offsets(2), [(0.0, 0.0), (-0.0625, -0.0625), (-0.0625, 0.0)]);
}

/// A JPX file: defaults for grey, two codestreams, of which the second has headers of its own.
fn jpx(more: &[Vec<u8>]) -> Vec<u8> {
    let defaults = boxed(b"jp2h", &[ihdr(1), enumerated(17)].concat());
    [START, &defaults, &boxed(b"jp2c", CODESTREAM), &more.concat(), &boxed(b"jp2c", CODESTREAM)].concat()
}

#[test]
fn codestreams_and_layers_have_headers_of_their_own_and_defaults() {
    let label = boxed(b"lbl ", b"second");
    let palette = boxed(b"pclr", &[0, 1, 3, 7, 7, 7, 5, 6, 7]);
    let cmap = boxed(b"cmap", &[0, 0, 1, 2, 0, 0, 1, 1, 0, 0, 1, 0]);
    let group = boxed(b"cgrp", &enumerated(16));
    let cdef = boxed(
        b"cdef",
        &[&3_u16.to_be_bytes()[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 1]].concat(),
    );
    let container = read(&jpx(&[
        boxed(b"jpch", b""),
        boxed(b"jpch", &[label, palette, cmap].concat()),
        boxed(b"jplh", &boxed(b"creg", &[0, 1, 0, 1, 0, 1, 1, 1, 0, 0])),
        boxed(b"jplh", &boxed(b"creg", &[0, 1, 0, 1, 0, 0, 1, 1, 0, 0])),
    ]))
    .unwrap();
    assert_eq!((container.codestreams.len(), container.warnings.len()), (2, 0));
    assert_eq!(container.codestream_headers[1].label.as_deref(), Some("second"));
    assert_eq!(container.layer_headers[0].codestreams, [1]);
    let first = container.of_codestream(0).rendering(&size(&[PLAIN])).unwrap();
    assert_eq!((first.colour, components_of(&first)), (RenderColour::Grey, vec![0]));
    // Grey, as the defaults say: of the palette the column that is mapped first.
    let second = container.of_codestream(1).rendering(&size(&[PLAIN])).unwrap();
    assert_eq!((second.colour, second.colours[0].palette_column), (RenderColour::Grey, Some(2)));

    let container = read(&jpx(&[
        boxed(b"jpch", b""),
        boxed(b"jplh", b""),
        boxed(b"jpch", &ihdr(3)),
        boxed(b"jplh", &[group, cdef].concat()),
    ]))
    .unwrap();
    let second = container.of_codestream(1).rendering(&size(&[PLAIN; 3])).unwrap();
    assert_eq!((second.colour, components_of(&second)), (RenderColour::Rgb, vec![2, 1, 0]));
    assert_eq!(container.of_codestream(0).rendering(&size(&[PLAIN; 3])).unwrap().colour, RenderColour::Grey);
    assert_eq!(container.of_codestream(9).colour, container.colour);
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
