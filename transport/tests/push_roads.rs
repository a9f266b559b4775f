//! A standing response on every road: it brings more than was asked for, tells that a file was replaced, and gives way to
//! the next window at once.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use wavetile_engine::geometry::Size;
use wavetile_engine::view_window::ViewWindow;
use wavetile_testing::running::Folder;
use wavetile_transport::client::{ClientConfig, ConnectOptions, Session};
use wavetile_transport::jpip::Event;
use wavetile_transport::road::RoadKind;
use wavetile_transport::server::{RoadsConfig, Server, ServerConfig};
use wavetile_transport::tls::Trust;

const ROADS: [RoadKind; 5] =
    [RoadKind::Http3, RoadKind::Http2, RoadKind::Http1, RoadKind::WebSocket, RoadKind::WebTransport];

/// Larger than any of the pictures: their finest level serves.
const FRAME: Size = Size::new(4096, 4096);

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// The next event that `wanted` likes.
async fn until(client: &mut Session, wanted: impl Fn(&Event) -> bool) {
    let events = async { while !wanted(&client.next_event().await.expect("the client is open")) {} };
    tokio::time::timeout(Duration::from_secs(20), events).await.expect("it takes too long");
}

#[tokio::test]
async fn what_is_pushed_arrives_on_every_road_and_a_replaced_file_is_told() {
    let folder = Folder::new("push-roads");
    let file = folder.join("p.j2k");
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let roads = RoadsConfig::default().http3(any).http1(any);
    std::fs::write(&file, data("precincts.j2k")).unwrap();
    let server = Server::open(&ServerConfig::default().root(folder.to_path_buf()).roads(roads)).unwrap();
    let trust = Trust::Fingerprint(server.fingerprint().unwrap());
    let (http3, http1) = (server.http3_addr().unwrap().port(), server.http1_addr().unwrap().port());
    tokio::spawn(server.run(std::future::pending()));
    for kind in ROADS {
        std::fs::write(&file, data("precincts.j2k")).unwrap();
        let connect =
            ConnectOptions::default().road(kind.into()).trust(trust.clone()).http1_port(Some(http1));
        let url = format!("jpip://127.0.0.1:{http3}/p.j2k");
        // The upper left corner; the rest comes of itself.
        let corner = |side| ViewWindow { region: Size::new(side, side), ..ViewWindow::whole(FRAME) };
        let window = Some(ViewWindow { layers: Some(1), ..corner(4) });
        let mut config = ClientConfig::default().connect(connect);
        let mut client = Session::open(&url, config.clone()).await.unwrap();
        client.fetch(window.clone()).await.unwrap();
        let asked = client.progress().new;
        client.close().await;
        config.jpip.push = Some(1 << 20);
        let mut client = Session::open(&url, config).await.unwrap();
        client.fetch(window).await.unwrap();
        let start = Instant::now();
        while client.progress().new <= asked {
            assert!(start.elapsed() < Duration::from_secs(10), "{kind:?}: nothing is pushed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Another window does not wait for the one that stands.
        let start = Instant::now();
        client.fetch(Some(corner(8))).await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(900), "{kind:?}: {:?}", start.elapsed());
        assert_eq!(client.progress().duplicate, 0, "{kind:?}");
        std::fs::write(&file, data("plain.j2k")).unwrap();
        until(&mut client, |event| *event == Event::Reset).await;
        until(&mut client, |event| matches!(event, Event::WindowComplete { .. })).await;
        client.close().await;
    }
}
