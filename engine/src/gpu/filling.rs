//! What is written into mapped memory for the device: coefficients, then tables.

use crate::error::DeviceError;
use crate::executor::Coefficients;
use crate::plan::{Cell, Plan};
use std::ops::Range;
use wgpu::WriteOnly;

/// A cell whose coefficients are to be uploaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellWords<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cell: &'a Cell,
    pub(super) coefficients: Coefficients<'a>,
}

/// Fills the upload: each block's coefficients from where they were decoded to where their cell reads them, and from byte
/// `coefficients` on the tables. `cells`: with the bytes of each in the upload, ascending.
///
/// # Errors
/// [`DeviceError::Failed`] if a cell's blocks are not among its coefficients, or more than it says.
pub(super) fn fill<'a>(
    mut upload: WriteOnly<'_, [u8]>,
    cells: impl Iterator<Item = (Range<u64>, CellWords<'a>)>,
    coefficients: u64,
    tables: &[u8],
) -> Result<(), DeviceError> {
    let mut at = 0;
    for (Range { start, end }, CellWords { plan, cell, coefficients }) in cells {
        let (start, end) = (start as usize, end as usize);
        upload.slice(at..start).fill(0);
        at = start;
        for (index, &block) in cell.blocks.iter().enumerate() {
            let words = coefficients
                .words(plan, block)
                .ok_or_else(|| failed("a block of the cell is not among the coefficients"))?;
            for piece in cell.pieces(index, words) {
                let bytes: &[u8] = bytemuck::cast_slice(piece);
                if bytes.len() > end - at {
                    return Err(failed("the cell's blocks hold more words than it says"));
                }
                upload.slice(at..at + bytes.len()).copy_from_slice(bytes);
                at += bytes.len();
            }
        }
    }
    let coefficients = coefficients as usize;
    upload.slice(at..coefficients).fill(0);
    upload.slice(coefficients..coefficients + tables.len()).copy_from_slice(tables);
    Ok(())
}

/// Something went wrong while uploading.
pub(super) fn failed(reason: &str) -> DeviceError {
    DeviceError::Failed { doing: "uploading", reason: reason.to_owned() }
}
