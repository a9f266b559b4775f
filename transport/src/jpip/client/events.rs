//! What goes into a client and what comes out of it, as plain values.

use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::message::MessageError;
use crate::jpip::wire::metareq::MetadataRequest;
use crate::jpip::wire::request::StreamType;
use crate::jpip::wire::response::media_type;
use crate::options::setters;
use std::time::Duration;
use wavetile_engine::Size;

/// Habits of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Name of the picture on the server.
    pub target: String,
    /// A frame into which all of the picture is fitted, and comes so with the first answer: something is to be seen before
    /// anything is known of the picture. `None`: headers alone.
    pub overview: Option<Size>,
    /// Codestreams of the file that are wanted at first; see [`Client::set_codestreams`](super::Client::set_codestreams).
    pub codestreams: Vec<NumberRange>,
    /// What the picture is to come as.
    pub stream: StreamKind,
    /// Boxes that are asked for along with the first window, where the server does not send their contents with the others.
    pub metadata: Option<MetadataRequest>,
    /// Open a session: the server keeps track of what was sent. Otherwise each request tells it.
    pub sessions: bool,
    /// Transports offered for a session, best first.
    pub transports: Vec<String>,
    /// Bytes of messages asked for at a time ("len"); `None` leaves it to the server.
    pub length: Option<u64>,
    /// Longest `model` of a request, in bytes. What is left out may be sent again.
    pub model_length: usize,
    /// Bytes that the server may send beyond each window without being asked (docs/jpip-push.md); it then tells changes
    /// of the picture, too. Needs a session.
    pub push: Option<u64>,
    /// Requests that may be under way at a time, when windows change faster than answers come.
    pub requests: usize,
    /// Failures in a row, with no new byte between them, after which the client gives up.
    pub attempts: u32,
    /// Pause after the first failure; doubled after each further one.
    pub pause: Duration,
}

setters!(ClientOptions {
    target: String,
    overview: Option<Size>,
    codestreams: Vec<NumberRange>,
    stream: StreamKind,
    metadata: Option<MetadataRequest>,
    sessions: bool,
    transports: Vec<String>,
    length: Option<u64>,
    model_length: usize,
    push: Option<u64>,
    requests: usize,
    attempts: u32,
    pause: Duration,
});

impl ClientOptions {
    /// A session for the first codestream of the picture called `target`.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            overview: None,
            codestreams: vec![NumberRange::one(0)],
            stream: StreamKind::Precincts,
            metadata: None,
            sessions: true,
            transports: vec!["http".to_owned()],
            length: Some(2 << 20),
            model_length: 16 << 10,
            push: None,
            requests: 4,
            attempts: 6,
            pause: Duration::from_millis(250),
        }
    }
}

/// What a picture comes as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Packets, precinct by precinct (JPP-stream).
    #[default]
    Precincts,
    /// The same, and each message tells the layers that it completes (`ptype=ext`).
    ExtendedPrecincts,
    /// Tiles as they are in the file (JPT-stream). They are decoded through
    /// [`TileBins`](wavetile_engine::source::TileBins), and a window brings each of its tiles whole.
    Tiles,
}

impl StreamKind {
    /// As `type` names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Precincts => "jpp-stream",
            Self::ExtendedPrecincts => "jpp-stream;ptype=ext",
            Self::Tiles => "jpt-stream",
        }
    }

    /// Its media type.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Precincts | Self::ExtendedPrecincts => {
                media_type(StreamType::Precincts { extended: false })
            }
            Self::Tiles => media_type(StreamType::Tiles),
        }
    }
}

/// A request to be sent with GET, or with POST if it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Names the request in what follows.
    pub id: u64,
    /// Path and query, percent-encoded, with a leading slash.
    pub path_and_query: String,
    /// Most bytes of messages that it asks for ("len"); `None`: as many as the server likes.
    pub length: Option<u64>,
}

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Whole, as far as the transport can tell.
    Complete,
    /// It broke off, or there was none; why, in words.
    Broken(String),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server has the picture.
    Opened {
        /// Identifier of the picture's state, if the server tells it.
        target_id: Option<String>,
        /// A session is open.
        session: bool,
    },
    /// Bytes have arrived.
    Progress(Progress),
    /// Everything that the server sends for a window, or a list of them, has arrived.
    WindowComplete {
        /// What [`Client::set_window`](super::Client::set_window) or [`Client::set_wishes`](super::Client::set_wishes) returned.
        window: u64,
        /// Reason of the end-of-response; `None` if the server sends none.
        reason: Option<u8>,
    },
    /// There is no room for more of what is wanted ([`Client::set_memory`](super::Client::set_memory)): nothing is asked for until
    /// something else is wanted, or the bound changes.
    Full {
        /// What [`Client::set_window`](super::Client::set_window) or [`Client::set_wishes`](super::Client::set_wishes) returned.
        window: u64,
    },
    /// The boxes that were asked for have arrived, as far as there are any.
    MetadataComplete,
    /// The picture has changed on the server: everything that was held has been dropped.
    Reset,
    /// The answer to a request is of no use any more: it may be broken off.
    Abort {
        /// The request.
        id: u64,
    },
    /// Requests fail one after the other, and why; what was wished for ([`Client::set_wishes`](super::Client::set_wishes)) stands, and the
    /// client tries again by itself.
    Interrupted(ClientError),
    /// The client has given up; [`Client::retry`](super::Client::retry) lets it try again.
    Failed(ClientError),
    /// The session is closed.
    Closed,
}

/// Bytes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of response bodies: message headers, payload, end-of-response.
    pub received: u64,
    /// Payload bytes that were not held before.
    pub new: u64,
    /// Payload bytes that were held already.
    pub duplicate: u64,
    /// Payload bytes that contradict what is held of a bin's length, dropped.
    pub excess: u64,
    /// Payload bytes that there was no room for, dropped.
    pub dropped: u64,
    /// Bytes of bins that were dropped to make room for others.
    pub evicted: u64,
    /// Bytes that were dropped once and came back from where they are kept ([`Client::recall_dropped`](super::Client::recall_dropped)).
    pub recalled: u64,
}

/// Why a client gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused.
    #[error("the server refuses the request: status {0}")]
    Refused(u16),
    /// The server answers with something else than the stream that was asked for.
    #[error("the server answers with {0} instead of a JPIP stream")]
    NotJpp(String),
    /// The messages cannot be followed.
    #[error("the server's messages are broken: {0}")]
    Messages(#[from] MessageError),
    /// Responses broke off again and again.
    #[error("the connection failed: {0}")]
    Broken(String),
    /// The server says that there is more, but sends nothing.
    #[error("the server says that there is more, but sends nothing")]
    Stalled,
}

impl ClientError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "jpip.refused",
            Self::NotJpp(_) => "jpip.not-a-stream",
            Self::Messages(error) => error.code(),
            Self::Broken(_) => "jpip.broken",
            Self::Stalled => "jpip.stalled",
        }
    }
}
