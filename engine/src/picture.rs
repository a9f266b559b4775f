//! What a decode gives in host memory.

use crate::geometry::{Rect, Size};
use crate::plan::TexelFormat;

/// One decoded component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its index in the codestream.
    pub index: u32,
    /// The samples' place on the component's grid at the decoded reduction.
    pub rect: Rect,
    /// Bits of a sample.
    pub depth: u8,
    /// Samples are signed.
    pub signed: bool,
    /// `rect.area()` samples, row by row.
    pub samples: Vec<i32>,
}

/// A rendered picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns and rows.
    pub size: Size,
    /// Layout of `bytes`.
    pub format: TexelFormat,
    /// Rows without gaps.
    pub bytes: Vec<u8>,
}
