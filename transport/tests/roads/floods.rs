//! Clients that ask and do not read, or ask and go away, as fast as they can: what they cost ends with them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wavetile_transport::client::Road;
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::RoadLimits;
use wavetile_transport::server::RoadsConfig;

use crate::support::{Running, both, text};

/// Roads on which requests share a connection.
const SHARED: [RoadKind; 3] = [RoadKind::Http3, RoadKind::WebSocket, RoadKind::WebTransport];

fn limited(limits: RoadLimits) -> RoadsConfig {
    both().limits(limits)
}

/// Waits until no response is open.
async fn all_closed(server: &Running, what: RoadKind) {
    let start = Instant::now();
    while server.counts.open.load(Ordering::SeqCst) > 0 {
        let open = server.counts.open.load(Ordering::SeqCst);
        assert!(start.elapsed() < Duration::from_secs(10), "{what:?}: {open} responses are still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn readers_that_stand_still_are_dropped_on_every_road() {
    let server = Running::start(&limited(
        RoadLimits::default().idle(Duration::from_millis(400)).bidirectional_streams(8),
    ));
    for kind in SHARED {
        let road = server.road(kind).await;
        let mut bodies = Vec::new();
        // On one WebSocket a body that is not read is in the way of all others.
        let count = if kind == RoadKind::WebSocket { 1 } else { 4 };
        for _ in 0..count {
            let (_, mut body) = road.request("/endless").await.unwrap();
            body.chunk().await.unwrap().unwrap();
            bodies.push(body);
        }
        assert_eq!(server.counts.open.load(Ordering::SeqCst), count, "{kind:?}");
        all_closed(&server, kind).await;
        // They were not dropped because the client had gone.
        drop((bodies, road));
        let again = server.road(kind).await;
        assert_eq!(text(again.request("/echo?x").await.unwrap().1).await, "x", "{kind:?}");
    }
}

/// Requests that are given up at once, or after a moment.
async fn flood(road: &Road, requests: u32) {
    let mut running = tokio::task::JoinSet::new();
    for number in 0..requests {
        let road = road.clone();
        running.spawn(async move {
            let patience = Duration::from_millis(u64::from(number % 5));
            let _ = tokio::time::timeout(patience, async {
                let (_, mut body) = road.request("/slow").await?;
                while body.chunk().await?.is_some() {}
                Ok::<_, wavetile_transport::road::RoadError>(())
            })
            .await;
        });
        if number % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    running.join_all().await;
}

#[tokio::test]
async fn a_flood_of_requests_that_are_given_up_leaves_nothing_behind() {
    let server = Running::start(&limited(RoadLimits::default().bidirectional_streams(4)));
    for kind in SHARED {
        server.counts.most_open.store(0, Ordering::SeqCst);
        let road = server.road(kind).await;
        // What was asked on a WebSocket is read in its order, and given up only when that is read.
        flood(&road, if kind == RoadKind::WebSocket { 40 } else { 500 }).await;
        all_closed(&server, kind).await;
        let most = server.counts.most_open.load(Ordering::SeqCst);
        println!("{kind:?}: at most {most} responses at once");
        // A response that is given up may still be in the middle of its next piece.
        assert!(most <= 2 * 4, "{kind:?}: {most} responses at once");
        let road = if road.is_closed() { server.road(kind).await } else { road };
        assert_eq!(text(road.request("/echo?x").await.unwrap().1).await, "x", "{kind:?}");
    }
}
