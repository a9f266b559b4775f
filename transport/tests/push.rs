//! Standing responses (docs/jpip-push.md), on a virtual clock.
#![allow(clippy::unwrap_used)]

mod common;

use common::synthetic::{COMPONENTS, Synthetic};
use common::{Flag, NAME, PEER, channel, server_with};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;
use wavetile_engine::Size;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, PrecinctId};
use wavetile_engine::view_window::ViewWindow;
use wavetile_testing::random::Random;
use wavetile_testing::running::Folder;
use wavetile_transport::jpip::{
    Body, Chunk, Client, ClientOptions, Ending, Event, MessageEvent, MessageReader, Reply, Server,
    ServerOptions, eor,
};
use wavetile_transport::server::Directory;
use wavetile_transport::server::directory::OpenPicture;

const SECOND: Duration = Duration::from_secs(1);

/// A window in the middle of a picture of 1500 x 1100.
const WINDOW: &str = "fsiz=1500,1100&roff=600,400&rsiz=200,200&layers=1&cnew=http";

fn server(options: ServerOptions) -> Server {
    server_with(Synthetic::sized(1500, 1100, 400), options)
}

fn ask(server: &mut Server, query: &str) -> Reply {
    let reply = server.handle_request(PEER, "/made%20up.jp2", query, Duration::ZERO);
    assert_eq!(reply.status, 200, "{}", reply.reason);
    reply
}

/// Pulls until the body ends (`None`) or waits.
fn pull(body: &mut Body, now: Duration, waker: &Waker) -> (Vec<u8>, Option<Duration>) {
    let mut bytes = Vec::new();
    loop {
        match body.poll(1 << 10, now, waker) {
            Chunk::Bytes(chunk) => bytes.extend(chunk),
            Chunk::Wait(pause) => return (bytes, Some(pause)),
            Chunk::End => return (bytes, None),
        }
    }
}

/// Payload bytes before and after the first end-of-response, the reasons, and the bodies of the ends.
#[derive(Default, Debug)]
struct Read {
    payload: [u64; 2],
    ends: Vec<(u8, Vec<u8>)>,
    messages: usize,
}

fn read(bytes: &[u8], cache: &mut DataBinCache) -> Read {
    let mut read = Read::default();
    let mut reader = MessageReader::new();
    let take = |event: MessageEvent<'_>| match event {
        MessageEvent::Data { codestream, id, offset, bytes, last, .. } => {
            let insert = cache.insert(codestream, id, offset, bytes, last);
            assert_eq!((insert.duplicate_bytes, insert.excess_bytes), (0, 0), "{id:?}");
            read.payload[usize::from(!read.ends.is_empty())] += insert.new_bytes;
            read.messages += 1;
        }
        MessageEvent::EndOfResponse { reason, body } => read.ends.push((reason, body)),
    };
    reader.push(bytes, take).unwrap();
    assert!(reader.is_between_messages());
    read
}

#[test]
fn after_the_window_come_its_other_layers_then_what_is_around_it_and_nothing_twice() {
    let mut server = server(ServerOptions::default());
    let mut reply = ask(&mut server, &format!("{WINDOW}&push=10000000"));
    let cid = channel(&reply);
    let (bytes, pause) = pull(&mut reply.body, Duration::ZERO, Waker::noop());
    assert!(pause.is_some());
    let mut cache = DataBinCache::new();
    let received = read(&bytes, &mut cache);
    assert_eq!(received.ends, [(eor::WINDOW_DONE, vec![])]);
    assert!(received.payload[0] > 0 && received.payload[1] > 4 * received.payload[0], "{received:?}");
    drop(reply);
    // All layers of the window are there, and of twice its size; the server knows.
    for query in ["fsiz=1500,1100&roff=500,300&rsiz=400,400", "fsiz=188,138,closest&roff=43,31&rsiz=50,50"] {
        let mut again = ask(&mut server, &format!("cid={cid}&{query}"));
        let (bytes, _) = pull(&mut again.body, Duration::ZERO, Waker::noop());
        assert_eq!(read(&bytes, &mut cache).payload[0], 0, "{query}");
    }
    let mut more = ask(&mut server, &format!("cid={cid}&fsiz=1500,1100"));
    let (bytes, _) = pull(&mut more.body, Duration::ZERO, Waker::noop());
    assert!(read(&bytes, &mut cache).payload[0] > 0, "the picture was not sent as a whole");
}

