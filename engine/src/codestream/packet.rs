//! Packet headers bit by bit (T.800 B.10.1, B.10.6, B.10.7).

use super::code_block::BlockCoder;
use super::header::CodeBlockStyle;

/// Why a packet header could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end inside it; more of them may help.
    CutOff,
    /// It breaks the rules.
    Bad(String),
}

/// Extent of a packet (T.800 B.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Bytes of the header, with the SOP marker segment before it and the EPH marker after it where they are.
    pub header_length: usize,
    /// Bytes of the body.
    pub body_length: u64,
}

/// Bits of a packet header, most significant first; after a byte 0xFF only seven bits of the next count
/// (T.800 B.10.1).
#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
    current: u8,
    left: u32,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, current: 0, left: 0 }
    }

    #[inline]
    pub(super) fn bit(&mut self) -> Result<bool, Stop> {
        if self.left == 0 {
            self.next_byte()?;
        }
        self.left -= 1;
        Ok(self.current >> self.left & 1 == 1)
    }

    /// `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, Stop> {
        let (mut value, mut wanted) = (0u64, count);
        while wanted > 0 {
            if self.left == 0 {
                self.next_byte()?;
            }
            let taken = wanted.min(self.left);
            self.left -= taken;
            wanted -= taken;
            value = value << taken | u64::from(self.current >> self.left) & ((1 << taken) - 1);
        }
        Ok(value as u32)
    }

    /// Ends the header: the rest of the last byte is padding, and a 0xFF has a stuffed byte after it.
    /// Returns the header's length.
    pub(super) fn finish(mut self) -> Result<usize, Stop> {
        if self.position > 0 && self.current == 0xFF {
            self.next_byte()?;
        }
        Ok(self.position)
    }

    #[cold]
    fn bad_stuffing(&self) -> Stop {
        Stop::Bad(format!("0xFF {:02x} in the packet header", self.bytes[self.position]))
    }

    fn next_byte(&mut self) -> Result<(), Stop> {
        let byte = *self.bytes.get(self.position).ok_or(Stop::CutOff)?;
        self.left = 8;
        if self.current == 0xFF {
            if byte & 0x80 != 0 {
                return Err(self.bad_stuffing());
            }
            self.left = 7;
        }
        self.current = byte;
        self.position += 1;
        Ok(())
    }
}

/// Number of coding passes, 1 to 164 (T.800 Table B.4).
pub(super) fn read_passes(bits: &mut BitReader<'_>) -> Result<u32, Stop> {
    if !bits.bit()? {
        return Ok(1);
    }
    if !bits.bit()? {
        return Ok(2);
    }
    let two = bits.bits(2)?;
    if two < 3 {
        return Ok(3 + two);
    }
    let five = bits.bits(5)?;
    if five < 31 {
        return Ok(6 + five);
    }
    Ok(37 + bits.bits(7)?)
}

/// Length of a codeword segment's part of `passes` coding passes (T.800 B.10.7.1), where Lblock stands at
/// `length_bits`.
pub(super) fn read_length(bits: &mut BitReader<'_>, length_bits: u8, passes: u32) -> Result<u32, Stop> {
    let count = u32::from(length_bits) + passes.ilog2();
    if count > 32 {
        return Err(Stop::Bad(format!("a length of {count} bits")));
    }
    bits.bits(count)
}

/// How many coding passes codeword segment number `segment` of a code-block holds when it is complete
/// (T.800 Table D.9); `None` if it never ends.
pub(crate) const fn passes_in_segment(coder: BlockCoder, style: CodeBlockStyle, segment: u16) -> Option<u32> {
    if matches!(coder, BlockCoder::HighThroughput) {
        // T.814: by turns a clean-up pass, and significance propagation with refinement.
        Some(1 + segment as u32 % 2)
    } else if style.has(CodeBlockStyle::TERMINATE_ALL) {
        Some(1)
    } else if style.has(CodeBlockStyle::BYPASS) {
        // The clean-up pass of the first plane and the three passes of the next three; then by turns a raw
        // segment (significance propagation and refinement) and a clean-up pass.
        Some(match segment {
            0 => 10,
            odd if odd % 2 == 1 => 2,
            _ => 1,
        })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::unusual_byte_groupings)]
    use super::*;

    #[test]
    fn the_bit_after_a_byte_of_ones_is_skipped() {
        let mut bits = BitReader::new(&[0xFF, 0x7F, 0x80]);
        assert_eq!(bits.bits(15), Ok(0x7FFF));
        assert_eq!(bits.bit(), Ok(true));
        assert_eq!(bits.finish(), Ok(3));
        let mut bits = BitReader::new(&[0xFF, 0x80]);
        assert_eq!(bits.bits(8), Ok(0xFF));
        assert!(matches!(bits.bit(), Err(Stop::Bad(_))));
    }

    #[test]
    fn a_header_does_not_end_in_a_byte_of_ones() {
        let mut bits = BitReader::new(&[0xFF, 0x00, 0x12]);
        bits.bits(8).unwrap();
        assert_eq!(bits.finish(), Ok(2));
        let mut bits = BitReader::new(&[0xFF]);
        bits.bits(8).unwrap();
        assert_eq!(bits.finish(), Err(Stop::CutOff));
    }

    #[test]
    fn numbers_of_passes_as_tabulated() {
        for (code, count, expected) in [
            (0b0, 1, 1),
            (0b10, 2, 2),
            (0b1100, 4, 3),
            (0b1101, 4, 4),
            (0b1110, 4, 5),
            (0b1111_00000, 9, 6),
            (0b1111_11110, 9, 36),
            (0b1111_11111_0000000u32, 16, 37),
            (0b1111_11111_1111110, 16, 163),
            (0b1111_11111_1111111, 16, 164),
        ] {
            // Bits one by one into bytes, with the stuffing.
            let mut bytes = vec![0u8];
            let mut free = 8;
            for i in (0..count).rev() {
                if free == 0 {
                    free = if bytes[bytes.len() - 1] == 0xFF { 7 } else { 8 };
                    bytes.push(0);
                }
                free -= 1;
                *bytes.last_mut().unwrap() |= ((code >> i & 1) as u8) << free;
            }
            let mut bits = BitReader::new(&bytes);
            assert_eq!(read_passes(&mut bits), Ok(expected), "{code:b}");
        }
    }

    #[test]
    fn segments_end_where_the_style_terminates() {
        let lengths = |style| {
            let style = CodeBlockStyle(style);
            (0..5).map(|segment| passes_in_segment(BlockCoder::BitPlane, style, segment)).collect::<Vec<_>>()
        };
        assert_eq!(lengths(0), [None; 5]);
        assert_eq!(lengths(CodeBlockStyle::TERMINATE_ALL | CodeBlockStyle::BYPASS), [Some(1); 5]);
        assert_eq!(lengths(CodeBlockStyle::BYPASS), [Some(10), Some(2), Some(1), Some(2), Some(1)]);
    }
}
