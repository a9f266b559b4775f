//! The client's verbs over real roads: each image decodes to what the file decodes to, at any time while it arrives,
//! and what is kept on disk is not sent again.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use wavetile_engine::data_bin::DataBins;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DecodeRequest, Decoder, Image, Limits, Rect, Size};
use wavetile_testing::running::Folder;
use wavetile_transport::client::{
    Client, ClientConfig, ClientError, ConnectOptions, ImageError, StreamedImage, Update,
};
use wavetile_transport::jpip::{
    BinPiece, ClientError as JpipError, ClientOptions, MemoryCatalogue, ServedPicture, ServerOptions,
    StreamKind,
};
use wavetile_transport::road::RoadKind;
use wavetile_transport::server::{Monitor, RoadsConfig, Server};
use wavetile_transport::store::Store;
use wavetile_transport::tls::Trust;

const ROADS: [RoadKind; 5] =
    [RoadKind::Http3, RoadKind::Http2, RoadKind::Http1, RoadKind::WebSocket, RoadKind::WebTransport];

/// A picture of the repository and, after it, an XML box that is too large for metadata-bin 0.
fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let mut bytes = std::fs::read(path).unwrap();
    if name.ends_with(".jp2") {
        let text = "<x/>".repeat(3000);
        bytes.extend((8 + text.len() as u32).to_be_bytes());
        bytes.extend(b"xml ");
        bytes.extend(text.bytes());
    }
    bytes
}

fn file(name: &str) -> IndexedFile {
    IndexedFile::open(bytes(name), &Limits::default()).unwrap()
}

fn sample() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../program/assets/mandelbrot.jp2")).unwrap()
}

struct Running {
    port: u16,
    config: ClientConfig,
    monitor: Monitor,
}

/// Serves until the runtime of the test ends.
fn serve(options: ServerOptions) -> Running {
    let sample = IndexedFile::open(sample(), &Limits::default()).unwrap();
    let pictures: [(&str, Arc<dyn ServedPicture>); 3] = [
        ("tiles.jp2", Arc::new(file("tiles.jp2"))),
        ("precincts.j2k", Arc::new(file("precincts.j2k"))),
        ("large.jp2", Arc::new(sample)),
    ];
    serve_pictures(pictures, 0, options)
}

fn serve_pictures<const N: usize>(
    pictures: [(&str, Arc<dyn ServedPicture>); N],
    port: u16,
    options: ServerOptions,
) -> Running {
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let roads = RoadsConfig::default().http3(any).http1(any);
    let catalogue = MemoryCatalogue::new(pictures.map(|(name, picture)| (name.to_owned(), picture)));
    let server = Server::bind(catalogue, &roads, options).unwrap();
    let connect = ConnectOptions::default()
        .trust(Trust::Fingerprint(server.fingerprint().unwrap()))
        .http1_port(server.http1_addr().map(|address| address.port()));
    let running = Running {
        port: server.http3_addr().unwrap().port(),
        config: ClientConfig::default().connect(connect),
        monitor: server.monitor(),
    };
    tokio::spawn(server.run(std::future::pending()));
    running
}

impl Running {
    async fn client(&self, kind: RoadKind) -> Client {
        let mut config = self.config.clone();
        config.connect.road = kind.into();
        let client = Client::connect(&format!("jpip://127.0.0.1:{}", self.port), config).await.unwrap();
        assert_eq!(client.road(), kind);
        client
    }
}

/// All of `image` has come, and is what the file holds of it.
async fn assert_same(image: &mut StreamedImage, name: &str, request: &DecodeRequest) {
    image.complete().await.unwrap();
    assert_eq!(image.request(), request);
    let whole = Image::open(bytes(name)).unwrap();
    let (wanted, _) = Decoder::cpu().components(&whole, request).unwrap();
    let (found, report) = image.prepare_components(&Decoder::cpu()).unwrap().read().unwrap();
    assert!(report.is_complete(), "{name} {request:?}: {report:?}");
    assert!(found == wanted, "{name} {request:?}");
}

