//! The arithmetic encoder (T.800 C.2), literally.

/// Nineteen contexts, the codeword so far, and what of it is still in the registers.
#[derive(Clone, Debug)]
pub struct MqEncoder {
    /// Index into Table C.2 and more probable symbol of each context.
    contexts: [(usize, u32); 19],
    /// The codeword, after one byte that is none of it.
    bytes: Vec<u8>,
    a: u32,
    c: u32,
    ct: u32,
}

impl Default for MqEncoder {
    fn default() -> Self {
        let mut contexts = [(0, 0); 19];
        // T.800 Table D.7.
        (contexts[0].0, contexts[17].0, contexts[18].0) = (4, 3, 46);
        Self { contexts, bytes: vec![0], a: 0x8000, c: 0, ct: 12 }
    }
}

impl MqEncoder {
    /// Codes a decision in a context, 0 to 18 (T.800 Figures C.3 to C.7).
    pub fn code(&mut self, context: usize, decision: u32) {
        let (index, more_probable) = self.contexts[context];
        let (estimate, more, less, switch) = ESTIMATION[index];
        let estimate = u32::from(estimate);
        self.a -= estimate;
        let is_more_probable = decision == more_probable;
        if is_more_probable && self.a & 0x8000 != 0 {
            self.c += estimate;
            return;
        }
        // The larger part goes to the more probable symbol.
        if is_more_probable == (self.a < estimate) {
            self.a = estimate;
        } else {
            self.c += estimate;
        }
        self.contexts[context] = match is_more_probable {
            true => (more, more_probable),
            false => (less, more_probable ^ switch),
        };
        while self.a & 0x8000 == 0 {
            self.a <<= 1;
            self.c <<= 1;
            self.ct -= 1;
            if self.ct == 0 {
                self.byte_out();
            }
        }
    }

    /// Bytes of the finished codeword that are enough to decode everything coded so far.
    pub fn enough(&self) -> usize {
        // Four in the registers, and one for what may be carried into them.
        self.bytes.len() - 1 + 5
    }

    /// The codeword (T.800 C.2.9); it does not end with 0xFF.
    pub fn finish(mut self) -> Vec<u8> {
        let top = self.c + self.a;
        self.c |= 0xFFFF;
        if self.c >= top {
            self.c -= 0x8000;
        }
        for _ in 0..2 {
            self.c <<= self.ct;
            self.byte_out();
        }
        if self.bytes.last() == Some(&0xFF) {
            self.bytes.pop();
        }
        self.bytes.split_off(1)
    }

    fn byte_out(&mut self) {
        let last = self.bytes.last_mut().expect("there is one from the start");
        if *last != 0xFF && self.c >= 0x800_0000 {
            *last += 1;
            self.c &= 0x7FF_FFFF;
        }
        // A bit is stuffed after 0xFF.
        let (shift, bits) = if *last == 0xFF { (20, 7) } else { (19, 8) };
        self.bytes.push((self.c >> shift) as u8);
        self.c &= (1 << shift) - 1;
        self.ct = bits;
    }
}

/// Qe, NMPS, NLPS, SWITCH (T.800 Table C.2).
const ESTIMATION: [(u16, usize, usize, u32); 47] = [
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
    fn the_standards_test_sequence_is_coded_as_in_the_standard() {
        let decisions = [
            0x00, 0x02, 0x00, 0x51, 0x00, 0x00, 0x00, 0xC0, 0x03, 0x52, 0x87, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA,
            0x82, 0xC0, 0x20, 0x00, 0xFC, 0xD7, 0x9E, 0xF6, 0xBF, 0x7F, 0xED, 0x90, 0x4F, 0x46, 0xA3, 0xBF,
        ];
        let coded = [
            0x84, 0xC7, 0x3B, 0xFC, 0xE1, 0xA1, 0x43, 0x04, 0x02, 0x20, 0x00, 0x00, 0x41, 0x0D, 0xBB, 0x86,
            0xF4, 0x31, 0x7F, 0xFF, 0x88, 0xFF, 0x37, 0x47, 0x1A, 0xDB, 0x6A, 0xDF,
        ];
        let mut encoder = MqEncoder::default();
        for byte in decisions {
            // Context 1 starts as the sequence does.
            (0..8).rev().for_each(|bit| encoder.code(1, byte >> bit & 1));
        }
        assert_eq!(encoder.finish(), coded);
    }
}
