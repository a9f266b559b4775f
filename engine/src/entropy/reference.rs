//! A literal, slow block coder for tests (T.800 Annexes C and D): one walk over a block's decisions, which
//! either encodes them or decodes them.
#![allow(clippy::unwrap_used)]

use crate::codestream::code_block::Orientation;
use crate::codestream::header::CodeBlockStyle;

/// Codes one decision in a context: an encoder is told it, a decoder tells it.
pub(crate) trait Coder {
    fn code(&mut self, label: usize, decision: u32) -> u32;
    fn code_raw(&mut self, decision: u32) -> u32;
    fn start(&mut self, raw: bool);
    fn end(&mut self);
    fn reset(&mut self);
}

/// What is known of one coefficient.
#[derive(Clone, Copy, Default)]
pub(super) struct Coefficient {
    pub(super) magnitude: u32,
    pub(super) negative: bool,
    pub(super) significant: bool,
    /// The plane it was last decoded in.
    pub(super) plane: u32,
    visited: bool,
    refined: bool,
}

/// Whether a codeword segment ends after a pass, of `count` in all (T.800 Table D.9).
pub(crate) fn segment_ends(style: CodeBlockStyle, count: u32) -> impl Fn(u32) -> bool {
    move |pass| {
        pass + 1 == count
            || style.has(CodeBlockStyle::TERMINATE_ALL)
            || style.has(CodeBlockStyle::BYPASS) && pass >= 9 && pass % 3 != 1
    }
}

