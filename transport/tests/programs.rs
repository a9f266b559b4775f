//! The client and the server program against each other over loopback: every byte arrives over either road, new
//! windows take over, sessions end, and a server that comes back is found again.
#![allow(clippy::unwrap_used)]

#[path = "common/synthetic.rs"]
mod synthetic;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use synthetic::Synthetic;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wavetile_engine::Limits;
use wavetile_engine::byte_source::FileSource;
use wavetile_engine::data_bin::{DataBinId, DataBins};
use wavetile_engine::geometry::Size;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::view_window::{ViewWindow, frame_size};
use wavetile_transport::client::{ClientConfig, ClientError, ConnectOptions, Session};
use wavetile_transport::jpip::{
    ClientError as JpipError, Event, MemoryCatalogue, ServedPicture, ServerOptions, eor,
};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::RoadLimits;
use wavetile_transport::server::{Monitor, RoadsConfig, Server, ServerConfig, ServerError};
use wavetile_transport::tls::Trust;

const ROADS: [RoadKind; 5] =
    [RoadKind::Http3, RoadKind::Http2, RoadKind::Http1, RoadKind::WebSocket, RoadKind::WebTransport];

struct Running {
    http3: SocketAddr,
    http1: SocketAddr,
    trust: Trust,
    monitor: Monitor,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Serves `picture` as "p.jp2" on `port`, or any.
    fn start(picture: &Arc<Synthetic>, port: u16) -> Self {
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let limits = RoadLimits::default().grace(Duration::from_millis(500));
        let roads = RoadsConfig::default().http3(any).http1(any).limits(limits);
        let picture: Arc<dyn ServedPicture> = picture.clone();
        let catalogue = MemoryCatalogue::new([("p.jp2".to_owned(), picture)]);
        // Room enough to remember every precinct of the large picture.
        let options = ServerOptions::default().model_memory(16 << 20);
        let server = Server::bind(catalogue, &roads, options).unwrap();
        assert_eq!(server.names(), ["p.jp2"]);
        let (stop, stopped) = oneshot::channel();
        Self {
            http3: server.http3_addr().unwrap(),
            http1: server.http1_addr().unwrap(),
            trust: Trust::Fingerprint(server.fingerprint().unwrap()),
            monitor: server.monitor(),
            stop,
            task: tokio::spawn(server.run(async { stopped.await.unwrap_or(()) })),
        }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }

    fn config(&self, kind: RoadKind) -> ClientConfig {
        let connect = ConnectOptions::default()
            .road(kind.into())
            .trust(self.trust.clone())
            .http1_port(Some(self.http1.port()));
        ClientConfig::default().connect(connect)
    }

    fn url(&self) -> String {
        format!("jpip://127.0.0.1:{}/p.jp2", self.http3.port())
    }

    async fn client(&self, kind: RoadKind) -> Session {
        let client = Session::open(&self.url(), self.config(kind)).await.unwrap();
        assert_eq!(client.road(), kind);
        client
    }
}

fn whole(width: u32, height: u32) -> Option<ViewWindow> {
    Some(ViewWindow::whole(Size::new(width, height)))
}

