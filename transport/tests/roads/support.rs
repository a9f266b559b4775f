//! A server with a test handler, and raw HTTP/1.1.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wavetile_transport::client::{Address, ConnectOptions, ResponseBody, Road, RoadChoice};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::{Chunk, Handler, Reply, ReplyBody, Request};
use wavetile_transport::server::{Roads, RoadsConfig};
use wavetile_transport::tls::{Fingerprint, Trust};

/// What the handler counts.
#[derive(Default)]
pub(crate) struct Counts {
    /// Responses now open, and the most there ever were.
    pub(crate) open: AtomicUsize,
    pub(crate) most_open: AtomicUsize,
    /// Bytes pulled from endless bodies.
    pub(crate) pulled: AtomicUsize,
}

/// `/echo` sends the query back, `/endless` never ends, `/slow` sends 6 pieces in 300 ms; `/waiting?MS` sends a piece,
/// then waits to be woken after so many milliseconds, though it says that it will take an hour, and sends another.
pub(crate) struct TestHandler(pub(crate) Arc<Counts>);

impl Handler for TestHandler {
    fn handle(&self, request: Request) -> Reply {
        let headers =
            vec![("Content-Type", "image/jpp-stream".to_owned()), ("JPIP-cnew", "cid=1".to_owned())];
        let left = match request.path.as_str() {
            "/endless" => usize::MAX,
            "/slow" => 6,
            "/waiting" => {
                self.0.open.fetch_add(1, Ordering::SeqCst);
                let wake_after = request.query.parse().ok().map(Duration::from_millis);
                let body = Waiting { wake_after, pulls: 0, counts: self.0.clone() };
                return Reply { status: 200, headers, body: Box::new(body) };
            }
            _ => return Reply { status: 200, headers, body: Box::new(request.query.into_bytes()) },
        };
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_open.fetch_max(open, Ordering::SeqCst);
        Reply { status: 200, headers, body: Box::new(Pieces { left, counts: self.0.clone() }) }
    }
}

struct Pieces {
    left: usize,
    counts: Arc<Counts>,
}

impl ReplyBody for Pieces {
    fn poll_chunk(&mut self, max: usize, _waker: &Waker) -> Chunk {
        if self.left == usize::MAX {
            self.counts.pulled.fetch_add(max, Ordering::SeqCst);
            return Chunk::Bytes(vec![7; max]);
        }
        let Some(left) = self.left.checked_sub(1) else { return Chunk::End };
        self.left = left;
        std::thread::sleep(Duration::from_millis(50));
        Chunk::Bytes(b"piece ".to_vec())
    }
}

/// Says that it waits for an hour, and wakes its road sooner; never, without a time.
struct Waiting {
    wake_after: Option<Duration>,
    pulls: u32,
    counts: Arc<Counts>,
}

impl ReplyBody for Waiting {
    fn poll_chunk(&mut self, _max: usize, waker: &Waker) -> Chunk {
        self.pulls += 1;
        self.counts.pulled.fetch_add(1, Ordering::SeqCst);
        match self.pulls {
            1 => Chunk::Bytes(b"before ".to_vec()),
            2 => {
                if let Some(pause) = self.wake_after {
                    let waker = waker.clone();
                    std::thread::spawn(move || {
                        std::thread::sleep(pause);
                        waker.wake();
                    });
                }
                Chunk::Wait(Duration::from_secs(3600))
            }
            3 => Chunk::Wait(Duration::from_millis(20)),
            4 => Chunk::Bytes(b"after".to_vec()),
            _ => Chunk::End,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A running server on free loopback ports.
pub(crate) struct Running {
    pub(crate) http3: Option<SocketAddr>,
    pub(crate) http1: Option<SocketAddr>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(config: &RoadsConfig) -> Self {
        let roads = Roads::bind(config).unwrap();
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let (http3, http1, fingerprint) = (roads.http3_addr(), roads.http1_addr(), roads.fingerprint());
        let handler = Arc::new(TestHandler(counts.clone()));
        let task = tokio::spawn(roads.run(handler, async { stopped.await.unwrap_or(()) }));
        Self { http3, http1, fingerprint, counts, stop, task }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }

    pub(crate) fn address(&self, road: impl Into<RoadChoice>) -> Address {
        let road = road.into();
        let over_tcp =
            [RoadKind::Http1, RoadKind::Http2, RoadKind::WebSocket].map(RoadChoice::Only).contains(&road);
        let socket = if over_tcp { self.http1 } else { self.http3.or(self.http1) };
        Address {
            host: "127.0.0.1".to_owned(),
            port: socket.unwrap().port(),
            target: "x".to_owned(),
            road,
            secure: false,
        }
    }

    pub(crate) async fn road(&self, kind: RoadKind) -> Road {
        let trust = self.fingerprint.map_or(Trust::WebPki, Trust::Fingerprint);
        let options = ConnectOptions::default().trust(trust);
        Road::connect(&self.address(kind), &options).await.unwrap()
    }

    /// A raw HTTP/1.1 connection.
    pub(crate) async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.http1.unwrap()).await.unwrap()
    }
}

pub(crate) fn loopback() -> Option<SocketAddr> {
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// Both roads, default limits.
pub(crate) fn both() -> RoadsConfig {
    RoadsConfig::default().http3(loopback()).http1(loopback())
}

/// The whole of a body as text.
pub(crate) async fn text(mut body: ResponseBody) -> String {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).unwrap()
}

/// Sends `request` and reads until the server closes, or nothing comes for a while.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    let mut patience = Duration::from_secs(5);
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(patience, stream.read(&mut buffer)).await {
        response.extend_from_slice(&buffer[..read]);
        patience = Duration::from_millis(300);
    }
    String::from_utf8_lossy(&response).into_owned()
}
