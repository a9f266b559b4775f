//! Parts of code-blocks: what a cell reads of their coefficients.

use wavetile_shaders::dequantise::DequantiseJob;

/// The part of a code-block that a cell reads, in staging words: rows of `words` words, `stride` words from one to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockPart {
    /// First word.
    pub first: u32,
    /// Words in a row of the block.
    pub stride: u32,
    /// Words in a row of the part, at most `stride`.
    pub words: u32,
    /// Rows.
    pub rows: u32,
}

impl BlockPart {
    /// The words that a job reads whose source is a whole block.
    #[must_use]
    pub const fn of(job: &DequantiseJob) -> Self {
        let (stride, rows) = (job.source_row, job.height);
        if job.width == 0 {
            return Self { first: 0, stride, words: 0, rows };
        }
        let samples = Self::samples_in_a_word(job);
        let column = job.source_x / samples;
        let words = (job.source_x + job.width - 1) / samples - column + 1;
        Self { first: job.source_y * stride + column, stride, words, rows }
    }

    /// The job with the part alone for its source, rows without gaps.
    #[must_use]
    pub const fn cut(self, job: DequantiseJob) -> DequantiseJob {
        let source_x = job.source_x % Self::samples_in_a_word(&job);
        DequantiseJob { source_row: self.words, source_x, source_y: 0, ..job }
    }

    /// The inverse of [`Self::cut`]: the job with the whole block for its source again, which begins at word 0.
    #[must_use]
    pub const fn whole(self, job: DequantiseJob) -> DequantiseJob {
        let (row, column) = match self.first.checked_div(self.stride) {
            Some(row) => (row, self.first - row * self.stride),
            None => (0, 0),
        };
        let source_x = column * Self::samples_in_a_word(&job) + job.source_x;
        DequantiseJob { source: 0, source_row: self.stride, source_x, source_y: row, ..job }
    }

    /// Words of all rows.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.words as u64 * self.rows as u64
    }

    /// No word.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The words of the part, in as few pieces as they lie in. `block`: the staging words of the block; rows that are not
    /// there are left out.
    pub fn pieces(self, block: &[u32]) -> impl Iterator<Item = &[u32]> {
        // Whole rows follow one another.
        let (length, count) = if self.words == self.stride {
            (self.len() as usize, 1)
        } else {
            (self.words as usize, self.rows)
        };
        (0..count as usize).map_while(move |row| {
            let start = self.first as usize + row * self.stride as usize;
            block.get(start..start + length)
        })
    }

    const fn samples_in_a_word(job: &DequantiseJob) -> u32 {
        1 + (job.flags & DequantiseJob::PACKED_16 != 0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavetile_shaders::dequantise;

    #[test]
    fn a_part_gives_the_samples_that_the_block_does() {
        for (width, height) in [(1_u32, 1_u32), (7, 3), (8, 5)] {
            for flags in [0, DequantiseJob::PACKED_16] {
                let source_row = if flags == 0 { width } else { width.div_ceil(2) };
                let block: Vec<u32> =
                    (0..source_row * height).map(|word| word * 0x0001_0003 + 0x0002_0001).collect();
                for (source_x, source_y) in [(0, 0), (1, 0), (3, 1), (6, 2), (0, 4)] {
                    if source_x >= width || source_y >= height {
                        continue;
                    }
                    for (columns, rows) in [(1, 1), (2, 2), (width, height)] {
                        let job = DequantiseJob {
                            source_row,
                            source_x,
                            source_y,
                            width: columns.min(width - source_x),
                            height: rows.min(height - source_y),
                            target_row: width,
                            flags,
                            ..DequantiseJob::default()
                        };
                        let part = BlockPart::of(&job);
                        let words: Vec<u32> = part.pieces(&block).flatten().copied().collect();
                        assert_eq!(words.len() as u64, part.len());
                        assert!(words.len() <= block.len());
                        assert_eq!(part.whole(part.cut(job)), job);
                        let run = |job: &DequantiseJob, words: &[u32]| {
                            let mut samples = vec![0; (width * height) as usize];
                            dequantise::run(job, words, &mut samples);
                            samples
                        };
                        assert_eq!(run(&part.cut(job), &words), run(&job, &block), "{job:?}");
                    }
                }
            }
        }
        assert!(BlockPart::of(&DequantiseJob::default()).is_empty());
        assert_eq!(BlockPart { first: 3, stride: 2, words: 1, rows: 4 }.pieces(&[0; 6]).count(), 2);
    }
}
