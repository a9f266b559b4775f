//! JPIP client and server.
//!
//! [`jpip`] holds the sans-IO state machines. Features: `http3` and `http1` add the two roads and the programs around
//! them, `net` (implied by either) what they share.

#[cfg(any(feature = "http1", feature = "http3"))]
pub mod client;
#[cfg(feature = "http1")]
pub mod http1;
#[cfg(feature = "http3")]
pub mod http3;
pub mod jpip;
#[cfg(feature = "net")]
pub mod road;
#[cfg(any(feature = "http1", feature = "http3"))]
pub mod server;
#[cfg(feature = "net")]
pub mod tls;

/// Helpers of the tests are shared with tests outside of the crate, and name it.
#[cfg(test)]
extern crate self as wavetile_transport;
