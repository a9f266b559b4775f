//! Takes the stuffing bits out of the byte streams of a segment (T.814 7.1), so that bits can be fetched at any
//! position.

/// Copies a stream that is read forwards, lowest bit first, where the byte after 0xFF has 7 bits, to `out` as
/// far as it fits in. Returns the number of bits; those above in their last byte are 0.
pub(super) fn forwards(bytes: &[u8], out: &mut [u8]) -> usize {
    let mut writer = Writer::new(out);
    let mut rest = bytes;
    let mut after_ff = false;
    while let Some((&first, others)) = rest.split_first() {
        if after_ff {
            if !writer.put(u64::from(first & 0x7F), 7) {
                break;
            }
            after_ff = first == 0xFF;
            rest = others;
            continue;
        }
        let Some(chunk) = rest.first_chunk() else {
            if !writer.put(first.into(), 8) {
                break;
            }
            after_ff = first == 0xFF;
            rest = others;
            continue;
        };
        let word = u64::from_le_bytes(*chunk);
        // The lowest byte that is 0xFF is marked for certain; those above it may be by mistake.
        let full = (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
        after_ff = full != 0;
        let bits = if after_ff { full.trailing_zeros() + 1 } else { 64 };
        let word = if after_ff { word & (u64::MAX >> (64 - bits)) } else { word };
        if !writer.put(word, bits) {
            break;
        }
        rest = &rest[bits as usize / 8..];
    }
    writer.bits()
}

/// Copies a stream that is read backwards from the end of `bytes`, lowest bit first, where a byte whose low 7
/// bits are 1 has only these if the byte before it was more than 0x8F; `before`: the byte read before
/// the first. Returns the number of bits; those above in their last byte are 0.
pub(super) fn backwards(bytes: &[u8], mut before: u8, out: &mut [u8], head: (u64, u32)) -> usize {
    let mut writer = Writer::new(out);
    writer.put(head.0, head.1);
    let mut rest = bytes;
    while let Some((&last, others)) = rest.split_last() {
        if let Some((others, chunk)) = rest.split_last_chunk() {
            let word = u64::from_be_bytes(*chunk);
            let low = word & 0x7F7F_7F7F_7F7F_7F7F;
            if (low + 0x0101_0101_0101_0101) & 0x8080_8080_8080_8080 == 0 {
                if !writer.put(word, 64) {
                    break;
                }
                before = chunk[0];
                rest = others;
                continue;
            }
        }
        let bits = 8 - u32::from(before > 0x8F && last & 0x7F == 0x7F);
        if !writer.put(u64::from(last) & (0xFF >> (8 - bits)), bits) {
            break;
        }
        before = last;
        rest = others;
    }
    writer.bits()
}

/// Appends bits to bytes.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Bits of the byte at `at`, fewer than 8.
    kept: u64,
    count: u32,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, kept: 0, count: 0 }
    }

    /// Appends the low `count` bits, at most 64; those above must be 0. `false`: they do not fit in.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u32) -> bool {
        let Some(place) = self.out.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) else {
            return false;
        };
        let word = self.kept | bits << self.count;
        *place = word.to_le_bytes();
        let total = self.count + count;
        self.at += (total / 8) as usize;
        // Bits of the word that are not in whole bytes; `bits` has those that were shifted out.
        self.kept = match total {
            64.. => bits.checked_shr(64 - self.count).unwrap_or(0),
            _ => word >> (total & !7),
        };
        self.count = total % 8;
        true
    }

    fn bits(self) -> usize {
        // The byte that is begun was written with the bits before it, and zeros above.
        let end = self.at * 8 + self.count as usize;
        if let Some(place) = self.out.get_mut(self.at) {
            *place = self.kept as u8;
        }
        end
    }
}
