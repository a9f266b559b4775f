//! The serial half of the clean-up pass: what MEL and VLC say of each quad (T.814 7.3). Quads are told in
//! pairs, line by line; several blocks of one size go side by side, since each has to wait for its own bits.

use super::mel::Mel;
use super::tables::{
    CONTEXT, CONTEXT_SHIFT, EVENT, EVENTS_SHIFT, FIRST_LINE, LATER_LINES, LEFT, LENGTH, LONG, Prefix, Quad,
    RESIDUAL_OF_FIRST, RESIDUAL_OF_SECOND, RESIDUALS, RIGHT, Residual, SIGNIFICANT_SHIFT, WEST,
};
use super::unstuff;

/// Most quads of a block, rows of them padded. A code-block of the standard needs no more.
pub(crate) const MAX_QUADS: usize = 2048;
/// Pairs of quads before the first row and after the last that may be read.
const BEFORE: usize = 2;
const AFTER: usize = 16;
/// Bytes of an unstuffed VLC stream: a suffix has at most 4079.
const VLC_BYTES: usize = 4096;
/// Quads whose contexts are worked out at once.
const CHUNK: usize = 16;
/// The quads above a chunk, and one on either side.
pub(crate) type Above = [Quad; CHUNK + 2];

/// The quads of a block, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Quads in a row that are coded.
    pub(crate) quads: usize,
    /// From one row to the next: a multiple of 4, and one more at least. The others are 0.
    pub(crate) stride: usize,
    /// Rows.
    pub(crate) lines: usize,
}

impl Shape {
    /// `None`: no code-block has this size.
    pub(crate) fn new(width: usize, height: usize) -> Option<Self> {
        let (quads, lines) = (width.div_ceil(2), height.div_ceil(2));
        let stride = (quads + 1).next_multiple_of(4);
        (width > 0 && height > 0 && stride.checked_mul(lines)? <= MAX_QUADS).then_some(Self {
            quads,
            stride,
            lines,
        })
    }
}

/// A clean-up segment, taken apart (T.814 7.1).
pub(crate) struct CleanUp<'a> {
    /// Signs and magnitudes.
    pub(super) mag_sgn: &'a [u8],
    /// MEL from the front, VLC from the back.
    suffix: &'a [u8],
}

impl<'a> CleanUp<'a> {
    /// `None`: the lengths contradict each other.
    pub(super) fn new(segment: &'a [u8]) -> Option<Self> {
        let &[.., low, high] = segment else { return None };
        let length = usize::from(high) << 4 | usize::from(low & 0x0F);
        if !(2..=4079).contains(&length) {
            return None;
        }
        let (mag_sgn, suffix) = segment.split_at(segment.len().checked_sub(length)?);
        Some(Self { mag_sgn, suffix })
    }

    fn mel(&self) -> Mel<'a> {
        Mel::new(&self.suffix[..self.suffix.len() - 1])
    }

    /// Unstuffs the VLC bits into `out`; returns how many they are.
    fn vlc(&self, out: &mut [u8]) -> usize {
        let (bytes, tail) = self.suffix.split_at(self.suffix.len() - 2);
        let nibble = tail[0] >> 4;
        let length = 4 - u32::from(nibble & 7 == 7);
        let head = (u64::from(nibble) & ((1 << length) - 1), length);
        unstuff::backwards(bytes, tail[0] | 0x0F, head, out)
    }
}

/// What is known of the quads of one block.
pub(crate) struct Lane {
    quads: [[Quad; 2]; BEFORE + MAX_QUADS / 2 + AFTER],
    residuals: [u16; MAX_QUADS / 2 + AFTER],
    vlc: [u8; VLC_BYTES + 8],
}

impl Lane {
    pub(super) fn new() -> Self {
        Self { quads: [[0; 2]; _], residuals: [0; _], vlc: [0; _] }
    }

    /// One for each quad. Some more may be read.
    pub(crate) fn quads(&self) -> &[Quad] {
        self.quads[BEFORE..].as_flattened()
    }

    /// The exponent's residual of each quad ("u_q"). Some more may be read.
    pub(crate) fn residuals(&self) -> &[u8] {
        bytemuck::cast_slice(&self.residuals)
    }

