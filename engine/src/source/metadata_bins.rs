//! The boxes of a file as metadata-bins (T.808 Annex A): bin 0 is the file, with placeholders for its codestreams and for
//! the contents of large boxes, which have bins of their own.

use std::ops::Range;

use super::composition::Composition;
use crate::boxes::Container;
use crate::byte_source::ByteSource;
use crate::error::Result;

/// A box whose contents are a metadata-bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataBin {
    /// Type of the box.
    pub kind: [u8; 4],
    /// Where its contents lie in the file.
    pub contents: Range<u64>,
}

/// All metadata-bins of a file.
pub(super) struct MetadataBins {
    /// Bin 0 and those of `boxes`.
    bins: Vec<Composition<'static>>,
    boxes: Vec<MetadataBin>,
}

/// Contents that are longer get a bin of their own: a client that opens a picture should not wait for them.
const LONGEST_INLINE: u64 = 4 << 10;

/// Boxes that tell of the picture, not how to show it: no decoder needs their contents.
const KINDS: [&[u8; 4]; 4] = [b"xml ", b"uuid", b"uinf", b"asoc"];

impl MetadataBins {
    pub(super) fn new(source: &dyn ByteSource, container: &Container) -> Result<Self> {
        let (mut root, mut others, mut boxes) = (Composition::default(), Vec::new(), Vec::new());
        let mut codestreams = container.codestreams.iter().zip(0_u64..).peekable();
        for found in &container.boxes {
            let end = found.offset.saturating_add(found.length).min(source.len());
            // Its contents, or that of the table of its fragments.
            let number = codestreams
                .next_if(|(range, _)| (found.offset..end).contains(&range.start))
                .filter(|_| matches!(&found.kind, b"jp2c" | b"ftbl"))
                .map(|(_, number)| number);
            let contents = found.offset.saturating_add(u64::from(found.header_length)).min(end)..end;
            let large = contents.end - contents.start > LONGEST_INLINE && KINDS.contains(&&found.kind);
            if number.is_none() && !large {
                root.push_file(found.offset.min(end)..end);
                continue;
            }
            let mut header = vec![0; usize::from(found.header_length)];
            source.read_at(found.offset, &mut header)?;
            match number {
                Some(number) => root.push_bytes(codestream_placeholder(&header, number)),
                None => {
                    let mut bin = Composition::default();
                    bin.push_file(contents.clone());
                    others.push(bin);
                    boxes.push(MetadataBin { kind: found.kind, contents });
                    root.push_bytes(contents_placeholder(&header, boxes.len() as u64));
                }
            }
        }
        others.insert(0, root);
        Ok(Self { bins: others, boxes })
    }

    /// Bin `number`; `None` if there is no such.
    pub(super) fn bin(&self, number: u64) -> Option<&Composition<'static>> {
        self.bins.get(usize::try_from(number).ok()?)
    }

    /// Those after bin 0.
    pub(super) fn boxes(&self) -> &[MetadataBin] {
        &self.boxes
    }
}

/// A placeholder box for a box whose contents are metadata-bin `bin`.
fn contents_placeholder(box_header: &[u8], bin: u64) -> Vec<u8> {
    const CONTENTS: u32 = 1;
    let length = 8 + 4 + 8 + box_header.len() as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"phld");
    bytes.extend(CONTENTS.to_be_bytes());
    bytes.extend(bin.to_be_bytes());
    bytes.extend(box_header);
    bytes
}

/// A placeholder box that stands for the codestream whose box header is given.
fn codestream_placeholder(box_header: &[u8], codestream: u64) -> Vec<u8> {
    const CODESTREAM: u32 = 4;
    let length = 8 + 4 + 8 + box_header.len() as u32 + 8 + 8 + 8;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"phld");
    bytes.extend(CODESTREAM.to_be_bytes());
    // OrigID, OrigBH.
    bytes.extend([0; 8]);
    bytes.extend(box_header);
    // EquivID, EquivBH: none.
    bytes.extend([0; 16]);
    bytes.extend(codestream.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::ImageOptions;
    use crate::Limits;
    use crate::data_bin::{DataBinId, DataBins};
    use crate::source::IndexedFile;

    fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
        let length = 8 + contents.len() as u32;
        [&length.to_be_bytes(), &kind[..], contents].concat()
    }

    /// The sample with boxes before its codestream.
    fn with(boxes: &[Vec<u8>]) -> Vec<u8> {
        let file = include_bytes!("../../tests/data/gradient.jp2");
        let at = file.windows(4).position(|kind| kind == b"jp2c").unwrap() - 4;
        [&file[..at], &boxes.concat(), &file[at..]].concat()
    }

    #[test]
    fn large_boxes_have_bins_of_their_own_and_are_read_through_their_placeholders() {
        let large = format!("<a>{}</a>", "x".repeat(5000));
        let uuid = vec![7; 6000];
        let bytes =
            with(&[boxed(b"xml ", large.as_bytes()), boxed(b"xml ", b"<small/>"), boxed(b"uuid", &uuid)]);
        let file = IndexedFile::open(bytes, &Limits::default()).unwrap();
        let kinds: Vec<[u8; 4]> = file.metadata_bins().iter().map(|bin| bin.kind).collect();
        assert_eq!(kinds, [*b"xml ", *b"uuid"]);
        let bin =
            |number| file.bin(0, DataBinId::Metadata(number)).unwrap().map(|bin| bin.bytes.into_owned());
        assert!(bin(0).unwrap().len() < 1000);
        assert_eq!(bin(1).unwrap(), large.as_bytes());
        assert_eq!(bin(2).unwrap(), uuid);
        assert_eq!(bin(3), None);
        assert_eq!(bin(u64::MAX), None);
        assert_eq!(file.bin_len(DataBinId::Metadata(1)).unwrap(), Some(large.len() as u64));
        assert_eq!(file.read_bin(DataBinId::Metadata(1), 1..3).unwrap(), b"a>");
        let image = ImageOptions::new().open_indexed(std::sync::Arc::new(file)).unwrap();
        let metadata = format!("{:?}", image.container().metadata);
        assert!(metadata.contains(&large) && metadata.contains("<small/>"), "both are read");
    }
}
