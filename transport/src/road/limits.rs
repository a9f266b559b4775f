//! What strangers may cost a server.

use crate::options::setters;
use std::time::Duration;

/// Bounds of the server's roads. The defaults are meant for the open internet.
#[derive(Debug, Clone)]
#[non_exhaustive]
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

setters!(RoadLimits {
    target: usize,
    body: usize,
    field_section: usize,
    header_time: Duration,
    body_time: Duration,
    idle: Duration,
    bidirectional_streams: u32,
    stream_window: u32,
    connection_window: u32,
    send_window: u32,
    connections: usize,
    grace: Duration,
    certificate_refresh: Duration,
});

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
