//! What the server answers, request by request; and each of its limits crossed.
#![allow(clippy::unwrap_used)]

mod common;

use common::stack::Stack;
use common::synthetic::{COMPONENTS, LAYERS, Synthetic};
use common::{NAME, PEER, ask, channel, header, pull, read, receive, server_of, server_with};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::Size;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, PrecinctId};
use wavetile_engine::low_level::plan::reach::{GridWindow, covered_precincts};
use wavetile_engine::view_window::ViewWindow;
use wavetile_transport::jpip::{
    MessageEvent, MessageReader, Reply, ServedPicture, Server, ServerOptions, eor,
};

const WHOLE: &str = "fsiz=200,150&type=jpp-stream";

fn server() -> Server {
    server_with(Synthetic::new(), ServerOptions::default())
}

fn precinct(id: DataBinId) -> Option<PrecinctId> {
    let DataBinId::Precinct(id) = id else { return None };
    PrecinctId::from_in_class_id(id, COMPONENTS, 4)
}

#[test]
fn a_response_starts_with_headers_and_goes_on_layer_by_layer_coarse_first() {
    let received = receive(ask(&mut server(), WHOLE), &mut DataBinCache::new());
    let ids: Vec<DataBinId> = received.messages.iter().map(|(id, ..)| *id).collect();
    let tile_headers = (0..4).map(DataBinId::TileHeader);
    let start: Vec<_> =
        [DataBinId::Metadata(0), DataBinId::MainHeader].into_iter().chain(tile_headers).collect();
    assert_eq!(ids[..6], start);
    assert_eq!(received.end, Some(eor::IMAGE_DONE));
    let picture = Synthetic::new();
    let places: Vec<(usize, usize)> = received.messages[6..]
        .iter()
        .map(|(id, offset, _, _)| {
            let id = precinct(*id).unwrap();
            let layer = picture.packet_ends(id).unwrap().iter().position(|end| offset < end).unwrap();
            let tile = picture.tile(id.tile).unwrap();
            let resolutions = &tile.components[id.component as usize].resolutions;
            let resolution =
                resolutions.iter().rposition(|level| level.first_precinct <= id.precinct).unwrap();
            (layer, resolution)
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(places.last(), Some(&(usize::from(LAYERS) - 1, 3)));
}

#[test]
fn without_a_frame_size_only_headers_come() {
    let received = receive(ask(&mut server(), "type=jpp-stream"), &mut DataBinCache::new());
    let ids: Vec<DataBinId> = received.messages.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, [DataBinId::Metadata(0), DataBinId::MainHeader]);
    assert_eq!(received.end, Some(eor::WINDOW_DONE));
    // A picture without boxes has an empty metadata-bin, which is sent all the same.
    let picture = Synthetic { metadata: None, ..Synthetic::new() };
    let received =
        receive(ask(&mut server_with(picture, ServerOptions::default()), ""), &mut DataBinCache::new());
    assert_eq!(received.messages[0], (DataBinId::Metadata(0), 0, 0, true));
}

#[test]
fn a_region_brings_its_tiles_and_precincts_and_an_empty_one_nothing() {
    let mut cache = DataBinCache::new();
    let reply = ask(&mut server(), "fsiz=200,150&roff=140,10&rsiz=20,20");
    assert_eq!(header(&reply, "JPIP-roff"), None);
    let received = receive(reply, &mut cache);
    assert_eq!(received.end, Some(eor::WINDOW_DONE));
    assert!(received.messages.iter().filter_map(|(id, ..)| precinct(*id)).all(|id| id.tile == 1));
    assert!(cache.is_complete(0, DataBinId::TileHeader(1)));
    assert!(!cache.ids().any(|(_, id)| id == DataBinId::TileHeader(0)));
    let received = receive(ask(&mut server(), "fsiz=200,150&roff=200,0&rsiz=9,9"), &mut DataBinCache::new());
    assert_eq!((received.messages.len(), received.end), (2, Some(eor::WINDOW_DONE)));
    let received = receive(ask(&mut server(), "fsiz=200,150&stream=1-"), &mut DataBinCache::new());
    assert_eq!((received.messages.len(), received.end), (1, Some(eor::WINDOW_DONE)));
}

#[test]
fn the_precincts_are_those_that_the_decoder_needs_filter_support_included() {
    let picture = Synthetic::new();
    for x in (0..190).step_by(7) {
        let window = ViewWindow {
            offset: (x, x / 2),
            region: Size::new(9, 5),
            ..ViewWindow::whole(Size::new(200, 150))
        };
        let resolved = window.resolve(&picture.header);
        let grid = GridWindow { region: resolved.grid_region, reduce: resolved.reduce, components: None };
        let needed: BTreeSet<PrecinctId> = picture
            .tiles
            .iter()
            .flat_map(|tile| covered_precincts(&picture.header, tile, &grid))
            .map(|covered| covered.id)
            .collect();
        let query = format!("fsiz=200,150&roff={x},{}&rsiz=9,5", x / 2);
        let received = receive(ask(&mut server(), &query), &mut DataBinCache::new());
        let sent: BTreeSet<PrecinctId> =
            received.messages.iter().filter_map(|(id, ..)| precinct(*id)).collect();
        assert_eq!(sent, needed, "{query}");
    }
}

#[test]
fn changes_of_the_window_are_told() {
    let reply = ask(&mut server(), "fsiz=120,120,closest&roff=60,60&rsiz=100,100&layers=9&comps=1-7");
    assert_eq!(reply.status, 200);
    assert_eq!(header(&reply, "JPIP-fsiz"), Some("100,75"));
    assert_eq!(header(&reply, "JPIP-roff"), Some("50,37"));
    assert_eq!(header(&reply, "JPIP-rsiz"), Some("50,38"));
    assert_eq!(header(&reply, "JPIP-layers"), Some("3"));
    assert_eq!(header(&reply, "JPIP-comps"), Some("1-2"));
    let reply = ask(&mut server(), "fsiz=200,150&roff=0,0&rsiz=200,150&layers=3&comps=0");
    assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("JPIP-") || *name == "JPIP-tid"));
}

