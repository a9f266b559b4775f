//! The MagSgn stream of a block: signs and magnitudes (T.814 7.1.2), unstuffed.

use super::clean_up::MAX_QUADS;
use super::unstuff;

/// Bytes that the largest block may read: 31 bits a sample.
const BYTES: usize = (MAX_QUADS * 4 * 31 / 8).next_power_of_two();
/// Bytes that may be read past those that are asked for.
const SLACK: usize = 64;

/// Bits that can be read anywhere.
pub(crate) struct MagSgn {
    bytes: Box<[u8; BYTES + SLACK]>,
    /// Bytes that are filled.
    end: usize,
}

impl MagSgn {
    pub(super) fn new() -> Self {
        Self { bytes: Box::new([0; _]), end: 0 }
    }

    /// Unstuffs another stream.
    pub(super) fn load(&mut self, stream: &[u8]) {
        let bits = unstuff::forwards(stream, &mut *self.bytes);
        self.end = bits.div_ceil(8);
        if !bits.is_multiple_of(8) {
            self.bytes[self.end - 1] |= 0xFF << (bits % 8);
        }
    }

    /// All bytes, the bits up to `position` as they are in the stream, or 1 where it has ended.
    #[inline(always)]
    pub(crate) fn up_to(&mut self, position: usize) -> &[u8; BYTES + SLACK] {
        let end = position.div_ceil(8).min(BYTES);
        if end > self.end {
            self.bytes[self.end..end].fill(0xFF);
            self.end = end;
        }
        &self.bytes
    }

    /// At least 57 bits from `position` on, of bytes that [`Self::up_to`] gave.
    #[inline(always)]
    pub(crate) fn window(bytes: &[u8; BYTES + SLACK], position: usize) -> u64 {
        let at = position / 8 % BYTES;
        let bytes = bytes[at..].first_chunk().expect("8 bytes follow the last position");
        u64::from_le_bytes(*bytes) >> (position % 8)
    }
}
