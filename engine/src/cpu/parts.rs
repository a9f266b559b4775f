//! Disjoint parts of one array of rows, one for each cell: workers fill them without waiting for each other.

use crate::geometry::Rect;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Where a cell's part of the array lies: rows, and columns in elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl Place {
    /// The place of `rect` in the rectangle `whole` around it; `elements` for each sample.
    pub(crate) fn new(rect: Rect, whole: Rect, elements: usize) -> Self {
        let range = |from: u32, to: u32, origin: u32| (from - origin) as usize..(to - origin) as usize;
        let columns = range(rect.x0, rect.x1, whole.x0);
        Self {
            rows: range(rect.y0, rect.y1, whole.y0),
            columns: columns.start * elements..columns.end * elements,
        }
    }
}

/// The rows of each part. A lock of a part is taken once, by the one worker that fills it.
pub(crate) struct Parts<'a, T>(Vec<Mutex<Vec<&'a mut [T]>>>);

impl<'a, T> Parts<'a, T> {
    /// Cuts `elements`, rows of `width`, at `places`: those from left to right first, then those below. Empty
    /// places get no rows.
    ///
    /// # Panics
    /// Places overlap, are out of order or lie outside.
    pub(crate) fn new(elements: &'a mut [T], width: usize, places: &[Place]) -> Self {
        let mut parts: Vec<Vec<&mut [T]>> = places.iter().map(|_| Vec::new()).collect();
        let (mut rest, mut next_row) = (elements, 0);
        let is_empty = |place: &Place| place.rows.is_empty() || place.columns.is_empty();
        let places: Vec<(usize, &Place)> =
            places.iter().enumerate().filter(|(_, place)| !is_empty(place)).collect();
        let mut places = &places[..];
        while let Some((_, Place { rows, .. })) = places.first() {
            let beside = places.iter().take_while(|(_, place)| place.rows == *rows).count();
            rest = &mut rest[(rows.start - next_row) * width..];
            for _ in rows.clone() {
                let (mut row, below) = rest.split_at_mut(width);
                rest = below;
                let mut next_column = 0;
                for &(part, place) in &places[..beside] {
                    let (mine, right) =
                        row[place.columns.start - next_column..].split_at_mut(place.columns.len());
                    parts[part].push(mine);
                    (row, next_column) = (right, place.columns.end);
                }
            }
            next_row = rows.end;
            places = &places[beside..];
        }
        Self(parts.into_iter().map(Mutex::new).collect())
    }

    /// Fills the part of a cell from rows of its own, which may be longer than those of the part.
    pub(crate) fn fill<'b>(&self, cell: usize, rows: impl Iterator<Item = &'b [T]>)
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
    fn each_cell_fills_its_own_place() {
        let place = |rows, columns| Place { rows, columns };
        let places = [
            place(1..3, 0..2),
            place(1..3, 2..5),
            place(3..3, 0..2),
            place(4..5, 1..2),
            place(4..5, 3..3),
            place(4..5, 4..6),
        ];
        let mut elements = [0; 6 * 6];
        let parts = Parts::new(&mut elements, 6, &places);
        for cell in (0..places.len()).rev() {
            let row = [cell + 1; 8];
            parts.fill(cell, [&row[..]; 2].into_iter());
        }
        drop(parts);
        for (index, &element) in elements.iter().enumerate() {
            let (row, column) = (index / 6, index % 6);
            let here = places.iter().position(|p| p.rows.contains(&row) && p.columns.contains(&column));
            assert_eq!(element, here.map_or(0, |cell| cell + 1), "{row}, {column}");
        }
    }
}
