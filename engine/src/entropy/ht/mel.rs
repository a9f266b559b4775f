//! The MEL decoder: an adaptive run-length code of binary events (T.814 7.3.3).

/// log2 of the longest run in each state ("MEL_E").
static EXPONENTS: [u8; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// Events that are decoded ahead of their use.
pub(super) struct Mel<'a> {
    bytes: &'a [u8],
    /// Bits of the stream, first one highest, and how many.
    bits: u64,
    bit_count: u32,
    after_ff: bool,
    state: usize,
    /// Events, first one lowest, and how many.
    events: u64,
    event_count: u32,
}

impl<'a> Mel<'a> {
    /// Events there are at least after [`Self::refill`].
    pub(super) const READY: u32 = 28;

    /// `bytes`: the suffix of a clean-up segment, down to its last but one byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, bits: 0, bit_count: 0, after_ff: false, state: 0, events: 0, event_count: 0 }
    }

    /// The next [`Self::READY`] events or more, first one lowest.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> u64 {
        while self.event_count < Self::READY {
            self.decode_run();
        }
        self.events
    }

    /// Takes `count` of them.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) {
        self.events >>= count;
        self.event_count = self.event_count.saturating_sub(count);
    }

    fn decode_run(&mut self) {
        if self.bit_count < 6 {
            self.fetch();
        }
        let exponent = u32::from(EXPONENTS[self.state]);
        if self.bits >> 63 == 1 {
            self.bits <<= 1;
            self.bit_count -= 1;
            self.event_count += 1 << exponent;
            self.state = (self.state + 1).min(EXPONENTS.len() - 1);
        } else {
            let run = (self.bits >> (63 - exponent)) as u32;
            self.bits <<= 1 + exponent;
            self.bit_count -= 1 + exponent;
            self.events |= 1 << (self.event_count + run);
            self.event_count += run + 1;
            self.state = self.state.saturating_sub(1);
        }
    }

    fn fetch(&mut self) {
        while self.bit_count <= 56 {
            let byte = match self.bytes.split_first() {
                Some((&byte, rest)) => {
                    self.bytes = rest;
                    // The last byte is shared: its low half is not of this stream.
                    if rest.is_empty() { byte | 0x0F } else { byte }
                }
                None => 0xFF,
            };
            let width = 8 - u32::from(self.after_ff);
            let value = u64::from(byte) & (0xFF >> (8 - width));
            self.bits |= value << (64 - width - self.bit_count);
            self.bit_count += width;
            self.after_ff = byte == 0xFF;
        }
    }
}
