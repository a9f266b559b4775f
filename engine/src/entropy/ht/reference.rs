//! A literal, slow encoder of high-throughput blocks for tests (T.814): bit by bit, sample by sample.
#![allow(clippy::unwrap_used)]

use super::codewords::{FIRST, LATER, Row};

/// What to encode.
pub(super) struct Source<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row.
    pub(super) truth: &'a [i32],
    /// The bit-plane of the clean-up pass.
    pub(super) plane: u32,
    pub(super) causal: bool,
}

/// A coded block.
pub(super) struct Coded {
    pub(super) clean_up: Vec<u8>,
    /// What the clean-up pass tells: magnitude with its lowest plane, or `None` where insignificant.
    pub(super) samples: Vec<Option<Known>>,
}

/// What is known of a significant sample: bits of its magnitude under `plane` are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) magnitude: u32,
    pub(super) negative: bool,
    pub(super) plane: u32,
}

/// Bits into bytes, where a byte with some pattern makes the next one shorter.
struct Stuffed {
    bytes: Vec<u8>,
    byte: u8,
    filled: u32,
    highest_first: bool,
}

impl Stuffed {
    fn new(highest_first: bool) -> Self {
        Self { bytes: vec![], byte: 0, filled: 0, highest_first }
    }

    fn put(&mut self, bit: u32) {
        let width = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
        let at = if self.highest_first { width - 1 - self.filled } else { self.filled };
        self.byte |= (bit as u8) << at;
        self.filled += 1;
        if self.filled == width {
            self.bytes.push(self.byte);
            (self.byte, self.filled) = (0, 0);
        }
    }

    fn put_all(&mut self, bits: u32, length: u32) {
        (0..length).for_each(|bit| self.put(bits >> bit & 1));
    }

    /// Fills up with `bit`. The last byte is not 0xFF.
    fn finish(mut self, bit: u32) -> Vec<u8> {
        while self.filled > 0 {
            self.put(bit);
        }
        if self.bytes.last() == Some(&0xFF) {
            if bit == 1 {
                self.bytes.pop();
            } else {
                self.bytes.push(0);
            }
        }
        self.bytes
    }
}

/// Bits into bytes that are read from the last one on.
struct Backwards {
    /// In the order of reading.
    bytes: Vec<u8>,
    byte: u8,
    filled: u32,
}

impl Backwards {
    fn put(&mut self, bit: u32) {
        let before = self.bytes.last().copied().unwrap_or(0xFF);
        self.byte |= (bit as u8) << self.filled;
        self.filled += 1;
        if self.filled == 8 || self.filled == 7 && self.byte == 0x7F && before > 0x8F {
            self.bytes.push(self.byte);
            (self.byte, self.filled) = (0, 0);
        }
    }

    fn put_all(&mut self, bits: u32, length: u32) {
        (0..length).for_each(|bit| self.put(bits >> bit & 1));
    }

    /// In the order of reading.
    fn finish(mut self) -> Vec<u8> {
        while self.filled > 0 {
            self.put(0);
        }
        self.bytes
    }
}

/// The MEL coder.
struct Mel {
    bits: Stuffed,
    state: usize,
    run: u32,
}

