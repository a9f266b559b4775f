//! Request fields beyond the view-window: what they change of a response.
#![allow(clippy::unwrap_used)]

mod common;

use common::link::{Link, LinkOptions};
use common::stack::Stack;
use common::synthetic::{COMPONENTS, Synthetic};
use common::{NAME, PEER, ask, channel, header, pull, server_of, server_with};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::Limits;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::source::IndexedFile;
use wavetile_transport::jpip::wire::metareq::MetadataRequest;
use wavetile_transport::jpip::{
    Chunk, ClientOptions, MessageEvent, MessageReader, Reply, ServedPicture, Server, ServerOptions, eor,
};

fn server() -> Server {
    server_with(Synthetic::new(), ServerOptions::default())
}

/// One message: what it is of, its auxiliary number, where its bytes lie, and whether they end the data-bin.
type Message = (DataBinId, Option<u64>, std::ops::Range<u64>, bool);

/// The messages of a response, those of one data-bin that follow each other as they came, and its end.
fn messages(reply: Reply) -> (Vec<Message>, Option<u8>) {
    let bytes = pull(reply);
    let (mut messages, mut end) = (Vec::new(), None);
    let event = |event: MessageEvent<'_>| match event {
        MessageEvent::Data { id, aux, offset, bytes, last, .. } => {
            messages.push((id, aux, offset..offset + bytes.len() as u64, last));
        }
        MessageEvent::EndOfResponse { reason, .. } => end = Some(reason),
    };
    MessageReader::new().push(&bytes, event).unwrap();
    (messages, end)
}

fn ids(reply: Reply) -> Vec<DataBinId> {
    let mut ids: Vec<DataBinId> = messages(reply).0.into_iter().map(|(id, ..)| id).collect();
    ids.dedup();
    ids
}

fn precinct(id: DataBinId) -> Option<PrecinctId> {
    let DataBinId::Precinct(id) = id else { return None };
    PrecinctId::from_in_class_id(id, COMPONENTS, 4)
}

#[test]
fn need_alone_brings_what_it_names() {
    let (main, header) = (DataBinId::MainHeader, DataBinId::TileHeader);
    assert_eq!(ids(ask(&mut server(), "need=Hm,H2-")), [main, header(2), header(3)]);
    let precincts = [DataBinId::Precinct(4), DataBinId::Precinct(5)];
    assert_eq!(ids(ask(&mut server(), "need=P4-5")), precincts);
    // A whole precinct, in one or more messages; what is held of it is left out.
    let picture = Synthetic::new();
    let end = *picture.packet_ends(precinct(precincts[0]).unwrap()).unwrap().last().unwrap();
    let (found, reason) = messages(ask(&mut server(), "need=P4&model=P4:3"));
    assert_eq!((found[0].2.start, found[found.len() - 1].2.end, reason), (3, end, Some(eor::WINDOW_DONE)));
    assert!(found[found.len() - 1].3);
    // Numbers of precincts that there are not, to no end.
    let all = ids(ask(&mut server(), "need=P*&len=100000000"));
    let count = picture.tiles.iter().flat_map(|tile| &tile.components).map(|component| component.precincts);
    assert_eq!(all.len() as u64, count.sum::<u64>());
    assert_eq!(server().handle_request(PEER, "/made%20up.jp2", "need=-Hm", Duration::ZERO).status, 400);
}

#[test]
fn need_with_a_window_leaves_out_the_rest_of_it() {
    let found = ids(ask(&mut server(), "fsiz=200,150&need=Hm,P0-11"));
    assert_eq!(found[0], DataBinId::MainHeader);
    assert!(found[1..].iter().all(|id| matches!(id, DataBinId::Precinct(0..=11))), "{found:?}");
    assert!(found.len() > 6);
}