#[test]
fn layers_and_components_limit_what_comes() {
    let picture = Synthetic::new();
    let mut cache = DataBinCache::new();
    let received = receive(ask(&mut server(), "fsiz=200,150&layers=2&comps=1"), &mut cache);
    assert_eq!(received.end, Some(eor::WINDOW_DONE));
    let mut precincts = 0;
    for (_, bin) in cache.ids() {
        let Some(id) = precinct(bin) else { continue };
        assert_eq!(id.component, 1);
        assert_eq!(cache.contiguous_len(0, bin), picture.packet_ends(id).unwrap()[1]);
        assert!(!cache.is_complete(0, bin));
        precincts += 1;
    }
    let tiles = picture.tiles.iter();
    assert_eq!(precincts, tiles.map(|tile| tile.components[1].precincts).sum::<u64>());
}

#[test]
fn len_is_never_exceeded_and_a_bin_goes_on_at_the_byte() {
    for length in (1..120).chain([500, 999, 5000]) {
        let mut server = server();
        let mut cache = DataBinCache::new();
        let first = ask(&mut server, &format!("{WHOLE}&cnew=http&len={length}"));
        let mut next = Some(first);
        let mut channel_name = None;
        let (mut requests, mut sent) = (0, 0);
        while let Some(reply) = next.take() {
            let cid = channel_name.get_or_insert_with(|| channel(&reply)).clone();
            let received = receive(reply, &mut cache);
            assert!(received.message_bytes as u64 <= length, "{} > {length}", received.message_bytes);
            assert_eq!(received.inserted.duplicate_bytes, 0);
            sent += received.inserted.new_bytes;
            requests += 1;
            if received.end == Some(eor::BYTE_LIMIT) {
                if length > 16 {
                    // As much as fits is used: at most a header and its least payload are left.
                    assert!(
                        received.message_bytes as u64 + 12 >= length,
                        "{} of {length}",
                        received.message_bytes
                    );
                } else if received.messages.is_empty() {
                    // Too little for any header of what is next.
                    break;
                }
                next = Some(ask(&mut server, &format!("{WHOLE}&cid={cid}&len={length}")));
            }
            if length < 120 && requests > 40 {
                break;
            }
        }
        Synthetic::new().assert_prefixes(&cache);
        assert!(length < 16 || sent > 0);
        if length > 120 {
            Synthetic::new().assert_whole(&cache);
        }
    }
}

#[test]
fn len_zero_is_an_end_of_response_alone() {
    let mut server = server();
    for query in ["len=0", "fsiz=9,9&len=0", "cnew=http&len=0"] {
        assert_eq!(pull(ask(&mut server, query)), [0, eor::BYTE_LIMIT, 0], "{query}");
    }
}

