//! The client against answers written by hand: habits of foreign servers, errors, nonsense.
#![allow(clippy::unwrap_used)]

mod common;

use common::NAME;
use proptest::prelude::*;
use std::time::Duration;
use wavetile_engine::Size;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::view_window::ViewWindow;
use wavetile_transport::jpip::{
    Client, ClientError, ClientOptions, Ending, Event, MessageHeader, MessageWriter, Outgoing, Request, eor,
};

const WINDOW: ViewWindow = ViewWindow::whole(Size::new(64, 64));

fn client(sessions: bool) -> Client {
    let mut client = Client::new(ClientOptions::new(NAME).sessions(sessions));
    client.set_window(Some(WINDOW));
    client
}

fn next(client: &mut Client) -> Outgoing {
    client.poll_request(Duration::ZERO).expect("a request is due")
}

fn parse(outgoing: &Outgoing) -> Request {
    let (path, query) = outgoing.path_and_query.split_once('?').unwrap();
    Request::parse(path, query).unwrap()
}

fn head(client: &mut Client, id: u64, fields: &[(&str, &str)]) {
    let content = ("Content-Type", "image/jpp-stream");
    let fields: Vec<_> = [content]
        .iter()
        .chain(fields)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    client.handle_head(id, 200, &fields);
}

fn message(id: DataBinId, offset: u64, payload: &[u8], last: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = payload.len() as u64;
    let header = MessageHeader { codestream: 0, id, aux: None, offset, length, last };
    MessageWriter::new().write_header(&mut bytes, &header);
    bytes.extend(payload);
    bytes
}

fn end(reason: u8) -> Vec<u8> {
    vec![0, reason, 0]
}

fn events(client: &mut Client) -> Vec<Event> {
    let all = std::iter::from_fn(|| client.poll_event());
    all.filter(|event| !matches!(event, Event::Progress(_))).collect()
}

#[test]
fn the_first_request_opens_a_session_and_asks_for_the_window() {
    let mut client = client(true);
    let first = next(&mut client);
    assert!(first.path_and_query.starts_with("/made%20up.jp2?"));
    let request = parse(&first);
    assert_eq!(request.new_channel, Some(vec!["http".to_owned()]));
    assert_eq!((request.target_id.as_deref(), request.window.as_ref()), (Some("0"), Some(&WINDOW)));
    assert_eq!((request.length, request.channel.as_ref()), (Some(2 << 20), None));
    assert_eq!(client.poll_request(Duration::ZERO), None);
    // Until the channel is known, even a new window has to wait.
    client.set_window(None);
    assert_eq!(client.poll_request(Duration::ZERO), None);
    head(&mut client, first.id, &[("jpip-CNEW", "cid=C,path=some/where,transport=http"), ("JPIP-tid", "T")]);
    let second = next(&mut client);
    assert!(second.path_and_query.starts_with("/some/where?cid=C&"), "{}", second.path_and_query);
    let request = parse(&second);
    assert_eq!((request.request_id, request.window, request.target_id), (Some(1), None, None));
    assert_eq!(events(&mut client), [Event::Opened { target_id: Some("T".into()), session: true }]);
}

#[test]
fn a_server_without_sessions_is_told_what_is_held() {
    let mut client = client(true);
    let first = next(&mut client);
    head(&mut client, first.id, &[]);
    client.handle_body(first.id, &message(DataBinId::Precinct(3), 0, b"pack", false));
    client.handle_body(first.id, &message(DataBinId::MainHeader, 0, b"header", true));
    client.handle_body(first.id, &end(eor::BYTE_LIMIT));
    client.handle_end(first.id, Ending::Complete);
    let request = parse(&next(&mut client));
    assert_eq!(request.new_channel, None);
    assert_eq!(request.model.to_string(), "Hm,P3:4");
}

#[test]
fn a_broken_answer_in_a_session_is_corrected_until_the_server_has_heard_it() {
    let mut client = client(true);
    let first = next(&mut client);
    head(&mut client, first.id, &[("JPIP-cnew", "cid=C,path=jpip"), ("JPIP-tid", "T")]);
    client.handle_body(first.id, &message(DataBinId::Precinct(3), 0, b"packets", false)[..7]);
    client.handle_end(first.id, Ending::Broken("gone".into()));
    assert_eq!(client.poll_request(Duration::ZERO), None, "a pause first");
    let wake = client.next_wake().unwrap();
    for _ in 0..2 {
        let again = client.poll_request(Duration::from_secs(60)).unwrap();
        assert!(wake < Duration::from_secs(60));
        let request = parse(&again);
        assert_eq!(request.model.to_string(), "-Hm,-H*,-P*,-M*,P3:4");
        assert_eq!((request.channel.as_deref(), request.target_id.as_deref()), (Some("C"), Some("T")));
        // No answer: the server may not have heard it.
        client.handle_end(again.id, Ending::Broken("gone".into()));
        client.retry();
    }
    let heard = client.poll_request(Duration::from_secs(120)).unwrap();
    assert!(!parse(&heard).model.is_empty());
    head(&mut client, heard.id, &[]);
    client.handle_body(heard.id, &message(DataBinId::Precinct(3), 4, b"ets", true));
    client.handle_body(heard.id, &end(eor::BYTE_LIMIT));
    client.handle_end(heard.id, Ending::Complete);
    let request = parse(&client.poll_request(Duration::from_secs(120)).unwrap());
    assert!(request.model.is_empty(), "{}", request.model);
    assert_eq!(client.progress().duplicate, 0);
}

