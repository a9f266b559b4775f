//! WebTransport: the binding's streams, on the port of HTTP/3, with many requests at once, cancelling and limits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use wavetile_transport::client::{ConnectOptions, Road};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::{RoadError, RoadLimits};
use wavetile_transport::server::RoadsConfig;
use wavetile_transport::tls::{Fingerprint, Trust};
use wtransport::endpoint::endpoint_side::Client;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Connection, Endpoint};

use crate::support::{Running, loopback, text};
use wavetile_testing::running::Folder;

fn udp(limits: RoadLimits) -> RoadsConfig {
    RoadsConfig::default().http3(loopback()).limits(limits)
}

/// A session of a foreign client, and what keeps it alive.
async fn open(server: &Running) -> (Connection, Endpoint<Client>) {
    let pin = Sha256Digest::new(server.fingerprint.unwrap().0);
    let config = ClientConfig::builder().with_bind_default().with_server_certificate_hashes([pin]).build();
    let endpoint = Endpoint::client(config).unwrap();
    let url = format!("https://127.0.0.1:{}/any/path", server.http3.unwrap().port());
    (endpoint.connect(url).await.unwrap(), endpoint)
}

/// All that comes back on a stream that carried `request`; an error's text if it breaks off.
async fn exchange(session: &Connection, request: &[u8]) -> String {
    let (mut send, mut receive) = session.open_bi().await.unwrap().await.unwrap();
    // An answer may come before the request was read.
    if send.write_all(request).await.is_ok() {
        let _ = send.finish().await;
    }
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match tokio::time::timeout(Duration::from_secs(5), receive.read(&mut piece)).await.unwrap() {
            Ok(Some(length)) => answer.extend_from_slice(&piece[..length]),
            Ok(None) => return String::from_utf8(answer).unwrap(),
            Err(error) => return error.to_string(),
        }
    }
}

#[tokio::test]
async fn a_foreign_client_follows_the_binding() {
    let server = Running::start(&udp(RoadLimits::default()));
    let (session, _endpoint) = open(&server).await;
    let head = "200\nContent-Type: image/jpp-stream\nJPIP-cnew: cid=1\n\n";
    for request in ["/echo?len=1", "/echo?len=1\n"] {
        assert_eq!(exchange(&session, request.as_bytes()).await, format!("{head}len=1"));
    }
    for wrong in [&b""[..], b"echo", b"/\xff", b"/a\n/b\n"] {
        assert!(exchange(&session, wrong).await.starts_with("400\n"), "{wrong:?}");
    }
    // Plain requests go on over the same port.
    let road = server.road(RoadKind::Http3).await;
    assert_eq!(text(road.request("/echo?y").await.unwrap().1).await, "y");
}

#[tokio::test]
async fn requests_go_side_by_side_and_are_cancelled_alone() {
    let server = Running::start(&udp(RoadLimits::default()));
    let road = server.road(RoadKind::WebTransport).await;
    assert_eq!(road.kind(), RoadKind::WebTransport);
    let (head, mut endless) = road.request("/endless").await.unwrap();
    assert_eq!(head.status, 200);
    assert!(head.headers.contains(&("jpip-cnew".to_owned(), "cid=1".to_owned())), "{head:?}");
    assert!(endless.chunk().await.unwrap().is_some());
    let (slow, echo) = tokio::join!(road.request("/slow"), road.request("/echo?a=b"));
    assert_eq!(text(echo.unwrap().1).await, "a=b");
    assert_eq!(text(slow.unwrap().1).await, "piece ".repeat(6));
    assert_eq!(server.counts.open.load(Ordering::SeqCst), 1);
    drop(endless);
    none_open(&server).await;
    assert_eq!(text(road.request("/echo?on").await.unwrap().1).await, "on");
    assert!(!road.is_closed());
    road.close().await;
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_answers() {
    let server = Running::start(&udp(RoadLimits::default()));
    let (session, endpoint) = open(&server).await;
    let (mut send, mut receive) = session.open_bi().await.unwrap().await.unwrap();
    send.write_all(b"/endless").await.unwrap();
    send.finish().await.unwrap();
    receive.read(&mut [0; 64]).await.unwrap().unwrap();
    assert_eq!(server.counts.open.load(Ordering::SeqCst), 1);
    drop((send, receive, session, endpoint));
    none_open(&server).await;
}

#[tokio::test]
async fn limits_hold() {
    let limits = RoadLimits::default()
        .target(100)
        .body(900)
        .body_time(Duration::from_millis(200))
        .idle(Duration::from_secs(2));
    let server = Running::start(&udp(limits));
    let (session, _endpoint) = open(&server).await;
    let long = format!("/echo?{}", "a".repeat(1_500));
    assert!(exchange(&session, long.as_bytes()).await.starts_with("413\n"));
    // A request that does not end is not waited for.
    let (mut send, mut receive) = session.open_bi().await.unwrap().await.unwrap();
    send.write_all(b"/ech").await.unwrap();
    let mut piece = [0; 4];
    receive.read_exact(&mut piece).await.unwrap();
    assert_eq!(&piece, b"408\n");
    // Nor is a client that does not read.
    let (mut send, _receive) = session.open_bi().await.unwrap().await.unwrap();
    send.write_all(b"/endless").await.unwrap();
    send.finish().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.counts.open.load(Ordering::SeqCst), 1);
    none_open(&server).await;
}