#[test]
fn what_is_coarse_comes_before_what_is_fine_around_the_window() {
    let mut server = server(ServerOptions::default());
    let mut whole = ask(&mut server, &format!("{WINDOW}&push=10000000"));
    let all = pull(&mut whole.body, Duration::ZERO, Waker::noop()).0;
    let picture = Synthetic::sized(1500, 1100, 400);
    let resolution = |id: DataBinId| {
        let DataBinId::Precinct(id) = id else { return None };
        let id = PrecinctId::from_in_class_id(id, COMPONENTS, picture.header.tile_count()).unwrap();
        let component = &picture.tiles[id.tile as usize].components[id.component as usize];
        component.resolutions.iter().rposition(|level| level.first_precinct <= id.precinct)
    };
    // Resolutions of the precincts in the order in which they came first, those of the window apart.
    let (mut seen, mut of_window, mut around) = (BTreeSet::new(), vec![], vec![]);
    let mut done = false;
    MessageReader::new()
        .push(&all, |event| match event {
            MessageEvent::Data { id, .. } if seen.insert(id) => {
                let list = if done { &mut around } else { &mut of_window };
                list.extend(resolution(id));
            }
            MessageEvent::Data { .. } => (),
            MessageEvent::EndOfResponse { .. } => done = true,
        })
        .unwrap();
    assert_eq!(of_window.iter().max(), Some(&3));
    assert!(around.is_sorted() && around.len() > 100, "{around:?}");
    assert_eq!((around[0], around.last()), (0, Some(&3)));
}

#[test]
fn the_budget_bounds_what_is_pushed() {
    for (asked, most, bound) in [(0, u64::MAX, 0), (3000, u64::MAX, 3000), (1_u64 << 40, 2000, 2000)] {
        let mut server = server(ServerOptions::default().push_budget(most));
        let mut reply = ask(&mut server, &format!("{WINDOW}&push={asked}"));
        let (bytes, pause) = pull(&mut reply.body, Duration::ZERO, Waker::noop());
        assert!(pause.is_some(), "it stands, to tell of changes");
        let received = read(&bytes, &mut DataBinCache::new());
        assert_eq!(received.ends.len(), 1);
        let payload = received.payload[1];
        assert!(payload <= bound && payload + 100 + bound / 8 >= bound, "{payload} of {bound}");
    }
}

#[test]
fn a_new_window_ends_it_at_once() {
    let mut server = server(ServerOptions::default());
    // While it waits...
    let mut reply = ask(&mut server, &format!("{WINDOW}&push=100"));
    let cid = channel(&reply);
    let flag = Arc::new(Flag::default());
    assert!(pull(&mut reply.body, Duration::ZERO, &Waker::from(flag.clone())).1.is_some());
    assert!(!flag.0.load(Ordering::Relaxed));
    let mut next = ask(&mut server, &format!("cid={cid}&fsiz=1500,1100&len=1000&push=99"));
    assert!(flag.0.load(Ordering::Relaxed));
    let (bytes, pause) = pull(&mut reply.body, SECOND, Waker::noop());
    assert_eq!((bytes, pause), (vec![0, eor::WINDOW_CHANGE, 0], None));
    // ... a window cut by `len` is no window done: nothing is pushed.
    let (bytes, pause) = pull(&mut next.body, SECOND, Waker::noop());
    assert!(bytes.ends_with(&[0, eor::BYTE_LIMIT, 0]) && pause.is_none());
    // ... and while it pushes.
    let mut reply = ask(&mut server, &format!("cid={cid}&{WINDOW}&push=1000000").replace("&cnew=http", ""));
    let mut bytes = Vec::new();
    while !bytes.windows(3).any(|three| three == [0, eor::WINDOW_DONE, 0]) {
        let Chunk::Bytes(chunk) = reply.body.poll(64, SECOND, Waker::noop()) else { panic!() };
        bytes.extend(chunk);
    }
    ask(&mut server, &format!("cid={cid}&cclose=*&len=0"));
    let (bytes, pause) = pull(&mut reply.body, SECOND, Waker::noop());
    assert!(bytes.len() < 200 && bytes.ends_with(&[0, eor::WINDOW_CHANGE, 0]) && pause.is_none());
}