#[tokio::test]
async fn a_whole_picture_arrives_over_either_road_with_and_without_a_session() {
    let picture = Arc::new(Synthetic::new());
    let server = Running::start(&picture, 0);
    for kind in ROADS {
        for sessions in [true, false] {
            let mut config = server.config(kind);
            config.jpip.sessions = sessions;
            // Several requests for one window.
            config.jpip.length = Some(20_000);
            let mut client = Session::open(&server.url(), config).await.unwrap();
            let summary = client.fetch(whole(200, 150)).await.unwrap();
            picture.assert_whole(&client.bins().read().unwrap());
            let payload: usize = picture.bins().iter().map(|(_, bytes)| bytes.len()).sum();
            assert_eq!(summary.new, payload as u64);
            assert_eq!(summary.duplicate, 0);
            assert!(summary.received > summary.new && summary.received < summary.new * 11 / 10);
            assert!(summary.requests > 1 && summary.rounds <= summary.requests, "{summary:?}");
            assert_eq!(summary.reason, Some(eor::IMAGE_DONE));
            // What is held is not fetched again.
            let again = client.fetch(whole(200, 150)).await.unwrap();
            assert_eq!((again.requests, again.received), (0, 0));
            assert_eq!(server.monitor.sessions(), usize::from(sessions));
            client.close().await;
            assert_eq!(server.monitor.sessions(), 0, "the session was closed");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_new_window_takes_over_and_nothing_is_sent_twice() {
    let picture = Arc::new(Synthetic::sized(3000, 3000, 1024));
    let payload: usize = picture.bins().iter().map(|(_, bytes)| bytes.len()).sum();
    let server = Running::start(&picture, 0);
    for kind in ROADS {
        let mut config = server.config(kind);
        // One response could carry it all.
        config.jpip.length = Some(1 << 30);
        let mut client = Session::open(&server.url(), config).await.unwrap();
        client.set_window(whole(3000, 3000));
        loop {
            if let Event::Progress(progress) = client.next_event().await.unwrap()
                && progress.new > 100_000
            {
                break;
            }
        }
        let before = client.progress().received;
        let region = ViewWindow {
            offset: (2500, 2500),
            region: Size::new(64, 64),
            ..ViewWindow::whole(Size::new(3000, 3000))
        };
        let small = client.fetch(Some(region)).await.unwrap();
        assert_eq!(small.requests, 1);
        assert_eq!(small.reason, Some(eor::WINDOW_DONE));
        // The rest of the large window was not waited for: only what was under way already.
        let late = client.progress().received - before;
        assert!(late < 3 << 20 && (late as usize) < payload / 2, "{late} of {payload} bytes");
        picture.assert_prefixes(&client.bins().read().unwrap());
        client.fetch(whole(3000, 3000)).await.unwrap();
        picture.assert_whole(&client.bins().read().unwrap());
        // A message on its way when the window changed may be sent once more.
        assert!(client.progress().duplicate <= 8 << 10, "{:?}", client.progress());
        client.close().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    for kind in ROADS {
        let picture = Arc::new(Synthetic::new());
        let server = Running::start(&picture, 0);
        let port = server.http3.port();
        let (url, mut config) = (server.url(), server.config(kind));
        // The new server has a new certificate.
        config.connect.trust = Trust::Insecure;
        config.jpip.pause = Duration::from_millis(50);
        let mut client = Session::open(&url, config).await.unwrap();
        client.fetch(whole(50, 38)).await.unwrap();
        let held = client.progress().new;
        server.stop().await;
        let server = Running::start(&picture, port);
        assert_eq!(server.http1.port(), port);
        let start = Instant::now();
        client.fetch(whole(200, 150)).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        picture.assert_whole(&client.bins().read().unwrap());
        assert!(held > 0 && client.progress().duplicate == 0, "{:?}", client.progress());
        client.close().await;
        assert_eq!(server.monitor.sessions(), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn failures_are_told_and_can_be_got_over() {
    let picture = Arc::new(Synthetic::new());
    let server = Running::start(&picture, 0);
    for kind in ROADS {
        let url = server.url().replace("p.jp2", "missing.jp2");
        let mut client = Session::open(&url, server.config(kind)).await.unwrap();
        for _ in 0..2 {
            let error = client.fetch(whole(200, 150)).await.unwrap_err();
            assert!(matches!(error, ClientError::Jpip(JpipError::Refused(404))), "{error}");
        }
        client.close().await;
    }
    let mut config = server.config(RoadKind::Http1);
    config.jpip.attempts = 3;
    config.jpip.pause = Duration::from_millis(10);
    let mut client = Session::open(&server.url(), config).await.unwrap();
    client.fetch(None).await.unwrap();
    let port = server.http3.port();
    server.stop().await;
    let error = client.fetch(whole(200, 150)).await.unwrap_err();
    assert!(matches!(error, ClientError::Jpip(JpipError::Broken(_))), "{error}");
    let server = Running::start(&picture, port);
    client.fetch(whole(200, 150)).await.unwrap();
    picture.assert_whole(&client.bins().read().unwrap());
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_closed_client_has_no_more_events() {
    let picture = Arc::new(Synthetic::new());
    let server = Running::start(&picture, 0);
    let mut client = server.client(RoadKind::Http3).await;
    let mut opened = false;
    while let Some(event) = client.next_event().await {
        opened |= matches!(event, Event::Opened { session: true, .. });
        if matches!(event, Event::WindowComplete { .. }) {
            break;
        }
    }
    assert!(opened);
    assert_eq!(server.monitor.channels(), 1);
    client.close().await;
    assert_eq!(server.monitor.channels(), 0);
    assert_eq!(server.monitor.model_memory(), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_files_of_a_directory_arrive_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let roads = RoadsConfig::default().http3(any).http1(any);
    let config = ServerConfig::default().root(root.clone()).roads(roads);
    let server = Server::open(&config).unwrap();
    let trust = Trust::Fingerprint(server.fingerprint().unwrap());
    let (http3, http1) = (server.http3_addr().unwrap().port(), server.http1_addr().unwrap().port());
    let names = server.names();
    assert!(
        names.iter().any(|name| name.ends_with(".jp2")) && names.iter().any(|name| name.ends_with(".j2k"))
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { stopped.await.unwrap_or(()) }));
    for name in names {
        let file =
            IndexedFile::open(FileSource::open(root.join(&name)).unwrap(), &Limits::default()).unwrap();
        for kind in ROADS {
            let connect =
                ConnectOptions::default().road(kind.into()).trust(trust.clone()).http1_port(Some(http1));
            let url = format!("jpip://127.0.0.1:{http3}/{name}");
            let config = ClientConfig::default().connect(connect);
            let mut client = Session::open(&url, config).await.unwrap();
            let window = ViewWindow::whole(frame_size(file.header().size.image, 0));
            client.fetch(Some(window)).await.unwrap();
            let bins = client.bins();
            {
                let bins = bins.read().unwrap();
                let mut precincts = 0;
                for (codestream, id) in bins.ids() {
                    let (found, kept) =
                        (bins.bin(codestream, id).unwrap(), file.bin(codestream, id).unwrap());
                    let (found, kept) = (found.unwrap(), kept.unwrap());
                    assert_eq!((found.bytes, found.complete), (kept.bytes, kept.complete), "{name}: {id:?}");
                    precincts += u64::from(matches!(id, DataBinId::Precinct(_)));
                }
                let tiles = 0..file.header().tile_count();
                let all: u64 = tiles
                    .map(|tile| {
                        let tile = file.tile(tile).unwrap();
                        tile.components.iter().map(|component| component.precincts).sum::<u64>()
                    })
                    .sum();
                assert_eq!(precincts, all, "{name}: every precinct has arrived");
            }
            client.close().await;
        }
    }
    let _ = stop.send(());
    running.await.unwrap();

    let nowhere = config.root(root.join("nowhere"));
    assert!(matches!(Server::open(&nowhere), Err(ServerError::Root { .. })));
}
