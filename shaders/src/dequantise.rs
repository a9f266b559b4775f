//! Dequantisation (T.800 E.1): decoded coefficients of one code-block into the window of its sub-band.

use bytemuck::{Pod, Zeroable};

/// One code-block, or the part of it inside the band window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct DequantiseJob {
    /// First word of the block in the uploaded coefficients.
    pub source: u32,
    /// Words in a row of the block: its width, or half of it rounded up with [`Self::PACKED_16`].
    pub source_row: u32,
    /// First column used inside the block.
    pub source_x: u32,
    /// First row used inside the block.
    pub source_y: u32,
    /// Columns to write.
    pub width: u32,
    /// Rows to write.
    pub height: u32,
    /// Arena word of the first sample.
    pub target: u32,
    /// Words in a row of the band window.
    pub target_row: u32,
    /// Bits [`Self::PACKED_16`] and [`Self::IRREVERSIBLE`].
    pub flags: u32,
    /// Factor from the stored integer to the coefficient; used with [`Self::IRREVERSIBLE`].
    pub step: f32,
    /// Zero.
    pub padding: [u32; 2],
}

impl DequantiseJob {
    /// Two signed 16-bit samples in a word, the left one in the low half.
    pub const PACKED_16: u32 = 1;
    /// Write `f32(value) * step`; otherwise the `i32` as it is.
    pub const IRREVERSIBLE: u32 = 2;
}
