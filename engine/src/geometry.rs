//! Sizes and half-open rectangles on the grids of T.800 Annex B.
//!
//! The same type serves every grid (reference, component, resolution, sub-band); the *name* of a
//! variable or field says which grid its coordinates live on.

/// `ceil(a / b)` for `b > 0`.
#[inline]
#[must_use]
pub const fn ceil_div(a: u32, b: u32) -> u32 {
    a.div_ceil(b)
}

/// `ceil(a / 2^n)`, for any `n` (T.800 B.5 and B.7 divide by powers of two up to `2^33`).
#[inline]
#[must_use]
pub const fn ceil_shift(a: u32, n: u32) -> u32 {
    if n >= 32 { if a == 0 { 0 } else { 1 } } else { (((a as u64) + (1u64 << n) - 1) >> n) as u32 }
}

/// `floor(a / 2^n)`, for any `n`.
#[inline]
#[must_use]
pub const fn floor_shift(a: u32, n: u32) -> u32 {
    if n >= 32 { 0 } else { a >> n }
}

/// A width and a height in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Samples in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// `width` by `height` samples.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Number of samples.
    #[must_use]
    pub const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// The samples `x0 <= x < x1`, `y0 <= y < y1`. Empty when either range is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// First column.
    pub x0: u32,
    /// First row.
    pub y0: u32,
    /// One past the last column.
    pub x1: u32,
    /// One past the last row.
    pub y1: u32,
}

impl Rect {
    /// The rectangle `x0..x1` by `y0..y1`.
    #[must_use]
    pub const fn new(x0: u32, y0: u32, x1: u32, y1: u32) -> Self {
        Self { x0, y0, x1, y1 }
    }

    /// Columns; 0 when the range is reversed.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.x1.saturating_sub(self.x0)
    }

    /// Rows; 0 when the range is reversed.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.y1.saturating_sub(self.y0)
    }

    /// Width and height.
    #[must_use]
    pub const fn size(self) -> Size {
        Size::new(self.width(), self.height())
    }

    /// Number of samples.
    #[must_use]
    pub const fn area(self) -> u64 {
        self.size().area()
    }

    /// No sample inside.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.x1 <= self.x0 || self.y1 <= self.y0
    }

    /// The samples in both; possibly empty, then normalised so that no edge is reversed.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        let x0 = self.x0.max(other.x0);
        let y0 = self.y0.max(other.y0);
        Self { x0, y0, x1: self.x1.min(other.x1).max(x0), y1: self.y1.min(other.y1).max(y0) }
    }

    /// Whether a sample is in both.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        !self.intersect(other).is_empty()
    }

    /// Whether every sample of `other` is inside.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        other.is_empty()
            || (self.x0 <= other.x0 && self.y0 <= other.y0 && self.x1 >= other.x1 && self.y1 >= other.y1)
    }

    /// The smallest rectangle that holds both; an empty one adds nothing.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            other
        } else if other.is_empty() {
            self
        } else {
            Self {
                x0: self.x0.min(other.x0),
                y0: self.y0.min(other.y0),
                x1: self.x1.max(other.x1),
                y1: self.y1.max(other.y1),
            }
        }
    }

    /// All four edges divided by the steps, rounded up: from the reference grid to a component's
    /// (T.800 B-12).
    #[must_use]
    pub const fn ceil_div(self, dx: u32, dy: u32) -> Self {
        Self {
            x0: ceil_div(self.x0, dx),
            y0: ceil_div(self.y0, dy),
            x1: ceil_div(self.x1, dx),
            y1: ceil_div(self.y1, dy),
        }
    }

    /// All four edges divided by `2^n`, rounded up: from a tile-component to its resolution `N - n`
    /// (T.800 B-14).
    #[must_use]
    pub const fn ceil_shift(self, n: u32) -> Self {
        Self {
            x0: ceil_shift(self.x0, n),
            y0: ceil_shift(self.y0, n),
            x1: ceil_shift(self.x1, n),
            y1: ceil_shift(self.y1, n),
        }
    }

    /// Grown by `margin` on every side, then cut to `bounds`.
    #[must_use]
    pub fn dilate(self, margin: u32, bounds: Self) -> Self {
        Self {
            x0: self.x0.saturating_sub(margin),
            y0: self.y0.saturating_sub(margin),
            x1: self.x1.saturating_add(margin),
            y1: self.y1.saturating_add(margin),
        }
        .intersect(bounds)
    }
}

/// Size and upper left corner: "640 x 480 at 10,20".
impl std::fmt::Display for Rect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} at {},{}", self.width(), self.height(), self.x0, self.y0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisions_round_as_the_standard_says_at_the_ends_of_the_range() {
        assert_eq!(ceil_shift(5, 1), 3);
        assert_eq!(ceil_shift(u32::MAX, 1), 1 << 31);
        assert_eq!(ceil_shift(u32::MAX, 40), 1);
        assert_eq!(ceil_shift(0, 40), 0);
        assert_eq!(floor_shift(u32::MAX, 32), 0);
        assert_eq!(ceil_div(u32::MAX, 255), u32::MAX / 255);
    }

    #[test]
    fn disjoint_rectangles_meet_nowhere_and_reversed_edges_are_empty() {
        let left = Rect::new(0, 0, 4, 4);
        let right = Rect::new(8, 8, 9, 9);
        assert!(left.intersect(right).is_empty());
        assert!(!left.meets(right));
        assert_eq!(left.union(right), Rect::new(0, 0, 9, 9));
        assert_eq!(Rect::new(3, 0, 1, 9).area(), 0);
        assert_eq!(Rect::new(1, 1, 3, 3).dilate(5, Rect::new(0, 0, 6, 4)), Rect::new(0, 0, 6, 4));
    }
}
