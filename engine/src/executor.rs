//! What an executor of plans does: all passes after entropy decoding, and the delivery of what they give.

use crate::error::{DeviceError, RequestError};
use crate::geometry::Size;
use crate::picture::Component;
use crate::plan::{CellSize, Plan, TexelFormat};
use std::ops::AddAssign;
use std::sync::Arc;

/// Runs plans.
///
/// An executor that computes on the processor is done when its futures are polled first.
pub trait Executor {
    /// Where it runs: "CPU", or the name of a graphics adapter.
    fn name(&self) -> &str;

    /// How large the cells of a plan may be.
    fn cell_size(&self) -> CellSize;

    /// Makes texels. `rows` has those of the plan's window in `format`.
    ///
    /// # Errors
    /// The device refuses, fails or is lost; some of `rows` may be written then.
    fn texels(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        format: TexelFormat,
        rows: TexelRows<'_>,
        waiting: Waiting,
    ) -> impl Future<Output = Result<Statistics, DeviceError>>;

    /// Makes samples. `components` has the plan's, each with a sample for each place of its rectangle.
    ///
    /// # Errors
    /// As [`Self::texels`].
    fn components(
        &self,
        plan: &Plan,
        coefficients: Coefficients<'_>,
        components: &mut [Component],
        waiting: Waiting,
    ) -> impl Future<Output = Result<Statistics, DeviceError>>;

    /// Gives up the memory that is kept from run to run.
    fn release_memory(&self);
}

/// The coefficients of a plan's blocks, laid out as [`decode_block`](crate::entropy::decode_block) leaves them.
#[derive(Clone, Copy, Debug)]
pub enum Coefficients<'a> {
    /// Those of all blocks, each where [`PlannedBlock::staging`](crate::plan::PlannedBlock::staging) says.
    Staging(&'a [u32]),
    /// One list for each block of the plan, in their order; the blocks' places in the staging words say no more than how
    /// long each is.
    Blocks(&'a [Arc<[u32]>]),
}

impl<'a> Coefficients<'a> {
    /// Those of block number `block` of `plan`. `None` if there is no such block, or if its words are not here.
    #[inline]
    #[must_use]
    pub fn words(self, plan: &Plan, block: u32) -> Option<&'a [u32]> {
        let staging = plan.blocks.get(block as usize)?.staging.clone();
        match self {
            Self::Staging(words) => words.get(staging),
            Self::Blocks(blocks) => {
                blocks.get(block as usize).map(|words| &**words).filter(|words| words.len() == staging.len())
            }
        }
    }
}

impl<'a> From<&'a [u32]> for Coefficients<'a> {
    fn from(staging: &'a [u32]) -> Self {
        Self::Staging(staging)
    }
}

impl<'a, const WORDS: usize> From<&'a [u32; WORDS]> for Coefficients<'a> {
    fn from(staging: &'a [u32; WORDS]) -> Self {
        Self::Staging(staging)
    }
}

impl<'a> From<&'a Vec<u32>> for Coefficients<'a> {
    fn from(staging: &'a Vec<u32>) -> Self {
        Self::Staging(staging)
    }
}

impl<'a> From<&'a [Arc<[u32]>]> for Coefficients<'a> {
    fn from(blocks: &'a [Arc<[u32]>]) -> Self {
        Self::Blocks(blocks)
    }
}

/// How a future waits for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// By blocking whoever polls it: it is ready when it is polled first.
    Here,
    /// Without blocking: whoever polls it is woken.
    Elsewhere,
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Cells that ran.
    pub cells: u64,
    /// Compute dispatches; 0 on the CPU.
    pub dispatches: u64,
    /// Queue submissions; 0 on the CPU. One, unless the uploads or the results of all cells together exceed the largest
    /// buffer; none if the host submits.
    pub submissions: u64,
    /// Bytes of coefficients and job tables that were uploaded; 0 on the CPU.
    pub uploaded_bytes: u64,
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        self.cells += other.cells;
        self.dispatches += other.dispatches;
        self.submissions += other.submissions;
        self.uploaded_bytes += other.uploaded_bytes;
    }
}

/// Host memory that takes texels: rows from top to bottom, `stride` bytes from one to the next.
#[derive(Debug)]
pub struct TexelRows<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) stride: usize,
}

impl<'a> TexelRows<'a> {
    /// Rows for a picture of `size`. What lies between the end of a row and the next is left as it is; the last row
    /// may end with its texels.
    ///
    /// # Errors
    /// [`RequestError::BadStride`] if a row is longer than `stride`, [`RequestError::BufferTooSmall`].
    pub fn new(
        bytes: &'a mut [u8],
        stride: usize,
        size: Size,
        format: TexelFormat,
    ) -> Result<Self, RequestError> {
        let row = u64::from(size.width) * u64::from(format.bytes());
        if (stride as u64) < row {
            return Err(RequestError::BadStride { stride: stride as u64, row });
        }
        let needed = match size.height.checked_sub(1) {
            Some(rows) if size.width > 0 => u64::from(rows).saturating_mul(stride as u64).saturating_add(row),
            _ => 0,
        };
        if (bytes.len() as u64) < needed {
            return Err(RequestError::BufferTooSmall { needed, available: bytes.len() as u64 });
        }
        Ok(Self { bytes, stride })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_must_fit_their_stride_and_all_of_them_the_buffer() {
        let size = Size::new(3, 4);
        let fits = |bytes: usize, stride| {
            TexelRows::new(&mut vec![0; bytes], stride, size, TexelFormat::Rgba8).map(|_| ())
        };
        assert_eq!(fits(48, 12), Ok(()));
        assert_eq!(fits(3 * 20 + 12, 20), Ok(()));
        assert_eq!(fits(100, 11), Err(RequestError::BadStride { stride: 11, row: 12 }));
        assert_eq!(fits(71, 20), Err(RequestError::BufferTooSmall { needed: 72, available: 71 }));
        assert!(fits(usize::MAX >> 40, usize::MAX).is_err());
        assert!(TexelRows::new(&mut [], 0, Size::new(0, 7), TexelFormat::R16).is_ok());
    }
}
