//! The passes after the clean-up pass (T.814 7.4, 7.5): SigProp finds samples that become significant one
//! bit-plane below, MagRef gives that plane's bit of the others. Both share a segment, one from each end.

use super::unstuff;

/// Bytes of an unstuffed stream that a block may use: two bits a sample.
const BYTES: usize = 4096 * 2 / 8;

/// Bits of one pass.
pub(super) struct Bits {
    bytes: [u8; BYTES + 16],
    position: usize,
}

impl Bits {
    pub(super) fn new() -> Self {
        Self { bytes: [0; _], position: 0 }
    }

    fn load(&mut self, unstuff: impl FnOnce(&mut [u8]) -> usize) {
        self.position = 0;
        let bits = unstuff(&mut self.bytes);
        // Bits after the end are 0.
        self.bytes[bits.div_ceil(8)..].fill(0);
    }

    /// Past the end, 0.
    fn take(&mut self) -> u32 {
        let byte = self.bytes.get(self.position / 8).copied().unwrap_or(0);
        let bit = byte >> (self.position % 8) & 1;
        self.position += 1;
        bit.into()
    }
}

/// The samples of a block that are to be refined.
pub(super) struct Refined<'a> {
    /// In half units, bit 31 the sign; rows are `stride` apart.
    pub(super) coefficients: &'a mut [u32],
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// The bit-plane that is refined.
    pub(super) plane: u32,
}

/// Rows of a stripe.
const STRIPE: usize = 4;

impl Refined<'_> {
    /// MagRef if `magnitudes`, and SigProp, with the bits of `segment`.
    pub(super) fn refine(&mut self, segment: &[u8], causal: bool, magnitudes: bool, bits: &mut Bits) {
        let mut old = [[0; 1024 + 2]; 3];
        let [mut above, mut here, mut below] = old.each_mut();
        if magnitudes {
            bits.load(|out| unstuff::backwards(segment, 0xFF, (0, 0), out));
            let mut row = 0;
            while row < self.height {
                self.significant(row, here);
                for column in 0..self.width {
                    self.refine_column(row, column, here[column + 1], bits);
                }
                row += STRIPE;
            }
        }
        bits.load(|out| unstuff::forwards(segment, out, |_, _| 0));
        // SigProp looks at what the clean-up pass left, and MagRef changed nothing of it.
        self.significant(0, here);
        let mut row = 0;
        while row < self.height {
            self.significant(row + STRIPE, below);
            let found = self.propagate(row, (above, here, below), causal, bits);
            for (here, found) in here.iter_mut().zip(found) {
                *here |= found;
            }
            std::mem::swap(&mut above, &mut here);
            std::mem::swap(&mut here, &mut below);
            row += STRIPE;
        }
    }

    /// Which samples of a stripe are significant: 4 bits a column, the top one lowest. The first and last
    /// entry are the columns beside the block.
    fn significant(&self, first: usize, columns: &mut [u8; 1024 + 2]) {
        columns.fill(0);
        for row in first..self.height.min(first + STRIPE) {
            let coefficients = &self.coefficients[row * self.stride..][..self.width];
            for (column, coefficient) in columns[1..].iter_mut().zip(coefficients) {
                *column |= u8::from(*coefficient != 0) << (row - first);
            }
        }
    }

    fn refine_column(&mut self, first: usize, column: usize, significant: u8, bits: &mut Bits) {
        for row in 0..STRIPE {
            if significant >> row & 1 == 1 {
                let coefficient = &mut self.coefficients[(first + row) * self.stride + column];
                *coefficient = *coefficient & !(1 << (self.plane + 1)) | Self::half(self.plane, bits.take());
            }
        }
    }

    /// A bit of the plane and the middle of what is left open below, in half units.
    fn half(plane: u32, bit: u32) -> u32 {
        bit << (plane + 1) | 1 << plane
    }

    /// One stripe of SigProp. Gives the samples that became significant.
    fn propagate(
        &mut self,
        first: usize,
        (above, here, below): (&[u8; 1026], &[u8; 1026], &[u8; 1026]),
        causal: bool,
        bits: &mut Bits,
    ) -> [u8; 1026] {
        let rows = STRIPE.min(self.height - first);
        let mut found = [0; 1026];
        // Bit 0: the sample above the stripe; 1..5: its own; 5: the sample below.
        let reach = |at: usize| {
            u32::from(above[at] >> 3)
                | u32::from(here[at]) << 1
                | if causal { 0 } else { u32::from(below[at] & 1) << 5 }
        };
        for group in (0..self.width).step_by(4) {
            let columns = group..self.width.min(group + 4);
            for column in columns.clone() {
                let at = column + 1;
                let sides = reach(at - 1) | u32::from(found[at - 1]) << 1 | reach(at + 1);
                let mut own = reach(at);
                if sides | own == 0 {
                    continue;
                }
                for row in 0..rows {
                    if here[at] >> row & 1 == 0 && (sides | own) >> row & 7 != 0 && bits.take() == 1 {
                        found[at] |= 1 << row;
                        own |= 2 << row;
                    }
                }
            }
            // The signs come after the 16 decisions.
            for column in columns {
                for row in 0..rows {
                    if found[column + 1] >> row & 1 == 1 {
                        self.coefficients[(first + row) * self.stride + column] =
                            bits.take() << 31 | Self::half(self.plane, 1);
                    }
                }
            }
        }
        found
    }
}
