//! JPIP client and server.

pub mod jpip;

/// Helpers of the tests are shared with tests outside of the crate, and name it.
#[cfg(test)]
extern crate self as wavetile_transport;