#[test]
fn extended_precincts_tell_the_layers_that_are_complete() {
    let picture = Synthetic::new();
    let options = ServerOptions::default().message_payload(100);
    let mut server = server_with(Synthetic::new(), options);
    let (found, _) = messages(ask(&mut server, "fsiz=200,150&type=jpp-stream;ptype=ext"));
    let mut of_precincts = 0;
    for (id, aux, range, _) in found {
        let complete = precinct(id).map(|id| {
            let ends = picture.packet_ends(id).unwrap();
            ends.iter().filter(|&&end| end <= range.end).count() as u64
        });
        assert_eq!(aux, complete, "{id:?}");
        of_precincts += u32::from(aux.is_some());
    }
    assert!(of_precincts > 50);
}

#[test]
fn aligned_messages_end_with_packets() {
    let picture = Synthetic::new();
    let options = || ServerOptions::default().message_payload(300);
    for length in [500, 2000, 5000, 100_000] {
        let mut server = server_with(Synthetic::new(), options());
        let reply = ask(&mut server, &format!("fsiz=200,150&align=yes&len={length}"));
        assert_eq!(header(&reply, "JPIP-align"), None);
        let (found, reason) = messages(reply);
        for (id, _, range, last) in &found {
            match precinct(*id) {
                Some(precinct) => assert!(picture.packet_ends(precinct).unwrap().contains(&range.end)),
                None => assert!(last, "{id:?}"),
            }
        }
        assert_eq!(reason, Some(if length < 100_000 { eor::BYTE_LIMIT } else { eor::IMAGE_DONE }));
    }
    let mut server = server_with(Synthetic::new(), options());
    let (found, _) = messages(ask(&mut server, "fsiz=200,150"));
    assert!(found.iter().any(|(id, _, range, _)| {
        precinct(*id).is_some_and(|precinct| !picture.packet_ends(precinct).unwrap().contains(&range.end))
    }));
}

#[test]
fn tiles_come_as_they_stand_in_the_file() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiles.jp2")).unwrap();
    let file = Arc::new(IndexedFile::open(bytes.clone(), &Limits::default()).unwrap());
    let mut server = server_of(vec![(NAME, file.clone())], ServerOptions::default());
    let reply = ask(&mut server, "fsiz=10000,10000&type=jpt-stream");
    assert_eq!(header(&reply, "Content-Type"), Some("image/jpt-stream"));
    let mut tiles = vec![Vec::new(); file.header().tile_count() as usize];
    let mut reader = MessageReader::new();
    let event = |event: MessageEvent<'_>| {
        if let MessageEvent::Data { id, bytes, .. } = event {
            match id {
                DataBinId::Tile(tile) => tiles[tile as usize].extend_from_slice(bytes),
                DataBinId::Metadata(0) | DataBinId::MainHeader => (),
                other => panic!("{other:?} in a JPT-stream"),
            }
        }
    };
    reader.push(&pull(reply), event).unwrap();
    // Each begins with its SOT, and together they are all between main header and EOC.
    for (tile, found) in (0u16..).zip(&tiles) {
        assert_eq!(found[..4], [0xFF, 0x90, 0, 10]);
        assert_eq!(found[4..6], tile.to_be_bytes());
        assert!(bytes.windows(found.len()).any(|window| window == found));
    }
    let range = &file.container().codestreams[0];
    let sum = tiles.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(file.header().length + sum + 2, range.end - range.start);
    assert_eq!(ids(ask(&mut server, "need=T1&type=jpt-stream")), [DataBinId::Tile(1)]);
    let held = ids(ask(&mut server, "fsiz=10000,10000&type=jpt-stream&model=T*,Hm,M0"));
    assert_eq!(held, []);
}

