//! The MagSgn stream of a block: signs and magnitudes (T.814 7.1.2), unstuffed.

use super::clean_up::MAX_QUADS;
use super::unstuff::{self, Writer};

/// Bytes that may be read past those that are asked for.
const SLACK: usize = 64;

/// Bits that can be read anywhere.
pub(crate) struct MagSgn {
    bytes: Box<Bytes>,
    /// Bytes that are filled.
    end: usize,
}

/// All bytes of a [`MagSgn`].
pub(crate) type Bytes = [u8; MagSgn::BYTES + SLACK];

impl MagSgn {
    /// Bytes that the largest block may read: 31 bits a sample, and those before.
    pub(crate) const BYTES: usize = (MAX_QUADS * 4 * 31 / 8 + 1).next_power_of_two();

    /// The position of the first bit.
    pub(crate) const START: usize = 8;

    pub(super) fn new() -> Self {
        Self { bytes: Box::new([0; _]), end: 0 }
    }

    /// Unstuffs another stream. `run`: see [`unstuff::forwards`].
    #[inline(always)]
    pub(crate) fn load(&mut self, stream: &[u8], run: impl Fn(&[u8], &mut Writer<'_>) -> usize) {
        let bits = Self::START + unstuff::forwards(stream, &mut self.bytes[Self::START / 8..], run);
        self.end = bits.div_ceil(8);
        if !bits.is_multiple_of(8) {
            self.bytes[self.end - 1] |= 0xFF << (bits % 8);
        }
    }

    /// All bytes, the bits up to `position` as they are in the stream, or 1 where it has ended.
    #[inline(always)]
    pub(crate) fn up_to(&mut self, position: usize) -> &Bytes {
        let end = position.div_ceil(8).min(Self::BYTES);
        if end > self.end {
            self.bytes[self.end..end].fill(0xFF);
            self.end = end;
        }
        &self.bytes
    }

    /// At least 57 bits from `position` on, of bytes that [`Self::up_to`] gave.
    #[inline(always)]
    pub(crate) fn window(bytes: &Bytes, position: usize) -> u64 {
        u64::from_le_bytes(*Self::bytes_at(bytes, position)) >> (position % 8)
    }

    /// The byte of a position and those that follow, [`SLACK`] at most.
    #[inline(always)]
    pub(crate) fn bytes_at<const N: usize>(bytes: &Bytes, position: usize) -> &[u8; N] {
        const { assert!(N <= SLACK) };
        bytes[position / 8 % Self::BYTES..].first_chunk().expect("as many follow the last position")
    }
}
