//! Takes the stuffing bits out of the byte streams of a segment (T.814 7.1), so that bits can be fetched at any
//! position.

/// Copies a stream that is read forwards, lowest bit first, where the byte after 0xFF has 7 bits, to `out` as
/// far as it fits in. Returns the number of bits; those above in their last byte are 0.
///
/// `run` may append bytes that are not 0xFF, and tells how many; [`Writer::put`] appends the others.
#[inline(always)]
pub(super) fn forwards(bytes: &[u8], out: &mut [u8], run: impl Fn(&[u8], &mut Writer<'_>) -> usize) -> usize {
    let mut writer = Writer::new(out);
    let mut rest = bytes;
    let mut after_ff = false;
    let mut fits = true;
    while fits && !rest.is_empty() {
        if !after_ff {
            rest = &rest[run(rest, &mut writer)..];
        }
        let word = first_word(rest);
        // The lowest byte that is 0xFF is marked for certain; those above it may be by mistake.
        let full = (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
        let bytes = rest.len().min(full.trailing_zeros() as usize / 8 + 1).min(8);
        let (word, bits) = match (after_ff, bytes) {
            (true, _) => (word & 0x7F, 7),
            (false, 8) => (word, 64),
            (false, bytes) => (word & ((1 << (8 * bytes)) - 1), 8 * bytes as u32),
        };
        let bytes = if after_ff { 1 } else { bytes };
        fits = writer.put(word, bits);
        let (taken, others) = rest.split_at(bytes);
        after_ff = taken.last() == Some(&0xFF);
        rest = others;
    }
    writer.bits()
}

/// Copies a stream that is read backwards from the end of `bytes`, lowest bit first, where a byte whose low 7
/// bits are 1 has only these if the byte before it was more than 0x8F. `before`: the byte read before
/// the first; `head`: bits that come before, and how many. Returns the number of bits; those above in their last
/// byte are 0.
#[inline(always)]
pub(super) fn backwards(bytes: &[u8], before: u8, head: (u64, u32), out: &mut [u8]) -> usize {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let mut writer = Writer::new(out);
    let mut fits = writer.put(head.0, head.1);
    let mut before = u64::from(before);
    let mut rest = bytes;
    while fits && !rest.is_empty() {
        let (word, whole) = match rest.last_chunk() {
            Some(chunk) => (u64::from_be_bytes(*chunk), true),
            // There is 0 where there are no more.
            None => (rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), false),
        };
        // Bytes of 7 ones or more, and those that come after more than 0x8F, have their highest bit here.
        let ones = (word & LOW) + 0x0101_0101_0101_0101;
        let previous = word << 8 | before;
        let stuffed = ones & ((previous & LOW) + 0x7070_7070_7070_7070) & previous & !LOW;
        if whole && stuffed == 0 {
            fits = writer.put(word, 64);
            before = word >> 56;
            rest = &rest[..rest.len() - 8];
            continue;
        }
        let bytes = rest.len().min(stuffed.trailing_zeros() as usize / 8 + 1).min(8);
        let bits = 8 * bytes as u32 - u32::from(stuffed >> (8 * bytes - 1) & 1 == 1);
        fits = writer.put(word & (u64::MAX >> (64 - bits)), bits);
        before = word >> (8 * bytes - 8) & 0xFF;
        rest = &rest[..rest.len() - bytes];
    }
    writer.bits()
}

/// The first bytes, the first one lowest. There is 0 where there are no more.
#[inline(always)]
fn first_word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// Appends bits to bytes.
pub(crate) struct Writer<'a> {
    pub(crate) out: &'a mut [u8],
    /// Bytes that are whole.
    pub(crate) at: usize,
    /// Bits of the byte at `at`, fewer than 8, and how many.
    pub(crate) kept: u64,
    pub(crate) count: u32,
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
        match self.out.get_mut(self.at) {
            // The byte that is begun was written with the bits before it, and zeros above.
            Some(place) => {
                *place = self.kept as u8;
                self.at * 8 + self.count as usize
            }
            // It does not fit in.
            None => self.at * 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_bits_are_told_than_fit_in() {
        for length in [8, 16, 24, 40] {
            for full in 0..64 {
                // A byte of 7 bits moves all that follow.
                let mut stream = [0x11; 64];
                stream[full] = 0xFF;
                let mut out = vec![0; length];
                assert!(forwards(&stream, &mut out, |_, _| 0) <= 8 * length, "{length}, {full}");
                let mut out = vec![0; length];
                assert!(backwards(&stream, 0xFF, (0, 0), &mut out) <= 8 * length, "{length}, {full}");
                let mut out = vec![0; length];
                assert!(backwards(&stream, 0x91, (5, 3), &mut out) <= 8 * length, "{length}, {full}");
            }
        }
    }
}