    /// The quads from one on, and the one before.
    fn above(&self, quad: usize) -> &Above {
        let quads = &self.quads.as_flattened()[2 * BEFORE - 1 + quad..];
        quads.first_chunk().expect("rows have room behind them")
    }

    /// Has what a pair of quads is.
    #[inline(always)]
    fn put(&mut self, pair: usize, quads: [Quad; 2], residuals: u16) {
        let pair = pair % (MAX_QUADS / 2);
        self.quads[BEFORE + pair] = quads;
        self.residuals[pair] = residuals;
    }

    #[inline(always)]
    fn window(&self, position: usize) -> u64 {
        let at = position / 8 % VLC_BYTES;
        let bytes = self.vlc[at..].first_chunk().expect("8 bytes follow the last position");
        u64::from_le_bytes(*bytes) >> (position % 8)
    }
}

/// Where a lane stands.
#[derive(Clone, Copy)]
struct State {
    /// Bits of the VLC stream that are read.
    position: usize,
    /// Events of the MEL stream in [`EVENT`] and above.
    events: u64,
    /// [`CONTEXT`] of the next quad, and above it what is known of those that follow.
    context: u64,
    /// The quad before.
    west: Quad,
}

/// Which quads of a row have a significant sample right above them, or to the left of that: of each quad of
/// a chunk, and of the one after it, a bit; they are 2 apart.
pub(crate) fn contexts(above: &Above) -> u64 {
    let near = above.windows(2).map(|pair| u64::from((pair[0] >> RIGHT | pair[1] >> LEFT) & 1));
    near.zip(0..).fold(0, |contexts, (bit, at)| contexts | bit << (2 * at))
}

