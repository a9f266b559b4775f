//! The MQ arithmetic decoder (T.800 Annex C).
//!
//! Instead of the code register ("C") its distance from the upper end of the interval ("A" - "C") is kept:
//! the more probable symbol, whose sub-interval is the upper one, leaves that unchanged. Such a decision
//! is then one subtraction from the interval and one comparison.

use super::context;
use std::hint::select_unpredictable;

/// State of every context by its label: a word of [`NEXT`]. As many as make every 8-bit label valid.
#[derive(Clone)]
pub(super) struct Contexts([u64; 256]);

impl Contexts {
    pub(super) const fn new() -> Self {
        Self([0; 256])
    }

    /// The states in a byte each.
    pub(super) fn saved(&self) -> SavedContexts {
        std::array::from_fn(|label| self.0[label] as u8)
    }

    /// Takes up states that were saved.
    pub(super) fn restore(&mut self, saved: &SavedContexts) {
        for (context, &place) in self.0.iter_mut().zip(saved) {
            *context = state(u64::from(place / 4).min(LAST_STATE), u64::from(place >> 1 & 1));
        }
    }

    /// Sets the initial states (T.800 Table D.7).
    pub(super) fn reset(&mut self) {
        self.0[..context::COUNT].fill(state(0, 0));
        self.0[0] = state(4, 0);
        self.0[usize::from(context::RUN_LENGTH)] = state(3, 0);
        self.0[usize::from(context::UNIFORM)] = state(46, 0);
    }
}

/// The place of each context's state ([`NEXT`]).
pub(super) type SavedContexts = [u8; context::COUNT];

/// Bits of the registers below those of the standard: bytes read ahead.
const AHEAD: u32 = 48;
/// 0x8000, the lower end of the normalised interval.
const HALF: u64 = 0x8000 << AHEAD;

/// A decoder's registers between two decisions.
#[derive(Clone, Copy)]
pub(super) struct Registers {
    position: usize,
    interval: u64,
    distance: u64,
    ahead: u32,
}

/// The registers over one codeword segment.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Of the byte last read ("BP").
    position: usize,
    /// Length of the interval ("A").
    interval: u64,
    /// Distance of the code from the interval's upper end ("A" - "C"), at least 1.
    distance: u64,
    /// Bits read ahead and not shifted up ("CT").
    ahead: u32,
}

impl<'a> Decoder<'a> {
    /// Starts on a segment (INITDEC). What follows its end reads as bytes 0xFF.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let first = u64::from(bytes.first().copied().unwrap_or(0xFF));
        let distance = (0x100 - first) << AHEAD;
        let (distance, ahead, position) = shift_in(bytes, 0, distance, 0, 7);
        Self { bytes, position, interval: HALF, distance, ahead }
    }

    /// The registers, to go on from later.
    pub(super) const fn registers(&self) -> Registers {
        let Self { position, interval, distance, ahead, .. } = *self;
        Registers { position, interval, distance, ahead }
    }

    /// Goes on where a decoder over the beginning of the same segment was.
    pub(super) const fn resume(bytes: &'a [u8], registers: Registers) -> Self {
        let Registers { position, interval, distance, ahead } = registers;
        Self { bytes, position, interval, distance, ahead }
    }

    /// Whether nothing was looked at so far but bytes of the segment: with more of them after its end, the registers
    /// would be the same.
    pub(super) const fn is_within(&self) -> bool {
        self.position + 1 < self.bytes.len()
    }

    /// Decodes one decision with the context of a label (DECODE), without a branch that depends on it: for
    /// decisions that are hard to foresee.
    #[inline(always)]
    pub(super) fn decode(&mut self, contexts: &mut Contexts, label: u8) -> u32 {
        let context = &mut contexts.0[usize::from(label)];
        let state = *context;
        let estimate = state & ESTIMATE;
        let interval = self.interval - estimate;
        let exchanged = interval < estimate;
        let lower = interval < self.distance;
        let distance = select_unpredictable(lower, self.distance.wrapping_sub(interval), self.distance);
        let interval = select_unpredictable(lower, estimate, interval);
        // The interval is long enough as it is only after the more probable symbol.
        let unlikely = lower ^ exchanged;
        let next = NEXT[usize::from(state as u8) + usize::from(unlikely)];
        *context = select_unpredictable(interval >= HALF, state, next);
        self.renormalise(interval, distance);
        symbol(state) ^ u32::from(unlikely)
    }

    /// The same for decisions that mostly are the more probable symbol.
    #[inline(always)]
    pub(super) fn decode_likely(&mut self, contexts: &mut Contexts, label: u8) -> u32 {
        let state = contexts.0[usize::from(label)];
        let interval = self.interval - (state & ESTIMATE);
        if interval >= self.distance.max(HALF) {
            self.interval = interval;
            return symbol(state);
        }
        self.decode(contexts, label)
    }

    /// Shifts the interval up until it is at least `HALF` (RENORMD).
    #[inline(always)]
    fn renormalise(&mut self, interval: u64, distance: u64) {
        let shift = (interval | 1).leading_zeros();
        self.interval = interval << shift;
        if shift > self.ahead {
            (self.distance, self.ahead, self.position) =
                shift_in(self.bytes, self.position, distance, self.ahead, shift);
        } else {
            self.distance = distance << shift;
            self.ahead -= shift;
        }
    }
}

