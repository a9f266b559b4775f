//! What clients need of a road: a connection that carries requests, and answers that come in pieces.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// What a method that waits returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The roads there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoadKind {
    /// HTTP/3.
    Http3,
    /// HTTP/2. Unless the address says so, nothing is encrypted, and the server must know HTTP/2 in the clear.
    Http2,
    /// HTTP/1.1. Unless the address says so, nothing is encrypted, and nobody proves who they are.
    Http1,
    /// WebSocket. Unless the address says so, nothing is encrypted, and nobody proves who they are.
    WebSocket,
    /// WebTransport.
    WebTransport,
}

impl RoadKind {
    /// Its name, as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http3 => "HTTP/3",
            Self::Http2 => "HTTP/2",
            Self::Http1 => "HTTP/1.1",
            Self::WebSocket => "WebSocket",
            Self::WebTransport => "WebTransport",
        }
    }
}

impl fmt::Display for RoadKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A connection to one server. Every road has one; what is common to them, such as patience, is not theirs.
pub trait Connection: Send + Sync {
    /// Sends one request, and waits for the head of its answer. Others may be under way. Dropping the future cancels it.
    fn request<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Answer, RoadError>>;

    /// Whether it is known to have ended. One that connects anew by itself never does.
    fn is_closed(&self) -> bool {
        false
    }

    /// Closes it, and waits until the server has been told, if it has to be.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The head of an answer, and its body.
pub type Answer = (ResponseHead, Box<dyn AnswerBody>);

/// Body of an answer. Dropping it before its end cancels the answer.
pub trait AnswerBody: Send {
    /// Waits for the next bytes; `None` at the end.
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RoadError>>;
}

/// An answer of a road's own as any other.
#[cfg(any(feature = "http1", feature = "http3"))]
pub(crate) async fn any<B: AnswerBody + 'static>(
    asking: impl Future<Output = Result<(ResponseHead, B), RoadError>>,
) -> Result<Answer, RoadError> {
    let (head, body) = asking.await?;
    Ok((head, Box::new(body)))
}

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
#[non_exhaustive]
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

impl RoadError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "road.address",
            Self::Unreachable { .. } => "road.unreachable",
            Self::Untrusted { .. } => "road.untrusted",
            Self::Lost(_) => "road.lost",
        }
    }
}
