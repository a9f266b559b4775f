//! TLS and HTTP/2 on the TCP port, with clients that are not ours.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use wavetile_transport::road::RoadLimits;
use wavetile_transport::server::RoadsConfig;
use wavetile_transport::tls::{Trust, client_config};

use crate::support::{Running, loopback};

fn tcp(limits: RoadLimits) -> Running {
    Running::start(&RoadsConfig::default().http1(loopback()).limits(limits))
}

/// A TLS connection that trusts the server's certificate and no other.
async fn secure(server: &Running, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    let config = client_config(&Trust::Fingerprint(server.fingerprint.unwrap()), alpn).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, server.raw().await).await.unwrap()
}

type Http2 = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

async fn http2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Http2 {
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &Http2, path: &str) -> http::Response<Incoming> {
    let request = http::Request::get(format!("https://127.0.0.1{path}")).body(Empty::new()).unwrap();
    sender.clone().send_request(request).await.unwrap()
}

async fn text(response: http::Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn http2_is_chosen_by_alpn_and_carries_requests_side_by_side() {
    let server = tcp(RoadLimits::default());
    let io = secure(&server, &[b"h2", b"http/1.1"]).await;
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let sender = http2(io).await;
    let response = get(&sender, "/echo?len=7").await;
    assert_eq!((response.status(), response.version()), (http::StatusCode::OK, http::Version::HTTP_2));
    assert_eq!(response.headers()["jpip-cnew"], "cid=1");
    assert_eq!(text(response).await, "len=7");
    let slow = async { text(get(&sender, "/slow").await).await };
    let quick = async {
        let start = Instant::now();
        (text(get(&sender, "/echo?quick").await).await, start.elapsed())
    };
    let (slow, (quick, took)) = tokio::join!(slow, quick);
    assert_eq!((slow.as_str(), quick.as_str()), ("piece piece piece piece piece piece ", "quick"));
    assert!(took < Duration::from_millis(250), "{took:?}");
    // Dropping a response's body resets its stream, and that cancels it.
    drop(get(&sender, "/endless").await);
    let start = Instant::now();
    while server.counts.open.load(Ordering::SeqCst) > 0 {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(text(get(&sender, "/echo?still").await).await, "still");
    server.stop().await;
}

#[tokio::test]
async fn http2_is_spoken_in_the_clear_to_those_who_know_it() {
    let server = tcp(RoadLimits::default());
    let sender = http2(server.raw().await).await;
    assert_eq!(text(get(&sender, "/echo?clear").await).await, "clear");
    server.stop().await;
}

#[tokio::test]
async fn http1_over_tls_has_the_same_bytes() {
    let server = tcp(RoadLimits::default());
    for alpn in [&[&b"http/1.1"[..]][..], &[]] {
        let mut io = secure(&server, alpn).await;
        io.write_all(b"GET /echo?abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        // The server may close without a last alert; what came is looked at.
        let _ = io.read_to_string(&mut response).await;
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.contains("\r\nJPIP-cnew: cid=1\r\n"), "{response}");
        assert!(response.ends_with("\r\n\r\nabc"), "{response}");
    }
    server.stop().await;
}

#[tokio::test]
async fn websockets_come_over_tls() {
    let server = tcp(RoadLimits::default());
    let io = secure(&server, &[b"http/1.1"]).await;
    let (mut socket, _) = tokio_tungstenite::client_async("wss://127.0.0.1/", io).await.unwrap();
    socket.send(Message::text("5 /echo?over")).await.unwrap();
    let head = socket.next().await.unwrap().unwrap();
    assert!(head.to_text().unwrap().starts_with("5 200\n"), "{head:?}");
    let piece = socket.next().await.unwrap().unwrap();
    assert_eq!(piece.into_data().as_ref(), b"\0\0\0\x05over");
    assert_eq!(socket.next().await.unwrap().unwrap().to_text().unwrap(), "5 end");
    server.stop().await;
}

#[tokio::test]
async fn handshakes_and_first_requests_are_timed() {
    let header_time = Duration::from_millis(300);
    let server = tcp(RoadLimits::default().header_time(header_time));
    // A TLS record that never ends, and HTTP/2 without a request.
    let mut stuck = server.raw().await;
    stuck.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut silent = secure(&server, &[b"h2"]).await;
    let start = Instant::now();
    let mut bytes = Vec::new();
    let _ = stuck.read_to_end(&mut bytes).await;
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let _ = silent.read_to_end(&mut bytes).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_resets_ends_an_http2_connection() {
    let server = tcp(RoadLimits::default());
    let mut flood = server.raw().await;
    flood.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // HEADERS (GET, http, "/endless" as a literal, authority left out) and RST_STREAM, for stream after stream.
    let fields = b"\x82\x86\x04\x08/endless";
    let mut frames = Vec::new();
    for stream in (1..20_000u32).step_by(2) {
        frames.extend_from_slice(&[0, 0, fields.len() as u8, 1, 5]);
        frames.extend_from_slice(&stream.to_be_bytes());
        frames.extend_from_slice(fields);
        frames.extend_from_slice(&[0, 0, 4, 3, 0]);
        frames.extend_from_slice(&stream.to_be_bytes());
        frames.extend_from_slice(&[0, 0, 0, 8]);
    }
    let _ = flood.write_all(&frames).await;
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), flood.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection goes on");
    let most = server.counts.most_open.load(Ordering::SeqCst);
    assert!(most <= RoadLimits::default().bidirectional_streams as usize, "{most} responses at once");
    server.stop().await;
}

#[tokio::test]
async fn http2_in_the_clear_is_known_however_its_preface_is_cut() {
    let server = tcp(RoadLimits::default());
    for cut in [1, 2, 3, 10, 23] {
        // A relay that cuts the first bytes.
        let relay = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = relay.local_addr().unwrap();
        let mut to = server.raw().await;
        to.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let (mut from, _) = relay.accept().await.unwrap();
            let mut first = vec![0; cut];
            from.read_exact(&mut first).await.unwrap();
            to.write_all(&first).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
        });
        let sender = http2(TcpStream::connect(address).await.unwrap()).await;
        let response = get(&sender, "/echo?cut").await;
        assert_eq!(
            (response.version(), text(response).await.as_str()),
            (http::Version::HTTP_2, "cut"),
            "{cut}"
        );
    }
    server.stop().await;
}
