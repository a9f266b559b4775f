//! Main headers built byte by byte, for tests.
#![allow(clippy::unwrap_used)]

use super::MainHeader;
use crate::codestream::marker;
use crate::geometry::Rect;
use crate::limits::Limits;
pub(crate) use wavetile_testing::codestream::segment;
use wavetile_testing::codestream::{Component, size_segment};

/// SOC and SIZ: `components` are (Ssiz, XRsiz, YRsiz).
pub(crate) fn soc_siz(image: Rect, tile: Rect, components: &[(u8, u8, u8)]) -> Vec<u8> {
    let area = |rect: Rect| [rect.x0, rect.y0, rect.x1, rect.y1];
    let components: Vec<_> = components
        .iter()
        .map(|&(size, dx, dy)| Component { depth: (size & 0x7F) + 1, signed: size & 0x80 != 0, dx, dy })
        .collect();
    size_segment(area(image), area(tile), &components)
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
