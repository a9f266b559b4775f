//! The block coder (T.800 Annex D), literally: bit-planes of a code-block as one codeword segment.

use super::mq_encoder::MqEncoder;

/// What the contexts of a code-block go by (T.800 Table D.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contexts {
    /// Of the LL and LH sub-bands.
    Vertical,
    /// Of the HL sub-band.
    Horizontal,
    /// Of the HH sub-band.
    Diagonal,
}

/// All passes of a code-block in the plain style: one codeword segment.
#[derive(Clone, Debug)]
pub struct EncodedBlock {
    /// Bit-planes from the most significant that is not empty.
    pub planes: u32,
    /// The codeword.
    pub bytes: Vec<u8>,
    /// How many bytes are enough for each pass and those before it, ascending.
    pub ends: Vec<usize>,
}

impl EncodedBlock {
    /// Encodes `width` coefficients a row.
    ///
    /// # Panics
    /// If all are 0, which has no codeword.
    pub fn new(width: usize, contexts: Contexts, coefficients: &[i32]) -> Self {
        let planes =
            32 - coefficients.iter().fold(0, |bits, value| bits | value.unsigned_abs()).leading_zeros();
        let mut walk = Walk {
            width: width as isize,
            height: (coefficients.len() / width) as isize,
            contexts,
            truth: coefficients,
            known: vec![Known::default(); coefficients.len()],
            encoder: MqEncoder::default(),
        };
        let mut ends = Vec::new();
        for plane in (0..planes).rev() {
            // The first plane has a clean-up pass alone.
            if plane + 1 < planes {
                walk.each(|walk, at| walk.propagate(at, plane));
                ends.push(walk.encoder.enough());
                walk.each(|walk, at| walk.refine(at, plane));
                ends.push(walk.encoder.enough());
            }
            walk.clean_up(plane);
            ends.push(walk.encoder.enough());
        }
        let bytes = walk.encoder.finish();
        for end in &mut ends {
            *end = (*end).min(bytes.len());
            // A segment does not end with 0xFF; the decoder supplies such bytes behind it.
            *end -= usize::from(bytes[*end - 1] == 0xFF);
        }
        if let Some(last) = ends.last_mut() {
            *last = bytes.len();
        }
        Self { planes, bytes, ends }
    }

    /// Coding passes.
    pub fn passes(&self) -> u32 {
        self.ends.len() as u32
    }
}

/// What a decoder knows of a coefficient.
#[derive(Clone, Copy, Default)]
struct Known {
    /// -1 or 1 once it is significant.
    sign: i32,
    visited: bool,
    refined: bool,
}

struct Walk<'a> {
    width: isize,
    height: isize,
    contexts: Contexts,
    truth: &'a [i32],
    known: Vec<Known>,
    encoder: MqEncoder,
}

