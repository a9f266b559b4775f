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