#[tokio::test]
async fn every_verb_brings_what_the_file_holds_over_every_road() {
    let server = serve(ServerOptions::default());
    for road in ROADS {
        let client = server.client(road).await;
        // Two pictures, each with a session of its own, on one connection.
        let (tiles, precincts) =
            (client.create_session("tiles.jp2").await, client.create_session("precincts.j2k").await);
        for (session, name) in [(&tiles, "tiles.jp2"), (&precincts, "precincts.j2k")] {
            let whole = DecodeRequest::default();
            let region = Rect::new(13, 7, 40, 39);
            let wanted = DecodeRequest::new().region(region).reduce(1).layers(2);
            let mut image = session.request(&wanted).await.unwrap();
            let request = whole.clone().region(region).reduce(1).layers(2);
            assert_same(&mut image, name, &request).await;
            // What follows keeps the region ...
            let mut image = session.request_progressive_quality(3).await.unwrap();
            assert_same(&mut image, name, &request.clone().layers(3)).await;
            let mut image = session.request_resolution_level(0).await.unwrap();
            let request = request.layers(3).reduce(0);
            assert_same(&mut image, name, &request).await;
            let mut image = session.request_components(&[1]).await.unwrap();
            assert_same(&mut image, name, &request.components(vec![1])).await;
            // ... up to the next whole picture.
            assert_same(&mut session.request_image().await.unwrap(), name, &whole).await;
            assert_eq!(session.progress().duplicate, 0);
        }
        assert_eq!(server.monitor.sessions(), 2);
        // The same from tiles as they are in the file.
        let options = ClientOptions::new("tiles.jp2").stream(StreamKind::Tiles);
        let as_tiles = client.create_session_with(options).await;
        let mut image = as_tiles.request_resolution_level(1).await.unwrap();
        assert_same(&mut image, "tiles.jp2", &DecodeRequest::new().reduce(1)).await;
        drop(image);
        as_tiles.close().await;
        tiles.close().await;
        assert_eq!(server.monitor.sessions(), 1);
        precincts.close().await;
        assert_eq!(server.monitor.sessions(), 0);
    }
}

#[tokio::test]
async fn the_limits_of_a_client_hold_for_its_verbs_and_a_session_may_have_others() {
    let server = serve(ServerOptions::default());
    let config = server.config.clone().limits(Limits::default().max_dimension(16));
    let client = Client::connect(&format!("jpip://127.0.0.1:{}", server.port), config).await.unwrap();
    for stream in [StreamKind::Precincts, StreamKind::Tiles] {
        let options = ClientOptions::new("tiles.jp2").stream(stream);
        let session = client.create_session_with(options).await;
        for refused in [session.request_image().await.err(), session.request_resolution_level(1).await.err()]
        {
            let refused = refused.expect("the picture is wider than 16");
            assert!(matches!(refused, ImageError::Image(wavetile_engine::Error::Limit(_))), "{refused}");
            assert_eq!(refused.code(), "limit");
        }
        assert_eq!(session.image().await.unwrap_err().code(), "limit");
        assert_eq!(session.request_metadata().await.unwrap_err().code(), "limit");
        let session = session.with_limits(Limits::default());
        session.request_image().await.unwrap().complete().await.unwrap();
        session.close().await;
    }
}