/// Decodes the quads of blocks of one shape. Tells which of them are broken. `contexts`: the function of that
/// name, or one that does the same.
#[inline(always)]
pub(crate) fn decode<const N: usize>(
    blocks: [&CleanUp<'_>; N],
    shape: Shape,
    lanes: &mut [Lane; N],
    contexts: impl Fn(&Above) -> u64,
) -> [bool; N] {
    let mut mels = blocks.map(CleanUp::mel);
    let ends: [usize; N] = std::array::from_fn(|lane| {
        let vlc = &mut lanes[lane].vlc;
        let end = blocks[lane].vlc(vlc);
        // Bits after the end are 0, as far as they are asked for by one pair.
        vlc[end.div_ceil(8)..][..8].fill(0);
        end
    });
    let mut states = [State { position: 0, events: 0, context: 0, west: 0 }; N];
    decode_line::<N, true>(shape, 0, lanes, &mut mels, &mut states, &contexts);
    for line in 1..shape.lines {
        decode_line::<N, false>(shape, line, lanes, &mut mels, &mut states, &contexts);
    }
    std::array::from_fn(|lane| states[lane].position > ends[lane])
}

/// The events in the register have this bit above them.
const LAST_EVENT: u32 = 48;

#[inline(always)]
fn decode_line<const N: usize, const FIRST: bool>(
    shape: Shape,
    line: usize,
    lanes: &mut [Lane; N],
    mels: &mut [Mel<'_>; N],
    states: &mut [State; N],
    contexts: impl Fn(&Above) -> u64,
) {
    let first = line * shape.stride;
    let mut pair = first / 2;
    for state in states.iter_mut() {
        (state.context, state.west) = (0, 0);
    }
    for chunk in (0..shape.quads).step_by(CHUNK) {
        for lane in 0..N {
            let state = &mut states[lane];
            if !FIRST {
                let above = contexts(lanes[lane].above(first - shape.stride + chunk));
                state.context = above << CONTEXT_SHIFT | state.context & u64::from(WEST);
            }
            let events = mels[lane].refill() & ((1 << LAST_EVENT) - 1) | 1 << LAST_EVENT;
            state.events = events * u64::from(EVENT);
        }
        let count = CHUNK.min(shape.quads - chunk);
        for _ in 0..count / 2 {
            for lane in 0..N {
                decode_pair::<FIRST, true>(&mut lanes[lane], pair, &mut states[lane]);
            }
            pair += 1;
        }
        if count % 2 == 1 {
            for lane in 0..N {
                decode_pair::<FIRST, false>(&mut lanes[lane], pair, &mut states[lane]);
            }
            pair += 1;
        }
        for lane in 0..N {
            let taken = LAST_EVENT + EVENT.trailing_zeros() + states[lane].events.leading_zeros() - 63;
            mels[lane].take(taken);
        }
    }
    for pair in pair..(first + shape.stride) / 2 {
        lanes.iter_mut().for_each(|lane| lane.put(pair, [0; 2], 0));
    }
}

/// Two quads, or one at the end of a row. In the first line the context is only what is left of the quad.
#[inline(always)]
fn decode_pair<const FIRST: bool, const SECOND: bool>(lane: &mut Lane, pair: usize, state: &mut State) {
    let bits = lane.window(state.position);
    let (one, rest) = decode_quad::<FIRST>(bits, state);
    let (two, rest) = if SECOND { decode_quad::<FIRST>(rest, state) } else { (0, rest) };
    let index = rest as u32 & 0xFF | one & RESIDUAL_OF_FIRST | two & RESIDUAL_OF_SECOND;
    let residual = if FIRST {
        decode_first_residuals(rest as u32, index, state)
    } else {
        let residual = RESIDUALS[index as usize];
        if residual & LONG != 0 { decode_residuals(rest as u32, index) } else { residual }
    };
    lane.put(pair, [one, two], residual as u16);
    state.position += (one.wrapping_add(two).wrapping_add(residual >> 16) & LENGTH) as usize;
}

/// A quad, and the bits after its codeword.
#[inline(always)]
fn decode_quad<const FIRST: bool>(bits: u64, state: &mut State) -> (Quad, u64) {
    let context = if FIRST {
        let west = state.west >> SIGNIFICANT_SHIFT;
        ((west | west >> 1) & 1 | west >> 1 & 6) << CONTEXT_SHIFT
    } else {
        state.context as u32 & CONTEXT
    };
    let row = (state.events as u32 & EVENT | context) / EVENT;
    let table = if FIRST { &FIRST_LINE } else { &LATER_LINES };
    let quad = table[row as usize][bits as usize % 128];
    state.events >>= quad >> EVENTS_SHIFT & 63;
    state.context = state.context >> 2 | u64::from(quad & WEST);
    state.west = quad;
    (quad, bits >> (quad & LENGTH))
}

/// Residuals of any length; both prefixes, then both suffixes, then both extensions.
#[cold]
fn decode_residuals(bits: u32, index: u32) -> Residual {
    let first = index & RESIDUAL_OF_FIRST != 0;
    let second = index & RESIDUAL_OF_SECOND != 0;
    let one = if first { Prefix::of(bits) } else { Prefix::NONE };
    let two = if second { Prefix::of(bits >> one.length) } else { Prefix::NONE };
    finish_residuals(bits, one, two, 0)
}

/// Residuals of the first line: a MEL event tells whether two that are there are both more than 2; if not, and
/// the first is more than 2, then the second is a single bit.
#[inline(never)]
fn decode_first_residuals(bits: u32, index: u32, state: &mut State) -> Residual {
    let both = RESIDUAL_OF_FIRST | RESIDUAL_OF_SECOND;
    if index & both != both {
        return decode_residuals(bits, index);
    }
    let large = state.events as u32 & EVENT != 0;
    state.events >>= 1;
    let one = Prefix::of(bits);
    if large {
        return finish_residuals(bits, one, Prefix::of(bits >> one.length), 2);
    }
    let two = if one.value > 2 {
        Prefix { value: 1 + (bits >> one.length & 1), length: 1, suffix_length: 0 }
    } else {
        Prefix::of(bits >> one.length)
    };
    finish_residuals(bits, one, two, 0)
}

fn finish_residuals(bits: u32, one: Prefix, two: Prefix, more: u32) -> Residual {
    let mut used = one.length + two.length;
    let mut take = |length: u32| {
        let taken = bits >> used & ((1 << length) - 1);
        used += length;
        taken
    };
    let suffixes = (take(one.suffix_length), take(two.suffix_length));
    let extend = |suffix: u32, take: &mut dyn FnMut(u32) -> u32| if suffix >= 28 { 4 * take(4) } else { 0 };
    let u = one.value + more + suffixes.0 + extend(suffixes.0, &mut take);
    let v = two.value + more + suffixes.1 + extend(suffixes.1, &mut take);
    u | v << 8 | used << 16
}
