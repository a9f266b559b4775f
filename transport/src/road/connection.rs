//! What clients get of a road.

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
