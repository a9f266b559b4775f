//! How large the cells of a plan may be.

use super::Cell;
use crate::geometry::Size;
use bytemuck::Pod;

/// How the output is cut into cells: squares, as large as these bounds allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSize {
    /// Side in output pixels, at most; cells are cut at multiples of it. `u32::MAX`: one cell, if it fits.
    pub side: u32,
    /// Bytes that a cell may take in any one buffer: samples; coefficients and jobs; or texels.
    pub buffer_bytes: u64,
}

impl CellSize {
    /// Small enough for the caches of a processor.
    pub const CPU: Self = Self { side: 512, buffer_bytes: 128 << 20 };
    /// Cells are not made smaller than this.
    const SMALLEST_SIDE: u32 = 16;

    /// Cells of at most `side` output pixels a side, within WebGPU's default limit for a binding (128 MiB).
    #[must_use]
    pub const fn of_side(side: u32) -> Self {
        Self { side, ..Self::CPU }
    }

    /// The side to begin with, from an estimate, for a window of `size` and so many components.
    pub(super) fn first_side(self, size: Size, components: u64) -> u32 {
        // Sub-bands and the levels made of them (a third more): 2.4 words a sample. A filter reaches a few
        // samples beyond the cell at every level.
        let bytes = |side: u32| {
            let length = |whole: u32| u128::from(whole.min(side.saturating_add(16)));
            length(size.width) * length(size.height) * u128::from(components) * 4 * 12 / 5
        };
        let mut side = self.side;
        while bytes(side) > self.buffer_bytes.into() {
            match Self::smaller_side(side, size) {
                Some(smaller) => side = smaller,
                None => break,
            }
        }
        side
    }

    /// The next smaller side that cuts a window of `size` differently; powers of two.
    pub(super) fn smaller_side(side: u32, size: Size) -> Option<u32> {
        let longest = size.width.max(size.height);
        let side = side.min(longest.checked_next_power_of_two().unwrap_or(u32::MAX));
        let smaller = 1 << side.checked_sub(1)?.checked_ilog2()?;
        (smaller >= Self::SMALLEST_SIDE).then_some(smaller)
    }

    /// Whether all buffers of a cell are within the bounds.
    pub(super) fn holds(self, cell: &Cell) -> bool {
        // Rows of texels are at most 8 bytes a pixel, and padded for texture copies.
        let texels = (u64::from(cell.rect.width()) * 8).next_multiple_of(256) * u64::from(cell.rect.height());
        let jobs = bytes(&cell.dequantise) + bytes(&cell.transform);
        let levels: u64 = cell.levels.iter().map(|jobs| bytes(jobs)).sum();
        // Coefficients and jobs are one upload.
        let upload = cell.upload_words * 4 + jobs + levels;
        [u64::from(cell.arena_words) * 4, upload, texels].iter().all(|&bytes| bytes <= self.buffer_bytes)
    }
}

/// Bytes of a list of jobs on the device: each has a word beside it, and each list starts aligned.
fn bytes<T: Pod>(jobs: &[T]) -> u64 {
    (size_of_val(jobs) + 4 * jobs.len()) as u64 + 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: CellSize = CellSize { side: u32::MAX, ..CellSize::CPU };

    #[test]
    fn a_window_that_fits_is_one_cell() {
        assert_eq!(WHOLE.first_side(Size::new(3000, 1500), 3), u32::MAX);
        assert_eq!(WHOLE.first_side(Size::new(1, 4_000_000), 1), u32::MAX);
        assert_eq!(
            CellSize { buffer_bytes: 1 << 30, ..WHOLE }.first_side(Size::new(7680, 4320), 3),
            u32::MAX
        );
    }

    #[test]
    fn cells_shrink_with_the_number_of_components() {
        let large = Size::new(1 << 20, 1 << 20);
        assert_eq!(CellSize::of_side(1024).first_side(large, 6), 1024);
        assert_eq!(CellSize::of_side(1024).first_side(large, 20), 512);
        assert_eq!(CellSize::of_side(512).first_side(large, 16_384 + 3), 16);
        assert_eq!(WHOLE.first_side(large, 3), 2048);
        assert_eq!(WHOLE.first_side(Size::new(5000, 5000), 3), 2048);
    }

    #[test]
    fn sides_go_down_in_powers_of_two_to_the_smallest() {
        let size = Size::new(1500, 100);
        let sides = std::iter::successors(Some(u32::MAX), |&side| CellSize::smaller_side(side, size));
        assert_eq!(sides.collect::<Vec<_>>(), [u32::MAX, 1024, 512, 256, 128, 64, 32, 16]);
        assert_eq!(CellSize::smaller_side(700, size), Some(512));
        assert_eq!(CellSize::smaller_side(1, Size::new(1, 1)), None);
        assert_eq!(CellSize::smaller_side(u32::MAX, Size::new(u32::MAX, 1)), Some(1 << 31));
    }
}
