//! The JPIP client program: finds a road to a server and drives the state machine over it.

mod address;
mod connect;

pub use address::{Address, DEFAULT_PORT};
pub use connect::{ConnectOptions, ResponseBody, Road};

/// Which road to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// HTTP/3 if the server answers over it, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/3 only.
    Http3,
    /// HTTP/1.1 only. Nothing is encrypted, and nobody proves who they are.
    Http1,
}
