//! Streams JPEG 2000 pictures over JPIP into GPU textures while they arrive.
//!
//! The crate names its two parts again, for those who want both: [`engine`] decodes, [`transport`] carries. This is how they
//! meet; each of them opens with a tutorial of its own.
//!
//! # A picture
//!
//! Whatever holds a picture is cut into *data-bins*: its headers, its boxes, and the packets of each precinct. A file is such
//! a source, and what a client has received is another. An image holds the headers and where the bins are, a request says what
//! of it is wanted, and a decoder makes pixels.
//!
//! ```
//! use wavetile::engine::{DecodeRequest, Decoder, Image};
//!
//! # fn main() -> wavetile::engine::Result<()> {
//! let image = Image::open_file("engine/tests/data/gradient.jp2")?;
//! let half = DecodeRequest::new().reduce(1);
//! let (picture, report) = Decoder::cpu().render(&image, &half)?;
//! assert_eq!((picture.size.width, picture.size.height), (48, 32));
//! assert!(report.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! # The same picture on a server
//!
//! A server is given a catalogue of pictures and the roads that it listens on. A client makes a session for each picture that
//! is looked at; what it asks for comes as a streamed image, which can be decoded at any time.
//!
//! ```
//! # #[cfg(feature = "http1")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use wavetile::engine::source::IndexedFile;
//! use wavetile::engine::{Decoder, Limits, Rect};
//! use wavetile::transport::client::{Client, ClientConfig, ConnectOptions};
//! use wavetile::transport::road::RoadKind;
//! use wavetile::transport::jpip::{ServedPicture, ServerOptions, MemoryCatalogue};
//! use wavetile::transport::server::{RoadsConfig, Server};
//!
//! let bytes = std::fs::read("engine/tests/data/gradient.jp2")?;
//! let picture: Arc<dyn ServedPicture> = Arc::new(IndexedFile::open(bytes, &Limits::default())?);
//! let catalogue = MemoryCatalogue::new([("gradient.jp2".to_owned(), picture)]);
//! let roads = RoadsConfig::default().http1(Some("127.0.0.1:0".parse()?));
//! let server = Server::bind(catalogue, &roads, ServerOptions::default())?;
//! let address = server.http1_addr().ok_or("the server has no address")?;
//! tokio::spawn(server.run(std::future::pending()));
//!
//! // A server elsewhere has a certificate, and needs no options.
//! let connect = ConnectOptions::default().road(RoadKind::Http1.into());
//! let config = ClientConfig::default().connect(connect);
//! let client = Client::connect(&format!("jpip://{address}"), config).await?;
//! let session = client.create_session("gradient.jp2").await;
//! let mut image = session.request_region(Rect::new(0, 0, 64, 64), 0).await?;
//! let decoder = Decoder::cpu();
//! while image.next_update().await.is_some() {
//!     let (_picture, report) = image.prepare(&decoder)?.read()?; // what there is by now
//!     println!("{:.0} %", 100.0 * report.completeness());
//! }
//! let (picture, report) = image.prepare(&decoder)?.read()?;
//! assert_eq!((picture.size.width, picture.size.height), (64, 64));
//! assert!(report.is_complete());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "http1"))]
//! # fn main() {}
//! ```
//!
//! # On a GPU
//!
//! With the feature `gpu`, a decoder on the device of the host leaves pictures in textures:
//! [`Decoder::with_gpu`](engine::Decoder::with_gpu), [`Decoder::texture`](engine::Decoder::texture), or, recorded into the
//! host's own encoder, [`Prepared::record`](engine::Prepared::record). Everything else stays as it is.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `gpu` (default) | decoding on the GPU, through wgpu |
//! | `blocking` (default) | forms that wait on the caller's thread, of what is async |
//! | `threads` (default) | entropy decoding on rayon's threads |
//! | `http1`, `http3`, `websocket`, `webtransport` (default) | the roads, with the async client and server on tokio |
//! | `store` (with each road) | a cache of data-bins on disk |
//!
//! Without any there is the decoder on one thread of the CPU, and JPIP as state machines without input or output.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use wavetile_engine as engine;
pub use wavetile_transport as transport;

/// The snippets of the README are compiled with the examples of the documentation; `tests/readme` runs them.
#[cfg(all(doctest, feature = "blocking", feature = "gpu", feature = "http1"))]
#[doc = include_str!("../README.md")]
struct Readme;
