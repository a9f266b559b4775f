//! JPIP client and server.
