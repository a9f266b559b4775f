//! Bits stored without arithmetic coding (T.800 D.6, selective arithmetic coding bypass).

/// Reads bits, most significant first; the byte after 0xFF holds seven.
#[derive(Clone, Copy)]
pub(super) struct RawBits<'a> {
    bytes: &'a [u8],
    position: usize,
    current: u32,
    left: u32,
}

/// Where a reader of raw bits is.
#[derive(Clone, Copy)]
pub(super) struct RawRegisters {
    position: usize,
    current: u32,
    left: u32,
}

impl<'a> RawBits<'a> {
    /// Starts on a segment. What follows its end reads as ones.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, current: 0, left: 0 }
    }

    /// Where it is, to go on from later.
    pub(super) const fn registers(&self) -> RawRegisters {
        let Self { position, current, left, .. } = *self;
        RawRegisters { position, current, left }
    }

    /// Goes on where a reader of the beginning of the same segment was.
    pub(super) const fn resume(bytes: &'a [u8], registers: RawRegisters) -> Self {
        let RawRegisters { position, current, left } = registers;
        Self { bytes, position, current, left }
    }

    /// Whether nothing was read so far but bytes of the segment.
    pub(super) const fn is_within(&self) -> bool {
        self.position < self.bytes.len()
    }

    /// The next bit.
    #[inline(always)]
    pub(super) fn bit(&mut self) -> u32 {
        if self.left == 0 {
            self.left = if self.current == 0xFF && self.position < self.bytes.len() { 7 } else { 8 };
            self.current = self.bytes.get(self.position).map_or(0xFF, |&byte| byte.into());
            self.position += usize::from(self.position < self.bytes.len());
        }
        self.left -= 1;
        self.current >> self.left & 1
    }
}

#[cfg(test)]
mod tests {
    use super::RawBits;

    #[test]
    fn the_stuffed_bit_is_dropped_and_the_end_reads_as_ones() {
        let mut bits = RawBits::new(&[0xFF, 0x55, 0x80]);
        let mut take = |count: u32| (0..count).fold(0, |value, _| value << 1 | bits.bit());
        assert_eq!(take(8), 0xFF);
        assert_eq!(take(7), 0x55);
        assert_eq!(take(8), 0x80);
        assert_eq!(take(16), 0xFFFF);
    }
}
