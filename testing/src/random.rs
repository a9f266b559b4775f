//! Numbers that are the same in each run.

/// A small generator (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Different numbers for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Any number of 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// `0..end`.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(end)) >> 32) as u32
    }

    /// About `-size..size`.
    pub fn float(&mut self, size: f32) -> f32 {
        (self.word() as f32 / (1u32 << 31) as f32 - 1.0) * size
    }

    /// Any byte but 0xFF, which would begin a marker.
    pub fn coded_byte(&mut self) -> u8 {
        self.below(255) as u8
    }
}
