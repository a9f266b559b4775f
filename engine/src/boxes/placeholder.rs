//! Placeholder boxes: what JPIP puts into metadata-bins instead of large boxes (T.808).

use super::box_header::BoxBody;
use crate::error::ContainerError;

/// A box that is somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Type of the box that it stands for.
    pub kind: [u8; 4],
    /// Metadata-bin that holds the contents of that box, if it can be had as a data-bin.
    pub original_bin: Option<u64>,
    /// First codestream whose data-bins hold the contents, if it stands for a codestream.
    pub codestream: Option<u64>,
}

impl Placeholder {
    /// Type of the placeholder box itself.
    pub(crate) const KIND: [u8; 4] = *b"phld";
    const ORIGINAL: u32 = 1;
    const CODESTREAM: u32 = 4;

    pub(crate) fn parse(mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        let flags = body.u32()?;
        let original_bin = body.u64()?;
        let kind = box_header(&mut body)?;
        let mut codestream = None;
        if flags & Self::CODESTREAM != 0 {
            // The fields before CSID are there whatever the flags say.
            let _equivalent_bin = body.u64()?;
            let _equivalent_kind = box_header(&mut body)?;
            codestream = Some(body.u64()?);
        }
        Ok(Self { kind, original_bin: (flags & Self::ORIGINAL != 0).then_some(original_bin), codestream })
    }
}

/// The type in a copy of a box header inside the contents: 8 bytes, or 16 with an extended length.
fn box_header(body: &mut BoxBody<'_>) -> Result<[u8; 4], ContainerError> {
    let length = body.u32()?;
    let kind = body.array::<4>()?;
    if length == 1 {
        body.u64()?;
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_codestream_and_a_box_in_another_bin_are_told_apart() {
        let parse = |bytes: &[u8]| Placeholder::parse(BoxBody::new(*b"phld", 85, bytes));
        let mut codestream = vec![0, 0, 0, 4];
        codestream.extend([0; 8]);
        codestream.extend(b"\0\0\0\x01jp2c\0\0\0\0\0\0\x10\0");
        codestream.extend([0; 8]);
        codestream.extend(b"\0\0\0\0\0\0\0\0");
        codestream.extend([0, 0, 0, 0, 0, 0, 0, 3]);
        let found = parse(&codestream).unwrap();
        assert_eq!(found, Placeholder { kind: *b"jp2c", original_bin: None, codestream: Some(3) });
        let mut moved = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
        moved.extend(b"\0\0\0\x2djp2h");
        let found = parse(&moved).unwrap();
        assert_eq!(found, Placeholder { kind: *b"jp2h", original_bin: Some(7), codestream: None });
        assert!(parse(&codestream[..codestream.len() - 1]).is_err());
    }
}