#[test]
fn a_response_without_len_ends_at_the_default() {
    let options = ServerOptions::default().default_length(3000);
    let received = receive(ask(&mut server_with(Synthetic::new(), options), WHOLE), &mut DataBinCache::new());
    assert_eq!(received.end, Some(eor::BYTE_LIMIT));
    assert!((2900..=3000).contains(&received.message_bytes));
    assert_eq!(ServerOptions::default().default_length, 2_000_000);
}

#[test]
fn a_stateless_client_is_not_sent_what_it_says_it_holds() {
    let mut server = server();
    let model = "Hm,H0-2,M0:3,P0:20,P4:L2,P1,P5-9";
    let received = receive(ask(&mut server, &format!("{WHOLE}&model={model}")), &mut DataBinCache::new());
    let first =
        |id: DataBinId| received.messages.iter().find(|message| message.0 == id).map(|message| message.1);
    assert_eq!(first(DataBinId::MainHeader), None);
    assert_eq!(first(DataBinId::TileHeader(2)), None);
    assert_eq!(first(DataBinId::TileHeader(3)), Some(0));
    assert_eq!(first(DataBinId::Metadata(0)), Some(3));
    assert_eq!(first(DataBinId::Precinct(0)), Some(20));
    let ends = Synthetic::new().packet_ends(precinct(DataBinId::Precinct(4)).unwrap()).unwrap();
    assert_eq!(first(DataBinId::Precinct(4)), Some(ends[1]));
    assert!([1, 5, 9].iter().all(|&id| first(DataBinId::Precinct(id)).is_none()));
    assert_eq!(first(DataBinId::Precinct(10)), Some(0));
    // Stateless: nothing of it is remembered.
    let received = receive(ask(&mut server, WHOLE), &mut DataBinCache::new());
    assert!(received.messages.iter().any(|message| message.0 == DataBinId::MainHeader));
}

#[test]
fn all_bytes_without_knowing_so_are_worth_an_empty_last_message() {
    let bins = Synthetic::new().bins();
    let length = |wanted| bins.iter().find(|(id, _)| *id == wanted).unwrap().1.len() as u64;
    let (header, packets) = (length(DataBinId::MainHeader), length(DataBinId::Precinct(0)));
    let query = format!("{WHOLE}&model=Hm:{header},P0:{packets},P1:99999999");
    let received = receive(ask(&mut server(), &query), &mut DataBinCache::new());
    for (id, length) in [
        (DataBinId::MainHeader, header),
        (DataBinId::Precinct(0), packets),
        (DataBinId::Precinct(1), length(DataBinId::Precinct(1))),
    ] {
        let found: Vec<_> = received.messages.iter().filter(|message| message.0 == id).collect();
        assert_eq!(found, [&(id, length, 0, true)]);
    }
}

#[test]
fn a_session_remembers_and_can_be_told_otherwise() {
    let mut server = server();
    let opened = ask(&mut server, &format!("{WHOLE}&cnew=http&model=P0"));
    let cid = channel(&opened);
    let received = receive(opened, &mut DataBinCache::new());
    assert!(!received.messages.iter().any(|message| message.0 == DataBinId::Precinct(0)));
    let again = receive(ask(&mut server, &format!("{WHOLE}&cid={cid}")), &mut DataBinCache::new());
    assert_eq!((again.messages.len(), again.end), (0, Some(eor::IMAGE_DONE)));
    let corrected = receive(
        ask(&mut server, &format!("{WHOLE}&cid={cid}&model=-P0,-P1:7,-Hm,P2")),
        &mut DataBinCache::new(),
    );
    let starts: Vec<_> = corrected.messages.iter().map(|(id, offset, ..)| (*id, *offset)).collect();
    assert_eq!(starts[0], (DataBinId::MainHeader, 0));
    assert!(starts.contains(&(DataBinId::Precinct(0), 0)) && starts.contains(&(DataBinId::Precinct(1), 7)));
    assert!(starts[1..].iter().all(|(id, _)| [DataBinId::Precinct(0), DataBinId::Precinct(1)].contains(id)));
}

