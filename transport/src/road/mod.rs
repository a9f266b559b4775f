//! What the roads share: requests, pulled replies, limits, methods and cross-origin headers.
//!
//! A *road* carries JPIP requests and responses: HTTP/3 ([`crate::http3`]) or HTTP/1.1 ([`crate::http1`]). It gives the
//! bytes no meaning. Servers ask a [`Handler`]; clients get a [`ResponseHead`] and a stream of body chunks.

mod request_fields;
#[cfg(any(feature = "http1", feature = "http3"))]
pub(crate) mod wire;

use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

pub use crate::jpip::Chunk;

/// One request, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Address of the client.
    pub peer: IpAddr,
    /// Path of the target, still percent-encoded, with its leading slash.
    pub path: String,
    /// Request fields: the target's query and, after `&`, a POST's body. Still percent-encoded.
    pub query: String,
}

/// One reply. Its body is pulled while it is sent.
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Header fields, names in the case to show on HTTP/1.1.
    pub headers: Vec<(&'static str, String)>,
    /// What to send.
    pub body: Box<dyn ReplyBody>,
}

/// A body that decides what it holds only when the connection can take it.
pub trait ReplyBody: Send + 'static {
    /// The next bytes, at most `max` (not zero) of them, or how long to wait before asking again; waking `waker` ends
    /// that pause early. May block: it is not called on an async thread. A body that waits is dropped when its client
    /// leaves.
    fn poll_chunk(&mut self, max: usize, waker: &Waker) -> Chunk;

    /// Called before the first chunk where the whole body is gathered before it is sent: it must not wait for long.
    fn will_be_gathered(&mut self) {}

    /// Length of what is left, if it is known beforehand.
    fn exact_len(&self) -> Option<u64> {
        None
    }
}

/// Answers requests. May block: it is not called on an async thread.
pub trait Handler: Send + Sync + 'static {
    /// The reply to one request. GET, HEAD and POST all arrive here.
    fn handle(&self, request: Request) -> Reply;
}

impl<F: Fn(Request) -> Reply + Send + Sync + 'static> Handler for F {
    fn handle(&self, request: Request) -> Reply {
        self(request)
    }
}

impl ReplyBody for Vec<u8> {
    fn poll_chunk(&mut self, max: usize, _waker: &Waker) -> Chunk {
        if self.is_empty() {
            return Chunk::End;
        }
        let rest = self.split_off(max.min(self.len()));
        Chunk::Bytes(std::mem::replace(self, rest))
    }

    fn exact_len(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

impl Reply {
    /// A reply with a plain text body, for errors.
    pub fn text(status: u16, text: &str) -> Self {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: Box::new(text.as_bytes().to_vec()) }
    }
}

/// Bounds of the server's roads. The defaults are meant for the open internet.
#[derive(Debug, Clone)]
pub struct RoadLimits {
    /// Longest request target (path and query), in bytes; longer ones get 414.
    pub target: usize,
    /// Longest request body, in bytes; longer ones get 413.
    pub body: usize,
    /// Largest header section, in bytes as HTTP/3 counts them; larger ones get 431.
    pub field_section: usize,
    /// Longest time from the first byte of a request's head to its last.
    pub header_time: Duration,
    /// Longest time for a request's body; slower ones get 408.
    pub body_time: Duration,
    /// Longest time that a connection may stand still.
    pub idle: Duration,
    /// Requests at once on one HTTP/3 connection; more wait.
    pub bidirectional_streams: u32,
    /// QUIC: bytes a client may send on one stream ahead of their being read.
    pub stream_window: u32,
    /// QUIC: the same for a connection.
    pub connection_window: u32,
    /// QUIC: bytes sent and not yet acknowledged per connection. What is under way cannot be pre-empted, so this also
    /// bounds how much stale data a new view-window waits for.
    pub send_window: u32,
    /// Connections at once on each road; more are refused.
    pub connections: usize,
    /// How long responses may go on after the server was asked to stop.
    pub grace: Duration,
    /// How often the certificate is looked after: files that have changed, one of its own making that ends.
    pub certificate_refresh: Duration,
}

impl Default for RoadLimits {
    fn default() -> Self {
        Self {
            target: 8 << 10,
            body: 256 << 10,
            field_section: 16 << 10,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            bidirectional_streams: 32,
            stream_window: 64 << 10,
            connection_window: 256 << 10,
            send_window: 256 << 10,
            connections: 4096,
            grace: Duration::from_secs(2),
            certificate_refresh: Duration::from_secs(60),
        }
    }
}

pub use request_fields::RequestFields;

/// Status and header fields of a response, as a client sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// HTTP status code.
    pub status: u16,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Why a client's road failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RoadError {
    /// The address is not understood or this build has no road for it.
    #[error("{0}")]
    Address(String),
    /// Nobody answered in time or the connection was refused.
    #[error("cannot reach {address}: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The server answered, but its certificate or handshake is not acceptable.
    #[error("{address} is not trusted: {reason}")]
    Untrusted {
        /// Host and port.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The connection or this one response broke off.
    #[error("connection lost: {0}")]
    Lost(String),
}

/// Every header field that JPIP defines for responses (T.808), in the case it is written. Scripts in browsers may read
/// a field only if it is named in `Access-Control-Expose-Headers`; some HTTP/1.1 clients compare names with their case.
pub const JPIP_HEADERS: [&str; 22] = [
    "JPIP-align",
    "JPIP-cap",
    "JPIP-cnew",
    "JPIP-comps",
    "JPIP-context",
    "JPIP-fsiz",
    "JPIP-layers",
    "JPIP-len",
    "JPIP-metareq",
    "JPIP-mset",
    "JPIP-pref",
    "JPIP-qid",
    "JPIP-quality",
    "JPIP-roff",
    "JPIP-roi",
    "JPIP-rsiz",
    "JPIP-srate",
    "JPIP-stream",
    "JPIP-subtarget",
    "JPIP-tid",
    "JPIP-type",
    "JPIP-drate",
];