/// Shifts the distance up by more bits than were read ahead. On values, so that the registers need not
/// lie in memory.
#[cold]
#[inline(never)]
fn shift_in(
    bytes: &[u8],
    mut position: usize,
    mut distance: u64,
    mut ahead: u32,
    shift: u32,
) -> (u64, u32, usize) {
    let mut left = shift;
    while left > ahead {
        distance <<= ahead;
        left -= ahead;
        (distance, ahead, position) = read_ahead(bytes, position, distance);
    }
    (distance << left, ahead - left, position)
}

/// Takes up to six bytes into the low bits (BYTEIN). A byte after 0xFF whose first bit is set carries into
/// the byte before it, whose bits must then all be above already: such a byte is only read first.
#[inline(always)]
fn read_ahead(bytes: &[u8], mut position: usize, mut distance: u64) -> (u64, u32, usize) {
    if let Some(&eight) = bytes.get(position..).and_then(|rest| rest.first_chunk()) {
        let eight = u64::from_be_bytes(eight);
        // The byte last read and the first five of the next six are not 0xFF.
        let inverted = !eight | 0xFFFF;
        if inverted.wrapping_sub(0x0101_0101_0101_0101) & !inverted & 0x8080_8080_8080_8080 == 0 {
            return (distance - (eight >> 8 & ((1 << AHEAD) - 1)), AHEAD, position + 6);
        }
    }
    let byte = |at: usize| u64::from(bytes.get(at).copied().unwrap_or(0xFF));
    let mut room = AHEAD;
    while room >= 8 {
        let next = byte(position + 1);
        if byte(position) != 0xFF {
            room -= 8;
        } else if next > 0x8F {
            // A marker or the end: ones for ever.
            return (distance - ((1 << room) - 1), AHEAD, position);
        } else if next >= 0x80 && room != AHEAD {
            break;
        } else {
            room -= 7;
        }
        // No encoder carries out of the interval; noise is kept inside.
        distance = distance.saturating_sub(next << room).max(1 << room);
        position += 1;
    }
    (distance, AHEAD - room, position)
}

/// In a state: "Qe", scaled like [`Decoder`]'s registers.
const ESTIMATE: u64 = 0xFFFF << AHEAD;

/// The last index of T.800 Table C.2.
const LAST_STATE: u64 = ESTIMATION.len() as u64 - 1;

/// The two states that can follow each state: after the more and the less probable symbol. The low byte of
/// a state is its place here: four times the index of T.800 Table C.2, plus two if the more probable symbol
/// is 1. All 8-bit places are valid.
const NEXT: &[u64; 257] = &next_states();

const fn next_states() -> [u64; 257] {
    let mut table = [0; 257];
    let mut index = 0;
    while index < ESTIMATION.len() {
        let (_, more, less, switch) = ESTIMATION[index];
        let mut symbol = 0;
        while symbol < 2 {
            table[4 * index + 2 * symbol] = state(more, symbol as u64);
            table[4 * index + 2 * symbol + 1] = state(less, symbol as u64 ^ switch);
            symbol += 1;
        }
        index += 1;
    }
    table
}