#[test]
fn a_model_for_another_state_of_the_picture_is_ignored() {
    let received =
        receive(ask(&mut server(), &format!("{WHOLE}&tid=old&model=Hm")), &mut DataBinCache::new());
    assert!(received.messages.iter().any(|message| message.0 == DataBinId::MainHeader));
    let current = header(&ask(&mut server(), "tid=0"), "JPIP-tid").unwrap().to_owned();
    let received =
        receive(ask(&mut server(), &format!("{WHOLE}&tid={current}&model=Hm")), &mut DataBinCache::new());
    assert!(!received.messages.iter().any(|message| message.0 == DataBinId::MainHeader));
}

#[test]
fn a_newer_request_of_the_channel_ends_the_older_response_at_once() {
    let mut server = server();
    let mut old = ask(&mut server, &format!("{WHOLE}&cnew=http&qid=1"));
    let cid = channel(&old);
    let mut bytes = old.body.poll_chunk(2000).unwrap();
    let new = ask(&mut server, &format!("fsiz=100,75&cid={cid}&qid=2"));
    assert_eq!(header(&new, "JPIP-qid"), Some("2"));
    assert_eq!(old.body.poll_chunk(2000), Some(vec![0, eor::WINDOW_CHANGE, 0]));
    assert_eq!(old.body.poll_chunk(2000), None);
    bytes.extend([0, eor::WINDOW_CHANGE, 0]);
    let mut cache = DataBinCache::new();
    read(&bytes, &mut cache);
    let received = receive(new, &mut cache);
    assert_eq!((received.inserted.duplicate_bytes, received.end), (0, Some(eor::WINDOW_DONE)));
    let rest = receive(ask(&mut server, &format!("{WHOLE}&cid={cid}&qid=3")), &mut cache);
    assert_eq!(rest.inserted.duplicate_bytes, 0);
    Synthetic::new().assert_whole(&cache);
}

#[test]
fn a_request_that_arrives_late_gets_nothing_and_takes_nothing_over() {
    let mut server = server();
    let opened = ask(&mut server, "cnew=http&qid=0&len=0");
    let cid = channel(&opened);
    let newer = ask(&mut server, &format!("{WHOLE}&cid={cid}&qid=7"));
    let late = ask(&mut server, &format!("fsiz=100,75&cid={cid}&qid=6&model=P0,-P1"));
    assert_eq!(header(&late, "JPIP-qid"), Some("6"));
    assert_eq!(pull(late), [0, eor::WINDOW_CHANGE, 0]);
    let mut cache = DataBinCache::new();
    assert_eq!(receive(newer, &mut cache).end, Some(eor::IMAGE_DONE));
    Synthetic::new().assert_whole(&cache);
}

#[test]
fn channels_of_a_session_share_what_was_sent_but_do_not_disturb_each_other() {
    let mut server = server();
    let mut first = ask(&mut server, &format!("{WHOLE}&cnew=http"));
    let cid = channel(&first);
    let mut bytes = first.body.poll_chunk(1000).unwrap();
    let second = ask(&mut server, &format!("{WHOLE}&cid={cid}&cnew=http"));
    assert_ne!(channel(&second), cid);
    assert_eq!((server.sessions(), server.channels()), (1, 2));
    let mut cache = DataBinCache::new();
    receive(second, &mut cache);
    bytes.extend(pull(first));
    let rest = read(&bytes, &mut cache);
    assert_ne!(rest.end, Some(eor::WINDOW_CHANGE));
    Synthetic::new().assert_whole(&cache);
    ask(&mut server, &format!("cid={cid}&cclose=*"));
    assert_eq!((server.sessions(), server.channels()), (0, 0));
}

#[test]
fn refusals_have_their_status() {
    let mut server = server();
    let mut status = |path: &str, query: &str| {
        let reply = server.handle_request(PEER, path, query, Duration::ZERO);
        (reply.status, header(&reply, "Content-Type").unwrap().to_owned())
    };
    let text = "text/plain; charset=utf-8".to_owned();
    for (path, query, expected) in [
        ("/nothing.jp2", "", 404),
        ("/jpip", "target=../made%20up.jp2", 404),
        ("/jpip", "fsiz=9,9", 400),
        ("/", "", 400),
        ("/jpip", "cid=guess&fsiz=9,9", 404),
        ("/made%20up.jp2", "fsiz=9", 400),
        ("/made%20up.jp2", "len=99999999999999999999", 400),
        ("/made%20up.jp2", "model=Q", 400),
        ("/made%20up.jp2", "type=image/png", 415),
        ("/made%20up.jp2", "pref=color-enum:1/r", 501),
    ] {
        assert_eq!(status(path, query), (expected, text.clone()), "{path}?{query}");
    }
    for query in ["type=image/png,jpp-stream;ptype=x", "pref=fullwindow", "unknown=1&wait=yes"] {
        assert_eq!(status("/made%20up.jp2", query), (200, "image/jpp-stream".to_owned()), "{query}");
    }
}