#[test]
fn raw_is_the_file_or_a_part_of_it() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiles.jp2")).unwrap();
    let file = Arc::new(IndexedFile::open(bytes.clone(), &Limits::default()).unwrap());
    let mut server = server_of(vec![(NAME, file)], ServerOptions::default());
    let reply = ask(&mut server, "type=raw");
    assert_eq!(reply.body.exact_len(), Some(bytes.len() as u64));
    assert!(pull(reply) == bytes);
    assert!(pull(ask(&mut server, "type=raw&subtarget=10-99&len=50")) == bytes[10..60]);
    let reply = ask(&mut server, "type=raw&subtarget=100-99999999");
    let said = format!("100-{}", bytes.len() - 1);
    assert_eq!(header(&reply, "JPIP-subtarget"), Some(said.as_str()));
    assert!(pull(reply) == bytes[100..]);
    assert!(pull(ask(&mut server, "type=raw&subtarget=99999999-")).is_empty());
    assert_eq!(ask(&mut self::server(), "type=raw").status, 501);
    assert_eq!(ask(&mut server, "subtarget=0-9").status, 501);
}

#[test]
fn a_request_that_waits_does_not_end_the_one_before_it() {
    for (wait, end) in [("", eor::WINDOW_CHANGE), ("&wait=yes", eor::IMAGE_DONE)] {
        let mut server = server();
        let mut first = ask(&mut server, "fsiz=200,150&cnew=http");
        let cid = channel(&first);
        first.body.poll_chunk(100).unwrap();
        let query = format!("cid={cid}&fsiz=100,75{wait}");
        let second = server.handle_request(PEER, "/jpip", &query, Duration::ZERO);
        let bytes = pull(first);
        assert_eq!(bytes[bytes.len() - 3..], [0, end, 0], "{wait}");
        drop(second);
    }
}

#[test]
fn what_cannot_be_told_or_done_is_said() {
    let reply = ask(&mut server(), "fsiz=200,150&quality=50&mset=0-7");
    assert_eq!(header(&reply, "JPIP-quality"), Some("-1"));
    assert_eq!(header(&reply, "JPIP-mset"), Some("0"));
    assert_eq!(ask(&mut server(), "upload=image/jp2").status, 501);
    assert_eq!(ask(&mut server(), "type=image/png").status, 415);
    let reply = ask(&mut server(), "type=image/mj2,jpp-stream");
    assert_eq!((reply.status, header(&reply, "Content-Type")), (200, Some("image/jpp-stream")));
}

/// A file with a large XML box, a large UUID box and a small XML box before its codestream.
fn with_boxes() -> Vec<u8> {
    let boxed = |kind: &[u8; 4], contents: &[u8]| {
        let length = 8 + contents.len() as u32;
        [&length.to_be_bytes(), &kind[..], contents].concat()
    };
    let file = include_bytes!("data/tiles.jp2");
    let at = file.windows(4).position(|kind| kind == b"jp2c").unwrap() - 4;
    let large = format!("<a>{}</a>", "x".repeat(20_000));
    let boxes =
        [boxed(b"xml ", large.as_bytes()), boxed(b"uuid", &[7; 9000]), boxed(b"xml ", b"<small/>")].concat();
    [&file[..at], &boxes, &file[at..]].concat()
}

fn server_with_boxes() -> Server {
    let file = IndexedFile::open(with_boxes(), &Limits::default()).unwrap();
    server_of(vec![(NAME, Arc::new(file))], ServerOptions::default())
}

