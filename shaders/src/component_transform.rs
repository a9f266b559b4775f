//! Inverse component transform, DC level shift and clamping (T.800 Annex G).

use bytemuck::{Pod, Zeroable};

/// One tile's share of one component, or of three that are transformed together.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ComponentTransformJob {
    /// Arena words of the first sample of each source plane; the first `count` are used.
    pub source: [u32; 4],
    /// Words in a row of each source plane.
    pub source_row: [u32; 4],
    /// Arena words of the first sample of each target plane, written as `i32`.
    pub target: [u32; 4],
    /// Words in a row of each target plane.
    pub target_row: [u32; 4],
    /// Added after the transform: `2^(depth-1)` for unsigned components, else 0.
    pub shift: [i32; 4],
    /// Smallest sample value of each component.
    pub low: [i32; 4],
    /// Largest sample value of each component.
    pub high: [i32; 4],
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 or 3.
    pub count: u32,
    /// One of [`Self::NONE`], [`Self::RCT`], [`Self::ICT`], with bit `c` of [`Self::FLOAT_0`]` << c` set
    /// where source plane `c` holds `f32`.
    pub flags: u32,
}

impl ComponentTransformJob {
    /// No component transform.
    pub const NONE: u32 = 0;
    /// Reversible component transform (G.2); all sources hold `i32`.
    pub const RCT: u32 = 1;
    /// Irreversible component transform (G.3); all sources hold `f32`.
    pub const ICT: u32 = 2;
    /// Source plane 0 holds `f32`; shifted left by `c` for plane `c`.
    pub const FLOAT_0: u32 = 0x100;
}
