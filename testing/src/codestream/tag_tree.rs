//! Tag trees of packet headers (T.800 B.10.2), written literally.

use super::BitWriter;

/// A tree over the values of the code-blocks of a precinct in one sub-band, and what of it was told so far.
#[derive(Clone, Debug)]
pub struct TagTree {
    /// Columns and nodes of each level, leaves first.
    levels: Vec<(u32, Vec<Node>)>,
}

/// Value, lower bound, whether known.
type Node = (u32, u32, bool);

impl TagTree {
    /// A tree of which nothing was told. `values`: of `columns` x `rows` leaves, row by row.
    pub fn new(columns: u32, rows: u32, values: impl Iterator<Item = u32>) -> Self {
        let mut levels = vec![(columns, values.map(|value| (value, 0, false)).collect::<Vec<_>>())];
        let (mut width, mut height) = (columns, rows);
        while width > 1 || height > 1 {
            let (below_width, below) = levels.last().unwrap();
            let (columns, rows) = (width.div_ceil(2), height.div_ceil(2));
            let mut nodes = vec![(u32::MAX, 0, false); (columns * rows) as usize];
            for (at, node) in (0..).zip(below) {
                let parent = &mut nodes[(at / below_width / 2 * columns + at % below_width / 2) as usize].0;
                *parent = node.0.min(*parent);
            }
            levels.push((columns, nodes));
            (width, height) = (columns, rows);
        }
        Self { levels }
    }

    /// Tells whether the leaf's value is below `threshold`.
    pub fn write(&mut self, (column, row): (u32, u32), threshold: u32, bits: &mut BitWriter) {
        let mut at_least = 0;
        for (level, (width, nodes)) in self.levels.iter_mut().enumerate().rev() {
            let (value, low, known) = &mut nodes[((row >> level) * *width + (column >> level)) as usize];
            *low = at_least.max(*low);
            while *low < threshold && !*known {
                *known = *low >= *value;
                bits.put(u32::from(*known), 1);
                *low += u32::from(!*known);
            }
            at_least = *low;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T.800 B.10.2: 6 x 3 leaves, the first three of them coded: 01111, 001, 101.
    #[test]
    fn the_example_of_the_standard() {
        let values = [1, 3, 2, 3, 2, 3, 2, 2, 1, 4, 3, 2, 2, 2, 2, 2, 1, 2];
        let mut tree = TagTree::new(6, 3, values.into_iter());
        let mut bits = BitWriter::default();
        for (column, value) in [1, 3, 2].into_iter().enumerate() {
            tree.write((column as u32, 0), value + 1, &mut bits);
        }
        assert_eq!(bits.finish(), [0b0111_1001, 0b1010_0000]);
    }
}
