//! Bits of packet headers (T.800 B.10.1).

/// Bits, most significant first, with a 0 after each byte 0xFF.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    free: u32,
}

impl BitWriter {
    /// Adds the lowest `count` bits of `value`.
    pub fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.free = if self.bytes.last() == Some(&0xFF) { 7 } else { 8 };
                self.bytes.push(0);
            }
            self.free -= 1;
            *self.bytes.last_mut().expect("one was added") |= ((value >> bit & 1) as u8) << self.free;
        }
    }

    /// Adds the codeword for a number of coding passes, 1 to 164 (T.800 Table B.4).
    pub fn put_passes(&mut self, passes: u32) {
        match passes {
            1 => self.put(0, 1),
            2 => self.put(0b10, 2),
            3..=5 => self.put(0b1100 | (passes - 3), 4),
            6..=36 => self.put(0b1111 << 5 | (passes - 6), 9),
            _ => self.put(0b1_1111_1111 << 7 | (passes - 37), 16),
        }
    }

    /// The bytes; the last is filled with zeros, and never is 0xFF.
    pub fn finish(mut self) -> Vec<u8> {
        if self.bytes.last() == Some(&0xFF) {
            self.bytes.push(0);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_ones_is_followed_by_a_zero() {
        let mut bits = BitWriter::default();
        bits.put(0b101, 3);
        assert_eq!(bits.clone().finish(), [0b1010_0000]);
        bits.put(0b1_1111, 5);
        bits.put(0xFF, 8);
        assert_eq!(bits.clone().finish(), [0b1011_1111, 0xFF, 0]);
        bits.put(0b11, 2);
        assert_eq!(bits.finish(), [0b1011_1111, 0xFF, 0b0110_0000]);
    }
}
