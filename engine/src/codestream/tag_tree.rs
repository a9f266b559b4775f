//! Tag trees (T.800 B.10.2): minima of a two-dimensional array, coded level by level in packet headers.

use super::packet::{BitReader, Stop};

/// Shape of the tag tree over an array of leaves. The nodes lie in a slice of the caller's: leaves first in
/// raster order, then each level above, the root last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagTree {
    /// First node of each level, leaves at 0.
    starts: [u32; MAX_LEVELS],
    width: u32,
    levels: u8,
    nodes: u32,
}

/// What is known of a node's value: a lower bound, or the value itself. Zeroed at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagNode {
    at_least: u16,
    known: bool,
}

/// Enough for `2^15` leaves in a row.
const MAX_LEVELS: usize = 16;

impl TagTree {
    /// A tree over `width` by `height` leaves; either may be 0, then there are no nodes. `None` beyond `2^15`
    /// leaves in a row or column, or `2^32` nodes.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let mut tree = Self { width, ..Self::default() };
        if width == 0 || height == 0 {
            return Some(tree);
        }
        let (mut columns, mut rows) = (width, height);
        loop {
            *tree.starts.get_mut(usize::from(tree.levels))? = tree.nodes;
            tree.nodes = tree.nodes.checked_add(columns.checked_mul(rows)?)?;
            tree.levels += 1;
            if columns == 1 && rows == 1 {
                return Some(tree);
            }
            (columns, rows) = (columns.div_ceil(2), rows.div_ceil(2));
        }
    }

    /// Nodes of all levels.
    #[must_use]
    pub const fn node_count(&self) -> u32 {
        self.nodes
    }

    /// Reads as many bits as it takes to tell whether the value of leaf (`column`, `row`) is below
    /// `threshold`. The leaf must exist; `nodes` has [`node_count`](Self::node_count) elements.
    pub(super) fn is_below(
        &self,
        nodes: &mut [TagNode],
        (column, row): (u32, u32),
        threshold: u16,
        bits: &mut BitReader<'_>,
    ) -> Result<bool, Stop> {
        let node_at = |level: u8| {
            let width = ((self.width - 1) >> level) + 1;
            (self.starts[usize::from(level)] + (row >> level) * width + (column >> level)) as usize
        };
        // A node that has settled the question was reached through ancestors that had.
        let mut level = 0;
        while level < self.levels && !nodes[node_at(level)].settles(threshold) {
            level += 1;
        }
        let mut at_least = if level < self.levels { nodes[node_at(level)].at_least } else { 0 };
        while level > 0 {
            level -= 1;
            let node = &mut nodes[node_at(level)];
            node.at_least = node.at_least.max(at_least);
            while !node.settles(threshold) {
                if bits.bit()? {
                    node.known = true;
                } else {
                    node.at_least += 1;
                }
            }
            at_least = node.at_least;
        }
        let leaf = nodes[node_at(0)];
        Ok(leaf.known && leaf.at_least < threshold)
    }

    /// Reads the value of a leaf; `None` if it exceeds `largest`.
    pub(super) fn value(
        &self,
        nodes: &mut [TagNode],
        leaf: (u32, u32),
        largest: u16,
        bits: &mut BitReader<'_>,
    ) -> Result<Option<u16>, Stop> {
        let is_known = self.is_below(nodes, leaf, largest.saturating_add(1), bits)?;
        Ok(is_known.then(|| nodes[(leaf.1 * self.width + leaf.0) as usize].at_least))
    }
}

