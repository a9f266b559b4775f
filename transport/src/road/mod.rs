//! What the roads share: requests, pulled replies, limits, methods and cross-origin headers.
//!
//! A *road* carries JPIP requests and responses: HTTP/3 ([`crate::http3`]), or what shares a TCP port ([`crate::tcp`]). It
//! gives the bytes no meaning. Servers ask a [`Handler`]; clients hold a [`Connection`].

mod connection;
mod handler;
mod limits;
mod request_fields;
#[cfg(any(feature = "http1", feature = "http3"))]
pub(crate) mod wire;

pub use crate::jpip::Chunk;
#[cfg(any(feature = "http1", feature = "http3"))]
pub(crate) use connection::any;
pub use connection::{Answer, AnswerBody, BoxFuture, Connection, ResponseHead, RoadError, RoadKind};
pub use handler::{Handler, Reply, ReplyBody, Request};
pub use limits::RoadLimits;
pub use request_fields::RequestFields;

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
