//! Where tiles come from, over loopback: sessions with a server, with and without a store, and ranges of bytes.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::web::{Web, response, several};
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::tiles::{Arrivals, Priority, TileSource, Wish};
use wavetile_engine::{DecodeRequest, Decoder, Image, Limits, Rect};
use wavetile_testing::running::Folder;
use wavetile_transport::client::{Client, ClientConfig, ConnectOptions, MemoryBound};
use wavetile_transport::jpip::{ClientOptions, MemoryCatalogue, ServedPicture, ServerOptions};
use wavetile_transport::ranges::{ByteRangeError, RangeSource, RemoteFile};
use wavetile_transport::road::RoadKind;
use wavetile_transport::server::{RoadsConfig, Server};
use wavetile_transport::store::Store;
use wavetile_transport::tls::Trust;

fn sample() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../program/assets/mandelbrot.jp2")).unwrap()
}

/// A server of the sample, and how to reach it.
fn serve() -> (u16, ClientConfig) {
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let file: Arc<dyn ServedPicture> = Arc::new(IndexedFile::open(sample(), &Limits::default()).unwrap());
    let catalogue = MemoryCatalogue::new([("large.jp2".to_owned(), file)]);
    let roads = RoadsConfig::default().http3(any).http1(any);
    let server = Server::bind(catalogue, &roads, ServerOptions::default()).unwrap();
    let connect = ConnectOptions::default()
        .trust(Trust::Fingerprint(server.fingerprint().unwrap()))
        .http1_port(server.http1_addr().map(|address| address.port()));
    let port = server.http3_addr().unwrap().port();
    tokio::spawn(server.run(std::future::pending()));
    (port, ClientConfig::default().connect(connect))
}

async fn connect(port: u16, config: &ClientConfig, kind: RoadKind) -> Client {
    let connect = config.connect.clone().road(kind.into());
    Client::connect(&format!("jpip://127.0.0.1:{port}"), config.clone().connect(connect)).await.unwrap()
}

/// A view of four pages, and what stands in for it.
fn view(x: u32, y: u32) -> Vec<Wish> {
    let page = |x: u32, y: u32| {
        let region = Rect::new(256 * x, 256 * y, 256 * (x + 1), 256 * (y + 1));
        Wish { request: DecodeRequest::new().region(region), priority: Priority::Visible }
    };
    let overview = Wish { request: DecodeRequest::new().reduce(5), priority: Priority::Visible };
    let mut wishes = vec![overview];
    wishes.extend([(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| page(x + i, y + j)));
    wishes
}

/// Waits until the source is idle.
async fn settle(source: &dyn TileSource) {
    let wait = async {
        while !source.is_idle() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap();
}

/// All that is wished for decodes to what the file decodes to.
fn assert_there(image: &Image, wishes: &[Wish]) {
    let local = Image::open(sample()).unwrap();
    for Wish { request, .. } in wishes {
        let (found, report) = Decoder::cpu().render(image, request).unwrap();
        assert!(report.is_complete(), "{request:?}");
        assert!(found == Decoder::cpu().render(&local, request).unwrap().0, "{request:?}");
    }
}

#[tokio::test]
async fn a_session_brings_what_tiles_wish_for_and_tells_what_has_come() {
    let (port, config) = serve();
    for kind in [RoadKind::Http3, RoadKind::Http1, RoadKind::WebSocket] {
        let client = connect(port, &config, kind).await;
        let session = client.create_session("large.jp2").await;
        let image = session.image().await.unwrap();
        let source = session.tile_source(&image);
        settle(&source).await;
        let woken = Arc::new(AtomicUsize::new(0));
        let counted = woken.clone();
        source.wake_by(Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed)));
        let before = source.generation();
        assert_eq!(source.arrivals(before), Arrivals::Nothing);
        let wishes = view(4, 6);
        source.want(&wishes);
        settle(&source).await;
        assert_there(&image, &wishes);
        assert!(woken.load(Ordering::Relaxed) > 0 && source.generation() > before);
        let Arrivals::Bins(bins) = source.arrivals(before) else { panic!("it is known what has come") };
        let come: BTreeSet<_> = bins.iter().copied().collect();
        let held: BTreeSet<_> = session.bins().read().unwrap().ids().collect();
        let precincts = |bins: &BTreeSet<(u32, DataBinId)>| {
            bins.iter().filter(|(_, id)| matches!(id, DataBinId::Precinct(_))).count()
        };
        assert!(come.len() == bins.len() && come.is_subset(&held));
        assert_eq!(precincts(&come), precincts(&held));
        // What is there already is not asked for.
        let spent = session.spent();
        source.want(&wishes[1..3]);
        assert!(source.is_idle());
        assert_eq!((session.spent().requests, spent.duplicate), (spent.requests, 0), "{kind:?}");
        session.close().await;
        settle(&source).await;
    }
}

