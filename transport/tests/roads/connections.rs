//! How many connections clients open, counted on the way to the server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use wavetile_transport::client::{ConnectOptions, Road};
use wavetile_transport::road::RoadKind;
use wavetile_transport::tls::Trust;

use crate::support::{Running, both, text};

/// Passes everything on, and counts the connections.
struct Relay {
    address: SocketAddr,
    opened: Arc<AtomicUsize>,
}

impl Relay {
    async fn tcp(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self { address: listener.local_addr().unwrap(), opened: Arc::default() };
        let opened = relay.opened.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        relay
    }

    /// A connection is an address that datagrams come from.
    async fn udp(to: SocketAddr) -> Self {
        let near = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let relay = Self { address: near.local_addr().unwrap(), opened: Arc::default() };
        let opened = relay.opened.clone();
        tokio::spawn(async move {
            let mut known: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut datagram = [0; 2048];
            while let Ok((length, from)) = near.recv_from(&mut datagram).await {
                if let Entry::Vacant(place) = known.entry(from) {
                    opened.fetch_add(1, Ordering::SeqCst);
                    let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                    far.connect(to).await.unwrap();
                    place.insert(far.clone());
                    let near = near.clone();
                    tokio::spawn(async move {
                        let mut datagram = [0; 2048];
                        while let Ok(length) = far.recv(&mut datagram).await {
                            let _ = near.send_to(&datagram[..length], from).await;
                        }
                    });
                }
                let _ = known[&from].send(&datagram[..length]).await;
            }
        });
        relay
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn no_client_opens_a_connection_that_it_does_not_need() {
    let server = Running::start(&both());
    for kind in
        [RoadKind::Http1, RoadKind::Http2, RoadKind::WebSocket, RoadKind::Http3, RoadKind::WebTransport]
    {
        let relay = match kind {
            RoadKind::Http3 | RoadKind::WebTransport => Relay::udp(server.http3.unwrap()).await,
            _ => Relay::tcp(server.http1.unwrap()).await,
        };
        // HTTP/1.1 carries one request at a time; the others carry any number.
        let one_each = kind == RoadKind::Http1;
        let mut address = server.address(kind);
        address.port = relay.address.port();
        let trust = Trust::Fingerprint(server.fingerprint.unwrap());
        let options = ConnectOptions::default().trust(trust);
        let road = Road::connect(&address, &options).await.unwrap();
        assert_eq!(relay.opened(), 1, "{kind:?}");

        // One after the other, and the first at once.
        for round in 0..20 {
            let (_, body) = road.request(&format!("/echo?{round}")).await.unwrap();
            assert_eq!(text(body).await, round.to_string());
            assert_eq!(relay.opened(), 1, "{kind:?}: one after the other");
        }
        let long = "a".repeat(9000);
        let (_, body) = road.request(&format!("/echo?{long}")).await.unwrap();
        assert_eq!(text(body).await, long);
        assert_eq!(relay.opened(), 1, "{kind:?}: a POST");

        // Three at once, again and again.
        let most = if one_each { 3 } else { 1 };
        for _ in 0..3 {
            let (_, first) = road.request("/slow").await.unwrap();
            let (_, second) = road.request("/slow").await.unwrap();
            let (_, third) = road.request("/echo?x").await.unwrap();
            assert_eq!(text(third).await, "x");
            assert_eq!(tokio::join!(text(first), text(second)).0.len(), 36);
            assert_eq!(relay.opened(), most, "{kind:?}: three at once");
        }

        // One that is never sent costs nothing. One that is broken off costs its connection, if it is alone on it, and
        // the others are used before a new one is opened.
        drop(road.request("/echo?never"));
        for _ in 0..2 {
            let (_, body) = road.request("/endless").await.unwrap();
            drop(body);
            let (_, body) = road.request("/echo?y").await.unwrap();
            assert_eq!(text(body).await, "y");
            assert_eq!(relay.opened(), most, "{kind:?}: after one that was broken off");
        }
        let (_, body) = road.request("/endless").await.unwrap();
        drop(body);
        for _ in 0..3 {
            let (_, body) = road.request("/echo?z").await.unwrap();
            assert_eq!(text(body).await, "z");
        }
        assert_eq!(relay.opened(), if one_each { 4 } else { 1 }, "{kind:?}: after all were broken off");
    }
}
