//! The JPIP server: requests in, replies with pulled bodies out. No socket, no clock, no random source of
//! its own.

mod bodies;
mod channels;

use super::body::Body;
use super::catalogue::{Catalogue, OfferedPicture, TargetError};
use super::contexts;
use super::schedule::Schedule;
use super::served_picture::ServedPicture;
use super::session::{Channel, Session};
use crate::jpip::wire::fields::{FieldError, NumberRange};
use crate::jpip::wire::message::eor;
use crate::jpip::wire::preference::Preference;
use crate::jpip::wire::request::{Request, StreamType};
use crate::jpip::wire::response::{ResponseHead, media_type};
use crate::options::setters;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Limits and habits of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Sessions that one address may have.
    pub sessions_per_address: usize,
    /// Sessions in all.
    pub sessions: usize,
    /// Channels of one session.
    pub channels_per_session: usize,
    /// Bytes of memory for what the server believes a client holds; beyond, it forgets.
    pub model_memory: usize,
    /// How long a session without requests and responses is kept.
    pub session_life: Duration,
    /// Bytes of messages of a response to a request without `len`.
    pub default_length: u64,
    /// Most payload bytes of one message.
    pub message_payload: u64,
    /// Bytes a second that all responses together may take; `None` = no limit.
    pub bandwidth: Option<u64>,
    /// Bytes a second for each client: an IPv4 address, or an IPv6 network of 64 bits.
    pub client_bandwidth: Option<u64>,
    /// Shares of clients in the bandwidth where it is scarce, by address; others have 1.
    pub weights: Vec<(IpAddr, u32)>,
    /// Most bytes that a standing response sends beyond its window.
    pub push_budget: u64,
    /// How often a standing response that has nothing to send gives a sign of life; at least a second.
    pub push_keep_alive: Duration,
    /// Names of transports that may be asked for in `cnew`; all of them are HTTP requests.
    pub transports: Vec<String>,
}

setters!(ServerOptions {
    sessions_per_address: usize,
    sessions: usize,
    channels_per_session: usize,
    model_memory: usize,
    session_life: Duration,
    default_length: u64,
    message_payload: u64,
    bandwidth: Option<u64>,
    client_bandwidth: Option<u64>,
    weights: Vec<(IpAddr, u32)>,
    push_budget: u64,
    push_keep_alive: Duration,
    transports: Vec<String>,
});

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            sessions_per_address: 64,
            sessions: 20_000,
            channels_per_session: 16,
            model_memory: 64 << 10,
            session_life: Duration::from_secs(120),
            default_length: 2_000_000,
            message_payload: 8 << 10,
            bandwidth: None,
            client_bandwidth: None,
            weights: Vec::new(),
            push_budget: 16 << 20,
            push_keep_alive: Duration::from_secs(10),
            transports: ["http", "https", "h3", "ws", "wt"].map(str::to_owned).to_vec(),
        }
    }
}

/// A reply: the head is known at once, the body is pulled.
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// What it means, in words.
    pub reason: String,
    /// Names in the case that must stand on HTTP/1.1, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// Source of session numbers: 128 random bits each call.
pub type Random = Box<dyn FnMut() -> u128 + Send>;

/// The server.
pub struct Server {
    catalogue: Arc<dyn Catalogue>,
    options: ServerOptions,
    random: Random,
    sessions: HashMap<u64, Session>,
    channels: HashMap<String, Channel>,
    next_session: u64,
    schedule: Arc<Schedule>,
}

/// A refusal, with an optional `Retry-After` in seconds.
struct Refusal {
    status: u16,
    reason: String,
    field: Option<(&'static str, String)>,
}

impl Refusal {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), field: None }
    }

    fn busy(reason: &str) -> Self {
        Self { field: Some(("Retry-After", "10".to_owned())), ..Self::new(503, reason) }
    }

    /// Preferences that the client insists on.
    fn unmet(preferences: &str) -> Self {
        let field = Some(("JPIP-pref", preferences.to_owned()));
        Self { field, ..Self::new(501, format!("these preferences cannot be met: {preferences}")) }
    }
}

impl From<Refusal> for Reply {
    fn from(Refusal { status, reason, field }: Refusal) -> Self {
        let mut head = ResponseHead::refusal(status, reason);
        if let Some((name, value)) = field {
            head.put(name, value);
        }
        let body = Body::text(&format!("{}\n", head.reason));
        Self::new(head, body)
    }
}

impl Reply {
    fn new(head: ResponseHead, body: Body) -> Self {
        Self { status: head.status, reason: head.reason, headers: head.headers, body }
    }
}

