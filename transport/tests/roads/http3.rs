//! HTTP/3: limits, many requests at once, progressive bodies.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use wavetile_transport::client::{ConnectOptions, Road};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::{RoadError, RoadLimits};
use wavetile_transport::server::RoadsConfig;
use wavetile_transport::tls::{Trust, client_config};

use crate::support::{Running, loopback, text};

fn http3(limits: RoadLimits) -> RoadsConfig {
    RoadsConfig::default().http3(loopback()).limits(limits)
}

#[tokio::test]
async fn requests_and_their_limits() {
    let server = Running::start(&http3(RoadLimits::default()));
    let road = server.road(RoadKind::Http3).await;
    let (head, body) = road.request("/echo?fsiz=1,2&len=3").await.unwrap();
    assert_eq!(head.status, 200);
    let field = |name: &str| head.headers.iter().find(|field| field.0 == name).map(|field| field.1.as_str());
    assert_eq!(field("content-type"), Some("image/jpp-stream"));
    assert_eq!(field("jpip-cnew"), Some("cid=1"));
    assert!(field("access-control-expose-headers").unwrap().contains("JPIP-qid"));
    assert_eq!(text(body).await, "fsiz=1,2&len=3");

    let long = "a".repeat(9000);
    let (head, body) = road.request(&format!("/echo?{long}")).await.unwrap();
    assert_eq!((head.status, text(body).await), (200, long));
    let (head, _) = road.request(&format!("/{}", "a".repeat(8 << 10))).await.unwrap();
    assert_eq!(head.status, 414);
    let (head, _) = road.request(&format!("/echo?{}", "a".repeat((256 << 10) + 1))).await.unwrap();
    assert_eq!(head.status, 413);
    // The connection has survived all that.
    let (head, body) = road.request("/echo?again").await.unwrap();
    assert_eq!((head.status, text(body).await.as_str()), (200, "again"));
}

#[tokio::test]
async fn more_requests_than_streams_wait() {
    let server = Running::start(&http3(RoadLimits::default().bidirectional_streams(4)));
    let road = server.road(RoadKind::Http3).await;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let road = road.clone();
        requests.spawn(async move { text(road.request("/slow").await.unwrap().1).await });
    }
    let bodies = requests.join_all().await;
    assert_eq!(bodies.len(), 10);
    assert!(bodies.iter().all(|body| body.len() == 36));
    assert_eq!(server.counts.most_open.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn bodies_are_pulled_only_as_the_client_reads_and_end_when_it_leaves() {
    let server = Running::start(&http3(RoadLimits::default()));
    let road = server.road(RoadKind::Http3).await;
    let (_, mut body) = road.request("/endless").await.unwrap();
    body.chunk().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let pulled = server.counts.pulled.load(Ordering::SeqCst);
    // The client's window, the server's, and the chunk in hand.
    assert!(pulled <= (512 << 10) + (256 << 10) + (64 << 10), "{pulled} bytes");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.counts.pulled.load(Ordering::SeqCst), pulled, "pulled although nobody reads");
    // Another request is answered meanwhile.
    let (_, echo) = road.request("/echo?x").await.unwrap();
    assert_eq!(text(echo).await, "x");
    assert_eq!(server.counts.open.load(Ordering::SeqCst), 1);
    drop(body);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if server.counts.open.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
    panic!("the cancelled response is still open");
}

/// A QUIC connection without HTTP/3 on it.
async fn raw(server: &Running) -> quinn::Connection {
    let tls = client_config(&Trust::Fingerprint(server.fingerprint.unwrap()), &[b"h3"]).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    endpoint.connect_with(config, server.http3.unwrap(), "localhost").unwrap().await.unwrap()
}

#[tokio::test]
async fn a_frame_of_boundless_length_is_not_gathered() {
    let server = Running::start(&http3(RoadLimits::default()));
    let connection = raw(&server).await;
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    // HEADERS (or an unknown frame) of 2^30 - 1 bytes.
    for kind in [0x01, 0x21] {
        let mut sent = 0;
        send.write_all(&[kind, 0xbf, 0xff, 0xff, 0xff]).await.unwrap();
        let stopped = loop {
            match tokio::time::timeout(Duration::from_secs(5), send.write_all(&[0; 16 << 10])).await.unwrap()
            {
                Ok(()) => sent += 16 << 10,
                Err(error) => break error,
            }
        };
        assert!(matches!(stopped, quinn::WriteError::Stopped(_)), "{stopped}");
        assert!(sent <= 1 << 20, "{sent} bytes were taken");
        send = connection.open_bi().await.unwrap().0;
    }
}

