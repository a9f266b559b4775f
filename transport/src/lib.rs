//! JPIP client and server.

pub mod jpip;