impl TagNode {
    const fn settles(self, threshold: u16) -> bool {
        self.known || self.at_least >= threshold
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// T.800 B.10.2: 6 x 3 leaves, the first three of them coded.
    #[test]
    fn the_example_of_the_standard() {
        let tree = TagTree::new(6, 3).unwrap();
        assert_eq!(tree.node_count(), 18 + 6 + 2 + 1);
        // q3(0,0) = 1: 01111; q3(1,0) = 3: 001; q3(2,0) = 2: 101.
        let bytes = [0b0111_1001, 0b1010_0000];
        let mut bits = BitReader::new(&bytes);
        let mut nodes = vec![TagNode::default(); tree.node_count() as usize];
        for (column, expected) in [1, 3, 2].into_iter().enumerate() {
            let value = tree.value(&mut nodes, (column as u32, 0), 9, &mut bits).unwrap();
            assert_eq!(value, Some(expected));
        }
        let mut rest = 0;
        while bits.bit().is_ok() {
            rest += 1;
        }
        assert_eq!(rest, 16 - 11);
    }

    /// Writes the code of T.800 B.10.2 for "is leaf below threshold?", straight from its definition.
    struct Encoder {
        levels: Vec<(usize, Vec<u16>)>,
        /// Thresholds already passed and whether the value was given, for each node.
        told: Vec<Vec<(u16, bool)>>,
        bits: Vec<bool>,
    }

    impl Encoder {
        fn new(width: usize, leaves: Vec<u16>) -> Self {
            let mut levels = vec![(width, leaves)];
            while levels[levels.len() - 1].1.len() > 1 {
                let (width, values) = &levels[levels.len() - 1];
                let height = values.len() / width;
                let (above_width, above_height) = (width.div_ceil(2), height.div_ceil(2));
                let minimum = |x: usize, y: usize| {
                    let xs = 2 * x..(2 * x + 2).min(*width);
                    let cells =
                        (2 * y..(2 * y + 2).min(height)).flat_map(|v| xs.clone().map(move |u| (u, v)));
                    cells.map(|(u, v)| values[v * width + u]).min().unwrap()
                };
                let above =
                    (0..above_width * above_height).map(|i| minimum(i % above_width, i / above_width));
                let above = above.collect();
                levels.push((above_width, above));
            }
            let told = levels.iter().map(|(_, values)| vec![(0, false); values.len()]).collect();
            Self { levels, told, bits: Vec::new() }
        }

        fn tell(&mut self, (column, row): (usize, usize), threshold: u16) {
            let mut least = 0;
            for level in (0..self.levels.len()).rev() {
                let (width, values) = &self.levels[level];
                let index = (row >> level) * width + (column >> level);
                let (passed, given) = &mut self.told[level][index];
                *passed = least.max(*passed);
                while *passed < threshold && !*given {
                    *given = values[index] == *passed;
                    self.bits.push(*given);
                    *passed += u16::from(!*given);
                }
                least = *passed;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_was_coded_is_read(
            (width, leaves) in (1usize..9, 1usize..9).prop_flat_map(|(width, height)| {
                (Just(width), prop::collection::vec(0u16..6, width * height))
            }),
            questions in prop::collection::vec((0usize..64, 0u16..7), 1..60),
        ) {
            let mut encoder = Encoder::new(width, leaves.clone());
            let at = |index: usize| (index % leaves.len() % width, index % leaves.len() / width);
            for &(index, threshold) in &questions {
                encoder.tell(at(index), threshold);
            }
            // Without a byte 0xFF no bit is stuffed.
            prop_assume!(!encoder.bits.windows(8).any(|run| run.iter().all(|bit| *bit)));
            let bytes: Vec<u8> = encoder
                .bits
                .chunks(8)
                .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (i, bit)| byte | u8::from(*bit) << (7 - i)))
                .collect();
            let tree = TagTree::new(width as u32, (leaves.len() / width) as u32).unwrap();
            let mut nodes = vec![TagNode::default(); tree.node_count() as usize];
            let mut bits = BitReader::new(&bytes);
            for (index, threshold) in questions {
                let (column, row) = at(index);
                let below =
                    tree.is_below(&mut nodes, (column as u32, row as u32), threshold, &mut bits).unwrap();
                prop_assert_eq!(below, leaves[index % leaves.len()] < threshold);
            }
            prop_assert_eq!(bits.finish(), Ok(bytes.len()));
        }
    }
}