#[tokio::test]
async fn a_loop_that_never_waits_sees_every_change_and_the_end_once() {
    let server = serve(ServerOptions::default());
    let client = server.client(RoadKind::Http3).await;
    for stream in [StreamKind::Precincts, StreamKind::Tiles] {
        let session = client.create_session_with(ClientOptions::new("tiles.jp2").stream(stream)).await;
        let mut image = session.request_image().await.unwrap();
        let (mut progress, mut share) = (0, 0.0);
        let ended = loop {
            match image.latest_update() {
                Some(Update::Progress(now)) => {
                    assert!(now.new > progress, "{now:?}");
                    progress = now.new;
                }
                Some(ended) => break ended,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
            // On any thread, with what there is by now.
            let (arrived, request) = (image.arrived().unwrap(), image.request().clone());
            let decoding =
                std::thread::spawn(move || Decoder::cpu().components(&arrived, &request).unwrap().1);
            let now = decoding.join().unwrap().completeness();
            assert!(now >= share, "{stream:?}: {now} after {share}");
            share = now;
        };
        assert!(matches!(ended, Update::Complete(_)), "{ended:?}");
        assert_eq!(image.latest_update(), None);
        assert_same(&mut image, "tiles.jp2", &DecodeRequest::new()).await;
        session.close().await;
    }
}

#[tokio::test]
async fn metadata_tells_what_the_headers_say_and_brings_every_box() {
    let server = serve(ServerOptions::default());
    for road in ROADS {
        let client = server.client(road).await;
        let session = client.create_session("tiles.jp2").await;
        let mut image = session.request_image().await.unwrap();
        assert!(!image.image().container().placeholders.is_empty(), "the box is elsewhere");
        let metadata = session.request_metadata().await.unwrap();
        assert_eq!((metadata.size, metadata.components.len()), (Size::new(61, 47), 3));
        assert!(metadata.components.iter().all(|component| component.depth == 8 && !component.signed));
        assert_eq!((metadata.levels, metadata.layers), (2, 3));
        let file = file("tiles.jp2");
        let texts = |container: &wavetile_engine::boxes::Container| format!("{:?}", container.metadata);
        assert!(texts(&metadata.boxes).len() > 3000 && texts(&metadata.boxes) == texts(file.container()));
        // The image went on meanwhile, and a second time nothing is asked.
        image.complete().await.unwrap();
        let before = session.spent().requests;
        session.request_metadata().await.unwrap();
        assert_eq!(session.spent().requests, before);
        session.close().await;
    }
}

#[tokio::test]
async fn an_image_is_decoded_while_it_arrives_until_another_takes_its_place() {
    let server = serve(ServerOptions::default().client_bandwidth(Some(200_000)));
    let client = server.client(RoadKind::Http3).await;
    let session = client.create_session("large.jp2").await;
    let overview = DecodeRequest::new().region(Rect::new(0, 0, 8192, 8192)).reduce(4);
    let mut image = session.request(&overview).await.unwrap();
    let mut updates = Box::pin(image.updates());
    let mut shares = Vec::new();
    while let Some(update) = image.next_update().await {
        let report = image.prepare(&Decoder::cpu()).unwrap().report().clone();
        shares.push(report.completeness());
        if matches!(update, Update::Complete(_)) {
            break;
        }
    }
    assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]), "{shares:?}");
    assert!(shares.len() > 2 && shares.last() == Some(&1.0), "{shares:?}");
    assert_eq!(image.next_update().await, None);
    // The stream tells the same to somebody else.
    assert!(matches!(updates.next().await, Some(Update::Complete(_))));
    assert!(updates.next().await.is_none());

    // Another takes its place.
    let mut large = session.request_image().await.unwrap();
    while session.progress().new < 100_000 {
        assert!(matches!(large.next_update().await, Some(Update::Progress(_))));
    }
    let again = session.request(&overview).await.unwrap();
    assert_eq!(large.next_update().await, Some(Update::Replaced));
    assert_eq!(large.next_update().await, None);
    assert!(matches!(large.complete().await, Err(ImageError::GivenUp(_))));
    drop(large);
    // An image that is asked for again takes over from itself.
    let mut image = session.request(&overview).await.unwrap();
    drop(again);
    image.complete().await.unwrap();

    // One that is dropped is not sent any further, and what has come stays.
    let dropped = session.request_image().await.unwrap();
    let bins = session.bins();
    drop(dropped);
    let mut image = session.request(&overview).await.unwrap();
    image.complete().await.unwrap();
    assert_eq!(bins.read().unwrap().bytes_held(), session.progress().new);
    assert!(session.progress().new < sample().len() as u64 / 2, "{:?}", session.progress());
    session.close().await;
}

#[tokio::test]
async fn what_there_is_not_is_refused_by_name() {
    let server = serve(ServerOptions::default());
    let client = server.client(RoadKind::Http1).await;
    let session = client.create_session("tiles.jp2").await;
    let outside = DecodeRequest::new().region(Rect::new(900, 900, 901, 901));
    let error = session.request(&outside).await.unwrap_err();
    assert!(matches!(error, ImageError::Image(_)), "{error}");
    let error = session.request_components(&[7]).await.unwrap_err();
    assert!(matches!(error, ImageError::Image(_)), "{error}");
    // That changed nothing.
    session.request_image().await.unwrap().complete().await.unwrap();
    session.close().await;
    let missing = client.create_session("missing.jp2").await;
    let error = missing.request_image().await.unwrap_err();
    assert!(matches!(error, ImageError::Client(ClientError::Jpip(JpipError::Refused(404)))), "{error}");
}

