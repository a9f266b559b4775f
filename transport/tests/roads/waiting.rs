//! Bodies that wait: on every road they go on when they are woken, and are dropped when their client leaves.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wavetile_transport::road::RoadKind;

use crate::support::{Running, both, text};

const ROADS: [RoadKind; 4] = [RoadKind::Http1, RoadKind::Http3, RoadKind::WebSocket, RoadKind::WebTransport];

#[tokio::test]
async fn a_waiting_body_goes_on_when_it_is_woken_or_its_time_has_passed() {
    let server = Running::start(&both());
    for kind in ROADS {
        server.counts.pulled.store(0, Ordering::SeqCst);
        let start = Instant::now();
        let (_, body) = server.road(kind).await.request("/waiting?150").await.unwrap();
        assert_eq!(text(body).await, "before after", "{kind:?}");
        let took = start.elapsed();
        assert!(took > Duration::from_millis(165) && took < Duration::from_secs(10), "{took:?}");
        // It was not asked while it waited.
        assert_eq!(server.counts.pulled.load(Ordering::SeqCst), 5);
        assert_eq!(server.counts.open.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_waiting_body_is_dropped_when_its_client_leaves() {
    let server = Running::start(&both());
    for kind in ROADS {
        let road = server.road(kind).await;
        let (_, mut body) = road.request("/waiting?").await.unwrap();
        assert_eq!(&body.chunk().await.unwrap().unwrap()[..], b"before ");
        assert_eq!(server.counts.open.load(Ordering::SeqCst), 1);
        drop((body, road));
        let start = Instant::now();
        while server.counts.open.load(Ordering::SeqCst) > 0 {
            assert!(start.elapsed() < Duration::from_secs(5), "{kind:?}: the body still waits");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