/// The state for an index of T.800 Table C.2 and a more probable symbol.
const fn state(index: u64, symbol: u64) -> u64 {
    let (estimate, ..) = ESTIMATION[index as usize];
    (estimate as u64) << AHEAD | (4 * index + 2 * symbol)
}

/// The more probable symbol of a state.
#[inline(always)]
const fn symbol(state: u64) -> u32 {
    (state >> 1 & 1) as u32
}

/// Qe, NMPS, NLPS, SWITCH (T.800 Table C.2).
pub(super) const ESTIMATION: [(u16, u64, u64, u64); 47] = [
    (0x5601, 1, 1, 1),
    (0x3401, 2, 6, 0),
    (0x1801, 3, 9, 0),
    (0x0AC1, 4, 12, 0),
    (0x0521, 5, 29, 0),
    (0x0221, 38, 33, 0),
    (0x5601, 7, 6, 1),
    (0x5401, 8, 14, 0),
    (0x4801, 9, 14, 0),
    (0x3801, 10, 14, 0),
    (0x3001, 11, 17, 0),
    (0x2401, 12, 18, 0),
    (0x1C01, 13, 20, 0),
    (0x1601, 29, 21, 0),
    (0x5601, 15, 14, 1),
    (0x5401, 16, 14, 0),
    (0x5101, 17, 15, 0),
    (0x4801, 18, 16, 0),
    (0x3801, 19, 17, 0),
    (0x3401, 20, 18, 0),
    (0x3001, 21, 19, 0),
    (0x2801, 22, 19, 0),
    (0x2401, 23, 20, 0),
    (0x2201, 24, 21, 0),
    (0x1C01, 25, 22, 0),
    (0x1801, 26, 23, 0),
    (0x1601, 27, 24, 0),
    (0x1401, 28, 25, 0),
    (0x1201, 29, 26, 0),
    (0x1101, 30, 27, 0),
    (0x0AC1, 31, 28, 0),
    (0x09C1, 32, 29, 0),
    (0x08A1, 33, 30, 0),
    (0x0521, 34, 31, 0),
    (0x0441, 35, 32, 0),
    (0x02A1, 36, 33, 0),
    (0x0221, 37, 34, 0),
    (0x0141, 38, 35, 0),
    (0x0111, 39, 36, 0),
    (0x0085, 40, 37, 0),
    (0x0049, 41, 38, 0),
    (0x0025, 42, 39, 0),
    (0x0015, 43, 40, 0),
    (0x0009, 44, 41, 0),
    (0x0005, 45, 42, 0),
    (0x0001, 45, 43, 0),
    (0x5601, 46, 46, 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The test sequence of the arithmetic coder (T.88 H.2), which has one context.
    #[test]
    fn the_standards_test_sequence_decodes_to_the_standards_bytes() {
        let coded = [
            0x84, 0xC7, 0x3B, 0xFC, 0xE1, 0xA1, 0x43, 0x04, 0x02, 0x20, 0x00, 0x00, 0x41, 0x0D, 0xBB, 0x86,
            0xF4, 0x31, 0x7F, 0xFF, 0x88, 0xFF, 0x37, 0x47, 0x1A, 0xDB, 0x6A, 0xDF, 0xFF, 0xAC,
        ];
        let plain = [
            0x00, 0x02, 0x00, 0x51, 0x00, 0x00, 0x00, 0xC0, 0x03, 0x52, 0x87, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA,
            0x82, 0xC0, 0x20, 0x00, 0xFC, 0xD7, 0x9E, 0xF6, 0xBF, 0x7F, 0xED, 0x90, 0x4F, 0x46, 0xA3, 0xBF,
        ];
        let mut contexts = Contexts::new();
        contexts.reset();
        let mut decoder = Decoder::new(&coded);
        for byte in plain {
            let decoded = (0..8).fold(0, |bits, _| bits << 1 | decoder.decode(&mut contexts, 2));
            assert_eq!(decoded, byte);
        }
    }
}
