//! WebSocket: the binding's messages, many requests at once, cancelling, and what ends the connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::RoadLimits;
use wavetile_transport::server::RoadsConfig;

use crate::support::{Running, exchange, loopback, text};

fn tcp(limits: RoadLimits) -> RoadsConfig {
    RoadsConfig::default().http1(loopback()).limits(limits)
}

/// A connection of a foreign client that offers `protocol`.
async fn open(server: &Running, protocol: Option<&str>) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = "ws://x/any/path".into_client_request().unwrap();
    if let Some(protocol) = protocol {
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    }
    tokio_tungstenite::client_async(request, server.raw().await).await.map(|(socket, _)| socket)
}

/// The next message that is neither ping nor pong, as text; binary ones as number and bytes.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> String {
    loop {
        match tokio::time::timeout(Duration::from_secs(5), socket.next()).await.unwrap() {
            Some(Ok(Message::Text(text))) => return text.to_string(),
            Some(Ok(Message::Binary(bytes))) => {
                let (number, bytes) = bytes.split_at(4);
                return format!("[{}] {}", number[3], String::from_utf8_lossy(bytes));
            }
            Some(Ok(Message::Close(frame))) => return format!("close {}", frame.unwrap().code),
            Some(Ok(_)) => {}
            other => return format!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_foreign_client_follows_the_binding() {
    let server = Running::start(&tcp(RoadLimits::default()));
    for protocol in [None, Some("jpip.1"), Some("chat, jpip.1")] {
        let mut socket = open(&server, protocol).await.unwrap();
        for number in [5, 9] {
            socket.send(Message::text(format!("{number} /echo?len=1"))).await.unwrap();
            let head = format!("{number} 200\nContent-Type: image/jpp-stream\nJPIP-cnew: cid=1");
            assert_eq!(next(&mut socket).await, head);
            assert_eq!(next(&mut socket).await, format!("[{number}] len=1"));
            assert_eq!(next(&mut socket).await, format!("{number} end"));
        }
    }
    assert!(
        matches!(open(&server, Some("chat")).await, Err(Error::Http(response)) if response.status() == 400)
    );
    // Plain requests go on over the same port.
    let response = exchange(&mut server.raw().await, "GET /echo?y HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\ny"), "{response}");
}

#[tokio::test]
async fn what_is_no_request_ends_the_connection() {
    let server = Running::start(&tcp(RoadLimits::default().body(1000)));
    let large = format!("1 /echo?{}", "a".repeat(10_000));
    for (message, end) in [
        (Message::text("hello"), "close 1008"),
        (Message::text("1 echo"), "close 1008"),
        (Message::binary(vec![0; 8]), "close 1008"),
        (Message::text(large), "close 1009"),
    ] {
        let mut socket = open(&server, None).await.unwrap();
        socket.send(message.clone()).await.unwrap();
        assert_eq!(next(&mut socket).await, end, "{message:?}");
    }
    let mut socket = open(&server, None).await.unwrap();
    socket.send(Message::text("1 /endless")).await.unwrap();
    assert!(next(&mut socket).await.starts_with("1 200"));
    socket.send(Message::text("1 /echo?x")).await.unwrap();
    while next(&mut socket).await.starts_with("[1]") {}
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if server.counts.open.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
    panic!("the answer goes on though nobody is there");
}

#[tokio::test]
async fn requests_share_the_connection_and_more_than_allowed_wait() {
    let server = Running::start(&tcp(RoadLimits::default().bidirectional_streams(4)));
    let road = server.road(RoadKind::WebSocket).await;
    assert_eq!(road.kind(), RoadKind::WebSocket);
    let (head, body) = road.request("/echo?fsiz=1,2&len=3").await.unwrap();
    assert_eq!(head.status, 200);
    assert!(head.headers.contains(&("jpip-cnew".to_owned(), "cid=1".to_owned())));
    assert_eq!(text(body).await, "fsiz=1,2&len=3");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let road = road.clone();
        requests.spawn(async move { text(road.request("/slow").await.unwrap().1).await });
    }
    let bodies = requests.join_all().await;
    assert!(bodies.len() == 10 && bodies.iter().all(|body| body.len() == 36));
    assert_eq!(server.counts.most_open.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn bodies_are_pulled_only_as_the_client_reads_and_end_when_it_leaves() {
    let server = Running::start(&tcp(RoadLimits::default()));
    let road = server.road(RoadKind::WebSocket).await;
    let (_, mut body) = road.request("/endless").await.unwrap();
    body.chunk().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pulled = server.counts.pulled.load(Ordering::SeqCst);
    // What the systems and both programs hold: several MB at most.
    assert!(pulled <= 8 << 20, "{pulled} bytes");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.counts.pulled.load(Ordering::SeqCst), pulled, "pulled although nobody reads");
    drop(body);
    let (_, echo) = road.request("/echo?x").await.unwrap();
    assert_eq!(text(echo).await, "x");
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if server.counts.open.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
    panic!("the response goes on though nobody reads it");
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let server = Running::start(&tcp(RoadLimits::default()));
    let mut socket = open(&server, Some("jpip.1")).await.unwrap();
    socket.send(Message::text("0 /echo?x")).await.unwrap();
    assert!(next(&mut socket).await.starts_with("0 200"));
    server.stop().await;
    loop {
        match next(&mut socket).await {
            end if end.starts_with("close") => return assert_eq!(end, "close 1001"),
            other => assert!(other.starts_with("[0]") || other == "0 end", "{other}"),
        }
    }
}

#[tokio::test]
async fn silence_ends_the_connection_and_pings_keep_it() {
    let limits = RoadLimits::default().idle(Duration::from_millis(300));
    let server = Running::start(&tcp(limits));
    let mut socket = open(&server, None).await.unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        socket.send(Message::Ping(vec![1].into())).await.unwrap();
    }
    socket.send(Message::text("3 /echo?x")).await.unwrap();
    assert!(next(&mut socket).await.starts_with("3 200"));
    while next(&mut socket).await != "3 end" {}
    let ended = tokio::time::timeout(Duration::from_secs(3), socket.next()).await.unwrap();
    assert!(!matches!(ended, Some(Ok(Message::Text(_) | Message::Binary(_)))), "{ended:?}");
}
