//! One session on every road in turn: what one of them brought is not sent again on another, and a newer request ends an
//! older answer whatever road that is on.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use wavetile_engine::DataBinCache;
use wavetile_transport::client::{Address, ConnectOptions, ResponseBody, Road};
use wavetile_transport::jpip::{MessageEvent, MessageReader, eor};
use wavetile_transport::road::RoadKind;
use wavetile_transport::server::{Monitor, RoadsConfig, Server, ServerConfig};
use wavetile_transport::tls::Trust;

const ROADS: [RoadKind; 5] =
    [RoadKind::Http3, RoadKind::Http2, RoadKind::Http1, RoadKind::WebSocket, RoadKind::WebTransport];

struct Running {
    http3: u16,
    http1: u16,
    trust: Trust,
    monitor: Monitor,
}

impl Running {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let roads = RoadsConfig::default().http3(any).http1(any);
        let server = Server::open(&ServerConfig::default().root(root).roads(roads)).unwrap();
        let running = Self {
            http3: server.http3_addr().unwrap().port(),
            http1: server.http1_addr().unwrap().port(),
            trust: Trust::Fingerprint(server.fingerprint().unwrap()),
            monitor: server.monitor(),
        };
        tokio::spawn(server.run(std::future::pending()));
        running
    }

    /// A connection of its own.
    async fn road(&self, kind: RoadKind) -> Road {
        let over_tcp = matches!(kind, RoadKind::Http1 | RoadKind::WebSocket);
        let port = if over_tcp { self.http1 } else { self.http3 };
        let (host, target) = ("127.0.0.1".to_owned(), "tiles.jp2".to_owned());
        let options = ConnectOptions::default().trust(self.trust.clone());
        Road::connect(&Address { host, port, target, road: kind.into(), secure: false }, &options)
            .await
            .unwrap()
    }
}

/// Reads a whole answer into `cache`: bytes that were new, bytes that were there, why it ended.
async fn read(mut body: ResponseBody, cache: &mut DataBinCache) -> (u64, u64, Option<u8>) {
    let (mut new, mut old, mut end) = (0, 0, None);
    let mut reader = MessageReader::new();
    while let Some(chunk) = body.chunk().await.unwrap() {
        reader
            .push(&chunk, |event| match event {
                MessageEvent::Data { codestream, id, offset, bytes, last, .. } => {
                    let insert = cache.insert(codestream, id, offset, bytes, last);
                    new += insert.new_bytes;
                    old += insert.duplicate_bytes;
                }
                MessageEvent::EndOfResponse { reason, .. } => end = Some(reason),
            })
            .unwrap();
    }
    (new, old, end)
}

fn channel(headers: &[(String, String)]) -> String {
    let new = &headers.iter().find(|(name, _)| name == "jpip-cnew").unwrap().1;
    new.split(',').find_map(|part| part.strip_prefix("cid=")).unwrap().to_owned()
}

#[tokio::test]
async fn a_session_moves_from_road_to_road_and_nothing_is_sent_twice() {
    let server = Running::start();
    for first in 0..ROADS.len() {
        let mut cache = DataBinCache::new();
        let mut cid = None;
        for layers in 1..=4 {
            // A connection for each request: the session outlives them all.
            let kind = ROADS[(first + layers) % ROADS.len()];
            let road = server.road(kind).await;
            let session = cid.as_ref().map_or("cnew=http".to_owned(), |cid| format!("cid={cid}"));
            let path = if cid.is_some() { "jpip" } else { "tiles.jp2" };
            let query = format!("/{path}?fsiz=61,47&layers={layers}&{session}");
            let (head, body) = road.request(&query).await.unwrap();
            assert_eq!(head.status, 200, "{kind:?} {query}");
            let (new, old, end) = read(body, &mut cache).await;
            cid.get_or_insert_with(|| channel(&head.headers));
            assert_eq!((old, new > 0), (0, layers <= 3), "{kind:?} {query}");
            assert!(matches!(end, Some(eor::WINDOW_DONE | eor::IMAGE_DONE)));
        }
        assert_eq!(server.monitor.sessions(), 1);
        let road = server.road(ROADS[first]).await;
        let close = format!("/jpip?cid={}&cclose=*&len=0", cid.unwrap());
        read(road.request(&close).await.unwrap().1, &mut cache).await;
        assert_eq!(server.monitor.sessions(), 0);
    }
}

#[tokio::test]
async fn a_request_on_one_road_ends_the_standing_answer_on_another() {
    let server = Running::start();
    for (index, standing) in ROADS.into_iter().enumerate() {
        let other = ROADS[(index + 1) % ROADS.len()];
        let road = server.road(standing).await;
        let query = "/tiles.jp2?fsiz=61,47&layers=1&cnew=http&push=0";
        let (head, body) = road.request(query).await.unwrap();
        let cid = channel(&head.headers);
        let waiting = tokio::spawn(async move { read(body, &mut DataBinCache::new()).await.2 });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished(), "{standing:?}");
        let next = server.road(other).await;
        let (head, body) = next.request(&format!("/jpip?cid={cid}&fsiz=61,47")).await.unwrap();
        assert_eq!(head.status, 200);
        read(body, &mut DataBinCache::new()).await;
        // Sooner than it would have looked at its file by itself.
        let end = tokio::time::timeout(Duration::from_millis(700), waiting).await.unwrap().unwrap();
        assert_eq!(end, Some(eor::WINDOW_CHANGE), "{standing:?} and {other:?}");
    }
}
