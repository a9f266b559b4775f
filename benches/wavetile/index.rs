//! Index building: where every packet of a tile lies, from PLT marker segments or by reading packet headers.

use crate::support::{Bench, Picture};
use std::sync::Arc;
use wavetile::engine::Limits;
use wavetile::engine::data_bin::PrecinctId;
use wavetile::engine::low_level::codestream::marker;
use wavetile::engine::source::IndexedFile;

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("index") {
        return;
    }
    for picture in bench.pictures().iter().filter(|picture| picture.request.region.is_none()) {
        let (with, pointers) = codestream(picture, true);
        let (without, _) = codestream(picture, false);
        assert_eq!(index(&with), index(&without), "both ways give the same index");
        if pointers == 0 {
            println!("index, {}: the file has no PLT", picture.name);
        } else {
            bench.group("index").bench_function(format!("{}/plt", picture.name), |b| b.iter(|| index(&with)));
        }
        let name = format!("{}/packet_headers", picture.name);
        bench.group("index").bench_function(name, |b| b.iter(|| index(&without)));
        if pointers > 0 {
            bench.ratio(
                &format!("index, {}, by PLT, against reading packet headers", picture.name),
                || index(&with),
                || index(&without),
            );
        }
    }
}

/// Opens a codestream and finds the packets of its first tile; where those of the first precinct end.
fn index(codestream: &Arc<[u8]>) -> Vec<u64> {
    let file = IndexedFile::open(codestream.clone(), &Limits::default()).expect("it was opened before");
    let first = PrecinctId { tile: 0, component: 0, precinct: 0 };
    file.packet_ends(first).expect("the tile can be indexed")
}

/// The codestream of a picture, with or without its pointers (TLM and PLT), and how many PLT it had.
fn codestream(picture: &Picture, keep: bool) -> (Arc<[u8]>, usize) {
    let file = IndexedFile::open(picture.bytes.clone(), &Limits::default()).expect("it was opened before");
    let range = file.container().codestreams[0].clone();
    let bytes = &picture.bytes[range.start as usize..range.end as usize];
    let (mut out, mut at, mut pointers) = (bytes[..2].to_vec(), 2, 0);
    let number = |at: usize| usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1]);
    // Where the tile-part in hand starts in `out`, and where it ends in `bytes`.
    let (mut start, mut end) = (0, bytes.len());
    while at + 2 <= bytes.len() && number(at) != usize::from(marker::EOC) {
        let kind = number(at) as u16;
        if kind == marker::SOD {
            out.extend_from_slice(&bytes[at..end]);
            let length = (out.len() - start) as u32;
            out[start + 6..start + 10].copy_from_slice(&length.to_be_bytes());
            at = end;
            continue;
        }
        if kind == marker::SOT {
            let length = number(at + 6) << 16 | number(at + 8);
            (start, end) = (out.len(), if length == 0 { bytes.len() - 2 } else { at + length });
        }
        let next = at + 2 + number(at + 2);
        pointers += usize::from(kind == marker::PLT);
        if keep || (kind != marker::TLM && kind != marker::PLT) {
            out.extend_from_slice(&bytes[at..next]);
        }
        at = next;
    }
    out.extend_from_slice(&marker::EOC.to_be_bytes());
    (out.into(), pointers)
}