impl Server {
    /// A server of the pictures in `catalogue`. `random` must be hard to guess: whoever knows a channel's
    /// identifier can use the channel.
    #[must_use]
    pub fn new(catalogue: impl Catalogue + 'static, options: ServerOptions, random: Random) -> Self {
        let catalogue: Arc<dyn Catalogue> = Arc::new(catalogue);
        let (sessions, channels) = (HashMap::new(), HashMap::new());
        let schedule = Schedule::new(options.bandwidth, options.client_bandwidth, &options.weights);
        let schedule = Arc::new(schedule);
        Self { catalogue, options, random, sessions, channels, next_session: 0, schedule }
    }

    /// Answers one request. `path` and `query` are percent-encoded, as they came; fields of a POST are
    /// joined to `query`. `now` counts from any fixed moment. The catalogue may open files, so it may wait for a disk; those
    /// who share a server behind a lock find the picture without it: [`target_of`](Self::target_of) and
    /// [`answer`](Self::answer) are the two steps of this.
    pub fn handle_request(&mut self, peer: IpAddr, path: &str, query: &str, now: Duration) -> Reply {
        let request = Request::parse(path, query);
        let target = request.as_ref().ok().and_then(|request| self.target_of(request));
        let found = target.map(|name| FoundTarget::find(&*self.catalogue, name, now));
        self.answer(peer, request, found, now)
    }

    /// Name of the picture that answering `request` will take, if it takes one.
    #[must_use]
    pub fn target_of(&self, request: &Request) -> Option<String> {
        check(request).ok()?;
        if request.close.is_some() && request.window.is_none() {
            return None;
        }
        self.target_name(request).ok()
    }

    /// Answers one request, with the picture of [`target_of`](Self::target_of) if it has named one.
    pub fn answer(
        &mut self,
        peer: IpAddr,
        request: Result<Request, FieldError>,
        found: Option<FoundTarget>,
        now: Duration,
    ) -> Reply {
        match self.reply(peer, request, found, now) {
            Ok(reply) => reply,
            Err(refusal) => refusal.into(),
        }
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Lets responses that stand end, with an end-of-response that says so: the server stops. Windows under way are finished.
    pub fn stop(&mut self) {
        self.channels.values().for_each(|channel| channel.state.stop());
    }

    /// Channels that are open.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Bytes of memory for what is believed of clients, over all sessions.
    #[must_use]
    pub fn model_memory(&self) -> usize {
        self.sessions.values().map(|session| session.state.memory()).sum()
    }

    /// Names of the pictures, as of the last listing.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.catalogue.names()
    }

    fn reply(
        &mut self,
        peer: IpAddr,
        request: Result<Request, FieldError>,
        found: Option<FoundTarget>,
        now: Duration,
    ) -> Result<Reply, Refusal> {
        let mut request = request.map_err(|error| Refusal::new(400, error.to_string()))?;
        let kind = check(&request)?;
        let mut channel = request.channel.clone();
        if let Some(channel) = &channel {
            self.touch(channel, now).ok_or_else(|| Refusal::new(404, "unknown channel: open a new one"))?;
        }
        if let Some(close) = &request.close {
            let ends_here = self.close(close, channel.as_deref());
            if ends_here || request.window.is_none() {
                let mut head = ResponseHead::ok(media_type(kind));
                put_request_id(&mut head, &request);
                let reason = if request.length == Some(0) { eor::BYTE_LIMIT } else { eor::WINDOW_DONE };
                return Ok(Reply::new(head, Body::end(reason)));
            }
        }
        let offered = self.find_target(&request, found, now)?;
        let mut head = ResponseHead::ok(media_type(kind));
        if kind == StreamType::Raw {
            return self.raw(&request, &offered, peer, head);
        }
        if request.sub_target.is_some() {
            return Err(Refusal::new(501, "a part of the target is served as raw only"));
        }
        if kind == StreamType::Tiles && offered.picture.header().packed_headers.is_some() {
            // PPM is in no data-bin, and would go by an order of tile-parts that these do not tell.
            let reason = "the packet headers of the target are in its main header: ask for a jpp-stream";
            return Err(Refusal::new(501, reason));
        }
        if let Some(new) = self.open_channel(&request, &offered, peer, now)? {
            head.put("JPIP-cnew", new.to_string());
            channel = Some(new.channel);
        }
        head.put("JPIP-tid", offered.target_id.clone());
        put_request_id(&mut head, &request);
        if request.quality.is_some() {
            // What share of the full quality a layer is cannot be told.
            head.put("JPIP-quality", "-1");
        }
        if request.region_of_interest.is_some() {
            // No file here names any.
            head.put("JPIP-roi", "roi=no-roi");
        }
        if let Some(set) = &request.model_set {
            head.put("JPIP-mset", model_set(set, offered.picture.codestream_count()));
        }
        resolve_contexts(&mut request, offered.picture.as_ref(), &mut head);
        let class = bodies::class(&request, &offered);
        let body = self.body(&request, kind, channel.as_deref(), &offered, &mut head);
        Ok(Reply::new(head, body.in_turn(self.schedule.join(peer, class))))
    }

