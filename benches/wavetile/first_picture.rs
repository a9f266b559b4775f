//! A picture over loopback HTTP/3: from the call to connect until something can be shown, and until all of the
//! overview (1/8) is there and decoded. Server and client share the process.

use crate::support::{Bench, Picture, sample_path};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wavetile::engine::view_window::ViewWindow;
use wavetile::engine::{Backend, Decoder, Image, Limits, Opening, Size};
use wavetile::transport::client::{ClientConfig, ConnectOptions, Session};
use wavetile::transport::jpip::{Event, ServerOptions};
use wavetile::transport::road::RoadKind;
use wavetile::transport::server::{Directory, RoadsConfig, Server};
use wavetile::transport::tls::Trust;

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("first_picture") {
        return;
    }
    let runtime = Runtime::new().expect("threads can be started");
    let site = runtime.block_on(async { Site::start() });
    let pictures = bench.pictures();
    let overview =
        pictures.iter().find(|picture| picture.request.reduce == 3).expect("the sample is always there");
    let decoder = Decoder::new(Backend::Cpu).expect("the CPU is always there");
    let visit = || runtime.block_on(site.visit(overview, &decoder));

    let mut group = bench.group("first_picture");
    for (name, time) in [("first", Visit::first as fn(&Visit) -> Duration), ("complete", Visit::complete)] {
        group.bench_function(name, |b| {
            b.iter_custom(|count| (0..count).map(|_| time(&visit())).sum());
        });
    }
    group.finish();
    let mut visits: Vec<Visit> = (0..7).map(|_| visit()).collect();
    visits.sort_by_key(Visit::complete);
    let Visit { first, complete, first_bytes, bytes } = visits[visits.len() / 2];
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    bench.note(format!(
        "first_picture, {}: {:.1} ms and {first_bytes} bytes to the first picture, {:.1} ms and {bytes} bytes to \
         all of it; ratio complete_time / first_time = {:.2}",
        overview.name,
        milliseconds(first),
        milliseconds(complete),
        complete.as_secs_f64() / first.as_secs_f64()
    ));
}

/// A server that runs until the program ends.
struct Site {
    url: String,
    config: ClientConfig,
}

/// How one visit went.
struct Visit {
    /// From the start until the first picture was decoded.
    first: Duration,
    /// From the start until all had arrived and was decoded.
    complete: Duration,
    /// Bytes received until the first picture.
    first_bytes: u64,
    /// Bytes received in all.
    bytes: u64,
}

impl Visit {
    fn first(&self) -> Duration {
        self.first
    }

    fn complete(&self) -> Duration {
        self.complete
    }
}

impl Site {
    fn start() -> Self {
        let path = sample_path();
        let folder = path.parent().expect("it lies in a folder");
        let catalogue = Directory::files(folder, Limits::default()).expect("the folder can be read");
        let http3 = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let roads = RoadsConfig::default().http3(http3);
        let server =
            Server::bind(catalogue, &roads, ServerOptions::default()).expect("loopback can be listened on");
        let port = server.http3_addr().expect("it listens").port();
        let trust = Trust::Fingerprint(server.fingerprint().expect("HTTP/3 has a certificate"));
        tokio::spawn(server.run(std::future::pending()));
        let connect = ConnectOptions::default().road(RoadKind::Http3.into()).trust(trust);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let url = format!("jpip://127.0.0.1:{port}/{name}");
        Self { url, config: ClientConfig::default().connect(connect) }
    }

    async fn visit(&self, overview: &Picture, decoder: &Decoder) -> Visit {
        let size = Size::new(1024, 1024);
        let start = Instant::now();
        let mut client = Session::open(&self.url, self.config.clone()).await.expect("the server answers");
        let wanted = client.set_window(Some(ViewWindow::whole(size)));
        let bins = client.bins();
        let mut first = None;
        loop {
            let event = client.next_event().await.expect("the client is open");
            let complete = matches!(event, Event::WindowComplete { window, .. } if window == wanted);
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
            if first.is_some() && !complete {
                continue;
            }
            let bytes = client.progress().received;
            let Ok(Opening::Image(image)) = Image::open_stream(bins.clone()) else { continue };
            let (picture, report) =
                decoder.render(&image, &overview.request).expect("what has arrived can be shown");
            if report.coverage.blocks_coded == 0 {
                continue;
            }
            assert_eq!(picture.size, size);
            let now = start.elapsed();
            let (first, first_bytes) = *first.get_or_insert((now, bytes));
            if complete {
                assert!(report.is_complete(), "{report:?}");
                client.close().await;
                return Visit { first, complete: now, first_bytes, bytes };
            }
        }
    }
}
