//! Between the roads' wire formats and their handler: heads and methods of JPIP over HTTP (T.808 Annex F), cross-origin
//! headers, pulling bodies.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::{Chunk, Handler, JPIP_HEADERS, Reply, ReplyBody, Request, RoadLimits};

pub(crate) const USER_AGENT: &str = concat!("wavetile/", env!("CARGO_PKG_VERSION"));

/// Bytes pulled from a body at a time: small enough that a new view-window takes over soon.
pub(crate) const CHUNK: usize = 16 << 10;

const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// A request's head, before its body was read.
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_length: Option<u64>,
}

impl RequestHead {
    pub(crate) fn new<B>(request: &http::Request<B>) -> Self {
        let field = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            content_type: field(http::header::CONTENT_TYPE).map(str::to_owned),
            content_length: field(http::header::CONTENT_LENGTH).and_then(|length| length.trim().parse().ok()),
        }
    }

    /// The reply that needs neither the body nor the handler, if there is one.
    pub(crate) fn early_reply(&self, limits: &RoadLimits) -> Option<Reply> {
        let target = self.path.len() + self.query.as_ref().map_or(0, |query| query.len() + 1);
        if target > limits.target {
            return Some(Reply::text(414, "the request target is too long; send the fields in a POST\n"));
        }
        match self.method {
            Method::GET | Method::HEAD => None,
            Method::POST if !self.has_form() => {
                Some(Reply::text(415, "a POST carries application/x-www-form-urlencoded\n"))
            }
            Method::POST if self.content_length.is_some_and(|length| length > limits.body as u64) => {
                Some(too_large())
            }
            Method::POST => None,
            Method::OPTIONS => Some(Reply { status: 204, headers: preflight(), body: Box::new(Vec::new()) }),
            _ => {
                let mut reply = Reply::text(405, "JPIP uses GET and POST\n");
                reply.headers.push(("Allow", METHODS.to_owned()));
                Some(reply)
            }
        }
    }

    pub(crate) fn wants_body(&self) -> bool {
        self.method == Method::POST
    }

    /// The request for the handler. `body` is what a POST carried.
    pub(crate) fn into_request(self, peer: IpAddr, body: Vec<u8>) -> Result<Request, Reply> {
        let mut query = self.query.unwrap_or_default();
        let body = String::from_utf8(body).map_err(|_| Reply::text(400, "the body is not text\n"))?;
        let body = body.trim_matches(['\r', '\n']);
        if !body.is_empty() {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(body);
        }
        Ok(Request { peer: peer.to_canonical(), path: self.path, query })
    }

    fn has_form(&self) -> bool {
        self.content_type.as_ref().is_none_or(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
    }
}

pub(crate) fn too_large() -> Reply {
    Reply::text(413, "the request body is too large\n")
}

pub(crate) fn too_slow() -> Reply {
    Reply::text(408, "the request body took too long\n")
}

fn preflight() -> Vec<(&'static str, String)> {
    vec![
        ("Allow", METHODS.to_owned()),
        ("Access-Control-Allow-Methods", METHODS.to_owned()),
        ("Access-Control-Allow-Headers", "*".to_owned()),
        ("Access-Control-Max-Age", "86400".to_owned()),
    ]
}

/// Status and fields for the wire, with those that every response carries.
pub(crate) fn response_head(reply: &Reply) -> http::response::Builder {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut fields = HeaderMap::new();
    for (name, value) in &reply.headers {
        let value = HeaderValue::from_str(value.trim());
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(name), Ok(value)) if !value.is_empty() => drop(fields.append(name, value)),
            _ => tracing::warn!(name, "a header field that cannot be sent was left out"),
        }
    }
    fields.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    if let Ok(names) = HeaderValue::from_str(&JPIP_HEADERS.join(", ")) {
        fields.insert("access-control-expose-headers", names);
    }
    fields.entry("cache-control").or_insert(HeaderValue::from_static("no-cache"));
    let mut head = http::Response::builder().status(status);
    if let Some(headers) = head.headers_mut() {
        *headers = fields;
    }
    head
}