#[test]
fn a_channel_is_opened_only_with_a_transport_that_is_known() {
    let mut server = server();
    let reply = ask(&mut server, "cnew=http-tcp,http-udp");
    assert_eq!((reply.status, header(&reply, "JPIP-cnew")), (200, None));
    let reply = ask(&mut server, "cnew=http-tcp,h3,http");
    let value = header(&reply, "JPIP-cnew").unwrap();
    assert!(value.starts_with("cid=") && value.ends_with(",path=jpip,transport=h3"), "{value}");
    assert_eq!(channel(&reply).len(), 32);
    assert_ne!(channel(&ask(&mut server, "cnew=http")), channel(&reply));
}

#[test]
fn a_channel_belongs_to_its_target() {
    let pictures: Vec<(&str, Arc<dyn ServedPicture>)> =
        vec![("a", Arc::new(Synthetic::new())), ("b", Arc::new(Synthetic::sized(90, 70, 64)))];
    let mut server = server_of(pictures, ServerOptions::default());
    let opened = server.handle_request(PEER, "/jpip", "target=a&cnew=http", Duration::ZERO);
    let cid = channel(&opened);
    let mut status =
        |path: &str, query: String| server.handle_request(PEER, path, &query, Duration::ZERO).status;
    assert_eq!(status("/a", format!("cid={cid}")), 200);
    assert_eq!(status("/b", format!("cid={cid}")), 400);
    // A new channel of the same session may have another.
    assert_eq!(status("/b", format!("cid={cid}&cnew=http")), 200);
}

fn from(address: u32, server: &mut Server, query: &str, now: u64) -> Reply {
    server.handle_request(
        IpAddr::from(address.to_be_bytes()),
        "/made%20up.jp2",
        query,
        Duration::from_secs(now),
    )
}

#[test]
fn limit_sessions_of_one_address() {
    let mut server = server();
    for _ in 0..64 {
        assert_eq!(from(1, &mut server, "cnew=http&len=0", 0).status, 200);
    }
    let refused = from(1, &mut server, "cnew=http&len=0", 0);
    assert_eq!((refused.status, header(&refused, "Retry-After")), (503, Some("10")));
    assert_eq!(from(2, &mut server, "cnew=http&len=0", 0).status, 200);
    assert_eq!(from(1, &mut server, "len=0", 0).status, 200, "requests without a session go on");
    // Those that have expired make room.
    assert_eq!(from(1, &mut server, "cnew=http&len=0", 120).status, 200);
    assert_eq!(server.sessions(), 1);
}

#[test]
fn limit_sessions_in_all() {
    let mut server = server_with(Synthetic::new(), ServerOptions::default().sessions(3));
    for address in 0..3 {
        assert_eq!(from(address, &mut server, "cnew=http&len=0", 0).status, 200);
    }
    let refused = from(9, &mut server, "cnew=http&len=0", 0);
    assert_eq!((refused.status, header(&refused, "Retry-After")), (503, Some("10")));
    assert_eq!(ServerOptions::default().sessions, 20_000);
}

#[test]
fn limit_channels_of_a_session() {
    let mut server = server();
    let cid = channel(&from(1, &mut server, "cnew=http&len=0", 0));
    for _ in 1..16 {
        assert_eq!(from(1, &mut server, &format!("cid={cid}&cnew=http&len=0"), 0).status, 200);
    }
    let refused = from(1, &mut server, &format!("cid={cid}&cnew=http&len=0"), 0);
    assert_eq!((refused.status, header(&refused, "Retry-After")), (503, Some("10")));
    assert_eq!(server.channels(), 16);
    ask(&mut server, &format!("cclose={cid}"));
    assert_eq!((server.sessions(), server.channels()), (1, 15));
}

#[test]
fn limit_memory_of_what_a_client_holds() {
    let mut server = server();
    let cid = channel(&from(1, &mut server, "cnew=http&len=0", 0));
    let mut most = 0;
    for step in 0..40 {
        let every_other: Vec<String> =
            (0..200).map(|index| format!("P{}", (step * 200 + index) * 2)).collect();
        let query = format!("cid={cid}&len=0&model={}", every_other.join(","));
        assert_eq!(from(1, &mut server, &query, 0).status, 200);
        most = most.max(server.model_memory());
    }
    assert!((32 << 10..=64 << 10).contains(&most), "{most}");
    assert!(server.model_memory() < most, "it was never forgotten");
}

