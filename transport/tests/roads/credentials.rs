//! Header fields of the user go along on every encrypted road, and on no other.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wavetile_transport::client::{Address, ConnectOptions, Road, RoadChoice};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::{RequestFields, RoadError};
use wavetile_transport::tls::{Certificate, LiveIdentity, Trust};

fn identity() -> Arc<LiveIdentity> {
    Arc::new(LiveIdentity::load(&Certificate::SelfSigned, None).unwrap())
}

fn options(identity: &LiveIdentity, kind: impl Into<RoadChoice>) -> ConnectOptions {
    let mut fields = RequestFields::default();
    fields.bearer("t0ken").unwrap();
    fields.add("X-Site", "north").unwrap();
    let trust = Trust::Fingerprint(identity.fingerprint());
    ConnectOptions::default().road(kind.into()).trust(trust).fields(fields).timeout(Duration::from_secs(5))
}

fn address(at: SocketAddr, secure: bool) -> Address {
    let scheme = if secure { "jpips" } else { "jpip" };
    format!("{scheme}://{at}/x").parse().unwrap()
}

/// A TLS server that tells what it is sent, up to the end of a head, and answers with `answer`.
async fn heads(identity: &Arc<LiveIdentity>) -> (SocketAddr, UnboundedReceiver<String>) {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(identity.tcp_server_config().unwrap()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (sender, heads) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n")
                && stream.read_buf(&mut head).await.is_ok_and(|count| count > 0)
            {}
            let _ = sender.send(String::from_utf8(head).unwrap().to_ascii_lowercase());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    (at, heads)
}

#[tokio::test]
async fn they_go_with_requests_and_handshakes_over_tls() {
    let identity = identity();
    let (at, mut heads) = heads(&identity).await;
    for kind in [RoadKind::Http1, RoadKind::WebSocket] {
        let road = Road::connect(&address(at, true), &options(&identity, kind)).await;
        if kind == RoadKind::Http1 {
            road.unwrap().request("/x?len=0").await.unwrap();
        }
        let head = heads.recv().await.unwrap();
        assert!(
            head.contains("authorization: bearer t0ken\r\n") && head.contains("x-site: north\r\n"),
            "{head}"
        );
    }
    // Nothing is even connected to in the clear.
    for kind in [RoadKind::Http1, RoadKind::Http2, RoadKind::WebSocket] {
        let refused = Road::connect(&address(at, false), &options(&identity, kind)).await;
        assert!(matches!(refused.err(), Some(RoadError::Address(reason)) if reason.contains("in the clear")));
    }
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn they_go_with_requests_over_http3_and_auto_does_not_fall_back() {
    let identity = identity();
    let tls = identity.server_config(&[b"h3"]).unwrap();
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let at = endpoint.local_addr().unwrap();
    let (sender, mut heads) = unbounded_channel();
    let server = tokio::spawn(async move {
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let mut connection =
            h3::server::Connection::<_, bytes::Bytes>::new(h3_quinn::Connection::new(connection))
                .await
                .unwrap();
        let resolver = connection.accept().await.unwrap().unwrap();
        let (request, mut stream) = resolver.resolve_request().await.unwrap();
        let _ = sender.send(request.headers().clone());
        stream.send_response(http::Response::new(())).await.unwrap();
        stream.finish().await.unwrap();
        let _ = connection.accept().await;
    });
    let options = options(&identity, RoadChoice::Auto);
    let road = Road::connect(&address(at, false), &options).await.unwrap();
    assert_eq!(road.kind(), RoadKind::Http3);
    road.request("/x?len=0").await.unwrap();
    let head = heads.recv().await.unwrap();
    assert_eq!(
        (head["authorization"].as_bytes(), head["x-site"].as_bytes()),
        (&b"Bearer t0ken"[..], &b"north"[..])
    );
    road.close().await;
    server.await.unwrap();
    // HTTP/3 is gone, and plain HTTP/1.1 is there: it does not get them.
    let plain = TcpListener::bind(at).await.unwrap();
    let trust = Trust::Insecure;
    let options = options.trust(trust).timeout(Duration::from_millis(700));
    assert!(Road::connect(&address(at, false), &options).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(50), plain.accept()).await.is_err());
}

#[tokio::test]
async fn they_go_with_the_session_of_webtransport() {
    let identity = identity();
    let tls = identity.server_config(&[wtransport::tls::WEBTRANSPORT_ALPN]).unwrap();
    let config = wtransport::ServerConfig::builder()
        .with_bind_address((Ipv4Addr::LOCALHOST, 0).into())
        .with_custom_tls(tls)
        .build();
    let server = wtransport::Endpoint::server(config).unwrap();
    let at = server.local_addr().unwrap();
    let told = tokio::spawn(async move {
        let request = server.accept().await.await.unwrap();
        let headers = request.headers().clone();
        // They live until the client has what it wants.
        let session = request.accept().await.unwrap();
        (headers, session, server)
    });
    let options = options(&identity, RoadKind::WebTransport);
    let _road = Road::connect(&address(at, false), &options).await.unwrap();
    let (headers, _session, _server) = told.await.unwrap();
    assert_eq!(headers.get("authorization").map(String::as_str), Some("Bearer t0ken"));
    assert_eq!(headers.get("x-site").map(String::as_str), Some("north"));
}
