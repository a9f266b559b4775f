//! Box headers (T.800 I.4): where each box lies, without its contents.

use crate::error::ContainerError;
use std::io;

/// One box of a file, with the boxes inside it if it is a superbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxInfo {
    /// Its type ("TBox"), such as `*b"jp2c"`.
    pub kind: [u8; 4],
    /// Where its header starts, in bytes from the start of the file (of the data-bin, over JPIP).
    pub offset: u64,
    /// Bytes of the header: 8, or 16 with an extended length ("XLBox").
    pub header_length: u8,
    /// Bytes of header and contents together, cut to what the file or the enclosing box holds.
    pub length: u64,
    /// The boxes inside, for the superboxes that are known; empty otherwise.
    pub children: Vec<BoxInfo>,
}

impl BoxInfo {
    /// The type as text; bytes that are not printable ASCII appear as `\xNN`.
    #[must_use]
    pub fn name(&self) -> String {
        kind_name(self.kind)
    }
}

/// A box type as text; bytes that are not printable ASCII appear as `\xNN`.
pub(crate) fn kind_name(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

/// Bytes to parse: a file, or a data-bin. Reads outside `len` are an error of the reader.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// Bytes there are.
    pub(crate) len: u64,
    /// Fills the buffer from an offset.
    pub(crate) read_at: &'a dyn Fn(u64, &mut [u8]) -> io::Result<()>,
}

impl View<'_> {
    /// Up to `wanted` bytes from `offset`; fewer at the end. Allocates no more than there is.
    pub(crate) fn bytes(&self, offset: u64, wanted: u64) -> io::Result<Vec<u8>> {
        let held = self.len.saturating_sub(offset).min(wanted);
        let held = usize::try_from(held).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let mut bytes = vec![0; held];
        (self.read_at)(offset, &mut bytes)?;
        Ok(bytes)
    }
}

/// A box header as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoxHeader {
    pub(crate) kind: [u8; 4],
    pub(crate) offset: u64,
    pub(crate) header_length: u8,
    /// One past the last byte of the contents, as claimed; `None`: to the end of what encloses it.
    pub(crate) end: Option<u64>,
}

impl BoxHeader {
    /// First byte of the contents.
    pub(crate) fn contents(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.header_length))
    }

    /// Reads the header at `offset` (T.800 I.4).
    /// # Errors
    /// The outer one if reading fails, the inner one if the header is cut off or its length cannot be.
    pub(crate) fn read(
        view: View<'_>,
        offset: u64,
        end: u64,
    ) -> io::Result<Result<BoxHeader, ContainerError>> {
        let bytes = view.bytes(offset, end.saturating_sub(offset).min(16))?;
        Ok(Self::parse(&bytes, offset))
    }

    fn parse(bytes: &[u8], offset: u64) -> Result<BoxHeader, ContainerError> {
        let bad =
            |kind: [u8; 4], reason: String| ContainerError::BadBox { kind: kind_name(kind), offset, reason };
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
            return Err(bad(*b"    ", format!("{} bytes are too few for a box header", bytes.len())));
        };
        let Some((&kind, rest)) = rest.split_first_chunk::<4>() else {
            return Err(bad(*b"    ", format!("{} bytes are too few for a box header", bytes.len())));
        };
        let (header_length, length) = match u32::from_be_bytes(*length) {
            0 => (8, None),
            1 => match rest.first_chunk::<8>() {
                Some(length) => (16, Some(u64::from_be_bytes(*length))),
                None => return Err(bad(kind, "its extended length (XLBox) is cut off".into())),
            },
            length => (8, Some(u64::from(length))),
        };
        let end = match length {
            None => None,
            Some(length) if length < u64::from(header_length) => {
                return Err(bad(kind, format!("length {length} is less than that of its header")));
            }
            Some(length) => match offset.checked_add(length) {
                Some(end) => Some(end),
                None => return Err(bad(kind, format!("length {length} is beyond any file"))),
            },
        };
        Ok(BoxHeader { kind, offset, header_length, end })
    }
}

/// The contents of one box, read field by field in big-endian order.
pub(crate) struct BoxBody<'a> {
    kind: [u8; 4],
    offset: u64,
    rest: &'a [u8],
}

impl<'a> BoxBody<'a> {
    /// The contents `bytes` of the box `kind` whose header stands at `offset`.
    pub(crate) fn new(kind: [u8; 4], offset: u64, bytes: &'a [u8]) -> Self {
        Self { kind, offset, rest: bytes }
    }

    /// An error that names this box.
    pub(crate) fn error(&self, reason: impl Into<String>) -> ContainerError {
        ContainerError::BadBox { kind: kind_name(self.kind), offset: self.offset, reason: reason.into() }
    }

    /// The same contents from where this stands.
    pub(crate) fn again(&self) -> Self {
        Self { kind: self.kind, offset: self.offset, rest: self.rest }
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ContainerError> {
        let (field, rest) =
            self.rest.split_first_chunk::<N>().ok_or_else(|| self.error("its contents are cut off"))?;
        self.rest = rest;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ContainerError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn i8(&mut self) -> Result<i8, ContainerError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ContainerError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ContainerError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ContainerError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lengths_are_read_in_all_three_forms() {
        let short = BoxHeader::parse(b"\0\0\0\x14jp2hXX", 100).unwrap();
        assert_eq!((short.kind, short.contents(), short.end), (*b"jp2h", 108, Some(120)));
        let open = BoxHeader::parse(b"\0\0\0\0jp2c", 100).unwrap();
        assert_eq!((open.contents(), open.end), (108, None));
        let long = BoxHeader::parse(b"\0\0\0\x01jp2c\0\0\0\x02\0\0\0\0", 100).unwrap();
        assert_eq!((long.contents(), long.end), (116, Some(100 + (2 << 32))));
    }

    #[test]
    fn impossible_lengths_name_the_box_and_its_place() {
        let error = BoxHeader::parse(b"\0\0\0\x07colr", 85).unwrap_err();
        assert_eq!(error.to_string(), "'colr' box at byte 85: length 7 is less than that of its header");
        assert!(BoxHeader::parse(b"\0\0\0\x01jp2c\0\0\0\0\0\0\0\x0f", 0).is_err());
        assert!(BoxHeader::parse(b"\0\0\0\x01jp2c\0\0\0", 0).is_err());
        assert!(BoxHeader::parse(b"\0\0\0\x01jp2c\xff\xff\xff\xff\xff\xff\xff\xff", 9).is_err());
        assert!(BoxHeader::parse(b"\0\0\0", 0).is_err());
    }
}
