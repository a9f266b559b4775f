//! JPT-streams: tile data-bins, and what is said of tile-parts; the same picture as from precincts.
#![allow(clippy::unwrap_used)]

mod common;

use common::link::{Link, LinkOptions};
use common::{NAME, ask, channel, pull, server_of};
use std::collections::BTreeMap;
use std::sync::Arc;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::source::{IndexedFile, TileBins};
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{DecodeRequest, Decoder, Image, Limits, Size};
use wavetile_testing::shared;
use wavetile_transport::jpip::{
    MessageEvent, MessageReader, Reply, ServedPicture, Server, ServerOptions, StreamKind,
};

fn of_tiles() -> Server {
    let bytes = include_bytes!("data/tiles.jp2").to_vec();
    let file = IndexedFile::open(bytes, &Limits::default()).unwrap();
    server_of(vec![(NAME, Arc::new(file))], ServerOptions::default())
}

/// Ranges of each tile that come, joined.
fn tile_ranges(reply: Reply) -> BTreeMap<u32, Vec<(u64, u64)>> {
    let mut tiles = BTreeMap::<u32, Vec<(u64, u64)>>::new();
    let event = |event: MessageEvent<'_>| {
        if let MessageEvent::Data { id: DataBinId::Tile(tile), offset, bytes, .. } = event {
            let (ranges, end) = (tiles.entry(tile).or_default(), offset + bytes.len() as u64);
            match ranges.last_mut().filter(|before| before.1 == offset && !bytes.is_empty()) {
                Some(before) => before.1 = end,
                None => ranges.push((offset, end)),
            }
        }
    };
    MessageReader::new().push(&pull(reply), event).unwrap();
    tiles
}

#[test]
fn tile_parts_that_are_held_are_not_sent_again() {
    let window = "fsiz=61,47&type=jpt-stream&len=100000000";
    let whole = tile_ranges(ask(&mut of_tiles(), window));
    let file = IndexedFile::open(include_bytes!("data/tiles.jp2").to_vec(), &Limits::default()).unwrap();
    let ends = ServedPicture::tile_part_ends(&file, 1);
    let (count, total) = (whole.len(), *ends.last().unwrap());
    assert!(count == 4 && ends.len() == 3 && whole[&1] == [(0, total)], "{ends:?} {whole:?}");
    let told = |more: &str| tile_ranges(ask(&mut of_tiles(), &format!("{window}&{more}")));
    assert_eq!(told("tpmodel=1.0")[&1], [(ends[0], total)]);
    assert_eq!(told("tpmodel=1.1")[&1], [(0, ends[0]), (ends[1], total)]);
    assert_eq!(told("tpmodel=0-2.0-1,1.2").get(&1).cloned().unwrap_or_default(), [(total, total)]);
    assert_eq!(told("tpmodel=1.*").get(&1), None);
    assert_eq!(told("tpmodel=*.*"), Default::default());
    assert_eq!(told("tpmodel=1.*,-1.1")[&1], [(ends[0], total)]);
    assert_eq!(told("tpmodel=1.9,99.0"), whole);
    assert_eq!(told("tpneed=1.0,3.*").keys().copied().collect::<Vec<_>>(), [1, 3]);
    // In a session, too, what was sent is known; and what is taken back comes again.
    let mut server = of_tiles();
    let cid = channel(&ask(&mut server, "cnew=http&type=jpt-stream&tpmodel=1.0"));
    let first = tile_ranges(ask(&mut server, &format!("{window}&cid={cid}")));
    assert_eq!(first[&1], [(ends[0], total)]);
    assert_eq!(tile_ranges(ask(&mut server, &format!("{window}&cid={cid}"))), Default::default());
    let again = tile_ranges(ask(&mut server, &format!("{window}&cid={cid}&tpmodel=-1.2")));
    assert_eq!((again.len(), again[&1].clone()), (1, vec![(ends[1], total)]));
}

#[test]
fn a_client_gets_the_picture_as_any_stream_over_a_bad_link() {
    let bytes = include_bytes!("data/tiles.jp2").to_vec();
    let image = Image::open(bytes).unwrap();
    let request = DecodeRequest::default();
    let (whole, _) = Decoder::cpu().components(&image, &request).unwrap();
    for stream in [StreamKind::Precincts, StreamKind::ExtendedPrecincts, StreamKind::Tiles] {
        for seed in 0..20 {
            let options = Link::session().stream(stream).length(Some(400)).attempts(1000);
            let bad = LinkOptions { seed, cuts: 40, losses: 20, chunk: 150, ..LinkOptions::default() };
            let mut link = Link::with_server(of_tiles(), options, bad);
            link.client.set_window(Some(ViewWindow::whole(Size::new(61, 47))));
            link.run();
            let bins = link.client.bins();
            let bins = bins.read().unwrap();
            assert_eq!(link.client.progress().duplicate, 0, "{stream:?} {seed}");
            let tiles = bins.ids().filter(|(_, id)| matches!(id, DataBinId::Tile(_))).count();
            assert_eq!(tiles, if stream == StreamKind::Tiles { 4 } else { 0 });
            let bins = TileBins::new(bins.clone(), &Limits::default());
            let image = Image::open_stream(Arc::new(bins)).unwrap().image().unwrap();
            let (found, report) = Decoder::cpu().components(&image, &request).unwrap();
            assert!(report.is_complete() && found == whole, "{stream:?} {seed}");
        }
    }
}

#[test]
fn tiles_whose_packet_headers_are_elsewhere_are_refused_by_name() {
    let Some(path) = shared("testdata/conformance/part4/p1_03.j2k") else { return };
    let file = IndexedFile::open(std::fs::read(path).unwrap(), &Limits::default()).unwrap();
    let mut server = server_of(vec![(NAME, Arc::new(file))], ServerOptions::default());
    let refused = ask(&mut server, "fsiz=9,9&type=jpt-stream");
    assert_eq!(refused.status, 501);
    assert!(String::from_utf8(pull(refused)).unwrap().contains("jpp-stream"));
    assert_eq!(ask(&mut server, "fsiz=9,9&type=jpp-stream").status, 200);
}
