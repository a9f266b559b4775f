//! Fragment tables (T.801 Annex M): codestreams that lie in several pieces.

use super::box_header::BoxBody;
use crate::error::ContainerError;
use std::ops::Range;

/// The pieces of one codestream, in order ('flst' box).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentTable {
    /// At least one.
    pub fragments: Vec<Fragment>,
}

/// One piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it starts in its file ("OFF").
    pub offset: u64,
    /// Its bytes ("LEN").
    pub length: u32,
    /// 0: this file; otherwise the entry of the data reference box that names another ("DR").
    pub file: u16,
}

impl FragmentTable {
    pub(super) fn parse(mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        let count = body.u16()?;
        if count == 0 {
            return Err(body.error("it lists no fragment"));
        }
        if body.rest().len() / 14 < usize::from(count) {
            return Err(body.error(format!("{} bytes are too few for {count} fragments", body.rest().len())));
        }
        let fragment = |body: &mut BoxBody<'_>| {
            Ok(Fragment { offset: body.u64()?, length: body.u32()?, file: body.u16()? })
        };
        Ok(Self { fragments: (0..count).map(|_| fragment(&mut body)).collect::<Result<_, _>>()? })
    }

    /// The byte ranges of a codestream in a file of `len` bytes, up to the first that does not lie there whole.
    ///
    /// # Errors
    /// Why they cannot be had, in words.
    pub fn ranges(&self, len: u64) -> Result<Vec<Range<u64>>, String> {
        let mut ranges = Vec::with_capacity(self.fragments.len());
        let mut sum = 0_u64;
        for (index, fragment) in self.fragments.iter().enumerate() {
            if fragment.file != 0 {
                return Err(format!(
                    "fragment {index} of a codestream in another file (entry {})",
                    fragment.file
                ));
            }
            let end = fragment.offset.saturating_add(fragment.length.into());
            sum += u64::from(fragment.length);
            if sum > len {
                return Err("a codestream of fragments that are longer than the file together".into());
            }
            ranges.push(fragment.offset.min(len)..end.min(len));
            if end > len {
                break;
            }
        }
        Ok(ranges)
    }
}
