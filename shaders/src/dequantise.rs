//! Dequantisation (T.800 E.1): decoded coefficients of one code-block into the window of its sub-band.

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
    /// Two signed 16-bit samples in a word, the left one in the low half.
    pub const PACKED_16: u32 = 1;
    /// Write `f32(value) * step`; otherwise the `i32` as it is.
    pub const IRREVERSIBLE: u32 = 2;
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
