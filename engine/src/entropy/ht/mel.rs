//! The MEL decoder: an adaptive run-length code of binary events (T.814 7.3.3).

/// log2 of the longest run in each state ("MEL_E").
const EXPONENTS: [u8; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// What the next 6 bits of a stream say in a state.
#[derive(Clone, Copy)]
struct Run {
    /// Bits that are used.
    length: u8,
    /// Events 0.
    zeros: u8,
    /// 1 if an event 1 follows.
    one: u8,
    /// The state after it, times 64.
    next: u16,
}

/// Runs by state and 6 bits, the first one highest.
static RUNS: [Run; 13 * 64] = {
    let mut runs = [Run { length: 0, zeros: 0, one: 0, next: 0 }; 13 * 64];
    let mut index = 0;
    while index < runs.len() {
        let (state, bits) = (index / 64, index % 64);
        let exponent = EXPONENTS[state];
        runs[index] = if bits >> 5 == 1 {
            let next = if state < 12 { state + 1 } else { state };
            Run { length: 1, zeros: 1 << exponent, one: 0, next: 64 * next as u16 }
        } else {
            let zeros = (bits >> (5 - exponent)) as u8;
            let next = if state > 0 { state - 1 } else { state };
            Run { length: 1 + exponent, zeros, one: 1, next: 64 * next as u16 }
        };
        index += 1;
    }
    runs
};

/// Events that are decoded ahead of their use.
pub(super) struct Mel<'a> {
    bytes: &'a [u8],
    /// Bits of the stream, first one highest, and how many.
    bits: u64,
    bit_count: u32,
    after_ff: bool,
    /// Times 64.
    state: u16,
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

    #[inline(always)]
    fn decode_run(&mut self) {
        if self.bit_count < 6 {
            self.fetch();
        }
        let Run { length, zeros, one, next } = RUNS[usize::from(self.state) + (self.bits >> 58) as usize];
        self.bits <<= length;
        self.bit_count -= u32::from(length);
        self.event_count += u32::from(zeros);
        self.events |= u64::from(one) << self.event_count;
        self.event_count += u32::from(one);
        self.state = next;
    }

    #[cold]
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
