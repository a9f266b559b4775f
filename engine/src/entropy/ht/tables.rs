//! Look-up tables of the clean-up pass: quads by context and codeword (T.814 Annex C), and the residuals of a pair of
//! quads by their prefixes (U-VLC, T.814 7.3.6).

use super::codewords::{FIRST, LATER, Row};

/// What a codeword says of a quad.
///
/// | bits | |
/// |---|---|
/// | 0..6 | length of the codeword |
/// | 8, 10 | a residual follows (both bits) |
/// | 9 | a sample of the right column is significant |
/// | 12..16 | significant samples |
/// | 16..20, 20..24 | the highest bit of samples where it is known, and whether it is |
/// | 24..30 | 1 if a MEL event was taken |
/// | 30, 31 | the bottom samples are significant |
pub(super) type Quad = u32;

/// Length of a codeword.
pub(super) const LENGTH: u32 = 63;
/// Bit of the index: the MEL event that comes next.
pub(super) const EVENT: u32 = 1 << 7;
/// Bits of the index: context of the quad. The lowest is about what is left above, the next about the
/// left quad, the highest about what is right above.
pub(super) const CONTEXT: u32 = 7 << CONTEXT_SHIFT;
pub(super) const CONTEXT_SHIFT: u32 = 8;
/// The bit of a quad that is the context bit of the quad to its right.
pub(super) const WEST: u32 = 1 << 9;
/// The bits of a quad that choose the residuals of a pair, for its first and its second quad.
pub(super) const RESIDUAL_OF_FIRST: u32 = 1 << 8;
pub(super) const RESIDUAL_OF_SECOND: u32 = 1 << 10;
/// Shift of the count of MEL events taken, for a shift that looks at 6 bits.
pub(super) const EVENTS_SHIFT: u32 = 24;
/// Shifts of the bits of the bottom samples.
pub(crate) const LEFT: u32 = 30;
pub(crate) const RIGHT: u32 = 31;
/// Shifts of the nibbles of a quad.
pub(crate) const SIGNIFICANT_SHIFT: u32 = 12;
pub(crate) const ONES_SHIFT: u32 = 16;
pub(crate) const KNOWN_SHIFT: u32 = 20;

/// Quads by [`EVENT`] and [`CONTEXT`], and by 7 bits of the codeword.
pub(super) type Quads = [[Quad; 128]; 16];

/// For the first pair of lines, and for all others.
pub(super) static FIRST_LINE: Quads = quads(&FIRST);
pub(super) static LATER_LINES: Quads = quads(&LATER);

const fn quads(rows: &[u32]) -> Quads {
    let mut quads = [[0; 128]; 16];
    let mut at = 0;
    while at < rows.len() {
        let row = Row::unpack(rows[at]);
        let quad = row.length
            | if row.residual != 0 { RESIDUAL_OF_FIRST | RESIDUAL_OF_SECOND } else { 0 }
            | if row.significant >> 2 != 0 { WEST } else { 0 }
            | row.significant << SIGNIFICANT_SHIFT
            | row.ones << ONES_SHIFT
            | row.known << KNOWN_SHIFT
            | (row.significant >> 1 & 1) << LEFT
            | (row.significant >> 3) << RIGHT;
        let mut tail = 0;
        while tail << row.length < 128 {
            let bits = (row.codeword | tail << row.length) as usize;
            let context = (row.context << CONTEXT_SHIFT) / EVENT;
            let (without, with) = (context as usize, context as usize + 1);
            if row.context == 0 {
                // Without a significant neighbour, the codeword is there only after a MEL event 1.
                quads[with][bits] = quad | 1 << EVENTS_SHIFT;
                quads[without][bits] = 1 << EVENTS_SHIFT;
            } else {
                quads[with][bits] = quad;
                quads[without][bits] = quad;
            }
            tail += 1;
        }
        at += 1;
    }
    quads
}

/// The residuals of a pair of quads: bits 0..8 and 8..16 the two, 16..22 the length of their code, 31 too
/// long for the table.
pub(super) type Residual = u32;

pub(super) const LONG: u32 = 1 << 31;

/// Residuals by 8 bits of their code, [`RESIDUAL_OF_FIRST`] and [`RESIDUAL_OF_SECOND`].
pub(super) type Residuals = [Residual; 0x600];

/// For all but the first pair of lines.
pub(super) static RESIDUALS: Residuals = residuals();

const fn residuals() -> Residuals {
    let mut table = [0; 0x600];
    let mut index = 0;
    while index < 0x600 {
        let (first, second) = (index & RESIDUAL_OF_FIRST != 0, index & RESIDUAL_OF_SECOND != 0);
        let code = index & 0xFF;
        let one = if first { Prefix::of(code) } else { Prefix::NONE };
        let two = if second { Prefix::of(code >> one.length) } else { Prefix::NONE };
        let length = one.length + two.length;
        table[index as usize] = if one.suffix_length > 1 || two.suffix_length > 1 {
            LONG
        } else {
            let suffix = code >> length;
            let u = one.value + (suffix & one.suffix_length);
            let v = two.value + (suffix >> one.suffix_length & two.suffix_length);
            u | v << 8 | (length + one.suffix_length + two.suffix_length) << 16
        };
        index += 1;
    }
    table
}

/// The prefix of a residual's code.
#[derive(Clone, Copy)]
pub(super) struct Prefix {
    /// The residual, if the suffix is 0.
    pub(super) value: u32,
    pub(super) length: u32,
    pub(super) suffix_length: u32,
}

impl Prefix {
    /// Where there is no residual.
    pub(super) const NONE: Self = Self { value: 0, length: 0, suffix_length: 0 };

    /// The prefix at the low end of `bits`.
    pub(super) const fn of(bits: u32) -> Self {
        let (value, length, suffix_length) = match bits & 7 {
            1 | 3 | 5 | 7 => (1, 1, 0),
            2 | 6 => (2, 2, 0),
            4 => (3, 3, 1),
            _ => (5, 3, 5),
        };
        Self { value, length, suffix_length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A complete prefix code in each context: every pattern of 7 bits starts with exactly one codeword.
    #[test]
    fn each_context_has_a_complete_code() {
        for rows in [&FIRST[..], &LATER[..]] {
            let mut hits = [0; 1024];
            for row in rows.iter().map(|&row| Row::unpack(row)) {
                assert_eq!(row.known & !row.significant, 0);
                assert_eq!(row.ones & !row.known, 0);
                assert!(row.residual == 1 || row.known == 0);
                for tail in 0..128 >> row.length {
                    hits[(row.context << 7 | tail << row.length | row.codeword) as usize] += 1;
                }
            }
            assert_eq!(hits, [1; 1024]);
        }
    }

    #[test]
    fn residuals_follow_their_prefixes() {
        let both = RESIDUAL_OF_FIRST | RESIDUAL_OF_SECOND;
        let at = |index: u32| RESIDUALS[index as usize];
        assert_eq!(at(0xFF), 0);
        assert_eq!(at(0b1 | RESIDUAL_OF_FIRST), 1 | 1 << 16);
        assert_eq!(at(0b10 | RESIDUAL_OF_SECOND), 2 << 8 | 2 << 16);
        // Both prefixes come first, then both suffixes.
        assert_eq!(at(0b01_100_100 | both), 4 | 3 << 8 | 8 << 16);
        assert_eq!(at(0b10_100_100 | both), 3 | 4 << 8 | 8 << 16);
        assert_eq!(at(0b1000 | both), LONG);
        assert_eq!(at(0b0001 | both), LONG);
    }
}