#[tokio::test]
async fn the_first_answer_can_bring_an_overview() {
    let (port, config) = serve();
    let overview = ClientOptions::new("large.jp2").overview(Some(wavetile_engine::Size::new(300, 300)));
    let client = connect(port, &config, RoadKind::Http1).await;
    let session = client.create_session_with(overview).await;
    let image = session.image().await.unwrap();
    let source = session.tile_source(&image);
    settle(&source).await;
    assert_eq!(session.spent().requests, 1);
    let fits = |reduce: u32| image.area().width() >> reduce <= 300 && image.area().height() >> reduce <= 300;
    let reduce = (0..).find(|&reduce| fits(reduce)).unwrap();
    assert_there(
        &image,
        &[Wish { request: DecodeRequest::new().reduce(reduce), priority: Priority::Visible }],
    );
}

#[tokio::test]
async fn what_was_dropped_comes_back_from_the_disk_and_not_from_the_server() {
    let (port, config) = serve();
    let folder = Folder::new("tile-sources-recall");
    let store = Store::open(folder.join("store"), 1 << 30).unwrap();
    let views = [view(0, 0), view(10, 8), view(4, 14)];
    // What one of them takes, with the overview.
    let mut most = 0;
    for wishes in &views {
        let session = connect(port, &config, RoadKind::Http1).await.create_session("large.jp2").await;
        let source = session.tile_source(&session.image().await.unwrap());
        source.want(wishes);
        settle(&source).await;
        most = most.max(session.bins().read().unwrap().memory());
    }
    let bound = most * 11 / 10;
    let config = config.store(Some(store)).memory(MemoryBound::Bytes(bound));
    let client = connect(port, &config, RoadKind::WebSocket).await;
    let session = client.create_session("large.jp2").await;
    let image = session.image().await.unwrap();
    let source = session.tile_source(&image);
    let mut first_round = 0;
    for round in 0..3 {
        for wishes in &views {
            source.want(wishes);
            settle(&source).await;
            assert!(session.bins().read().unwrap().memory() <= bound);
            assert_there(&image, wishes);
        }
        if round == 0 {
            first_round = session.progress().new;
        }
    }
    let progress = session.progress();
    assert!(progress.evicted > 0 && progress.recalled > 0, "{progress:?}");
    assert_eq!((progress.new, progress.duplicate), (first_round, 0), "{progress:?}");
    session.close().await;
    drop(client);
    // Another program with as little room: what it does not load, it reads when it is wanted.
    let client = connect(port, &config, RoadKind::Http1).await;
    let session = client.create_session("large.jp2").await;
    assert!(session.kept_bytes() > 0 && session.kept_bytes() < first_round);
    let image = session.image().await.unwrap();
    let source = session.tile_source(&image);
    for wishes in &views {
        source.want(wishes);
        settle(&source).await;
        assert!(session.bins().read().unwrap().memory() <= bound);
        assert_there(&image, wishes);
    }
    assert_eq!((session.progress().new, session.progress().duplicate), (0, 0));
}

#[tokio::test]
async fn sessions_share_the_room_of_their_client_and_it_can_be_changed() {
    let (port, config) = serve();
    let client = connect(port, &config.memory(MemoryBound::Bytes(1 << 20)), RoadKind::Http1).await;
    let whole = [Wish { request: DecodeRequest::new(), priority: Priority::Visible }];
    let first = client.create_session("large.jp2").await;
    let image = first.image().await.unwrap();
    let source = first.tile_source(&image);
    source.want(&whole);
    settle(&source).await;
    let held = |session: &wavetile_transport::client::Session| session.bins().read().unwrap().memory();
    assert!(first.is_full() && held(&first) <= 1 << 20 && held(&first) > 800 << 10);
    let second = client.create_session("large.jp2").await;
    assert!(held(&first) <= 512 << 10);
    second.image().await.unwrap();
    drop(second);
    client.set_memory(MemoryBound::Unbounded);
    assert_eq!(client.memory(), MemoryBound::Unbounded);
    settle(&source).await;
    assert!(!first.is_full());
    assert_there(&image, &[Wish { request: DecodeRequest::new().reduce(2), priority: Priority::Visible }]);
    client.set_memory(MemoryBound::Bytes(100 << 10));
    assert!(held(&first) <= 100 << 10);
}

