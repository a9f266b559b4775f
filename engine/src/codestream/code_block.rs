//! Code-blocks (T.800 B.7).

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
