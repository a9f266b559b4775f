//! What a client learns of the roads to a server.

use std::net::UdpSocket;
use std::time::Duration;

use wavetile_transport::client::{Address, ConnectOptions, Road, RoadMemory};
use wavetile_transport::road::RoadKind;
use wavetile_transport::server::RoadsConfig;
use wavetile_transport::tls::Trust;

use crate::support::{Running, loopback};

/// Packets that have come; none of them is ever answered.
fn packets(hole: &UdpSocket) -> usize {
    std::iter::from_fn(|| hole.recv(&mut [0; 2000]).ok()).count()
}

#[tokio::test]
async fn where_quic_is_swallowed_it_is_not_waited_for_again() {
    let server = Running::start(&RoadsConfig::default().http1(loopback()));
    let port = server.http1.unwrap().port();
    let hole = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    hole.set_nonblocking(true).unwrap();
    let memory = RoadMemory::new();
    let trust = Trust::Fingerprint(server.fingerprint.unwrap());
    let options = ConnectOptions::default().trust(trust).memory(memory.clone());
    assert!(options.head_start <= Duration::from_millis(300));
    let address: Address = format!("jpips://127.0.0.1:{port}/x").parse().unwrap();
    for attempt in 0..3 {
        let road = Road::connect(&address, &options).await.unwrap();
        assert_eq!(road.kind(), RoadKind::Http1);
        assert_eq!(packets(&hole) > 0, attempt == 0, "{attempt}");
        // The farewell of an attempt that was given up.
        tokio::time::sleep(Duration::from_millis(100)).await;
        packets(&hole);
    }
    // Another program, or one that was told so, knows nothing of that.
    let options = options.memory(RoadMemory::new());
    assert_eq!(Road::connect(&address, &options).await.unwrap().kind(), RoadKind::Http1);
    assert!(packets(&hole) > 0);
    server.stop().await;
}

#[tokio::test]
async fn http3_on_another_port_is_found_by_the_word_of_tls_and_of_nothing_else() {
    let http3 = loopback();
    let server = Running::start(&RoadsConfig::default().http3(http3).http1(loopback()));
    let (http3, tcp) = (server.http3.unwrap().port(), server.http1.unwrap().port());
    // The server takes one number for both if it can: here it is reached by another.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    drop(other);
    let relay = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = relay.accept().await {
            let mut to = tokio::net::TcpStream::connect(("127.0.0.1", tcp)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    for (scheme, found) in [("jpips", RoadKind::Http3), ("jpip", RoadKind::Http1)] {
        let trust = Trust::Insecure;
        let options = ConnectOptions::default().trust(trust).memory(RoadMemory::new());
        let address: Address = format!("{scheme}://127.0.0.1:{port}/x").parse().unwrap();
        let road = Road::connect(&address, &options).await.unwrap();
        assert_eq!(road.kind(), RoadKind::Http1);
        let (head, _) = road.request("/echo?a").await.unwrap();
        let told = head.headers.iter().find(|(name, _)| name == "alt-svc").map(|(_, value)| value.as_str());
        assert_eq!(told, (scheme == "jpips").then_some(&*format!("h3=\":{http3}\"; ma=86400")));
        let road = Road::connect(&address, &options).await.unwrap();
        assert_eq!(road.kind(), found, "{scheme}");
    }
    server.stop().await;
}