#[test]
fn a_server_that_stops_ends_it_with_a_word() {
    let mut server = server(ServerOptions::default());
    // One that waits for changes, one that is about to push, and one whose window is under way.
    let mut bodies: Vec<(Body, Vec<u8>)> = Vec::new();
    let mut cache = DataBinCache::new();
    for budget in [10_000_000, 10_000_000, 0] {
        let reply = ask(&mut server, &format!("{WINDOW}&push={budget}"));
        bodies.push((reply.body, Vec::new()));
    }
    let flag = Arc::new(Flag::default());
    let (bytes, pause) = pull(&mut bodies[0].0, Duration::ZERO, &Waker::from(flag.clone()));
    assert!(pause.is_some());
    bodies[0].1 = bytes;
    while !bodies[1].1.windows(3).any(|three| three == [0, eor::WINDOW_DONE, 0]) {
        let Chunk::Bytes(bytes) = bodies[1].0.poll(64, Duration::ZERO, Waker::noop()) else { panic!() };
        bodies[1].1.extend(bytes);
    }
    server.stop();
    assert!(flag.0.load(Ordering::Relaxed));
    for (number, (mut body, mut bytes)) in bodies.into_iter().enumerate() {
        let (rest, pause) = pull(&mut body, SECOND, Waker::noop());
        assert_eq!(pause, None, "{number}");
        bytes.extend(rest);
        let read = read(&bytes, &mut cache);
        cache.clear();
        assert_eq!(read.ends.len(), 2, "{number}");
        assert_eq!((read.ends[0].0, read.ends[1].0), (eor::WINDOW_DONE, eor::SESSION_LIMIT));
        assert_eq!(read.ends[1].1, b"the server stops");
    }
}

#[test]
fn the_client_opens_a_new_session_where_one_ends() {
    let options = ClientOptions::new(NAME).push(Some(1000)).pause(Duration::ZERO);
    let mut client = Client::new(options);
    client.set_window(Some(ViewWindow::whole(Size::new(94, 69))));
    for round in 0..3 {
        let request = client.poll_request(Duration::ZERO).unwrap();
        assert!(
            request.path_and_query.contains("cnew=") && !request.path_and_query.contains("cid="),
            "{round}"
        );
        let mut server = server(ServerOptions::default());
        let (path, query) = request.path_and_query.split_once('?').unwrap();
        let mut reply = server.handle_request(PEER, path, query, Duration::ZERO);
        let headers: Vec<_> =
            reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        client.handle_head(request.id, reply.status, &headers);
        let (bytes, pause) = pull(&mut reply.body, Duration::ZERO, Waker::noop());
        assert!(pause.is_some());
        client.handle_body(request.id, &bytes);
        // The window is done, and nothing more is asked for until the server stops.
        assert_eq!(client.poll_request(Duration::ZERO), None);
        server.stop();
        client.handle_body(request.id, &pull(&mut reply.body, SECOND, Waker::noop()).0);
        client.handle_end(request.id, Ending::Complete);
    }
    assert_eq!(client.progress().duplicate, 0);
}

#[test]
fn signs_of_life_come_on_time_and_not_for_ever() {
    let mut server = server(ServerOptions::default());
    let mut reply = ask(&mut server, &format!("{WINDOW}&push=0"));
    let mut cache = DataBinCache::new();
    let (mut bytes, mut pause) = pull(&mut reply.body, Duration::ZERO, Waker::noop());
    let (mut now, mut signs) = (Duration::ZERO, Vec::new());
    while let Some(wait) = pause {
        assert!(wait > Duration::ZERO && wait <= SECOND);
        now += wait;
        let next = pull(&mut reply.body, now, Waker::noop());
        if !next.0.is_empty() {
            signs.push(now);
        }
        bytes.extend(&next.0);
        pause = next.1;
    }
    assert_eq!(signs.len(), 361, "an hour");
    let received = read(&bytes, &mut cache);
    assert_eq!(received.ends.last().unwrap().0, eor::RESPONSE_LIMIT);
    assert!(received.payload[1] == 0 && signs[359] == 3600 * SECOND, "{:?}", signs[359]);
}

#[test]
fn it_does_not_stand_where_it_cannot_or_was_not_asked_to() {
    for query in [
        WINDOW.to_owned(),
        // No session: nobody would know what was sent.
        format!("{}&push=9999", WINDOW.replace("&cnew=http", "")),
        // No window.
        "cnew=http&push=9999".to_owned(),
        format!("{WINDOW}&push=9999&type=jpt-stream"),
        format!("{WINDOW}&push=9999&need=Hm"),
        format!("{WINDOW}&push=9999&len=0"),
    ] {
        let (bytes, pause) =
            pull(&mut ask(&mut server(ServerOptions::default()), &query).body, Duration::ZERO, Waker::noop());
        assert_eq!(pause, None, "{query}");
        assert_eq!(read(&bytes, &mut DataBinCache::new()).ends.len(), 1, "{query}");
    }
    let mut reply = ask(&mut server(ServerOptions::default()), &format!("{WINDOW}&push=9999"));
    reply.body.do_not_stand();
    assert_eq!(pull(&mut reply.body, Duration::ZERO, Waker::noop()).1, None);
}

