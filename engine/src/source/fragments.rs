//! Pieces of a source, read as one.

use crate::byte_source::ByteSource;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Byte ranges of a source, one after another.
pub(super) struct Fragments {
    source: Arc<dyn ByteSource>,
    /// Where each starts in the whole, and where it lies in the source; none is empty.
    pieces: Vec<(u64, Range<u64>)>,
    len: u64,
}

impl Fragments {
    pub(super) fn new(source: Arc<dyn ByteSource>, ranges: &[Range<u64>]) -> Self {
        let mut pieces = Vec::with_capacity(ranges.len());
        let mut len = 0;
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            pieces.push((len, range.clone()));
            len += range.end - range.start;
        }
        Self { source, pieces, len }
    }
}

impl ByteSource for Fragments {
    fn len(&self) -> u64 {
        self.len
    }

    fn is_sparse(&self) -> bool {
        self.source.is_sparse()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let first = self.pieces.partition_point(|&(start, _)| start <= offset).saturating_sub(1);
        let (mut offset, mut rest) = (offset, buffer);
        for (start, range) in &self.pieces[first.min(self.pieces.len())..] {
            if rest.is_empty() {
                break;
            }
            let from = range.start + (offset - start);
            let length = usize::try_from(range.end - from).map_or(rest.len(), |held| held.min(rest.len()));
            let (here, later) = rest.split_at_mut(length);
            self.source.read_at(from, here)?;
            offset += length as u64;
            rest = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_part_of_the_whole_reads_alike() {
        let source: Arc<dyn ByteSource> = Arc::new(b"0123456789".to_vec());
        let fragments = Fragments::new(source, &[7..9, 4..4, 1..4, 0..10]);
        let whole = b"781230123456789";
        assert_eq!(fragments.len(), 15);
        for start in 0..=15 {
            for end in start..=15 {
                let mut bytes = vec![0; end - start];
                fragments.read_at(start as u64, &mut bytes).unwrap();
                assert_eq!(bytes, whole[start..end]);
            }
        }
        assert!(fragments.read_at(14, &mut [0; 2]).is_err());
        assert!(fragments.read_at(u64::MAX, &mut [0; 2]).is_err());
    }
}
