//! JPIP client and server (T.808): state machines without input or output, and programs over HTTP/3, HTTP/1.1,
//! WebSocket and WebTransport.
//!
//! | module | feature | what it is |
//! |---|---|---|
//! | [`jpip`] | | codecs of messages, requests and responses; the client and the server as sans-IO state machines |
//! | `store` | `store` (implied by `net`) | a cache of data-bins on disk |
//! | `road`, `tls` | `net` (implied) | what carries requests and responses, with its limits; certificates and trust |
//! | `http3` | `http3` | the road on UDP |
//! | `tcp` | `http1`, `websocket` | the roads on TCP: HTTP/1.1, HTTP/2 and WebSocket on one port |
//! | `webtransport` | `webtransport` | the road for browsers that has streams; on the port of HTTP/3 |
//! | `ranges` | `http1` | files on plain web servers, in ranges of bytes |
//! | `server`, `client` | either road | the async programs: the state machines on roads |
//!
//! Without features there is no tokio, no TLS and no HTTP: [`jpip::Client`] and [`jpip::Server`] can be driven by
//! anything that moves bytes, on a virtual clock in a test or on the thread of a game. The module `client` shows
//! how the async client is used; this serves a directory on both roads:
//!
//! ```no_run
//! # #[cfg(all(feature = "http1", feature = "http3"))]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wavetile_engine::Limits;
//! use wavetile_transport::jpip::ServerOptions;
//! use wavetile_transport::server::{Directory, RoadsConfig, Server};
//!
//! let catalogue = Directory::files("/srv/pictures", Limits::default())?;
//! let roads = RoadsConfig::default() // a certificate of its own making
//!     .http3(Some("[::]:8433".parse()?)) // UDP
//!     .http1(Some("[::]:8433".parse()?)); // TCP
//! let server = Server::bind(catalogue, &roads, ServerOptions::default())?;
//! println!("fingerprint: {:?}", server.fingerprint());
//! server.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! Both ends read and write data-bins, as [`wavetile_engine::data_bin`] has them: the server those of an
//! [`IndexedFile`](wavetile_engine::source::IndexedFile), the client a
//! [`DataBinCache`](wavetile_engine::DataBinCache), which the decoder reads while it fills.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "http1", feature = "http3"))]
pub mod client;
#[cfg(feature = "http3")]
pub mod http3;
pub mod jpip;
mod options;
#[cfg(feature = "http1")]
pub mod ranges;
#[cfg(feature = "net")]
pub mod road;
#[cfg(any(feature = "http1", feature = "http3"))]
pub mod server;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "http1")]
pub mod tcp;
#[cfg(feature = "net")]
pub mod tls;
#[cfg(feature = "webtransport")]
pub mod webtransport;

/// Helpers of the tests are shared with tests outside of the crate, and name it.
#[cfg(test)]
extern crate self as wavetile_transport;

/// The snippets of the README are compiled with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