#[tokio::test]
async fn a_server_that_stops_lets_answers_finish_and_waits_for_no_idle_session() {
    let server = Running::start(&udp(RoadLimits::default().grace(Duration::from_secs(20))));
    let road = server.road(RoadKind::WebTransport).await;
    let (_, slow) = road.request("/slow").await.unwrap();
    let reading = tokio::spawn(text(slow));
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.unwrap();
    assert_eq!(reading.await.unwrap(), "piece ".repeat(6));
}

#[tokio::test]
async fn another_certificate_is_refused() {
    let server = Running::start(&udp(RoadLimits::default()));
    for trust in [Trust::Fingerprint(Fingerprint([1; 32])), Trust::WebPki] {
        let options = ConnectOptions::default().trust(trust);
        let refused = Road::connect(&server.address(RoadKind::WebTransport), &options).await.err();
        assert!(matches!(refused, Some(RoadError::Untrusted { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_session_that_a_foreign_server_gives_up_is_over() {
    let directory = Folder::new("webtransport");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let leaf =
        rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (chain_file, key_file) = (directory.join("chain.pem"), directory.join("key.pem"));
    std::fs::write(&chain_file, leaf.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let identity = wtransport::Identity::load_pemfiles(&chain_file, &key_file).await.unwrap();
    let config = wtransport::ServerConfig::builder()
        .with_bind_address("127.0.0.1:0".parse().unwrap())
        .with_identity(identity)
        .build();
    let endpoint = Endpoint::server(config).unwrap();
    let port = endpoint.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let session = endpoint.accept().await.await.unwrap().accept().await.unwrap();
        let (mut send, mut receive) = session.accept_bi().await.unwrap();
        let mut request = [0; 5];
        receive.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"/echo");
        send.write_all(b"200\nJPIP-tid: 7\n\nbody").await.unwrap();
        send.finish().await.unwrap();
        let (mut send, _receive) = session.accept_bi().await.unwrap();
        send.reset(wtransport::VarInt::from_u32(1)).unwrap();
        session.closed().await;
    });
    let address = format!("jpip://127.0.0.1:{port}/x").parse().unwrap();
    let trust = Trust::Authorities(chain_file);
    let options = ConnectOptions::default().trust(trust).road(RoadKind::WebTransport.into());
    let road = Road::connect(&address, &options).await.unwrap();
    let (head, body) = road.request("/echo").await.unwrap();
    assert_eq!(head.headers, [("jpip-tid".to_owned(), "7".to_owned())]);
    assert_eq!(text(body).await, "body");
    assert!(!road.is_closed());
    let refused = road.request("/echo").await.err();
    assert!(matches!(refused, Some(RoadError::Lost(_))), "{refused:?}");
    assert!(road.is_closed());
    road.close().await;
    server.await.unwrap();
}

/// Waits until no answer is under way any more.
async fn none_open(server: &Running) {
    let none = async {
        while server.counts.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), none).await.unwrap();
}
