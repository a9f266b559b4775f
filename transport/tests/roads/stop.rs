//! Stopping a server under way.

use std::time::{Duration, Instant};

use wavetile_transport::road::RoadKind;
use wavetile_transport::road::RoadLimits;
use wavetile_transport::server::RoadsConfig;

use crate::support::{Running, both, text};

fn config() -> RoadsConfig {
    both().limits(RoadLimits::default().grace(Duration::from_secs(1)))
}

#[tokio::test]
async fn responses_finish_and_idle_connections_do_not_matter() {
    let server = Running::start(&config());
    let idle_http1 = server.road(RoadKind::Http1).await;
    let idle_http3 = server.road(RoadKind::Http3).await;
    let mut slow = Vec::new();
    for kind in [RoadKind::Http1, RoadKind::Http3] {
        let road = server.road(kind).await;
        let (_, mut body) = road.request("/slow").await.unwrap();
        body.chunk().await.unwrap().unwrap();
        slow.push((road, body));
    }
    let start = Instant::now();
    let stopping = tokio::spawn(server.stop());
    for (_road, body) in slow {
        assert_eq!(text(body).await.len() % 6, 0);
    }
    stopping.await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    assert!(idle_http1.request("/echo?x").await.is_err());
    assert!(idle_http3.request("/echo?x").await.is_err());
    assert!(idle_http3.is_closed());
}

#[tokio::test]
async fn endless_responses_end_with_the_grace_period_and_are_seen_to_be_broken() {
    let server = Running::start(&config());
    let mut reading = tokio::task::JoinSet::new();
    for kind in [RoadKind::Http1, RoadKind::Http3] {
        let (_, mut body) = server.road(kind).await.request("/endless").await.unwrap();
        reading.spawn(async move {
            loop {
                match body.chunk().await {
                    Ok(Some(_)) => {}
                    ended => {
                        eprintln!("{kind:?} {ended:?}");
                        return ended.is_err();
                    }
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    server.stop().await;
    eprintln!("stopped {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(1900), "{:?}", start.elapsed());
    assert!(reading.join_all().await.into_iter().all(|broken| broken));
}