/// A block while its passes are walked.
pub(crate) struct Walk<'a> {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) orientation: Orientation,
    pub(super) style: CodeBlockStyle,
    /// What to encode; empty to decode.
    pub(super) truth: &'a [i32],
    pub(super) coefficients: Vec<Coefficient>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        (width, height): (u32, u32),
        orientation: Orientation,
        style: CodeBlockStyle,
        truth: &'a [i32],
    ) -> Self {
        let coefficients = vec![Coefficient::default(); (width * height) as usize];
        Self { width: width as i32, height: height as i32, orientation, style, truth, coefficients }
    }

    fn at(&self, x: i32, y: i32) -> Coefficient {
        if x < 0 || y < 0 || x >= self.width || y >= self.height {
            return Coefficient::default();
        }
        self.coefficients[(y * self.width + x) as usize]
    }

    /// The neighbour of (x, y) at a distance, as the contexts see it: 0, 1 or -1.
    fn neighbour(&self, x: i32, y: i32, dx: i32, dy: i32) -> i32 {
        if self.style.has(CodeBlockStyle::VERTICALLY_CAUSAL) && dy == 1 && y % 4 == 3 {
            return 0;
        }
        let coefficient = self.at(x + dx, y + dy);
        if !coefficient.significant {
            0
        } else if coefficient.negative {
            -1
        } else {
            1
        }
    }

    /// Table D.1.
    fn zero_coding_label(&self, x: i32, y: i32) -> usize {
        let count = |list: &[(i32, i32)]| -> i32 {
            list.iter().map(|&(dx, dy)| self.neighbour(x, y, dx, dy).abs()).sum()
        };
        let (mut h, mut v) = (count(&[(-1, 0), (1, 0)]), count(&[(0, -1), (0, 1)]));
        let d = count(&[(-1, -1), (1, -1), (-1, 1), (1, 1)]);
        if self.orientation == Orientation::Hh {
            let hv = h + v;
            return match d {
                0 => hv.min(2) as usize,
                1 => 3 + hv.min(2) as usize,
                2 => 6 + hv.min(1) as usize,
                _ => 8,
            };
        }
        if self.orientation == Orientation::Hl {
            std::mem::swap(&mut h, &mut v);
        }
        if h == 2 {
            8
        } else if h == 1 {
            if v >= 1 {
                7
            } else if d >= 1 {
                6
            } else {
                5
            }
        } else if v > 0 {
            2 + v as usize
        } else {
            d.min(2) as usize
        }
    }

    /// Tables D.2 and D.3: label and XORbit.
    fn sign_label(&self, x: i32, y: i32) -> (usize, u32) {
        let h = (self.neighbour(x, y, -1, 0) + self.neighbour(x, y, 1, 0)).clamp(-1, 1);
        let v = (self.neighbour(x, y, 0, -1) + self.neighbour(x, y, 0, 1)).clamp(-1, 1);
        let label = match (h * v, h.abs(), v.abs()) {
            (1, _, _) => 13,
            (-1, _, _) => 11,
            (_, 1, _) => 12,
            (_, _, 1) => 10,
            _ => 9,
        };
        (label, u32::from(h < 0 || h == 0 && v < 0))
    }

    fn truth_bit(&self, x: i32, y: i32, plane: u32) -> u32 {
        let at = (y * self.width + x) as usize;
        self.truth.get(at).map_or(0, |value| value.unsigned_abs() >> plane & 1)
    }

    fn significance(&mut self, x: i32, y: i32, plane: u32, raw: bool, coder: &mut dyn Coder) {
        let bit = self.truth_bit(x, y, plane);
        let bit = if raw { coder.code_raw(bit) } else { coder.code(self.zero_coding_label(x, y), bit) };
        if bit == 1 {
            self.sign(x, y, plane, raw, coder);
        }
    }

    fn sign(&mut self, x: i32, y: i32, plane: u32, raw: bool, coder: &mut dyn Coder) {
        let at = (y * self.width + x) as usize;
        let sign = u32::from(self.truth.get(at).is_some_and(|&value| value < 0));
        let (label, inverted) = self.sign_label(x, y);
        let sign = if raw { coder.code_raw(sign) } else { coder.code(label, sign ^ inverted) ^ inverted };
        let coefficient = &mut self.coefficients[at];
        coefficient.magnitude = 1 << plane;
        coefficient.negative = sign == 1;
        coefficient.significant = true;
        coefficient.plane = plane;
    }

    /// One coding pass: 0 significance propagation, 1 magnitude refinement, 2 cleanup.
    pub(super) fn pass(&mut self, kind: u32, plane: u32, raw: bool, coder: &mut dyn Coder) {
        for top in (0..self.height).step_by(4) {
            for x in 0..self.width {
                let bottom = (top + 4).min(self.height);
                match kind {
                    0 => (top..bottom).for_each(|y| self.propagate(x, y, plane, raw, coder)),
                    1 => (top..bottom).for_each(|y| self.refine(x, y, plane, raw, coder)),
                    _ => self.clean_up(x, top, bottom, plane, coder),
                }
            }
        }
        if kind == 2 && self.style.has(CodeBlockStyle::SEGMENTATION_SYMBOLS) {
            for bit in [1, 0, 1, 0] {
                coder.code(18, bit);
            }
        }
    }

    fn propagate(&mut self, x: i32, y: i32, plane: u32, raw: bool, coder: &mut dyn Coder) {
        let at = (y * self.width + x) as usize;
        self.coefficients[at].visited = false;
        if !self.at(x, y).significant && self.zero_coding_label(x, y) != 0 {
            self.significance(x, y, plane, raw, coder);
            self.coefficients[at].visited = true;
        }
    }

    fn refine(&mut self, x: i32, y: i32, plane: u32, raw: bool, coder: &mut dyn Coder) {
        let at = (y * self.width + x) as usize;
        let known = self.coefficients[at];
        if !known.significant || known.visited {
            return;
        }
        let label = match (known.refined, self.zero_coding_label(x, y)) {
            (true, _) => 16,
            (false, 0) => 14,
            (false, _) => 15,
        };
        let bit = self.truth_bit(x, y, plane);
        let bit = if raw { coder.code_raw(bit) } else { coder.code(label, bit) };
        let coefficient = &mut self.coefficients[at];
        coefficient.magnitude |= bit << plane;
        coefficient.plane = plane;
        coefficient.refined = true;
    }

    fn clean_up(&mut self, x: i32, top: i32, bottom: i32, plane: u32, coder: &mut dyn Coder) {
        let mut from = top;
        let run = bottom - top == 4
            && (top..bottom).all(|y| {
                let known = self.at(x, y);
                !known.significant && !known.visited && self.zero_coding_label(x, y) == 0
            });
        if run {
            let first = (top..bottom).find(|&y| self.truth_bit(x, y, plane) == 1);
            if coder.code(17, u32::from(first.is_some())) == 0 {
                return;
            }
            let row = (first.unwrap_or(top) - top) as u32;
            let row = coder.code(18, row >> 1) << 1 | coder.code(18, row & 1);
            let y = top + row as i32;
            self.sign(x, y, plane, false, coder);
            from = y + 1;
        }
        for y in from..bottom {
            let known = self.at(x, y);
            if !known.significant && !known.visited {
                self.significance(x, y, plane, false, coder);
            }
        }
    }

    /// Walks the first passes of `planes` planes; `ends(pass)` says where segments end.
    pub(crate) fn passes(
        &mut self,
        planes: u32,
        count: u32,
        coder: &mut dyn Coder,
        ends: &dyn Fn(u32) -> bool,
    ) {
        let mut start = true;
        for pass in 0..count {
            let kind = if pass == 0 { 2 } else { (pass - 1) % 3 };
            let plane = if pass == 0 { planes - 1 } else { planes - 2 - (pass - 1) / 3 };
            let raw = self.style.has(CodeBlockStyle::BYPASS) && pass >= 10 && kind != 2;
            if start {
                coder.start(raw);
            }
            self.pass(kind, plane, raw, coder);
            if self.style.has(CodeBlockStyle::RESET) {
                coder.reset();
            }
            start = ends(pass);
            if start {
                coder.end();
            }
        }
    }
}

