//! Files made for the tests of boxes and of what is rendered of them.
#![allow(clippy::unwrap_used)]

use super::Container;
use crate::codestream::header::{ComponentSize, ImageSize};
use crate::error::Result;
use crate::geometry::Rect;

pub(crate) fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut bytes = (contents.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(contents);
    bytes
}

pub(crate) fn ihdr(components: u8) -> Vec<u8> {
    boxed(b"ihdr", &[0, 0, 0, 5, 0, 0, 0, 7, 0, components, 7, 7, 0, 0])
}

pub(crate) fn enumerated(space: u8) -> Vec<u8> {
    boxed(b"colr", &[1, 0, 0, 0, 0, 0, space])
}

pub(crate) const START: &[u8] = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ";
pub(crate) const CODESTREAM: &[u8] = &[0xff, 0x4f, 0xff, 0x51, 1, 2, 3, 4];

/// A file whose JP2 header holds `header`.
pub(crate) fn file(header: &[Vec<u8>]) -> Vec<u8> {
    [START, &boxed(b"jp2h", &header.concat()), &boxed(b"jp2c", CODESTREAM)].concat()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Container> {
    Container::read(&bytes.to_vec())
}

pub(crate) fn size(components: &[(u8, bool, u8, u8)]) -> ImageSize {
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

pub(crate) const PLAIN: (u8, bool, u8, u8) = (8, false, 1, 1);

/// A JPX file: defaults for grey, two codestreams, of which the second has headers of its own.
pub(crate) fn jpx(more: &[Vec<u8>]) -> Vec<u8> {
    let defaults = boxed(b"jp2h", &[ihdr(1), enumerated(17)].concat());
    [START, &defaults, &boxed(b"jp2c", CODESTREAM), &more.concat(), &boxed(b"jp2c", CODESTREAM)].concat()
}