#[test]
fn an_older_answer_that_breaks_is_made_up_for_before_the_window_counts_as_complete() {
    let mut client = client(true);
    let first = next(&mut client);
    head(&mut client, first.id, &[("JPIP-cnew", "cid=C,path=jpip")]);
    client.handle_body(first.id, &message(DataBinId::MainHeader, 0, b"header", true));
    client.handle_body(first.id, &message(DataBinId::Metadata(0), 0, b"", true));
    let window = client.set_window(None);
    let second = next(&mut client);
    head(&mut client, second.id, &[]);
    client.handle_body(second.id, &end(eor::WINDOW_DONE));
    client.handle_end(second.id, Ending::Complete);
    assert_eq!(events(&mut client).len(), 1, "the first answer is still under way");
    client.handle_end(first.id, Ending::Broken("gone".into()));
    let third = next(&mut client);
    assert_eq!(parse(&third).model.to_string(), "-Hm,-H*,-P*,-M*,Hm,M0");
    head(&mut client, third.id, &[]);
    client.handle_body(third.id, &end(eor::WINDOW_DONE));
    client.handle_end(third.id, Ending::Complete);
    assert_eq!(events(&mut client), [Event::WindowComplete { window, reason: Some(eor::WINDOW_DONE) }]);
}

#[test]
fn a_server_without_end_of_response_is_asked_until_nothing_new_comes() {
    let mut client = client(false);
    let first = next(&mut client);
    head(&mut client, first.id, &[]);
    client.handle_body(first.id, &message(DataBinId::MainHeader, 0, b"header", true));
    client.handle_body(first.id, &message(DataBinId::Metadata(0), 0, b"", true));
    client.handle_end(first.id, Ending::Complete);
    let second = next(&mut client);
    head(&mut client, second.id, &[]);
    client.handle_end(second.id, Ending::Complete);
    assert_eq!(client.poll_request(Duration::MAX), None);
    assert_eq!(events(&mut client)[1..], [Event::WindowComplete { window: 1, reason: None }]);
}

#[test]
fn a_server_that_sends_no_boxes_of_its_own_accord_is_asked_for_them_once() {
    let answer = |client: &mut Client, boxes: Option<&[u8]>| {
        let request = next(client);
        head(client, request.id, &[]);
        if let Some(boxes) = boxes {
            client.handle_body(request.id, &message(DataBinId::Metadata(0), 0, boxes, true));
        }
        client.handle_body(request.id, &end(eor::WINDOW_DONE));
        client.handle_end(request.id, Ending::Complete);
        parse(&request).metadata.map(|metadata| metadata.text().to_owned())
    };
    let done = Event::WindowComplete { window: 1, reason: Some(eor::WINDOW_DONE) };
    for boxes in [Some(&b"boxes"[..]), None] {
        let mut client = self::client(false);
        assert_eq!(answer(&mut client, None), None);
        assert_eq!(answer(&mut client, boxes).as_deref(), Some("[jp2h]"));
        assert_eq!(client.poll_request(Duration::MAX), None);
        assert_eq!(events(&mut client).last(), Some(&done));
        assert!(client.bins().read().unwrap().is_complete(0, DataBinId::Metadata(0)));
    }
    // One that is busy is asked for them again, later.
    let mut client = self::client(false);
    answer(&mut client, None);
    let request = next(&mut client);
    client.handle_head(request.id, 503, &[("Retry-After".into(), "7".into())]);
    client.handle_end(request.id, Ending::Complete);
    assert_eq!(client.poll_request(Duration::from_secs(6)), None);
    let request = client.poll_request(Duration::from_secs(7)).unwrap();
    assert_eq!(parse(&request).metadata.unwrap().text(), "[jp2h]");
    assert!(!client.bins().read().unwrap().is_complete(0, DataBinId::Metadata(0)));
    // What has come of them counts as all, if the server says that it is done.
    head(&mut client, request.id, &[]);
    client.handle_body(request.id, &message(DataBinId::Metadata(0), 0, b"boxes", false));
    client.handle_body(request.id, &end(eor::WINDOW_DONE));
    client.handle_end(request.id, Ending::Complete);
    assert_eq!(events(&mut client).last(), Some(&done));
    assert_eq!(client.bins().read().unwrap().len(0, DataBinId::Metadata(0)), Some(5));
    // One that cannot name boxes is left in peace.
    let mut client = self::client(false);
    answer(&mut client, None);
    let request = next(&mut client);
    client.handle_head(request.id, 501, &[]);
    client.handle_end(request.id, Ending::Complete);
    assert_eq!(answer(&mut client, None), None);
    assert_eq!(events(&mut client).last(), Some(&done));
}