/// Index and more probable symbol of each context.
#[derive(Clone)]
struct States([(usize, u32); 19]);

impl States {
    fn new() -> Self {
        let mut states = [(0, 0); 19];
        (states[0].0, states[17].0, states[18].0) = (4, 3, 46);
        Self(states)
    }

    fn estimate(&self, label: usize) -> u32 {
        super::mq::ESTIMATION[self.0[label].0].0.into()
    }

    fn more_probable(&mut self, label: usize) {
        self.0[label].0 = super::mq::ESTIMATION[self.0[label].0].1 as usize;
    }

    fn less_probable(&mut self, label: usize) {
        let (_, _, next, switch) = super::mq::ESTIMATION[self.0[label].0];
        self.0[label] = (next as usize, self.0[label].1 ^ switch as u32);
    }
}

/// The MQ encoder (T.800 C.2) and the writer of raw segments.
pub(crate) struct Encoder {
    states: States,
    /// Finished segments.
    pub(crate) segments: Vec<Vec<u8>>,
    /// The segment being written, after one byte that is none of it.
    bytes: Vec<u8>,
    raw: bool,
    a: u32,
    c: u32,
    ct: u32,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { states: States::new(), segments: vec![], bytes: vec![], raw: false, a: 0, c: 0, ct: 0 }
    }

    fn last(&mut self) -> &mut u8 {
        self.bytes.last_mut().unwrap()
    }

    fn byte_out(&mut self) {
        if *self.last() != 0xFF && self.c >= 0x800_0000 {
            *self.last() += 1;
            self.c &= 0x7FF_FFFF;
        }
        if *self.last() == 0xFF {
            self.bytes.push((self.c >> 20) as u8);
            self.c &= 0xF_FFFF;
            self.ct = 7;
        } else {
            self.bytes.push((self.c >> 19) as u8);
            self.c &= 0x7_FFFF;
            self.ct = 8;
        }
    }

    fn renormalise(&mut self) {
        loop {
            self.a <<= 1;
            self.c <<= 1;
            self.ct -= 1;
            if self.ct == 0 {
                self.byte_out();
            }
            if self.a & 0x8000 != 0 {
                break;
            }
        }
    }
}

impl Coder for Encoder {
    fn code(&mut self, label: usize, decision: u32) -> u32 {
        let qe = self.states.estimate(label);
        self.a -= qe;
        if decision == self.states.0[label].1 {
            if self.a & 0x8000 != 0 {
                self.c += qe;
                return decision;
            }
            if self.a < qe {
                self.a = qe;
            } else {
                self.c += qe;
            }
            self.states.more_probable(label);
        } else {
            if self.a < qe {
                self.c += qe;
            } else {
                self.a = qe;
            }
            self.states.less_probable(label);
        }
        self.renormalise();
        decision
    }

