//! What is rendered of files made here.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::boxes::testing::{CODESTREAM, PLAIN, START, boxed, enumerated, file, ihdr, jpx, read, size};
use crate::plan::PlaneWindow;
use wavetile_shaders::colour::ColourParameters;
use wavetile_shaders::pack::{PackChannel, PackParameters};

fn components_of(rendering: &Rendering) -> Vec<u32> {
    rendering.colours.iter().map(|channel| channel.component).collect()
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
    assert_eq!(container.headers.colour[0].cie_lab.unwrap().offsets, [0, 128, 128]);
    let rendering = container.rendering(&size(&[PLAIN; 3])).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::CieLab, 0));
    let unknown = boxed(b"colr", &[&[1, 0, 0, 0, 0, 0, 14][..], &words[..24], b"CT\x13\x88"].concat());
    let error = read(&file(&[ihdr(3), unknown])).unwrap().rendering(&size(&[PLAIN; 3])).unwrap_err();
    assert!(error.to_string().contains("CIELab under illuminant 0x43541388"), "{error}");
    let plain = boxed(b"colr", &[&[1, 0, 0, 0, 0, 0, 16][..], &words].concat());
    assert_eq!(read(&file(&[ihdr(3), plain])).unwrap().headers.colour[0].cie_lab, None);
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

#[test]
fn the_codestream_may_stand_before_the_header_and_the_header_may_be_missing() {
    let codestream = boxed(b"jp2c", CODESTREAM);
    let swapped = [START, &codestream, &boxed(b"jp2h", &[ihdr(1), enumerated(17)].concat())].concat();
    let container = read(&swapped).unwrap();
    assert_eq!((container.codestreams.len(), container.headers.image_header.unwrap().width), (1, 7));
    let bare = read(&[START, &codestream].concat()).unwrap();
    let rendering = bare.rendering(&size(&[PLAIN; 3])).unwrap();
    assert_eq!((rendering.colour, rendering.notes.len()), (RenderColour::Rgb, 1));
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
    assert_eq!(container.of_codestream(9).headers.colour, container.headers.colour);
}
