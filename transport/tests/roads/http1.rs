//! HTTP/1.1: the bytes on the wire, methods, limits.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::RoadLimits;
use wavetile_transport::server::RoadsConfig;
use wavetile_transport::tcp::listener::Framing;

use crate::support::{Running, exchange, loopback, text};

fn http1(limits: RoadLimits) -> RoadsConfig {
    RoadsConfig::default().http1(loopback()).limits(limits)
}

#[tokio::test]
async fn header_names_have_their_exact_case() {
    let server = Running::start(&http1(RoadLimits::default()));
    let mut stream = server.raw().await;
    // Twice: the second response comes over the kept connection.
    for _ in 0..2 {
        let response = exchange(&mut stream, "GET /slow?len=1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        for line in
            ["JPIP-cnew: cid=1\r\n", "Content-Type: image/jpp-stream\r\n", "Transfer-Encoding: chunked\r\n"]
        {
            assert!(response.contains(&format!("\r\n{line}")), "{line} in {response}");
        }
        assert!(response.contains("\r\nAccess-Control-Expose-Headers: JPIP-align, "), "{response}");
        assert!(response.ends_with("\r\n6\r\npiece \r\n0\r\n\r\n"), "{response}");
    }
}

#[tokio::test]
async fn content_length_can_be_asked_for() {
    let server = Running::start(&http1(RoadLimits::default()).framing(Framing::ContentLength));
    let response = exchange(&mut server.raw().await, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.contains("\r\nContent-Length: 36\r\n"), "{response}");
    assert!(!response.contains("Transfer-Encoding"), "{response}");
    assert!(response.ends_with("\r\n\r\npiece piece piece piece piece piece "), "{response}");
}

#[tokio::test]
async fn methods() {
    let server = Running::start(&http1(RoadLimits::default()));
    let options = "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\n\r\n";
    let response = exchange(&mut server.raw().await, options).await;
    assert!(response.starts_with("HTTP/1.1 204 "), "{response}");
    assert!(
        response.contains("\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"),
        "{response}"
    );
    assert!(response.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{response}");

    let response = exchange(&mut server.raw().await, "DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 405 ") && response.contains("\r\nAllow: GET, "), "{response}");

    let response = exchange(&mut server.raw().await, "HEAD /echo?len=1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("\r\n\r\n"), "{response}");

    let post = "POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 7\r\n\r\nlen=5\r\n";
    let response = exchange(&mut server.raw().await, post).await;
    assert!(response.ends_with("\r\n\r\na=1&len=5"), "{response}");

    let post = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>";
    let response = exchange(&mut server.raw().await, post).await;
    assert!(response.starts_with("HTTP/1.1 415 "), "{response}");
}

#[tokio::test]
async fn requests_that_are_too_large() {
    let server = Running::start(&http1(RoadLimits::default()));
    let target = |length: usize| format!("GET /echo?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(length - 6));
    let response = exchange(&mut server.raw().await, &target(8 << 10)).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let response = exchange(&mut server.raw().await, &target((8 << 10) + 1)).await;
    assert!(response.starts_with("HTTP/1.1 414 "), "{response}");

    let claimed = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", (256 << 10) + 1);
    let response = exchange(&mut server.raw().await, &claimed).await;
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    let mut chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for _ in 0..5 {
        chunked += &format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    }
    let response = exchange(&mut server.raw().await, &chunked).await;
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");

    let head = format!("GET /echo HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(64 << 10));
    let response = exchange(&mut server.raw().await, &head).await;
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
}

#[tokio::test]
async fn slow_heads_slow_bodies_and_silence_are_not_waited_for() {
    let short = Duration::from_millis(200);
    let server = Running::start(&http1(
        RoadLimits::default().header_time(short).body_time(short).idle(Duration::from_millis(900)),
    ));

    let mut stream = server.raw().await;
    let start = Instant::now();
    // A byte now and then does not help: the head as a whole has a deadline.
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        while writer.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await
    };
    let closed = async { while let Ok(1..) = reader.read(&mut [0; 64]).await {} };
    tokio::select! { () = drip => {}, () = closed => {} }
    assert!(start.elapsed() >= short && start.elapsed() < short * 4, "{:?}", start.elapsed());

    let slow = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc";
    let response = exchange(&mut server.raw().await, slow).await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");

    // Between requests a connection may rest for longer than a head may take, but not for ever.
    let mut stream = server.raw().await;
    for _ in 0..2 {
        let response = exchange(&mut stream, "GET /echo?x HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(response.ends_with("\r\n\r\nx"), "{response}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let start = Instant::now();
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0);
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped() {
    let limits = RoadLimits::default().idle(Duration::from_millis(400));
    let server = Running::start(&http1(limits));
    let mut stream = server.raw().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let open = || server.counts.open.load(std::sync::atomic::Ordering::SeqCst);
    let mut seen_open = false;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen_open |= open() == 1;
        if seen_open && open() == 0 {
            return;
        }
    }
    panic!("the response is still open (it was begun: {seen_open})");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let server = Running::start(&http1(RoadLimits::default().connections(1)));
    let mut first = server.raw().await;
    let response = exchange(&mut first, "GET /echo?x HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.ends_with("\r\n\r\nx"), "{response}");
    let mut second = server.raw().await;
    assert_eq!(second.read(&mut [0; 64]).await.unwrap_or(0), 0);
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let response = exchange(&mut server.raw().await, "GET /echo?x HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.ends_with("\r\n\r\nx"), "{response}");
}

#[tokio::test]
async fn the_client_overlaps_requests_and_keeps_connections() {
    let server = Running::start(&http1(RoadLimits::default().connections(2)));
    let road = server.road(RoadKind::Http1).await;
    for _ in 0..3 {
        let (_, slow) = road.request("/slow").await.unwrap();
        let (head, echo) = road.request("/echo?fsiz=1,2").await.unwrap();
        assert_eq!(head.status, 200);
        assert!(head.headers.contains(&("jpip-cnew".to_owned(), "cid=1".to_owned())));
        assert_eq!(text(echo).await, "fsiz=1,2");
        assert_eq!(text(slow).await.len(), 36);
    }
    let long = "a".repeat(9000);
    let (head, body) = road.request(&format!("/echo?{long}")).await.unwrap();
    assert_eq!(head.status, 200);
    assert_eq!(text(body).await, long);
}