/// A directory with one file that stands for a made-up picture; it goes when this is dropped.
struct Scratch(Folder);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        folder.file(NAME, "first");
        Self(folder)
    }

    fn server(&self) -> Server {
        let open: OpenPicture = Box::new(|_| Ok(Arc::new(Synthetic::sized(1500, 1100, 400))));
        let catalogue = Directory::new(&self.0, open).unwrap();
        let mut number = 7;
        let random = move || {
            number += 1;
            number
        };
        Server::new(catalogue, ServerOptions::default(), Box::new(random))
    }
}

#[test]
fn a_target_that_is_replaced_or_goes_is_told() {
    for gone in [false, true] {
        let scratch = Scratch::new(if gone { "gone" } else { "replaced" });
        let mut server = scratch.server();
        let mut reply = ask(&mut server, &format!("{WINDOW}&push=100"));
        let (_, pause) = pull(&mut reply.body, SECOND, Waker::noop());
        let file = scratch.0.join(NAME);
        if gone {
            std::fs::remove_file(file).unwrap()
        } else {
            std::fs::write(file, "second!").unwrap()
        }
        let (bytes, pause) = pull(&mut reply.body, SECOND + pause.unwrap(), Waker::noop());
        let received = read(&bytes, &mut DataBinCache::new());
        assert_eq!(received.ends, [(eor::OTHER, b"target changed".to_vec())]);
        assert_eq!((received.messages, pause), (0, None));
    }
}

/// The client's and the server's machine, hand to hand. Answers that stand are kept.
struct Pair {
    client: Client,
    server: Server,
    now: Duration,
    open: Vec<(u64, Body)>,
    events: Vec<Event>,
    requests: Vec<String>,
}

impl Pair {
    fn new(server: Server) -> Self {
        let options = ClientOptions::new(NAME).push(Some(50_000));
        let client = Client::new(options);
        Self { client, server, now: SECOND, open: vec![], events: vec![], requests: vec![] }
    }

    /// Every request that is due, with the head of its answer; whether there was one.
    fn send(&mut self) -> bool {
        let before = self.requests.len();
        while let Some(outgoing) = self.client.poll_request(self.now) {
            let (path, query) = outgoing.path_and_query.split_once('?').unwrap();
            let reply = self.server.handle_request(PEER, path, query, self.now);
            let headers: Vec<_> =
                reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            self.client.handle_head(outgoing.id, reply.status, &headers);
            self.open.push((outgoing.id, reply.body));
            self.requests.push(outgoing.path_and_query);
        }
        self.requests.len() > before
    }

