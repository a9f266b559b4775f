//! All roads over loopback with a handler of our own: wire format, limits, trust, cancelling, stopping.
#![allow(clippy::unwrap_used)]

mod connections;
mod credentials;
mod floods;
mod http1;
mod http3;
mod memory;
mod stop;
mod support;
mod tls;
mod trust;
mod waiting;
mod websocket;
mod webtransport;