#[test]
fn limit_life_of_a_session() {
    let mut server = server();
    let cid = channel(&from(1, &mut server, "cnew=http&len=0", 0));
    assert_eq!(from(1, &mut server, &format!("cid={cid}&len=0"), 119).status, 200);
    assert_eq!(from(1, &mut server, &format!("cid={cid}&len=0"), 238).status, 200);
    assert_eq!(from(1, &mut server, &format!("cid={cid}&len=0"), 358).status, 404);
    assert_eq!(server.sessions(), 0);
}

#[test]
fn a_session_whose_response_is_under_way_does_not_expire() {
    let mut server = server();
    let mut reply = from(1, &mut server, &format!("{WHOLE}&cnew=http"), 0);
    reply.body.poll_chunk(100).unwrap();
    for now in [100, 1000, 10_000] {
        server.expire(Duration::from_secs(now));
        assert_eq!(server.sessions(), 1);
    }
    drop(reply);
    server.expire(Duration::from_secs(10_119));
    assert_eq!(server.sessions(), 1);
    server.expire(Duration::from_secs(10_120));
    assert_eq!(server.sessions(), 0);
}

#[test]
fn messages_and_chunks_are_short_and_any_chunk_size_gives_the_same_bins() {
    let options = ServerOptions::default().message_payload(300);
    for most in [1, 2, 7, 63, 64, 100, 1200, 1 << 20] {
        let mut reply = ask(&mut server_with(Synthetic::new(), options.clone()), WHOLE);
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.body.poll_chunk(most) {
            assert!((1..=most).contains(&chunk.len()), "{} of {most}", chunk.len());
            bytes.extend(chunk);
        }
        let mut cache = DataBinCache::new();
        let received = read(&bytes, &mut cache);
        assert!(received.messages.iter().all(|message| message.2 <= 300));
        Synthetic::new().assert_whole(&cache);
    }
    let refused = ask(&mut server(), "pref=color-enum:1/r");
    let length = refused.body.exact_len();
    assert_eq!(length, Some(pull(refused).len() as u64));
    assert_eq!(ask(&mut server(), WHOLE).body.exact_len(), None);
}

#[test]
fn a_window_on_a_huge_picture_starts_at_once() {
    // 12 million precincts in the finest resolution alone, all in one tile; the selection is worked out while it is sent.
    let mut server = server_with(Synthetic::sized(130_000, 100_000, 200_000), ServerOptions::default());
    let mut reply = ask(&mut server, "fsiz=130000,100000");
    let first = reply.body.poll_chunk(16 << 10).unwrap();
    assert!(first.len() > 8 << 10);
    read_prefix(&first);
}