    fn code_raw(&mut self, decision: u32) -> u32 {
        if self.ct == 0 {
            self.ct = if *self.last() == 0xFF { 7 } else { 8 };
            self.bytes.push(0);
        }
        self.ct -= 1;
        let bit = (decision << self.ct) as u8;
        *self.last() |= bit;
        decision
    }

    fn start(&mut self, raw: bool) {
        self.raw = raw;
        self.bytes = vec![0];
        (self.a, self.c, self.ct) = (0x8000, 0, if raw { 0 } else { 12 });
    }

    fn end(&mut self) {
        if !self.raw {
            let top = self.c + self.a;
            self.c |= 0xFFFF;
            if self.c >= top {
                self.c -= 0x8000;
            }
            self.c <<= self.ct;
            self.byte_out();
            self.c <<= self.ct;
            self.byte_out();
        }
        if *self.last() == 0xFF {
            self.bytes.pop();
        }
        self.segments.push(self.bytes.split_off(1));
    }

    fn reset(&mut self) {
        self.states = States::new();
    }
}

/// The MQ decoder as the flow charts have it (T.800 C.3), and the reader of raw segments.
pub(super) struct LiteralDecoder<'a> {
    states: States,
    segments: std::slice::Iter<'a, Vec<u8>>,
    bytes: &'a [u8],
    bp: usize,
    a: u32,
    c: u32,
    ct: u32,
    raw_byte: u8,
}

impl<'a> LiteralDecoder<'a> {
    pub(super) fn new(segments: &'a [Vec<u8>]) -> Self {
        let states = States::new();
        Self { states, segments: segments.iter(), bytes: &[], bp: 0, a: 0, c: 0, ct: 0, raw_byte: 0 }
    }

    fn byte(&self, at: usize) -> u32 {
        self.bytes.get(at).map_or(0xFF, |&byte| byte.into())
    }

    fn byte_in(&mut self) {
        if self.byte(self.bp) != 0xFF {
            self.bp += 1;
            self.c += self.byte(self.bp) << 8;
            self.ct = 8;
        } else if self.byte(self.bp + 1) > 0x8F {
            self.c += 0xFF00;
            self.ct = 8;
        } else {
            self.bp += 1;
            self.c += self.byte(self.bp) << 9;
            // Not in the standard: only noise carries out of the interval.
            if self.c >= self.a << 16 {
                self.c = (self.a << 16) - (1 << 9);
            }
            self.ct = 7;
        }
    }
}

impl Coder for LiteralDecoder<'_> {
    fn code(&mut self, label: usize, _decision: u32) -> u32 {
        let qe = self.states.estimate(label);
        let more = self.states.0[label].1;
        self.a -= qe;
        let lower = self.c >> 16 < qe;
        if !lower {
            self.c -= qe << 16;
            if self.a & 0x8000 != 0 {
                return more;
            }
        }
        let decision = if lower == (self.a < qe) {
            self.states.more_probable(label);
            more
        } else {
            self.states.less_probable(label);
            1 - more
        };
        if lower {
            self.a = qe;
        }
        loop {
            if self.ct == 0 {
                self.byte_in();
            }
            self.a <<= 1;
            self.c <<= 1;
            self.ct -= 1;
            if self.a & 0x8000 != 0 {
                return decision;
            }
        }
    }

    fn code_raw(&mut self, _decision: u32) -> u32 {
        if self.ct == 0 {
            self.ct = if self.bp > 0 && self.raw_byte == 0xFF && self.bp < self.bytes.len() { 7 } else { 8 };
            self.raw_byte = self.byte(self.bp) as u8;
            self.bp += 1;
        }
        self.ct -= 1;
        u32::from(self.raw_byte) >> self.ct & 1
    }

    fn start(&mut self, raw: bool) {
        self.bytes = self.segments.next().unwrap();
        (self.bp, self.ct) = (0, 0);
        if !raw {
            self.a = 0x8000 >> 7;
            self.c = self.byte(0) << 16;
            self.byte_in();
            self.c <<= 7;
            self.ct -= 7;
            self.a <<= 7;
        }
    }

    fn end(&mut self) {}

    fn reset(&mut self) {
        self.states = States::new();
    }
}
