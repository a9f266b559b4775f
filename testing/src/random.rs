//! Numbers that are the same in each run.

/// A small generator (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Other numbers for each seed, from the first on, be the seeds ever so near.
    pub fn new(seed: u64) -> Self {
        // The finaliser of SplitMix64.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((mixed ^ (mixed >> 31)).max(1))
    }

    /// Any number of 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// `0..end`; 0 if that is empty.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_bounds_and_near_seeds_are_far_apart() {
        let mut random = Random::new(0);
        assert_eq!((random.below(0), random.below(1)), (0, 0));
        let mut seen = [0; 6];
        for seed in 0..600 {
            seen[Random::new(seed).below(6) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (60..140).contains(&count)), "{seen:?}");
        assert!((0..1000).all(|_| random.float(2.0).abs() <= 2.0 && random.coded_byte() != 0xFF));
    }
}
