//! Context labels of the bit-plane decoder (T.800 Tables D.1 to D.4) as look-up tables.

use crate::codestream::code_block::Orientation;

/// Contexts in all.
pub(super) const COUNT: usize = 19;
/// First label for magnitude refinement.
pub(super) const REFINEMENT: u8 = 14;
/// Label of the run-length context.
pub(super) const RUN_LENGTH: u8 = 17;
/// Label of the uniform context.
pub(super) const UNIFORM: u8 = 18;
/// In an entry of [`SIGN`]: the decoded bit is inverted ("XORbit").
pub(super) const SIGN_INVERTED: u8 = 0x80;

/// Zero-coding labels by the significance of the 3x3 neighbourhood, row by row from the upper left in
/// bits 0 to 8; bit 4, the coefficient itself, is ignored (T.800 Table D.1).
pub(super) type ZeroCoding = [u8; 512];

static LL_LH: ZeroCoding = zero_coding(Orientation::Lh);
static HL: ZeroCoding = zero_coding(Orientation::Hl);
static HH: ZeroCoding = zero_coding(Orientation::Hh);

/// The zero-coding labels of a kind of sub-band.
pub(super) fn zero_coding_of(orientation: Orientation) -> &'static ZeroCoding {
    match orientation {
        Orientation::Ll | Orientation::Lh => &LL_LH,
        Orientation::Hl => &HL,
        Orientation::Hh => &HH,
    }
}

/// Sign-coding labels and [`SIGN_INVERTED`] (T.800 Tables D.2 and D.3). Index: significance of the
/// neighbours above, left, right and below in bits 1, 3, 5 and 7, their signs (1 is negative) in the bit
/// under each.
pub(super) static SIGN: [u8; 256] = sign();

const fn zero_coding(orientation: Orientation) -> ZeroCoding {
    let mut table = [0; 512];
    let mut index = 0;
    while index < 512 {
        let horizontal = (index >> 3 & 1) + (index >> 5 & 1);
        let vertical = (index >> 1 & 1) + (index >> 7 & 1);
        let diagonal = (index & 1) + (index >> 2 & 1) + (index >> 6 & 1) + (index >> 8 & 1);
        table[index] = match orientation {
            Orientation::Ll | Orientation::Lh => by_direction(horizontal, vertical, diagonal),
            Orientation::Hl => by_direction(vertical, horizontal, diagonal),
            Orientation::Hh => by_diagonal(horizontal + vertical, diagonal),
        };
        index += 1;
    }
    table
}

const fn by_direction(along: usize, across: usize, diagonal: usize) -> u8 {
    match (along, across, diagonal) {
        (2, _, _) => 8,
        (1, 1.., _) => 7,
        (1, 0, 1..) => 6,
        (1, 0, 0) => 5,
        (_, 2, _) => 4,
        (_, 1, _) => 3,
        (_, _, 2..) => 2,
        (_, _, 1) => 1,
        _ => 0,
    }
}

const fn by_diagonal(straight: usize, diagonal: usize) -> u8 {
    match (straight, diagonal) {
        (_, 3..) => 8,
        (1.., 2) => 7,
        (0, 2) => 6,
        (2.., 1) => 5,
        (1, 1) => 4,
        (0, 1) => 3,
        (2.., 0) => 2,
        (1, 0) => 1,
        _ => 0,
    }
}

const fn sign() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let horizontal = contribution(index >> 2 & 3, index >> 4 & 3);
        let vertical = contribution(index & 3, index >> 6 & 3);
        let (label, inverted) = match (horizontal, vertical) {
            (1, 1) => (13, 0),
            (1, 0) => (12, 0),
            (1, _) => (11, 0),
            (0, 1) => (10, 0),
            (0, 0) => (9, 0),
            (0, _) => (10, SIGN_INVERTED),
            (_, 1) => (11, SIGN_INVERTED),
            (_, 0) => (12, SIGN_INVERTED),
            _ => (13, SIGN_INVERTED),
        };
        table[index] = label | inverted;
        index += 1;
    }
    table
}

/// Of two neighbours, each with significance in bit 1 and sign in bit 0.
const fn contribution(a: usize, b: usize) -> i8 {
    const SIGNED: [i8; 4] = [0, 0, 1, -1];
    let sum = SIGNED[a] + SIGNED[b];
    if sum > 1 {
        1
    } else if sum < -1 {
        -1
    } else {
        sum
    }
}
