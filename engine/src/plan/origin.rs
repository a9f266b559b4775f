//! Which code-block of the picture a planned one is, and how much of it.

/// Identity of a code-block in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// Tile index.
    pub tile: u32,
    /// Component index.
    pub component: u16,
    /// Resolution level, 0 = coarsest.
    pub resolution: u8,
    /// Index of the sub-band in its resolution: LL alone in the coarsest, HL, LH, HH in all others.
    pub band: u8,
    /// Row of the sub-band's code-block grid, counted from the origin of the sub-band's grid.
    pub row: u32,
    /// Column of the sub-band's code-block grid.
    pub column: u32,
}

/// Which code-block it is, and how much of it there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockOrigin {
    /// Which code-block.
    pub key: BlockKey,
    /// Coding passes that have arrived, in all layers that were asked for. As long as the data comes from one picture,
    /// blocks of the same key and the same passes decode alike.
    pub passes: u16,
    /// Later layers may bring more passes.
    pub grows: bool,
}