/// The sample on a web server that is asked for ranges; what the first answers to each of them is up to `answer`.
async fn open(web: &Web) -> (RangeSource, Image) {
    let options = ConnectOptions::default().stall(Duration::from_secs(2)).timeout(Duration::from_secs(2));
    let mut file = RemoteFile::open(&web.url("/a.jp2"), &options, &Limits::default()).await.unwrap().unwrap();
    let image = file.image(0, &Limits::default()).await.unwrap().unwrap();
    (file.into_tile_source(image.clone()), image)
}

#[tokio::test]
async fn ranges_of_bytes_bring_what_tiles_wish_for() {
    let whole = sample();
    let web = Web::start_with(Box::new(move |asked, _| several(&whole, asked, "\"1\"")), true).await;
    let (source, image) = open(&web).await;
    assert!(source.is_idle());
    let woken = Arc::new(AtomicUsize::new(0));
    let counted = woken.clone();
    source.wake_by(Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed)));
    let before = source.generation();
    let wishes = view(4, 6);
    source.want(&wishes);
    assert!(!source.is_idle());
    settle(&source).await;
    assert_there(&image, &wishes);
    assert!(woken.load(Ordering::Relaxed) > 0);
    assert_eq!(source.arrivals(before), Arrivals::Anything);
    assert_eq!(source.arrivals(source.generation()), Arrivals::Nothing);
    let asked = web.asked().len();
    source.want(&wishes[1..]);
    settle(&source).await;
    assert_eq!(web.asked().len(), asked);
    source.want(&[]);
    assert!(source.is_idle() && source.failure().is_none());
}

#[tokio::test]
async fn pieces_of_a_file_are_dropped_and_fetched_again_within_a_bound() {
    let whole = sample();
    let web = Web::start_with(Box::new(move |asked, _| several(&whole, asked, "\"1\"")), true).await;
    let (source, image) = open(&web).await;
    let bound = 700 << 10;
    source.set_memory(Some(bound));
    for _ in 0..2 {
        for wishes in [view(0, 0), view(10, 8), view(4, 14)] {
            source.want(&wishes);
            settle(&source).await;
            assert!(source.memory() <= bound && !source.is_full());
            assert_there(&image, &wishes);
        }
    }
    // More than there is room for: the first of it is there.
    let mut wishes = view(4, 6);
    wishes.push(Wish { request: DecodeRequest::new(), priority: Priority::Prefetch });
    source.want(&wishes);
    settle(&source).await;
    assert!(source.is_full() && source.memory() <= bound);
    assert_there(&image, &wishes[..5]);
    source.set_memory(None);
    settle(&source).await;
    assert!(!source.is_full());
    assert_there(&image, &[Wish { request: DecodeRequest::new().reduce(1), priority: Priority::Visible }]);
}

#[tokio::test]
async fn wishes_for_ranges_stand_while_the_server_is_gone_and_end_when_the_file_changes() {
    let whole = sample();
    let mood = Arc::new(Mutex::new("well"));
    let state = mood.clone();
    let web = Web::start(Box::new(move |asked, _| match *state.lock().unwrap() {
        "well" => several(&whole, asked, "\"1\""),
        "gone" => Vec::new(),
        _ => response("200 OK", &["ETag: \"2\"".to_owned()], b"another"),
    }))
    .await;
    let (source, image) = open(&web).await;
    *mood.lock().unwrap() = "gone";
    let wishes = view(4, 6);
    source.want(&wishes);
    let failed = async {
        while source.failure().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), failed).await.unwrap();
    assert!(!source.is_idle() && matches!(source.failure(), Some(ByteRangeError::Road(_))));
    *mood.lock().unwrap() = "well";
    settle(&source).await;
    assert_there(&image, &wishes);
    *mood.lock().unwrap() = "changed";
    let generation = source.generation();
    source.want(&view(12, 12));
    settle(&source).await;
    assert_eq!(source.arrivals(generation), Arrivals::Replaced);
    assert!(matches!(source.failure(), Some(ByteRangeError::Changed)));
}
