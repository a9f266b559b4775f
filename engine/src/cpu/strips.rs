//! One array of rows cut into rectangles, one for each cell: workers fill theirs without waiting for each other.

use crate::geometry::Rect;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Where a cell's part of the array lies: rows, and columns in elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Extent {
    /// The place of `rect` in the rectangle `whole` around it; `elements` for each sample.
    pub(super) fn new(rect: Rect, whole: Rect, elements: usize) -> Self {
        let range = |from: u32, to: u32, origin: u32| (from - origin) as usize..(to - origin) as usize;
        let columns = range(rect.x0, rect.x1, whole.x0);
        Self {
            rows: range(rect.y0, rect.y1, whole.y0),
            columns: columns.start * elements..columns.end * elements,
        }
    }
}

/// The rows of each part. A lock of a part is taken once, by the one worker that fills it.
pub(super) struct Strips<'a, T>(Vec<Mutex<Vec<&'a mut [T]>>>);

impl<'a, T> Strips<'a, T> {
    /// Cuts `elements`, rows that begin `width` apart, at `extents`: those from left to right first, then those below. Empty
    /// extents get no rows.
    ///
    /// # Panics
    /// Extents overlap, are out of order or lie outside.
    pub(super) fn new(elements: &'a mut [T], width: usize, extents: &[Extent]) -> Self {
        let mut parts: Vec<Vec<&mut [T]>> = extents.iter().map(|_| Vec::new()).collect();
        let (mut rest, mut next_row) = (elements, 0);
        let is_empty = |extent: &Extent| extent.rows.is_empty() || extent.columns.is_empty();
        let extents: Vec<(usize, &Extent)> =
            extents.iter().enumerate().filter(|(_, extent)| !is_empty(extent)).collect();
        let mut extents = &extents[..];
        while let Some((_, Extent { rows, .. })) = extents.first() {
            let beside = extents.iter().take_while(|(_, extent)| extent.rows == *rows).count();
            rest = &mut rest[(rows.start - next_row) * width..];
            for _ in rows.clone() {
                // The last row may be shorter than the others are apart.
                let (mut row, below) = rest.split_at_mut(rest.len().min(width));
                rest = below;
                let mut next_column = 0;
                for &(part, extent) in &extents[..beside] {
                    let (mine, right) =
                        row[extent.columns.start - next_column..].split_at_mut(extent.columns.len());
                    parts[part].push(mine);
                    (row, next_column) = (right, extent.columns.end);
                }
            }
            next_row = rows.end;
            extents = &extents[beside..];
        }
        Self(parts.into_iter().map(Mutex::new).collect())
    }

    /// Fills the part of a cell from rows of its own, which may be longer than those of the part.
    pub(super) fn fill<'b>(&self, cell: usize, rows: impl Iterator<Item = &'b [T]>)
    where
        T: Copy + 'b,
    {
        let mut part = self.0[cell].lock().unwrap_or_else(PoisonError::into_inner);
        for (to, from) in part.iter_mut().zip(rows) {
            to.copy_from_slice(&from[..to.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_fills_its_own_extent() {
        let extent = |rows, columns| Extent { rows, columns };
        let extents = [
            extent(1..3, 0..2),
            extent(1..3, 2..5),
            extent(3..3, 0..2),
            extent(4..5, 1..2),
            extent(4..5, 3..3),
            extent(4..5, 4..6),
        ];
        let mut elements = [0; 6 * 6];
        let parts = Strips::new(&mut elements, 6, &extents);
        for cell in (0..extents.len()).rev() {
            let row = [cell + 1; 8];
            parts.fill(cell, [&row[..]; 2].into_iter());
        }
        drop(parts);
        for (index, &element) in elements.iter().enumerate() {
            let (row, column) = (index / 6, index % 6);
            let here = extents.iter().position(|p| p.rows.contains(&row) && p.columns.contains(&column));
            assert_eq!(element, here.map_or(0, |cell| cell + 1), "{row}, {column}");
        }
    }
}