#[test]
fn metareq_brings_the_contents_of_large_boxes_which_nobody_else_waits_for() {
    let metadata = |query: &str| -> Vec<DataBinId> {
        let all = ids(ask(&mut server_with_boxes(), query));
        all.into_iter().filter(|id| matches!(id, DataBinId::Metadata(_))).collect()
    };
    let bins =
        |numbers: &[u64]| numbers.iter().map(|&number| DataBinId::Metadata(number)).collect::<Vec<_>>();
    assert_eq!(metadata("fsiz=64,64"), bins(&[0]));
    assert_eq!(metadata("metareq=[*]!!"), bins(&[0, 1, 2]));
    assert_eq!(metadata("stream=0&metareq=[xml_]"), bins(&[0, 1]));
    assert_eq!(metadata("metareq=%5Buuid%5D,[jp2h]"), bins(&[0, 2]));
    assert_eq!(metadata("metareq=[*]R2"), bins(&[0, 2]));
    assert_eq!(metadata("need=M1-"), bins(&[1, 2]));
    assert_eq!(metadata("need=M5"), bins(&[]));
    assert_eq!(metadata("metareq=[*]&model=M0,M1"), bins(&[2]));
    assert_eq!(ask(&mut server_with_boxes(), "metareq=xml").status, 400);
    // They come before anything of the window.
    let all = ids(ask(&mut server_with_boxes(), "metareq=[*]&fsiz=64,64"));
    assert_eq!(all[..4], [&bins(&[0, 1, 2])[..], &[DataBinId::MainHeader]].concat());
}

#[test]
fn a_client_reads_large_boxes_once_it_has_asked_for_them() {
    let text = |metadata: Option<&str>| {
        let options =
            ClientOptions::new(NAME).metadata(metadata.map(|text| MetadataRequest::parse(text).unwrap()));
        let mut link = Link::with_server(server_with_boxes(), options, LinkOptions::default());
        link.run();
        let image = link.client.image(&Limits::default()).unwrap().unwrap();
        assert_eq!(link.client.progress().duplicate, 0);
        (format!("{:?}", image.container().metadata), link.client.progress().received)
    };
    let (with, all) = text(Some("[*]"));
    let (without, few) = text(None);
    assert!(with.contains(&"x".repeat(20_000)) && with.contains("<small/>"));
    assert!(!without.contains("xxx") && without.contains("<small/>"));
    assert!(few < 1000 && all > 29_000, "{few} and {all} bytes");
}

#[test]
fn a_context_stands_for_the_codestreams_of_its_layers() {
    let reply = ask(&mut server(), "context=jpxl<0-7:2>[s0],mj2t<0>&fsiz=200,150");
    assert_eq!(header(&reply, "JPIP-context"), Some("jpxl<0-7:2>=0"));
    assert_eq!(messages(reply).1, Some(eor::IMAGE_DONE));
    let reply = ask(&mut server(), "context=jpxl<1>&fsiz=200,150");
    assert_eq!(header(&reply, "JPIP-context"), None);
    assert_eq!(ask(&mut server(), "context=jpxl<0").status, 400);
}

#[test]
fn implicit_forms_of_a_model_name_precincts_exactly() {
    let picture = Synthetic::new();
    let window = "fsiz=200,150&len=100000000";
    let place = |id: DataBinId| {
        let id = precinct(id)?;
        let levels = &picture.tiles[id.tile as usize].components[id.component as usize].resolutions;
        let level = levels.iter().rposition(|level| level.first_precinct <= id.precinct)?;
        Some((id.tile, id.component, level))
    };
    let all: BTreeSet<DataBinId> = ids(ask(&mut server(), window)).into_iter().collect();
    let without = |leave: &dyn Fn((u32, u32, usize)) -> bool| -> BTreeSet<DataBinId> {
        all.iter().copied().filter(|&id| !place(id).is_some_and(leave)).collect()
    };
    let lacking =
        without(&|(tile, component, level)| tile == 1 && component == 0 && (1..=2).contains(&level));
    assert!(lacking.len() < all.len());
    // Without a session, and in one, where it can be taken back.
    let stateless = ids(ask(&mut server(), &format!("{window}&model=t1c0r1-2")));
    assert_eq!(stateless.into_iter().collect::<BTreeSet<_>>(), lacking);
    let mut server = server();
    let cid = channel(&ask(&mut server, "cnew=http&len=0"));
    let found = ids(ask(&mut server, &format!("{window}&cid={cid}&model=t1c0r1-2")));
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), lacking);
    let found = ids(ask(&mut server, &format!("{window}&cid={cid}&model=-t1c0r1")));
    let back: BTreeSet<DataBinId> = all.iter().copied().filter(|&id| place(id) == Some((1, 0, 1))).collect();
    assert!(!back.is_empty());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), back);
}

