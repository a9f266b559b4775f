//! A codestream in pieces, found by a fragment table (T.801), decodes as it does in one piece.

use crate::{indexed, open};
use std::path::Path;
use wavetile_engine::{DecodeRequest, Decoder, ImageOptions};

fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    [&(contents.len() as u32 + 8).to_be_bytes()[..], kind, contents].concat()
}

/// A JPX file with the codestream in `pieces` pieces, the last one first, and once more as it is.
fn fragmented(whole: &[u8], codestream: &[u8], pieces: usize, file: u16) -> Vec<u8> {
    let header_end = whole.windows(4).position(|kind| kind == b"jp2c").unwrap() - 4;
    let mut bytes = whole[..header_end].to_vec();
    let parts: Vec<&[u8]> = codestream.chunks(codestream.len().div_ceil(pieces)).collect();
    let table_length = 16 + 2 + 14 * parts.len();
    let mut entries = vec![Vec::new(); parts.len()];
    let mut offset = bytes.len() + table_length + 8;
    for (index, part) in parts.iter().enumerate().rev() {
        entries[index] =
            [&(offset as u64).to_be_bytes()[..], &(part.len() as u32).to_be_bytes(), &file.to_be_bytes()]
                .concat();
        offset += part.len();
    }
    let count = (parts.len() as u16).to_be_bytes();
    bytes.extend(boxed(b"ftbl", &boxed(b"flst", &[&count[..], &entries.concat()].concat())));
    bytes.extend(boxed(b"mdat", &parts.into_iter().rev().collect::<Vec<_>>().concat()));
    bytes.extend(boxed(b"jp2c", codestream));
    bytes
}

#[test]
fn a_codestream_in_pieces_decodes_as_in_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let whole = std::fs::read(path).unwrap();
    let (file, image) = indexed(whole.clone()).unwrap();
    let range = file.container().codestreams[0].clone();
    let codestream = &whole[range.start as usize..range.end as usize];
    let decoder = Decoder::cpu();
    let request = DecodeRequest::default();
    let (wanted, wanted_report) = decoder.components(&image, &request).unwrap();
    for pieces in [1, 2, 7, 100] {
        let bytes = fragmented(&whole, codestream, pieces, 0);
        let (file, image) = indexed(bytes.clone()).unwrap();
        assert_eq!((file.codestream_count(), &file.container().warnings[..]), (2, &[][..]));
        let (got, report) = decoder.components(&image, &request).unwrap();
        assert!(got == wanted && report == wanted_report, "{pieces} pieces");
        let other = ImageOptions::new().codestream(1).open_indexed(file.clone()).unwrap();
        assert!(decoder.components(&other, &request).unwrap().0 == wanted, "{pieces} pieces");
        // Cut off where it ends: its packets are missing then.
        if pieces == 2 {
            let end = bytes.len() - codestream.len() - 8;
            let image = open(bytes[..end - codestream.len() / 4].to_vec()).unwrap();
            let (_, report) = decoder.components(&image, &request).unwrap();
            assert!(!report.is_complete());
        }
    }
    let error = open(fragmented(&whole, codestream, 2, 1)).err().unwrap().to_string();
    assert!(error.contains("fragment 0 of a codestream in another file (entry 1)"), "{error}");
}