impl Mel {
    const EXPONENTS: [u32; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

    fn put(&mut self, event: bool) {
        let exponent = Self::EXPONENTS[self.state];
        if event {
            self.bits.put(0);
            (0..exponent).rev().for_each(|bit| self.bits.put(self.run >> bit & 1));
            self.state = self.state.saturating_sub(1);
            self.run = 0;
            return;
        }
        self.run += 1;
        if self.run == 1 << exponent {
            self.bits.put(1);
            self.state = (self.state + 1).min(12);
            self.run = 0;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.run > 0 {
            self.bits.put(1);
        }
        self.bits.finish(0)
    }
}

impl Source<'_> {
    fn truth(&self, x: isize, y: isize) -> i32 {
        let inside = (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        if inside { self.truth[y as usize * self.width + x as usize] } else { 0 }
    }

    /// In units of the clean-up pass's plane.
    fn magnitude(&self, x: isize, y: isize) -> u32 {
        self.truth(x, y).unsigned_abs() >> self.plane
    }

    fn significant(&self, x: isize, y: isize) -> u32 {
        u32::from(self.magnitude(x, y) != 0)
    }

    /// Of 2 m - 1.
    fn exponent(&self, x: isize, y: isize) -> u32 {
        match self.magnitude(x, y) {
            0 => 0,
            magnitude => (2 * magnitude - 1).ilog2() + 1,
        }
    }

    fn context(&self, x: isize, y: isize) -> u32 {
        let at = |dx, dy| self.significant(x + dx, y + dy);
        if y == 0 {
            (at(-2, 0) | at(-2, 1)) + 2 * at(-1, 0) + 4 * at(-1, 1)
        } else {
            (at(-1, -1) | at(0, -1)) + 2 * (at(-1, 0) | at(-1, 1)) + 4 * (at(1, -1) | at(2, -1))
        }
    }

    pub(super) fn clean_up(&self) -> Coded {
        let mut vlc = Backwards { bytes: vec![], byte: 0xF, filled: 4 };
        let mut mel = Mel { bits: Stuffed::new(true), state: 0, run: 0 };
        let mut mag_sgn = Stuffed::new(false);
        for y in (0..self.height as isize).step_by(2) {
            for x in (0..self.width as isize).step_by(4) {
                let one = self.quad(x, y, &mut mel, &mut vlc, &mut mag_sgn);
                let two = if x + 2 < self.width as isize {
                    self.quad(x + 2, y, &mut mel, &mut vlc, &mut mag_sgn)
                } else {
                    0
                };
                put_residuals(one, two, y == 0, &mut mel, &mut vlc);
            }
        }
        let mut suffix = mel.finish();
        suffix.extend(vlc.finish().iter().rev());
        suffix.push(0xFF);
        let length = suffix.len();
        suffix[length - 1] = (length >> 4) as u8;
        suffix[length - 2] = suffix[length - 2] & 0xF0 | (length & 0xF) as u8;
        let mut clean_up = mag_sgn.finish(1);
        clean_up.append(&mut suffix);
        Coded { clean_up, samples: self.after_clean_up() }
    }

    /// Returns the residual of its exponent.
    fn quad(&self, x: isize, y: isize, mel: &mut Mel, vlc: &mut Backwards, mag_sgn: &mut Stuffed) -> u32 {
        let places = [(x, y), (x, y + 1), (x + 1, y), (x + 1, y + 1)];
        let exponents = places.map(|(x, y)| self.exponent(x, y));
        let significant = (0..4).map(|n| u32::from(exponents[n] > 0) << n).sum::<u32>();
        let context = self.context(x, y);
        if context == 0 {
            mel.put(significant != 0);
            if significant == 0 {
                return 0;
            }
        }
        let most = exponents.into_iter().max().unwrap_or(0);
        let above = (-1..=2).map(|dx| self.exponent(x + dx, y - 1)).max().unwrap_or(0);
        let predicted = if significant.count_ones() > 1 { above.saturating_sub(1).max(1) } else { 1 };
        let residual = most.saturating_sub(predicted);
        let bits = predicted + residual;
        let rows = if y == 0 { &FIRST[..] } else { &LATER[..] };
        // Of the rows that fit, one that tells most.
        let row = rows
            .iter()
            .map(|&row| Row::unpack(row))
            .filter(|row| {
                let longest = (0..4).map(|n| u32::from(exponents[n] == bits) << n).sum::<u32>();
                row.context == context
                    && row.significant == significant
                    && row.residual == u32::from(residual > 0)
                    && longest & row.known == row.ones
            })
            .max_by_key(|row| row.known.count_ones())
            .unwrap();
        vlc.put_all(row.codeword, row.length);
        for (n, (x, y)) in places.into_iter().enumerate() {
            if significant >> n & 1 == 1 {
                let value = 2 * (self.magnitude(x, y) - 1) + u32::from(self.truth(x, y) < 0);
                mag_sgn.put_all(value, bits - (row.known >> n & 1));
            }
        }
        residual
    }

    fn after_clean_up(&self) -> Vec<Option<Known>> {
        let known = |&value: &i32| {
            let magnitude = value.unsigned_abs() >> self.plane << self.plane;
            (magnitude != 0).then_some(Known { magnitude, negative: value < 0, plane: self.plane })
        };
        self.truth.iter().map(known).collect()
    }

    /// The samples in the order of the passes: stripes of 4 rows, column by column.
    fn scan(&self) -> impl Iterator<Item = (isize, isize)> + use<'_> {
        let (width, height) = (self.width as isize, self.height as isize);
        (0..height).step_by(4).flat_map(move |row| {
            (0..width).flat_map(move |x| (row..height.min(row + 4)).map(move |y| (x, y)))
        })
    }

    /// The segment of SigProp and, if `both`, MagRef; `samples` learn what it tells.
    pub(super) fn refine(&self, both: bool, samples: &mut [Option<Known>]) -> Vec<u8> {
        let plane = self.plane - 1;
        let at = |x: isize, y: isize| y as usize * self.width + x as usize;
        let mut backwards = Backwards { bytes: vec![], byte: 0, filled: 0 };
        let before = samples.to_vec();
        if both {
            for (x, y) in self.scan() {
                if let Some(known) = &mut samples[at(x, y)] {
                    known.magnitude = self.truth(x, y).unsigned_abs() >> plane << plane;
                    known.plane = plane;
                    backwards.put(known.magnitude >> plane & 1);
                }
            }
        }
        let mut forwards = Stuffed::new(false);
        let mut signs = vec![];
        let mut group = (0, 0);
        for (x, y) in self.scan() {
            if group != (x / 4, y / 4) {
                signs.drain(..).for_each(|sign| forwards.put(sign));
                group = (x / 4, y / 4);
            }
            let near = |dx: isize, dy: isize| {
                let (x, below) = (x + dx, y + dy);
                (0..self.width as isize).contains(&x)
                    && (0..self.height as isize).contains(&below)
                    && !(self.causal && below / 4 > y / 4)
                    && samples[at(x, below)].is_some()
            };
            let neighbours = (-1..=1).any(|dx| (-1..=1).any(|dy| near(dx, dy)));
            if before[at(x, y)].is_none() && neighbours {
                let magnitude = self.truth(x, y).unsigned_abs() >> plane << plane;
                forwards.put(magnitude >> plane);
                if magnitude != 0 {
                    let negative = self.truth(x, y) < 0;
                    samples[at(x, y)] = Some(Known { magnitude, negative, plane });
                    signs.push(u32::from(negative));
                }
            }
        }
        signs.into_iter().for_each(|sign| forwards.put(sign));
        let mut segment = forwards.finish(0);
        segment.extend(backwards.finish().iter().rev());
        segment
    }
}

/// The residuals of two quads; 0: none.
fn put_residuals(one: u32, two: u32, first_line: bool, mel: &mut Mel, vlc: &mut Backwards) {
    let mut codes = [one, two].map(|residual| (residual > 0).then(|| Code::new(residual)));
    if first_line && one > 0 && two > 0 {
        mel.put(one > 2 && two > 2);
        if one > 2 && two > 2 {
            codes = [one, two].map(|residual| Some(Code::new(residual - 2)));
        } else if one > 2 {
            codes[1] = Some(Code { prefix: (two - 1, 1), suffix: (0, 0), extension: (0, 0) });
        }
    }
    for part in [|code: &Code| code.prefix, |code: &Code| code.suffix, |code: &Code| code.extension] {
        for (bits, length) in codes.iter().flatten().map(part) {
            vlc.put_all(bits, length);
        }
    }
}

/// Three parts, each bits and length.
struct Code {
    prefix: (u32, u32),
    suffix: (u32, u32),
    extension: (u32, u32),
}

impl Code {
    fn new(residual: u32) -> Self {
        let (prefix, suffix, extension) = match residual {
            1 => ((1, 1), (0, 0), (0, 0)),
            2 => ((2, 2), (0, 0), (0, 0)),
            3 | 4 => ((4, 3), (residual - 3, 1), (0, 0)),
            5..33 => ((0, 3), (residual - 5, 5), (0, 0)),
            _ => {
                let more = (residual - 33) / 4;
                ((0, 3), (28 + (residual - 33) % 4, 5), (more, 4))
            }
        };
        Self { prefix, suffix, extension }
    }
}