#[test]
fn fields_that_have_no_effect_change_nothing() {
    let whole = |more: &str| {
        let reply = ask(&mut server(), &format!("fsiz=200,150&len=20000{more}"));
        assert_eq!(reply.status, 200, "{more}");
        let names: Vec<&str> = reply.headers.iter().map(|(name, _)| *name).collect();
        (names, pull(reply))
    };
    let plain = whole("");
    for more in [
        "srate=25",
        "drate=10.5",
        "cap=mt",
        "csf=cc;1",
        "pref=progressive",
        "pref=fullwindow",
        "somebody.elses=1",
    ] {
        assert!(whole(&format!("&{more}")) == plain, "{more}");
    }
}

#[test]
fn beyond_leaves_out_what_is_held_behind_a_gap() {
    let picture = Synthetic::new();
    let id = DataBinId::Precinct(4);
    let ends = picture.packet_ends(precinct(id).unwrap()).unwrap();
    let end = *ends.last().unwrap();
    assert!(ends.len() > 1 && end > 20);
    let ranges = |reply: Reply| -> Vec<_> {
        let found = messages(reply).0.into_iter().filter(|message| message.0 == id);
        found.map(|(_, _, range, last)| (range, last)).collect()
    };
    for (fields, wanted) in [
        ("beyond=P4:7-11", vec![(0..7, false), (11..end, true)]),
        ("model=P4:3&beyond=P4:7-11,P4:15-16", vec![(3..7, false), (11..15, false), (16..end, true)]),
        ("model=P4:9&beyond=P4:7-11", vec![(11..end, true)]),
        // That these are all is said all the same.
        (&format!("beyond=P4:7-{end}"), vec![(0..7, false), (end..end, true)]),
        ("beyond=P4:11-7,P4:0-0,P4:99999999-999999999", vec![(0..end, true)]),
        // What is taken back is forgotten, too.
        ("beyond=P4:7-11&model=-P*", vec![(0..end, true)]),
        ("beyond=P3-5:7-11", vec![(0..end, true)]),
    ] {
        // Asked for at once, and in a session layer by layer.
        assert_eq!(ranges(ask(&mut server(), &format!("need=P4&{fields}"))), wanted, "{fields}");
        let mut server = server();
        let opened = ask(&mut server, &format!("cnew=http&fsiz=1,1&{fields}"));
        let cid = channel(&opened);
        let joined = joined(ranges(ask(&mut server, &format!("cid={cid}&fsiz=200,150"))));
        assert_eq!(joined, wanted, "{fields}");
    }
    assert_eq!(server().handle_request(PEER, "/made%20up.jp2", "beyond=P4:7-x", Duration::ZERO).status, 400);
}

/// Ranges that follow each other as one.
fn joined(ranges: Vec<(std::ops::Range<u64>, bool)>) -> Vec<(std::ops::Range<u64>, bool)> {
    let mut joined: Vec<(std::ops::Range<u64>, bool)> = Vec::new();
    for (range, last) in ranges {
        match joined.last_mut().filter(|before| before.0.end == range.start && !range.is_empty()) {
            Some(before) => *before = (before.0.start..range.end, last),
            None => joined.push((range, last)),
        }
    }
    joined
}

#[test]
fn preferences_that_are_insisted_on_are_met_or_named() {
    let ask = |fields: &str| server().handle_request(PEER, "/made%20up.jp2", fields, Duration::ZERO);
    for met in
        ["fullwindow/r", "progressive/r,concise/r,codeseq:sequential/r", "mbw:5M,color-enum:1", "x/r/q"]
    {
        assert_eq!(ask(&format!("fsiz=9,9&pref={met}")).status, 200, "{met}");
    }
    let refused = ask("fsiz=9,9&pref=fullwindow/r,color-enum:1/r,mbw:5M,somebodys/r");
    assert_eq!((refused.status, header(&refused, "JPIP-pref")), (501, Some("color-enum:1/r,somebodys/r")));
}

