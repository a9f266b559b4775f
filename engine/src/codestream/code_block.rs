//! Code-blocks (T.800 B.7).

use crate::geometry::Rect;

/// The kind of a sub-band (T.800 B.5). The first letter is the horizontal filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// Low-pass both ways.
    Ll,
    /// Horizontally high-pass.
    Hl,
    /// Vertically high-pass.
    Lh,
    /// High-pass both ways.
    Hh,
}

impl Orientation {
    /// Whether the horizontal and the vertical filter is the high-pass one ("xob", "yob", T.800 Table B.1).
    #[must_use]
    pub const fn high_pass(self) -> (bool, bool) {
        match self {
            Self::Ll => (false, false),
            Self::Hl => (true, false),
            Self::Lh => (false, true),
            Self::Hh => (true, true),
        }
    }

    /// log2 of the sub-band's gain (T.800 Table E.1).
    #[must_use]
    pub const fn gain_log2(self) -> i32 {
        match self {
            Self::Ll => 0,
            Self::Hl | Self::Lh => 1,
            Self::Hh => 2,
        }
    }
}

/// How a code-block is coded. Where a codestream mixes both, each code-block says it in its packet headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BlockCoder {
    /// Arithmetic coding of bit-planes (T.800 Annexes C and D).
    #[default]
    BitPlane,
    /// High-throughput block coding (T.814).
    HighThroughput,
}

/// The code-blocks of one precinct in one sub-band, in raster order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeBlockGrid {
    /// The precinct's coefficients on the sub-band's grid; possibly empty.
    pub rect: Rect,
    /// log2 of the code-block width.
    pub width_exponent: u8,
    /// log2 of the code-block height.
    pub height_exponent: u8,
    /// Code-blocks in a row.
    pub columns: u32,
    /// Code-blocks in a column.
    pub rows: u32,
}

impl CodeBlockGrid {
    /// Cuts `rect` at the multiples of `2^width_exponent` and `2^height_exponent` (both at most 31).
    #[must_use]
    pub const fn new(rect: Rect, width_exponent: u8, height_exponent: u8) -> Self {
        let (columns, rows) = if rect.is_empty() {
            (0, 0)
        } else {
            (
                ((rect.x1 - 1) >> width_exponent) - (rect.x0 >> width_exponent) + 1,
                ((rect.y1 - 1) >> height_exponent) - (rect.y0 >> height_exponent) + 1,
            )
        };
        Self { rect, width_exponent, height_exponent, columns, rows }
    }

    /// Number of code-blocks.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.columns as u64 * self.rows as u64
    }

    /// No code-block.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.columns == 0 || self.rows == 0
    }

    /// The code-blocks that meet `window` (on the sub-band's grid), ascending.
    pub fn meeting(&self, window: Rect) -> impl Iterator<Item = u32> + use<> {
        let window = window.intersect(self.rect);
        let span = |from: u32, to: u32, start: u32, exponent: u8| {
            if window.is_empty() {
                0..0
            } else {
                (from >> exponent) - (start >> exponent)..((to - 1) >> exponent) - (start >> exponent) + 1
            }
        };
        let columns = span(window.x0, window.x1, self.rect.x0, self.width_exponent);
        let wide = self.columns;
        span(window.y0, window.y1, self.rect.y0, self.height_exponent)
            .flat_map(move |row| columns.clone().map(move |column| row * wide + column))
    }

    /// Code-block `index` on the sub-band's grid, cut to the precinct; empty if there is no such code-block.
    #[must_use]
    pub fn rect(&self, index: u32) -> Rect {
        if u64::from(index) >= self.len() {
            return Rect::default();
        }
        let cut = |start: u32, end: u32, exponent: u8, i: u32| {
            let first = u64::from((start >> exponent) + i) << exponent;
            let last = first + (1u64 << exponent);
            (start.max(first as u32), last.min(end.into()) as u32)
        };
        let (x0, x1) = cut(self.rect.x0, self.rect.x1, self.width_exponent, index % self.columns);
        let (y0, y1) = cut(self.rect.y0, self.rect.y1, self.height_exponent, index / self.columns);
        Rect::new(x0, y0, x1, y1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_blocks_of_a_window_are_those_that_have_a_sample_in_it() {
        let grid = CodeBlockGrid::new(Rect::new(5, 9, 37, 30), 3, 2);
        for (x0, y0) in [(0, 0), (5, 9), (7, 11), (8, 12), (30, 29), (36, 9), (37, 9), (40, 40)] {
            for (width, height) in [(0, 5), (1, 1), (2, 9), (100, 100)] {
                let window = Rect::new(x0, y0, x0 + width, y0 + height);
                let meeting = (0..grid.len() as u32).filter(|&index| grid.rect(index).meets(window));
                assert!(grid.meeting(window).eq(meeting), "{window}");
            }
        }
        assert_eq!(CodeBlockGrid::default().meeting(Rect::new(0, 0, 9, 9)).count(), 0);
    }
}