impl Walk<'_> {
    /// All coefficients, in stripes of four rows (T.800 Figure D.1).
    fn each(&mut self, mut visit: impl FnMut(&mut Self, (isize, isize))) {
        for top in (0..self.height).step_by(4) {
            for x in 0..self.width {
                (top..(top + 4).min(self.height)).for_each(|y| visit(self, (x, y)));
            }
        }
    }

    fn index(&self, (x, y): (isize, isize)) -> usize {
        (y * self.width + x) as usize
    }

    fn sign(&self, x: isize, y: isize) -> i32 {
        let inside = (0..self.width).contains(&x) && (0..self.height).contains(&y);
        if inside { self.known[self.index((x, y))].sign } else { 0 }
    }

    fn bit(&self, at: (isize, isize), plane: u32) -> u32 {
        self.truth[self.index(at)].unsigned_abs() >> plane & 1
    }

    /// T.800 Table D.1.
    fn zero_coding(&self, (x, y): (isize, isize)) -> usize {
        let count = |list: &[(isize, isize)]| -> i32 {
            list.iter().map(|&(dx, dy)| self.sign(x + dx, y + dy).abs()).sum()
        };
        let (across, along) = (count(&[(-1, 0), (1, 0)]), count(&[(0, -1), (0, 1)]));
        let diagonal = count(&[(-1, -1), (1, -1), (-1, 1), (1, 1)]);
        let (h, v) = match self.contexts {
            Contexts::Vertical => (across, along),
            Contexts::Horizontal => (along, across),
            Contexts::Diagonal => {
                let both = across + along;
                return match diagonal {
                    0 => both.min(2) as usize,
                    1 => 3 + both.min(2) as usize,
                    2 => 6 + both.min(1) as usize,
                    _ => 8,
                };
            }
        };
        match (h, v) {
            (2, _) => 8,
            (1, 1..) => 7,
            (1, _) => 5 + diagonal.min(1) as usize,
            (_, 1..) => 2 + v as usize,
            _ => diagonal.min(2) as usize,
        }
    }

    /// The coefficient becomes significant: its sign (T.800 Tables D.2 and D.3).
    fn code_sign(&mut self, at: (isize, isize)) {
        let (x, y) = at;
        let h = (self.sign(x - 1, y) + self.sign(x + 1, y)).clamp(-1, 1);
        let v = (self.sign(x, y - 1) + self.sign(x, y + 1)).clamp(-1, 1);
        let context = match (h * v, h, v) {
            (1, ..) => 13,
            (-1, ..) => 11,
            (_, -1 | 1, _) => 12,
            (.., -1 | 1) => 10,
            _ => 9,
        };
        let inverted = u32::from(h < 0 || h == 0 && v < 0);
        let index = self.index(at);
        let negative = u32::from(self.truth[index] < 0);
        self.encoder.code(context, negative ^ inverted);
        self.known[index].sign = 1 - 2 * negative as i32;
    }

    fn code_significance(&mut self, at: (isize, isize), plane: u32) {
        let bit = self.bit(at, plane);
        self.encoder.code(self.zero_coding(at), bit);
        if bit == 1 {
            self.code_sign(at);
        }
    }

    /// T.800 D.3.1.
    fn propagate(&mut self, at: (isize, isize), plane: u32) {
        let index = self.index(at);
        let visits = self.known[index].sign == 0 && self.zero_coding(at) != 0;
        self.known[index].visited = visits;
        if visits {
            self.code_significance(at, plane);
        }
    }

    /// T.800 D.3.3.
    fn refine(&mut self, at: (isize, isize), plane: u32) {
        let index = self.index(at);
        let known = self.known[index];
        if known.sign == 0 || known.visited {
            return;
        }
        let context = match (known.refined, self.zero_coding(at)) {
            (true, _) => 16,
            (false, 0) => 14,
            (false, _) => 15,
        };
        self.encoder.code(context, self.bit(at, plane));
        self.known[index].refined = true;
    }

    /// T.800 D.3.4.
    fn clean_up(&mut self, plane: u32) {
        for top in (0..self.height).step_by(4) {
            for x in 0..self.width {
                let bottom = (top + 4).min(self.height);
                let mut from = top;
                let is_unknown = |y| {
                    let known = self.known[self.index((x, y))];
                    known.sign == 0 && !known.visited
                };
                if bottom - top == 4 && (top..bottom).all(|y| is_unknown(y) && self.zero_coding((x, y)) == 0)
                {
                    let first = (top..bottom).find(|&y| self.bit((x, y), plane) == 1);
                    self.encoder.code(17, u32::from(first.is_some()));
                    let Some(first) = first else { continue };
                    let row = (first - top) as u32;
                    self.encoder.code(18, row >> 1);
                    self.encoder.code(18, row & 1);
                    self.code_sign((x, first));
                    from = first + 1;
                }
                for y in from..bottom {
                    let known = self.known[self.index((x, y))];
                    if known.sign == 0 && !known.visited {
                        self.code_significance((x, y), plane);
                    }
                }
            }
        }
    }
}