fn read_prefix(bytes: &[u8]) {
    let mut messages = 0;
    MessageReader::new().push(bytes, |_| messages += 1).unwrap();
    assert!(messages > 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_answer_is_sound(
        path in "(/jpip|/made%20up.jp2|/|.{0,12})",
        fields in proptest::collection::vec(
            "(fsiz=[0-9]{1,4},[0-9]{1,4}|fsiz=99,99,closest|roff=[0-9]{1,10},[0-9]{1,3}|rsiz=[0-9]{1,3},[0-9]{1,10}|layers=[0-9]{1,6}|comps=[0-9]-|stream=[0-3]|len=[0-9]{1,5}|cnew=http|cid=[0-9a-f]{32}|cclose=\\*|qid=[0-9]{1,3}|model=(-?[HPM][0-9]{1,3}(:L?[0-9]{1,3})?,){0,4}|target=made%20up.jp2|.{0,9}=.{0,9})",
            0..7,
        ),
    ) {
        let mut server = server();
        let mut reply = server.handle_request(PEER, &path, &fields.join("&"), Duration::ZERO);
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.body.poll_chunk(999) {
            bytes.extend(chunk);
        }
        if reply.status == 200 {
            let mut cache = DataBinCache::new();
            let received = read(&bytes, &mut cache);
            prop_assert!(received.end.is_some());
            prop_assert_eq!(received.inserted.duplicate_bytes, 0);
        } else {
            prop_assert!(bytes.ends_with(b"\n"));
            prop_assert!([400, 404, 415, 501].contains(&reply.status), "{}", reply.status);
        }
    }
}

#[test]
fn the_catalogue_names_what_it_has() {
    assert_eq!(server().names(), [NAME]);
}

#[test]
fn a_claim_to_hold_all_of_a_huge_picture_is_not_searched_through_for_ever() {
    let mut server = server_with(Synthetic::sized(130_000, 100_000, 200_000), ServerOptions::default());
    let reply = ask(&mut server, "fsiz=130000,100000&model=Hm,H*,M*,P*");
    assert_eq!(pull(reply), [0, eor::RESPONSE_LIMIT, 0]);
}

#[test]
fn what_a_client_holds_of_a_whole_picture_takes_little_memory_though_components_and_tiles_differ_in_size() {
    // 2700 precincts; components 1 and 2 have a quarter of those of component 0, tiles at the edges fewer.
    let mut server = server_with(Synthetic::sized(1500, 1100, 400), ServerOptions::default());
    let mut reply = ask(&mut server, "fsiz=1500,1100&cnew=http&len=1000000000");
    while reply.body.poll_chunk(1 << 20).is_some() {}
    assert!(server.model_memory() < 1000, "{}", server.model_memory());
}

/// A file of three codestreams, the second half as wide as the others.
fn stack() -> Server {
    let picture = Arc::new(Stack::of_widths([200, 100, 200]));
    server_of(vec![(NAME, picture)], ServerOptions::default())
}

/// Codestreams of the precincts, headers and metadata of a response, in order and without repeats; its end.
fn codestreams(reply: Reply) -> (Vec<u32>, Vec<u32>, Vec<u32>, Option<u8>) {
    let (mut precincts, mut headers, mut metadata, mut end) = (vec![], vec![], vec![], None);
    let bytes = pull(reply);
    let mut reader = MessageReader::new();
    reader
        .push(&bytes, |event| match event {
            MessageEvent::Data { codestream, id, .. } => match id {
                DataBinId::Precinct(_) => precincts.push(codestream),
                DataBinId::Metadata(_) => metadata.push(codestream),
                _ => headers.push(codestream),
            },
            MessageEvent::EndOfResponse { reason, .. } => end = Some(reason),
        })
        .unwrap();
    for list in [&mut precincts, &mut headers, &mut metadata] {
        list.dedup();
    }
    (precincts, headers, metadata, end)
}

#[test]
fn codestreams_come_as_asked_for_and_are_remembered_one_by_one() {
    let mut server = stack();
    let mut ask = |query: &str| codestreams(ask(&mut server, query));
    let whole = "fsiz=200,150";
    assert_eq!(ask(whole), (vec![0], vec![0], vec![0], Some(eor::WINDOW_DONE)));
    let last_two = (vec![1, 2], vec![1, 2], vec![0], Some(eor::WINDOW_DONE));
    assert_eq!(ask(&format!("{whole}&stream=1-")), last_two);
    assert_eq!(ask(&format!("{whole}&stream=0-9:2")).0, [0, 2]);
    let all = (vec![0, 1, 2], vec![0, 1, 2], vec![0], Some(eor::IMAGE_DONE));
    assert_eq!(ask(&format!("{whole}&stream=0-2")), all);
    assert_eq!(ask("stream=0-").1, [0, 1, 2]);
    // What is held of one codestream says nothing of another.
    let held = ask(&format!("{whole}&stream=0-&model=[1]Hm,H*,P*,[2;0]Hm"));
    assert_eq!((held.0, held.1), (vec![0, 2], vec![0, 2]));
    assert_eq!(ask(&format!("{whole}&stream=0-&model=Hm,H*,P*,M0")).0, []);
}

#[test]
fn a_session_remembers_each_codestream() {
    let mut server = stack();
    let reply = ask(&mut server, "fsiz=200,150&stream=0-1&cnew=http");
    let cid = channel(&reply);
    assert_eq!(codestreams(reply).0, [0, 1]);
    let mut ask = |query: &str| {
        codestreams(server.handle_request(PEER, "/jpip", &format!("cid={cid}&{query}"), Duration::ZERO)).0
    };
    assert_eq!(ask("fsiz=200,150&stream=0-"), [2]);
    assert_eq!(ask("fsiz=200,150&stream=0-"), []);
    assert_eq!(ask("fsiz=200,150&stream=0-&model=[1]-P*"), [1]);
}
