//! Data-bins composed of pieces of a file.

use std::borrow::Cow;
use std::ops::Range;

use crate::byte_source::ByteSource;
use crate::error::Result;

/// A run of bytes of a data-bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// They lie in the source.
    File(Range<u64>),
    /// They are here.
    Bytes(Cow<'a, [u8]>),
}

/// The pieces of a data-bin, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Composition<'a> {
    pieces: Vec<Piece<'a>>,
    len: u64,
}

impl<'a> Composition<'a> {
    /// Adds bytes of the source at the end; adjacent pieces become one.
    pub(super) fn push_file(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        self.len += range.end - range.start;
        match self.pieces.last_mut() {
            Some(Piece::File(last)) if last.end == range.start => last.end = range.end,
            _ => self.pieces.push(Piece::File(range)),
        }
    }

    /// Adds bytes at the end.
    pub(super) fn push_bytes(&mut self, bytes: impl Into<Cow<'a, [u8]>>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.len += bytes.len() as u64;
            self.pieces.push(Piece::Bytes(bytes));
        }
    }

    /// Bytes of all pieces.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// The bytes `range`, cut to what there is.
    pub(super) fn read(&self, source: &dyn ByteSource, range: Range<u64>) -> Result<Vec<u8>> {
        let range = range.start.min(self.len)..range.end.min(self.len);
        let length = usize::try_from(range.end.saturating_sub(range.start))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let mut bytes = vec![0; length];
        let mut at = 0;
        for piece in &self.pieces {
            let piece_length = match piece {
                Piece::File(range) => range.end - range.start,
                Piece::Bytes(bytes) => bytes.len() as u64,
            };
            let (first, last) = (range.start.max(at), range.end.min(at + piece_length));
            if first < last {
                // Both lie inside what was allocated.
                let target = &mut bytes[(first - range.start) as usize..(last - range.start) as usize];
                match piece {
                    Piece::File(range) => source.read_at(range.start + (first - at), target)?,
                    Piece::Bytes(piece) => {
                        target.copy_from_slice(&piece[(first - at) as usize..(last - at) as usize]);
                    }
                }
            }
            at += piece_length;
        }
        Ok(bytes)
    }

    /// All bytes; borrowed where one piece of a source in memory is all there is.
    pub(super) fn view<'s>(&self, source: &'s dyn ByteSource) -> Result<Cow<'s, [u8]>> {
        if let ([Piece::File(range)], Some(bytes)) = (&self.pieces[..], source.as_slice()) {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(bytes) = bytes.get(at(range.start)..at(range.end)) {
                return Ok(Cow::Borrowed(bytes));
            }
        }
        self.read(source, 0..self.len).map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_part_of_a_composition_reads_alike() {
        let source = b"0123456789".to_vec();
        let mut composition = Composition::default();
        composition.push_file(7..9);
        composition.push_bytes(&b"xyz"[..]);
        composition.push_file(1..3);
        composition.push_file(3..4);
        composition.push_bytes(Vec::new());
        let whole = b"78xyz123";
        assert_eq!(composition.len(), 8);
        for start in 0..10 {
            for end in start..12 {
                let expected = &whole[start.min(8)..end.min(8)];
                assert_eq!(composition.read(&source, start as u64..end as u64).unwrap(), expected);
            }
        }
        assert!(matches!(composition.view(&source).unwrap(), Cow::Owned(bytes) if bytes == whole));
        let mut one = Composition::default();
        one.push_file(2..4);
        one.push_file(4..6);
        assert!(matches!(one.view(&source).unwrap(), Cow::Borrowed(b"2345")));
    }
}
