//! Dequantisation (T.800 E.1): decoded coefficients of one code-block into the window of its sub-band.

use crate::shared::shared;
use bytemuck::{Pod, Zeroable};

/// One code-block, or the part of it inside the band window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct DequantiseJob {
    /// First word of the block in the uploaded coefficients.
    pub source: u32,
    /// Words in a row of the block: its width, or half of it rounded up with [`Self::PACKED_16`].
    pub source_row: u32,
    /// First column used inside the block.
    pub source_x: u32,
    /// First row used inside the block.
    pub source_y: u32,
    /// Columns to write.
    pub width: u32,
    /// Rows to write.
    pub height: u32,
    /// Arena word of the first sample.
    pub target: u32,
    /// Words in a row of the band window.
    pub target_row: u32,
    /// Bits [`Self::PACKED_16`] and [`Self::IRREVERSIBLE`].
    pub flags: u32,
    /// Factor from the stored integer to the coefficient; used with [`Self::IRREVERSIBLE`].
    pub step: f32,
    /// Zero.
    pub padding: [u32; 2],
}

impl DequantiseJob {
    shared! {
        /// Two signed 16-bit samples in a word, the left one in the low half.
        pub const PACKED_16: u32 = 1;
        /// Write `f32(value) * step`; otherwise the `i32` as it is.
        pub const IRREVERSIBLE: u32 = 2;
    }
}

/// Writes the job's part of a block into the arena. `coefficients` starts at the cell's first word.
///
/// # Panics
/// If the job reaches outside `coefficients` or `arena`.
pub fn run(job: &DequantiseJob, coefficients: &[u32], arena: &mut [u32]) {
    let width = job.width as usize;
    if width == 0 {
        return;
    }
    let first = job.source_x as usize;
    for row in 0..job.height as usize {
        let from = job.source as usize + (job.source_y as usize + row) * job.source_row as usize;
        let source = &coefficients[from..from + job.source_row as usize];
        let start = job.target as usize + row * job.target_row as usize;
        let target = &mut arena[start..start + width];
        match (job.flags & DequantiseJob::PACKED_16 != 0, job.flags & DequantiseJob::IRREVERSIBLE != 0) {
            (true, false) => unpack(source, first, target, |value| value as u32),
            (true, true) => unpack(source, first, target, |value| (value as f32 * job.step).to_bits()),
            (false, false) => target.copy_from_slice(&source[first..first + width]),
            (false, true) => {
                for (to, &from) in target.iter_mut().zip(&source[first..first + width]) {
                    *to = (from as i32 as f32 * job.step).to_bits();
                }
            }
        }
    }
}

/// Spreads pairs of 16-bit samples, from sample `first` on.
#[inline(always)]
fn unpack(source: &[u32], first: usize, target: &mut [u32], value: impl Fn(i32) -> u32) {
    let low = |word: u32| value(i32::from(word as i16));
    let high = |word: u32| value((word as i32) >> 16);
    let last = body_words(target.len(), first);
    let (head, body) = target.split_at_mut((first % 2).min(target.len()));
    if let Some(to) = head.first_mut() {
        *to = high(source[first / 2]);
    }
    let words = &source[first.div_ceil(2)..];
    let mut pairs = body.chunks_exact_mut(2);
    for (pair, &word) in pairs.by_ref().zip(words) {
        pair[0] = low(word);
        pair[1] = high(word);
    }
    if let Some(to) = pairs.into_remainder().first_mut() {
        *to = low(words[last]);
    }
}

/// Whole pairs written before the last sample.
const fn body_words(width: usize, first: usize) -> usize {
    (width - first % 2) / 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// One block in `coefficients` from word 3 on, stored as the job's flags say.
    fn store(samples: &[i32], width: usize, flags: u32) -> Vec<u32> {
        let mut words = vec![0xEEEE_EEEE; 3];
        for row in samples.chunks(width) {
            if flags & DequantiseJob::PACKED_16 == 0 {
                words.extend(row.iter().map(|&sample| sample as u32));
            } else {
                let pair = |pair: &[i32]| {
                    u32::from(pair[0] as u16)
                        | u32::from(pair.get(1).map_or(0x5555, |&right| right as u16)) << 16
                };
                words.extend(row.chunks(2).map(pair));
            }
        }
        words
    }

    #[test]
    fn both_ends_of_a_packed_word_keep_their_sign() {
        let coefficients = store(&[-32768, 32767, -1], 3, DequantiseJob::PACKED_16);
        let job = DequantiseJob {
            source: 3,
            source_row: 2,
            width: 3,
            height: 1,
            target: 1,
            target_row: 3,
            flags: DequantiseJob::PACKED_16,
            ..DequantiseJob::default()
        };
        let mut arena = [9; 5];
        run(&job, &coefficients, &mut arena);
        assert_eq!(arena.map(|word| word as i32), [9, -32768, 32767, -1, 9]);
    }

    proptest! {
        #[test]
        fn any_part_of_a_block_equals_the_formula(
            samples in prop::collection::vec(-32768..=32767_i32, 1..400),
            width in 1_usize..40,
            window in (0_usize..40, 0_usize..12, 0_usize..40, 0_usize..12),
            flags in 0_u32..4,
            step in prop::sample::select(vec![1.0_f32, 0.5, 0.013, 1e-6]),
            scale in 0_u32..2,
        ) {
            let packed = flags & DequantiseJob::PACKED_16 != 0;
            let height = samples.len().div_ceil(width);
            let sample = |i: usize| {
                let sample = samples.get(i).copied().unwrap_or(-5);
                if packed || scale == 0 { sample } else { sample * 60_000 }
            };
            let samples: Vec<i32> = (0..width * height).map(sample).collect();
            let (x, y) = (window.0.min(width), window.1.min(height));
            let (columns, rows) = (window.2.min(width - x), window.3.min(height - y));
            let job = DequantiseJob {
                source: 3,
                source_row: if packed { width.div_ceil(2) } else { width } as u32,
                source_x: x as u32,
                source_y: y as u32,
                width: columns as u32,
                height: rows as u32,
                target: 2,
                target_row: columns as u32 + 1,
                flags,
                step,
                padding: [0; 2],
            };
            let mut right = vec![0xABCD_u32; 2 + (columns + 1) * rows];
            let mut made = right.clone();
            for row in 0..rows {
                for column in 0..columns {
                    let sample = samples[(y + row) * width + x + column];
                    right[2 + row * (columns + 1) + column] = if flags & DequantiseJob::IRREVERSIBLE == 0 {
                        sample as u32
                    } else {
                        (sample as f32 * step).to_bits()
                    };
                }
            }
            run(&job, &store(&samples, width, flags), &mut made);
            prop_assert_eq!(&made, &right);
            if let Some(last) = made.last_mut() {
                *last ^= 1;
                prop_assert_ne!(made, right);
            }
        }
    }
}
