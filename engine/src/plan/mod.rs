//! What a decode does, decided before anything is decoded: which code-blocks, where their
//! coefficients go, and which passes run over them. Both executors run the same [`Plan`].

pub mod builder;
mod cell;
mod cell_size;
mod coverage;
mod cutting;
mod gather;
mod influence;
mod layout;
mod memory;
mod origin;
pub mod output_grid;
mod packets;
mod part;
pub mod reach;
mod request;
mod source;
mod texel_format;
mod work;

pub use cell_size::CellSize;
pub use coverage::{Coverage, ResolutionCoverage};
pub(crate) use influence::influence;
pub(crate) use memory::Memory;
pub use origin::{BlockKey, BlockOrigin};
pub(crate) use packets::Packets;
pub use part::BlockPart;
pub use request::PlanRequest;
pub use source::{PlanSource, PlannedTile};
pub use texel_format::TexelFormat;

use crate::codestream::code_block::{BlockCoder, Orientation};
use crate::codestream::header::CodeBlockStyle;
use crate::geometry::{Rect, Size};
use std::ops::Range;
use wavetile_shaders::component_transform::ComponentTransformJob;
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_shaders::idwt::IdwtJob;
use wavetile_shaders::pack::PackParameters;

/// Bit-planes of a block that can be decoded: magnitudes and their half bit share 32 bits with the sign.
pub const MAX_BIT_PLANES: u8 = 30;

/// Everything one decode needs: compressed bytes, jobs, and where the results lie.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The code-blocks that hold data, coarsest resolution first.
    pub blocks: Vec<PlannedBlock>,
    /// Codeword segments of all blocks.
    pub segments: Vec<Segment>,
    /// Their bytes; two bytes 0xFF follow each segment.
    pub data: Vec<u8>,
    /// Words of coefficients that all blocks together decode to.
    pub staging_words: usize,
    /// Rectangles of the output, each small enough for the executors' limits. They do not overlap and
    /// cover the window.
    pub cells: Vec<Cell>,
    /// Entries of all palette columns.
    pub tables: Vec<u32>,
    /// The window on the output grid; cells lie inside.
    pub window: Rect,
}

/// What a decode makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The codestream's components after the inverse transforms, level shift and clamping.
    Components,
    /// Texels, in the request's format.
    Rendered,
}

/// One code-block to decode.
#[derive(Clone, Debug)]
pub struct PlannedBlock {
    /// Columns and rows, 1 to 1024 each, at most 4096 samples.
    pub size: Size,
    /// The kind of sub-band: it selects the context tables.
    pub orientation: Orientation,
    /// How it is coded.
    pub coder: BlockCoder,
    /// Coding options.
    pub style: CodeBlockStyle,
    /// Bits of a magnitude. [`BlockCoder::BitPlane`]: the coded planes, which are those of the sub-band (and of the
    /// region of interest) less the empty ones. [`BlockCoder::HighThroughput`]: all of them.
    pub bit_planes: u8,
    /// [`BlockCoder::HighThroughput`]: the bit-plane of the clean-up pass, 0 for the least significant. 0 for
    /// [`BlockCoder::BitPlane`].
    pub clean_up_plane: u8,
    /// Region-of-interest shift.
    pub roi_shift: u8,
    /// Keep the half bit below the last plane (irreversible).
    pub fraction: bool,
    /// Coefficients fit 16 bits.
    pub packed_16: bool,
    /// Which code-block of the picture it is, and how much of it there is.
    pub origin: BlockOrigin,
    /// Its codeword segments in [`Plan::segments`]. [`BlockCoder::HighThroughput`]: that of a clean-up pass, and
    /// after it perhaps that of the refinement, which is one pass or two.
    pub segments: Range<u32>,
    /// Where its coefficients go in the staging words.
    pub staging: Range<usize>,
}

/// A run of coding passes that share one terminated codeword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Coding passes, at least 1.
    pub passes: u32,
    /// Its bytes in [`Plan::data`].
    pub bytes: Range<usize>,
}

/// One rectangle of the output and all passes that make it.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// On the output grid.
    pub rect: Rect,
    /// Words of the sample arena.
    pub arena_words: u32,
    /// Arena words that hold zeros before the first step: no job writes them all, but some job or the result
    /// reads them. Ascending, not touching. All other words are written before they are read.
    pub clear: Vec<Range<u32>>,
    /// The blocks this cell reads, as indices into [`Plan::blocks`]: one for each entry of `dequantise`.
    pub blocks: Vec<u32>,
    /// The part of each of `blocks` that this cell reads; empty if it is all of each.
    pub parts: Vec<BlockPart>,
    /// Words of the parts of `blocks`, laid one after another in that order, row by row without gaps.
    pub upload_words: u64,
    /// `source` counts from the first word of this cell's coefficients, laid out as above, and `source_row`, `source_x` and
    /// `source_y` are those of the part.
    pub dequantise: Vec<DequantiseJob>,
    /// Inverse wavelet levels in order, coarsest first; the jobs of one do not depend on each other.
    pub levels: Vec<Vec<IdwtJob>>,
    /// The last step of every tile and component.
    pub transform: Vec<ComponentTransformJob>,
    /// Where the finished components lie in the arena.
    pub planes: Vec<PlaneWindow>,
    /// How they become texels; `row` and `format` are set by the executor's caller.
    pub pack: PackParameters,
}

impl Cell {
    /// What the upload holds of block number `index` of [`Self::blocks`](field@Self::blocks), whose staging words are
    /// `words`: piece by piece.
    #[cfg(feature = "gpu")]
    pub(crate) fn pieces<'a>(
        &self,
        index: usize,
        words: &'a [u32],
    ) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        let all = BlockPart { first: 0, stride: words.len() as u32, words: words.len() as u32, rows: 1 };
        self.parts.get(index).copied().unwrap_or(all).pieces(words)
    }

    /// Bytes of its lists, but for those of the code-blocks.
    pub(crate) fn job_bytes(&self) -> u64 {
        let levels: usize = self.levels.iter().map(Vec::len).sum();
        let lists = levels * size_of::<IdwtJob>()
            + self.levels.len() * size_of::<Vec<IdwtJob>>()
            + self.transform.len() * size_of::<ComponentTransformJob>()
            + self.planes.len() * size_of::<PlaneWindow>()
            + self.clear.len() * size_of::<Range<u32>>();
        (lists + size_of::<Self>()) as u64
    }
}

/// A finished component in the arena: `i32` samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaneWindow {
    /// Component index in the codestream.
    pub component: u32,
    /// On the component's grid at the decoded reduction.
    pub rect: Rect,
    /// Arena word of the first sample.
    pub offset: u32,
    /// Words in a row.
    pub row: u32,
}
