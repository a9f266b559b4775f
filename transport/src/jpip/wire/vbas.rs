//! Variable-length byte-aligned segments (VBAS, T.808 A.2): 7 bits in each byte, most significant first,
//! bit 7 set in all but the last.

/// Longest VBAS that is read. Ten bytes hold any `u64`; some servers put zero groups before the number.
pub const MAX_LEN: usize = 18;

/// A VBAS that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VbasError {
    /// The number needs more than 64 bits.
    #[error("a variable-length number exceeds 64 bits")]
    Overflow,
    /// The last byte does not come within [`MAX_LEN`] bytes.
    #[error("a variable-length number is longer than {MAX_LEN} bytes")]
    TooLong,
}

/// Appends `value` in as few bytes as possible.
pub fn write(out: &mut Vec<u8>, value: u64) {
    for group in (0..len(value)).rev() {
        out.push(group_of(value, group));
    }
}

/// Bytes that [`write()`] appends: 1 to 10.
#[must_use]
pub fn len(value: u64) -> usize {
    let bits = (64 - value.leading_zeros()).max(1) as usize;
    bits.div_ceil(7)
}

/// Reads the number at the start of `bytes`: its value and its length in bytes.
/// `None` if `bytes` ends too early. Leading zero groups are accepted.
///
/// # Errors
/// [`VbasError`] if it exceeds 64 bits or [`MAX_LEN`] bytes.
pub fn read(bytes: &[u8]) -> Result<Option<(u64, usize)>, VbasError> {
    read_after(0, bytes)
}

/// Goes on reading a number whose upper bits are `high`.
pub(super) fn read_after(high: u64, bytes: &[u8]) -> Result<Option<(u64, usize)>, VbasError> {
    let mut value = high;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        if value >> 57 != 0 {
            return Err(VbasError::Overflow);
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() >= MAX_LEN { Err(VbasError::TooLong) } else { Ok(None) }
}

/// The byte of 7-bit group `group` (0 = least significant), with its continuation bit.
pub(super) fn group_of(value: u64, group: usize) -> u8 {
    let bits = (value >> (7 * group)) as u8 & 0x7f;
    if group == 0 { bits } else { bits | 0x80 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EDGES: [u64; 9] = [0, 1, 127, 128, 16_383, 16_384, u32::MAX as u64, 1 << 63, u64::MAX];

    #[test]
    fn every_number_comes_back_and_every_truncation_asks_for_more() {
        for value in EDGES {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            assert_eq!(bytes.len(), len(value), "{value}");
            assert_eq!(read(&bytes), Ok(Some((value, bytes.len()))), "{value}");
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Ok(None), "{value} cut at {cut}");
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_standard() {
        let mut bytes = Vec::new();
        write(&mut bytes, 300);
        assert_eq!(bytes, [0x82, 0x2c]);
    }

    #[test]
    fn leading_zero_groups_are_accepted_up_to_a_bound() {
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x05]), Ok(Some((5, 4))));
        assert_eq!(read(&[0x80; MAX_LEN]), Err(VbasError::TooLong));
    }

    #[test]
    fn sixty_five_bits_overflow() {
        let mut bytes = vec![0xff; 9];
        bytes.push(0x7f);
        assert_eq!(read(&bytes), Err(VbasError::Overflow));
    }
}
