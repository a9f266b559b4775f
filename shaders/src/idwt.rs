//! One level of the inverse wavelet transform of one tile-component (T.800 F.3): what both kernels take.

use bytemuck::{Pod, Zeroable};

/// The four sub-band windows of one level and the window they give.
///
/// `x0..x1`, `y0..y1` is the input window on the grid of the resolution that is made: absolute
/// coordinates, since their parity tells low-pass from high-pass. Of a low band it takes the columns
/// `ceil(x0/2)..ceil(x1/2)`, of a high band `floor(x0/2)..floor(x1/2)`, and rows alike; each band
/// window is stored without gaps between its rows. The edges of the input window are either edges of
/// the resolution itself, or at least the filter's support (5/3: 2 samples, 9/7: 4) away from the
/// output window, so symmetric extension at the edges of the input window is always right.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct IdwtJob {
    /// First column of the input window.
    pub x0: u32,
    /// First row of the input window.
    pub y0: u32,
    /// One past the last column of the input window.
    pub x1: u32,
    /// One past the last row of the input window.
    pub y1: u32,
    /// First column of the output window; inside the input window, as are the other three.
    pub out_x0: u32,
    /// First row of the output window.
    pub out_y0: u32,
    /// One past the last column of the output window.
    pub out_x1: u32,
    /// One past the last row of the output window.
    pub out_y1: u32,
    /// Arena word of the LL window.
    pub ll: u32,
    /// Arena word of the HL (horizontally high-pass) window.
    pub hl: u32,
    /// Arena word of the LH (vertically high-pass) window.
    pub lh: u32,
    /// Arena word of the HH window.
    pub hh: u32,
    /// Arena word of the first output sample.
    pub out: u32,
    /// Words in an output row.
    pub out_row: u32,
    /// Zero.
    pub padding: [u32; 2],
}