#[test]
fn promises_of_more_that_bring_nothing_end_in_an_error() {
    let mut client = client(false);
    let mut requests = 0;
    let mut now = Duration::ZERO;
    while let Some(outgoing) = client.poll_request(now) {
        requests += 1;
        head(&mut client, outgoing.id, &[]);
        client.handle_body(outgoing.id, &end(eor::BYTE_LIMIT));
        client.handle_end(outgoing.id, Ending::Complete);
        now += Duration::from_secs(100);
    }
    assert_eq!(requests, 6);
    assert_eq!(events(&mut client).last(), Some(&Event::Failed(ClientError::Stalled)));
}

#[test]
fn other_content_and_broken_messages_are_errors() {
    let mut client = client(false);
    let first = next(&mut client);
    client.handle_head(first.id, 200, &[("content-type".into(), "text/html; charset=x".into())]);
    client.handle_body(first.id, b"<html>");
    client.handle_end(first.id, Ending::Complete);
    let failed = Event::Failed(ClientError::NotJpp("text/html; charset=x".into()));
    assert_eq!(events(&mut client), [failed]);
    client.retry();
    let second = next(&mut client);
    head(&mut client, second.id, &[]);
    client.handle_body(second.id, b"\x10nonsense");
    assert!(events(&mut client).contains(&Event::Abort { id: second.id }));
    client.handle_end(second.id, Ending::Broken("aborted".into()));
    assert_eq!(client.poll_request(Duration::ZERO), None);
    assert!(client.poll_request(Duration::from_secs(1)).is_some());
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_says() {
    let mut client = client(false);
    let first = next(&mut client);
    client.handle_head(first.id, 503, &[("Retry-After".into(), "7".into())]);
    client.handle_end(first.id, Ending::Complete);
    assert_eq!(client.next_wake(), Some(Duration::from_secs(7)));
    assert_eq!(client.poll_request(Duration::from_millis(6999)), None);
    assert!(client.poll_request(Duration::from_secs(7)).is_some());
}

#[test]
fn a_request_that_is_too_long_is_sent_without_what_is_held() {
    let mut client = client(false);
    client.bins().write().unwrap().insert(0, DataBinId::MainHeader, 0, b"header", true);
    let first = next(&mut client);
    assert_eq!(parse(&first).model.to_string(), "Hm");
    client.handle_head(first.id, 414, &[]);
    client.handle_end(first.id, Ending::Complete);
    assert!(parse(&next(&mut client)).model.is_empty());
}

#[test]
fn not_more_requests_are_under_way_than_allowed() {
    let mut client = client(true);
    let first = next(&mut client);
    head(&mut client, first.id, &[("JPIP-cnew", "cid=C")]);
    let mut sent = 1;
    for width in 1..20 {
        client.set_window(Some(ViewWindow::whole(Size::new(width, 1))));
        sent += u32::from(client.poll_request(Duration::ZERO).is_some());
    }
    assert_eq!(sent, 4);
    client.handle_end(first.id, Ending::Complete);
    let request = parse(&next(&mut client));
    assert_eq!((request.window.unwrap().frame_size.width, request.request_id), (19, Some(4)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nonsense_never_panics_and_always_comes_to_an_end(
        sessions in any::<bool>(),
        answers in proptest::collection::vec(
            (
                prop_oneof![Just(200_u16), Just(404), Just(503), 100..600_u16],
                "(cid=[a-c],path=[a-z]{0,3}|.{0,9})",
                proptest::collection::vec(any::<u8>(), 0..60),
                any::<bool>(),
            ),
            0..30,
        ),
    ) {
        let mut client = client(sessions);
        let mut now = Duration::ZERO;
        for (status, cnew, body, whole) in answers {
            now += Duration::from_secs(90);
            let Some(outgoing) = client.poll_request(now) else { break };
            client.handle_head(outgoing.id, status, &[("JPIP-cnew".into(), cnew.clone()), ("JPIP-tid".into(), cnew)]);
            client.handle_body(outgoing.id, &body);
            let ending = if whole { Ending::Complete } else { Ending::Broken("cut".into()) };
            client.handle_end(outgoing.id, ending);
        }
        // From now on every answer is empty: the client must settle or give up.
        for _ in 0..60 {
            now += Duration::from_secs(90);
            let Some(outgoing) = client.poll_request(now) else { break };
            client.handle_end(outgoing.id, Ending::Broken("cut".into()));
        }
        prop_assert_eq!(client.poll_request(Duration::MAX), None);
    }
}