#[tokio::test]
async fn what_is_kept_is_not_sent_again_and_shown_without_the_server() {
    let folder = Folder::new("kept");
    let mut server = serve(ServerOptions::default());
    let store = Store::open(&*folder, 1 << 30).unwrap();
    server.config.store = Some(store.clone());
    let overview = DecodeRequest::new().region(Rect::new(0, 0, 8192, 8192)).reduce(4);
    let closer = DecodeRequest::new().region(Rect::new(3000, 3000, 4000, 3500)).reduce(1);
    let mut all = 0;
    for (number, road) in ROADS.into_iter().enumerate() {
        let client = server.client(road).await;
        let session = client.create_session("large.jp2").await;
        assert_eq!(session.kept_bytes(), all);
        session.request(&overview).await.unwrap().complete().await.unwrap();
        if number > 0 {
            assert_eq!(session.progress().new, 0, "{road:?}");
        }
        if number == 1 {
            session.request(&closer).await.unwrap().complete().await.unwrap();
            assert!(session.progress().new > 0);
        }
        assert_eq!(session.progress().duplicate, 0, "{road:?}");
        all += session.progress().new;
        session.close().await;
    }
    // What the server would give, without it.
    let kept = store.load(&format!("jpip://127.0.0.1:{}", server.port), "large.jp2").unwrap().unwrap();
    let offline = Image::open_stream(Arc::new(kept.bins)).unwrap().image().unwrap();
    let whole = Image::open(sample()).unwrap();
    for wanted in [overview, closer] {
        let request = wanted;
        let (found, report) = Decoder::cpu().components(&offline, &request).unwrap();
        assert!(report.is_complete());
        assert!(found == Decoder::cpu().components(&whole, &request).unwrap().0);
    }
}

#[tokio::test]
async fn what_is_kept_of_a_picture_that_has_changed_is_dropped() {
    let folder = Folder::new("changed");
    let store = Store::open(&*folder, 1 << 30).unwrap();
    let of = |name: &str| [("p", Arc::new(file(name)) as Arc<dyn ServedPicture>)];
    let mut before = None;
    for name in ["tiles.jp2", "precincts.j2k", "tiles.jp2"] {
        let mut server = serve_pictures(of(name), 0, ServerOptions::default());
        server.config.store = Some(store.clone());
        if let Some(port) = before {
            // It is the same server, as far as the store can tell.
            let of_before = store.load(&format!("jpip://127.0.0.1:{port}"), "p").unwrap().unwrap();
            let mut writer = store
                .writer(&format!("jpip://127.0.0.1:{}", server.port), "p", &of_before.target_id)
                .unwrap();
            let mut pieces = Vec::new();
            for (codestream, id) in of_before.bins.ids() {
                let bin = of_before.bins.bin(codestream, id).unwrap().unwrap();
                let (bytes, last) = (bin.bytes.to_vec(), bin.complete);
                pieces.push(BinPiece { codestream, id, offset: 0, bytes, last });
            }
            assert!(writer.append(&pieces).unwrap());
        }
        let client = server.client(RoadKind::Http3).await;
        let session = client.create_session("p").await;
        assert_eq!(session.kept_bytes() > 0, before.is_some());
        // The first image may still be of what was kept.
        let mut image = session.request_image().await.unwrap();
        while image.complete().await.is_err() {
            image = session.request_image().await.unwrap();
        }
        assert_same(&mut image, name, &DecodeRequest::default()).await;
        drop(image);
        let held = session.bins().read().unwrap().bytes_held();
        // Without a farewell: what has come is written all the same.
        drop(session);
        let key = format!("jpip://127.0.0.1:{}", server.port);
        while store.load(&key, "p").unwrap().is_none_or(|kept| kept.bins.bytes_held() < held) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        before = Some(server.port);
    }
}
