//! Main headers built byte by byte, for tests.
#![allow(clippy::unwrap_used)]

use super::MainHeader;
use crate::codestream::marker;
use crate::geometry::Rect;
use crate::limits::Limits;

/// A marker segment with its length.
pub(crate) fn segment(marker: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap();
    [&marker.to_be_bytes(), &length.to_be_bytes(), payload].concat()
}

/// SOC and SIZ: `components` are (Ssiz, XRsiz, YRsiz).
pub(crate) fn soc_siz(image: Rect, tile: Rect, components: &[(u8, u8, u8)]) -> Vec<u8> {
    let mut payload = vec![0, 0];
    let numbers = [image.x1, image.y1, image.x0, image.y0, tile.width(), tile.height(), tile.x0, tile.y0];
    payload.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    payload.extend(u16::try_from(components.len()).unwrap().to_be_bytes());
    payload.extend(components.iter().flat_map(|&(depth, dx, dy)| [depth, dx, dy]));
    [marker::SOC.to_be_bytes().to_vec(), segment(marker::SIZ, &payload)].concat()
}

/// Reversible 5/3, no component transform, LRCP; `precincts` are (PPx << 0 | PPy << 4) bytes or empty.
pub(crate) fn cod(
    scod: u8,
    layers: u16,
    levels: u8,
    code_block: (u8, u8),
    style: u8,
    precincts: &[u8],
) -> Vec<u8> {
    let [high, low] = layers.to_be_bytes();
    let fixed = [scod, 0, high, low, 0, levels, code_block.0 - 2, code_block.1 - 2, style, 1];
    segment(marker::COD, &[&fixed, precincts].concat())
}

/// Two guard bits, no quantisation, every exponent 8.
pub(crate) fn qcd(levels: u8) -> Vec<u8> {
    segment(marker::QCD, &[vec![0x40], vec![8 << 3; 3 * usize::from(levels) + 1]].concat())
}

/// Parses under default limits.
pub(crate) fn parse(parts: &[Vec<u8>]) -> MainHeader {
    MainHeader::parse(&parts.concat(), &Limits::default()).unwrap()
}