    /// What the target of a request, or of its channel, is called.
    fn target_name(&self, request: &Request) -> Result<String, Refusal> {
        let bound = request.channel.as_ref().and_then(|channel| self.channels.get(channel));
        let bound = bound.filter(|_| request.new_channel.is_none()).map(|channel| channel.target.clone());
        Ok(match (&request.target, bound) {
            (Some(named), Some(bound)) if *named != bound => {
                return Err(Refusal::new(400, "the channel belongs to another target"));
            }
            (Some(name), _) => name.clone(),
            (None, Some(bound)) => bound,
            (None, None) => match request.channel.as_ref().and_then(|channel| self.channels.get(channel)) {
                Some(channel) => channel.target.clone(),
                None => return Err(Refusal::new(400, "no target is named")),
            },
        })
    }

    fn find_target(
        &self,
        request: &Request,
        found: Option<FoundTarget>,
        now: Duration,
    ) -> Result<Arc<OfferedPicture>, Refusal> {
        let name = self.target_name(request)?;
        // A channel may have been opened or closed since that one was looked for.
        let found = found.filter(|found| found.name == name);
        let found = found.unwrap_or_else(|| FoundTarget::find(&*self.catalogue, name, now));
        found.picture.map_err(|error| match error {
            TargetError::Unknown => Refusal::new(404, "unknown target"),
            TargetError::Unreadable(error) => {
                tracing::warn!(name = found.name, %error, "a picture cannot be opened");
                Refusal::new(500, "the target cannot be read")
            }
        })
    }
}

/// A target, and what became of looking for it.
pub struct FoundTarget {
    name: String,
    picture: Result<Arc<OfferedPicture>, TargetError>,
}

impl FoundTarget {
    /// Looks for `name`, which may wait for a disk.
    pub fn find(catalogue: &dyn Catalogue, name: String, now: Duration) -> Self {
        let picture = catalogue.find(&name, now);
        Self { name, picture }
    }
}

/// What is refused whatever the target and the channel.
fn check(request: &Request) -> Result<StreamType, Refusal> {
    let Some(kind) = request.stream_type() else {
        return Err(Refusal::new(415, "jpp-stream, jpt-stream and raw are served"));
    };
    if request.upload {
        return Err(Refusal::new(501, "targets cannot be changed"));
    }
    let unmet = request.preferences.iter().filter(|one| one.is_required() && !one.is_met());
    let unmet: Vec<&str> = unmet.map(Preference::text).collect();
    if !unmet.is_empty() {
        return Err(Refusal::unmet(&unmet.join(",")));
    }
    Ok(kind)
}

/// The codestreams of `asked` that there are.
fn model_set(asked: &[NumberRange], count: u32) -> String {
    let last = u64::from(count) - 1;
    let known = asked.iter().filter(|range| range.from <= last);
    let known =
        known.map(|range| NumberRange { from: range.from, to: Some(range.to.unwrap_or(last).min(last)) });
    known.map(|range| range.to_string()).collect::<Vec<_>>().join(",")
}

/// Puts the codestreams of the contexts among those that are asked for, and says which they are.
fn resolve_contexts(request: &mut Request, picture: &dyn ServedPicture, head: &mut ResponseHead) {
    let mut known = Vec::new();
    for context in &request.contexts {
        let streams = contexts::ranges(&context.codestreams(picture));
        if !streams.is_empty() {
            let list: Vec<String> = streams.iter().map(ToString::to_string).collect();
            known.push(format!("{context}={}", list.join(",")));
        }
        request.streams.extend(streams);
    }
    if !known.is_empty() {
        head.put("JPIP-context", known.join(";"));
    }
}

fn put_request_id(head: &mut ResponseHead, request: &Request) {
    if let Some(id) = request.request_id {
        head.put("JPIP-qid", id.to_string());
    }
}