    /// Until nothing happens without time.
    fn run(&mut self) {
        loop {
            let mut moved = self.send();
            for (id, mut body) in std::mem::take(&mut self.open) {
                let (bytes, pause) = pull(&mut body, self.now, Waker::noop());
                moved |= !bytes.is_empty();
                self.client.handle_body(id, &bytes);
                if pause.is_some() {
                    self.open.push((id, body));
                } else {
                    moved = true;
                    self.client.handle_end(id, Ending::Complete);
                }
            }
            while let Some(event) = self.client.poll_event() {
                if !matches!(event, Event::Progress(_)) {
                    self.events.push(event);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn completions(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::WindowComplete { .. })).count()
    }

    fn window(&mut self, x: u32) {
        let size = Size::new(1500, 1100);
        self.client.set_window(Some(ViewWindow {
            offset: (x, 300),
            region: Size::new(200, 200),
            layers: Some(1),
            ..ViewWindow::whole(size)
        }));
    }
}

#[test]
fn the_client_takes_what_is_pushed_and_asks_for_less_afterwards() {
    let mut pair = Pair::new(server(ServerOptions::default()));
    pair.run();
    assert!(pair.open.is_empty(), "without a window nothing stands");
    pair.window(500);
    pair.run();
    assert_eq!((pair.completions(), pair.open.len()), (2, 1));
    assert!(pair.requests.last().unwrap().contains("push=50000"));
    let held = pair.client.progress();
    assert!(held.new > 40_000, "{held:?}");
    // The next window was pushed already, at least in parts; the old answer ends.
    pair.window(560);
    pair.run();
    assert_eq!((pair.completions(), pair.open.len(), pair.requests.len()), (3, 1, 3));
    assert_eq!(pair.client.progress().duplicate, 0);
    // When the answer breaks off, another takes its place, and the server learns what was lost.
    let (id, _) = pair.open.pop().unwrap();
    pair.client.handle_end(id, Ending::Broken("cut".to_owned()));
    pair.run();
    assert_eq!(pair.open.len(), 0, "not at once");
    pair.now += SECOND;
    pair.run();
    assert_eq!(pair.open.len(), 1);
    assert!(pair.requests.last().unwrap().contains("model="));
    assert_eq!(pair.client.progress().duplicate, 0);
    pair.client.close();
    pair.run();
    assert!(pair.open.is_empty() && matches!(pair.events.last(), Some(Event::Closed)));
    assert_eq!(pair.server.sessions(), 0);
}

#[test]
fn the_client_starts_over_when_the_picture_changes() {
    let scratch = Scratch::new("client");
    let mut pair = Pair::new(scratch.server());
    pair.window(500);
    pair.run();
    assert_eq!((pair.completions(), pair.open.len()), (1, 1));
    let before = pair.client.progress().new;
    std::fs::write(scratch.0.join(NAME), "another picture").unwrap();
    pair.now += 2 * SECOND;
    pair.run();
    assert!(pair.events.contains(&Event::Reset));
    assert_eq!((pair.completions(), pair.open.len()), (2, 1));
    assert_eq!(pair.client.progress().new, 2 * before);
}

#[test]
fn answers_that_stand_and_break_off_anywhere_lose_nothing_and_bring_nothing_twice() {
    for seed in 1_u64..=150 {
        let mut dice = Random::new(seed);
        let mut pair = Pair::new(server(ServerOptions::default()));
        for _ in 0..12 {
            pair.window(dice.below(1300));
            pair.run_in_pieces(&mut dice);
            pair.now += 30 * SECOND;
            pair.run_in_pieces(&mut dice);
        }
        // The last window, in peace.
        pair.window(640);
        for _ in 0..4 {
            pair.now += 30 * SECOND;
            pair.run();
        }
        assert!(
            matches!(pair.events.last(), Some(Event::WindowComplete { .. })),
            "{seed}: {:?}",
            pair.events
        );
        assert_eq!(pair.open.len(), 1, "{seed}");
        assert_eq!(pair.client.progress().duplicate, 0, "{seed}");
        let mut fresh = DataBinCache::new();
        let query = "fsiz=1500,1100&roff=640,300&rsiz=200,200&layers=1";
        let bytes = pull(&mut ask(&mut pair.server, query).body, Duration::ZERO, Waker::noop()).0;
        read(&bytes, &mut fresh);
        let bins = pair.client.bins();
        let bins = bins.read().unwrap();
        for (codestream, id) in fresh.ids() {
            let length = fresh.contiguous_len(codestream, id);
            assert!(bins.contiguous_len(codestream, id) >= length, "{seed}: {id:?}");
        }
    }
}

impl Pair {
    /// A few pieces of every answer; some answers break off.
    fn run_in_pieces(&mut self, dice: &mut Random) {
        for _ in 0..6 {
            self.send();
            for (id, mut body) in std::mem::take(&mut self.open) {
                match body.poll(1 + dice.below(3000) as usize, self.now, Waker::noop()) {
                    Chunk::Bytes(bytes) if dice.below(8) == 0 => {
                        self.client.handle_body(id, &bytes[..dice.below(bytes.len() as u32) as usize]);
                        self.client.handle_end(id, Ending::Broken("cut".to_owned()));
                    }
                    Chunk::Bytes(bytes) => {
                        self.client.handle_body(id, &bytes);
                        self.open.push((id, body));
                    }
                    Chunk::Wait(_) => self.open.push((id, body)),
                    Chunk::End => self.client.handle_end(id, Ending::Complete),
                }
            }
            while let Some(event) = self.client.poll_event() {
                if let Event::Abort { id } = &event {
                    self.open.retain(|(open, _)| open != id);
                }
                if !matches!(event, Event::Progress(_)) {
                    self.events.push(event);
                }
            }
        }
    }
}