#[tokio::test]
async fn a_large_header_section_gets_an_answer_instead_of_memory() {
    let server = Running::start(&http3(RoadLimits::default()));
    let connection = raw(&server).await;
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    // A QPACK section: no dynamic table, one literal field named "aaa" with 20 000 bytes of value.
    let mut section = vec![0, 0, 0x23, b'a', b'a', b'a', 0x7f, 0xa1, 0x9b, 0x01];
    section.extend(std::iter::repeat_n(b'a', 20_000));
    let length = u16::try_from(section.len()).unwrap() | 0x4000;
    let [high, low] = length.to_be_bytes();
    if section.len() < 0x4000 {
        send.write_all(&[0x01, high, low]).await.unwrap();
    } else {
        let [a, b, c, d] = (u32::try_from(section.len()).unwrap() | 0x8000_0000).to_be_bytes();
        send.write_all(&[0x01, a, b, c, d]).await.unwrap();
    }
    send.write_all(&section).await.unwrap();
    send.finish().unwrap();
    let answer =
        tokio::time::timeout(Duration::from_secs(5), recv.read_to_end(1 << 16)).await.unwrap().unwrap();
    assert_eq!(answer.first(), Some(&0x01), "a HEADERS frame");
    assert!(connection.close_reason().is_none());
}

#[tokio::test]
async fn a_request_head_that_never_ends_is_not_waited_for() {
    let limits = RoadLimits::default().header_time(Duration::from_millis(200));
    let server = Running::start(&http3(limits));
    let connection = raw(&server).await;
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&[0x01, 0x40]).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(3), recv.read_to_end(1 << 16)).await;
    assert!(ended.is_ok(), "the stream is still open");
}

#[tokio::test]
async fn silent_connections_end() {
    let limits = RoadLimits::default().idle(Duration::from_millis(300));
    let server = Running::start(&http3(limits));
    let connection = raw(&server).await;
    let ended = tokio::time::timeout(Duration::from_secs(3), connection.closed()).await;
    assert!(matches!(ended, Ok(quinn::ConnectionError::TimedOut)), "{ended:?}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let server = Running::start(&http3(RoadLimits::default().connections(2)));
    let first = server.road(RoadKind::Http3).await;
    // Beyond half of the limit, an address has to be proved first; the client does not notice.
    let second = server.road(RoadKind::Http3).await;
    let trust = Trust::Fingerprint(server.fingerprint.unwrap());
    let options = ConnectOptions::default().trust(trust).timeout(Duration::from_secs(2));
    let refused = Road::connect(&server.address(RoadKind::Http3), &options).await.err();
    assert!(matches!(refused, Some(RoadError::Unreachable { .. })), "{refused:?}");
    for road in [&first, &second] {
        assert_eq!(text(road.request("/echo?x").await.unwrap().1).await, "x");
    }
    first.close().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    Road::connect(&server.address(RoadKind::Http3), &options).await.unwrap();
}

#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let limits = RoadLimits::default().body_time(Duration::from_millis(200));
    let server = Running::start(&http3(limits));
    let tls = client_config(&Trust::Insecure, &[b"h3"]).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let connection =
        endpoint.connect_with(config, server.http3.unwrap(), "localhost").unwrap().await.unwrap();
    let built = h3::client::new(h3_quinn::Connection::new(connection)).await.unwrap();
    let (mut driver, mut requests) = built;
    tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
    let request = http::Request::post("https://localhost/echo").body(()).unwrap();
    let mut stream = requests.send_request(request).await.unwrap();
    stream.send_data(bytes::Bytes::from_static(b"len=")).await.unwrap();
    let response =
        tokio::time::timeout(Duration::from_secs(3), stream.recv_response()).await.unwrap().unwrap();
    assert_eq!(response.status(), 408);
}