#[test]
fn there_are_no_regions_of_interest_and_that_is_said() {
    let reply = ask(&mut server(), "fsiz=200,150&roi=face");
    assert_eq!(header(&reply, "JPIP-roi"), Some("roi=no-roi"));
    assert!(pull(reply) == pull(ask(&mut server(), "fsiz=200,150")));
    for wrong in
        ["roi=", "srate=0", "srate=x", "drate=-1", "drate=1e9", "drate=.", "tpmodel=1", "tpneed=-0.0"]
    {
        let status = server().handle_request(PEER, "/made%20up.jp2", wrong, Duration::ZERO).status;
        assert_eq!(status, 400, "{wrong}");
    }
}

#[test]
fn need_takes_implicit_forms() {
    let place = |id| precinct(id).map(|id| (id.tile, id.component));
    let found = ids(ask(&mut server(), "need=Hm,t1c0r0&len=100000000"));
    assert_eq!(found[0], DataBinId::MainHeader);
    assert!(found.len() > 1 && found[1..].iter().all(|&id| place(id) == Some((1, 0))), "{found:?}");
    let with_window = ids(ask(&mut server(), "fsiz=200,150&need=t2&len=100000000"));
    assert!(
        !with_window.is_empty() && with_window.iter().all(|&id| precinct(id).is_some_and(|id| id.tile == 2))
    );
    let all: u64 = Synthetic::new().tiles[2].components.iter().map(|component| component.precincts).sum();
    assert_eq!(with_window.into_iter().collect::<BTreeSet<_>>().len() as u64, all);
}

/// What came of each data-bin, however it was cut.
fn by_bin(bytes: &[u8]) -> std::collections::BTreeMap<(u64, DataBinId), Vec<u8>> {
    let mut bins = std::collections::BTreeMap::<_, Vec<u8>>::new();
    let event = |event: MessageEvent<'_>| {
        if let MessageEvent::Data { codestream, id, offset, bytes, .. } = event {
            let bin = bins.entry((u64::from(codestream), id)).or_default();
            assert_eq!(bin.len() as u64, offset);
            bin.extend(bytes);
        }
    };
    MessageReader::new().push(bytes, event).unwrap();
    bins
}

#[test]
fn codestreams_are_delivered_no_faster_than_asked_for() {
    let mut server = server_of(vec![(NAME, Arc::new(Stack::of_widths([200; 3])))], ServerOptions::default());
    for (streams, pauses) in [("0-2", 2), ("1-2", 1), ("0", 0)] {
        let fields = format!("fsiz=200,150&stream={streams}&len=100000000");
        let unpaced = pull(ask(&mut server, &fields));
        let mut body = ask(&mut server, &format!("{fields}&drate=4")).body;
        let (mut now, mut bytes, mut waits) = (Duration::from_secs(7), Vec::new(), Vec::new());
        loop {
            match body.poll(4096, now, std::task::Waker::noop()) {
                Chunk::Bytes(chunk) => bytes.extend(chunk),
                Chunk::Wait(pause) => {
                    waits.push(pause);
                    // Looking too early changes nothing.
                    assert!(matches!(
                        body.poll(4096, now + pause / 2, std::task::Waker::noop()),
                        Chunk::Wait(_)
                    ));
                    now += pause;
                }
                Chunk::End => break,
            }
        }
        assert!(by_bin(&bytes) == by_bin(&unpaced), "{streams}");
        assert_eq!(waits, vec![Duration::from_millis(250); pauses], "{streams}");
    }
}