/// Asks the handler on a thread that may block.
pub(crate) async fn ask(handler: &Arc<dyn Handler>, request: Request) -> Reply {
    let handler = handler.clone();
    let answer = spawn_blocking(move || handler.handle(request)).await;
    answer.unwrap_or_else(|error| {
        tracing::error!(%error, "the handler failed");
        Reply::text(500, "internal error\n")
    })
}

/// Waits until the server is to stop, or whoever could say so is gone.
pub(crate) async fn stopped(stop: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Pulls a body chunk by chunk on threads that may block.
pub(crate) struct Pump {
    state: PumpState,
    alarm: Arc<Alarm>,
}

enum PumpState {
    Ready(Box<dyn ReplyBody>),
    Pulling(JoinHandle<Pulled>),
    /// Until the time has passed or the alarm is rung.
    Waiting(Box<dyn ReplyBody>, Pin<Box<tokio::time::Sleep>>),
    Finished,
}

/// A chunk and the body it came from.
type Pulled = (Chunk, Box<dyn ReplyBody>);

/// Rung by a body that has something sooner than it said.
#[derive(Default)]
struct Alarm {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Alarm {
    /// Whether it was rung since the last time; if not, `context` will hear of it.
    fn take(&self, context: &Context<'_>) -> bool {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Pump {
    pub(crate) fn new(body: Box<dyn ReplyBody>) -> Self {
        Self { state: PumpState::Ready(body), alarm: Arc::default() }
    }

    /// The next chunk; `Ok(None)` at the end. An error means that the body failed and the response must be broken off.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, JoinError>> {
        loop {
            match &mut self.state {
                PumpState::Finished => return Poll::Ready(Ok(None)),
                PumpState::Ready(_) => self.pull(),
                PumpState::Waiting(_, pause) => {
                    if !self.alarm.take(context) {
                        ready!(pause.as_mut().poll(context));
                    }
                    self.pull();
                }
                PumpState::Pulling(task) => {
                    let pulled = ready!(Pin::new(task).poll(context));
                    self.state = PumpState::Finished;
                    match pulled? {
                        (Chunk::Bytes(bytes), body) => {
                            self.state = PumpState::Ready(body);
                            return Poll::Ready(Ok(Some(bytes.into())));
                        }
                        (Chunk::Wait(pause), body) => {
                            let pause = Box::pin(tokio::time::sleep(pause.max(SHORTEST_PAUSE)));
                            self.state = PumpState::Waiting(body, pause);
                        }
                        (Chunk::End, _) => {}
                    }
                }
            }
        }
    }

    /// Has the body asked for its next chunk.
    fn pull(&mut self) {
        let state = std::mem::replace(&mut self.state, PumpState::Finished);
        if let PumpState::Ready(mut body) | PumpState::Waiting(mut body, _) = state {
            let waker = Waker::from(self.alarm.clone());
            let task = spawn_blocking(move || (body.poll_chunk(CHUNK, &waker), body));
            self.state = PumpState::Pulling(task);
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, JoinError> {
        poll_fn(|context| self.poll_next(context)).await
    }
}

/// A body that is in too much of a hurry is asked this often.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// Splits a target into path and query, and says if it should be sent as a POST because it is long.
pub(crate) fn outgoing(path_and_query: &str) -> (&str, Option<&str>) {
    match path_and_query.split_once('?') {
        Some((path, query)) if path_and_query.len() > LONGEST_GET => (path, Some(query)),
        _ => (path_and_query, None),
    }
}

/// Longer targets are sent as a POST: many servers and caches stop at 8 kB.
const LONGEST_GET: usize = 4 << 10;

/// Header fields as text; those that are not text are left out.
pub(crate) fn text_fields(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    fields.iter().filter_map(text).collect()
}
