//! The JPIP client program: finds a road to a server and drives the state machine over it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wavetile_engine::{Decoder, Rect};
//! use wavetile_transport::client::{Client, ClientConfig};
//!
//! let client = Client::connect("jpip://example.org", ClientConfig::default()).await?;
//! let session = client.create_session("slides/7.jp2").await;
//! println!("{:?}", session.request_metadata().await?);
//! let mut image = session.request_region(Rect::new(0, 0, 4096, 4096), 2).await?;
//! while let Some(update) = image.next_update().await {
//!     let (picture, report) = image.prepare(&Decoder::cpu())?.read()?; // whatever is there by now
//!     println!("{update:?}: {:.0} %", 100.0 * report.completeness());
//! }
//! session.close().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod connect;
mod driver;
mod look_up;
mod memory;
mod road_keeper;
mod road_memory;
pub(crate) mod roads;
mod session;
mod session_source;
mod shared;
mod store_writer;
mod streamed_image;

use crate::options::setters;
use std::sync::Arc;
use std::time::Duration;

use wavetile_engine::Limits;

use crate::jpip;
use crate::road::{RoadError, RoadKind};
use crate::store::Store;

pub use crate::jpip::Metadata;
pub use address::{Address, DEFAULT_PORT};
pub use connect::{ConnectOptions, ResponseBody, Road};
use memory::MemoryShares;
use road_keeper::RoadKeeper;
pub use road_memory::RoadMemory;
pub use session::Session;
pub use session_source::SessionSource;
use store_writer::StoredPicture;
pub use streamed_image::{ImageError, StreamedImage, Update};

/// Which road to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoadChoice {
    /// HTTP/3 if the server answers over it, else HTTP/1.1; in TLS if the address says so.
    #[default]
    Auto,
    /// This one or none.
    Only(RoadKind),
}

impl From<RoadKind> for RoadChoice {
    fn from(kind: RoadKind) -> Self {
        Self::Only(kind)
    }
}

/// How a client behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Roads and trust.
    pub connect: ConnectOptions,
    /// Habits of the state machine. `target` is taken from the address, and `transports` follows the road.
    pub jpip: jpip::ClientOptions,
    /// Where what is received is kept, and found again.
    pub store: Option<Store>,
    /// What pictures may cost to be read and decoded.
    pub limits: Limits,
    /// How much memory what was received may take.
    pub memory: MemoryBound,
}

setters!(ClientConfig {
    connect: ConnectOptions,
    jpip: jpip::ClientOptions,
    store: Option<Store>,
    limits: Limits,
    memory: MemoryBound,
});

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect: ConnectOptions::default(),
            jpip: jpip::ClientOptions::new(""),
            store: None,
            limits: Limits::default(),
            memory: MemoryBound::default(),
        }
    }
}

/// How much memory the data-bins of a client's sessions may take, all together, bookkeeping included
/// ([`DataBinCache::memory`](wavetile_engine::DataBinCache::memory)). Each session has an equal share. What a session does with less
/// than it wants says [`jpip::Client::set_memory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MemoryBound {
    /// As much as comes.
    #[default]
    Unbounded,
    /// So many bytes.
    Bytes(u64),
}

/// Why a client failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No road to the server.
    #[error(transparent)]
    Road(#[from] RoadError),
    /// The server refuses, or answers with what is no JPIP.
    #[error(transparent)]
    Jpip(#[from] jpip::ClientError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

impl ClientError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Road(error) => error.code(),
            Self::Jpip(error) => error.code(),
            Self::Closed => "client.closed",
        }
    }
}

/// What a window took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchSummary {
    /// Bytes of messages that the requests allowed, all together ("len").
    pub asked: u64,
    /// Bytes of response bodies.
    pub received: u64,
    /// Payload bytes that were not held before.
    pub new: u64,
    /// Payload bytes that were held already.
    pub duplicate: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests sent while none was under way: each of them cost a round trip.
    pub rounds: u64,
    /// From the call to the end.
    pub time: Duration,
    /// Reason of the last end-of-response of the window; `None` if the server sends none.
    pub reason: Option<u8>,
}

/// A connection to a server, on which any number of pictures can be looked at. It ends with the last of its sessions and
/// the client itself.
#[derive(Debug)]
pub struct Client {
    keeper: Arc<RoadKeeper>,
    options: jpip::ClientOptions,
    road: RoadKind,
    store: Option<Store>,
    limits: Limits,
    memory: Arc<MemoryShares>,
    /// What the server is called in the store.
    server: String,
}

impl Client {
    /// Connects to the server of `url`, `jpip://host:port`, and waits for that. What follows that in the URL is passed over. The default port is
    /// [`DEFAULT_PORT`].
    /// # Errors
    /// [`ClientError::Road`]
    pub async fn connect(url: &str, config: ClientConfig) -> Result<Self, ClientError> {
        Self::connect_to(Address::of_server(url)?, config).await
    }

    async fn connect_to(address: Address, config: ClientConfig) -> Result<Self, ClientError> {
        let ClientConfig { connect, jpip: mut options, store, limits, memory } = config;
        let server = address.server();
        let road = Road::connect(&address, &connect).await?;
        let kind = road.kind();
        // What "cnew" of the first request offers (T.808 C.3).
        let names: &[&str] = match kind {
            RoadKind::Http3 => &["h3", "https", "http"],
            RoadKind::WebSocket => &["ws", "http"],
            RoadKind::WebTransport => &["wt", "h3", "http"],
            RoadKind::Http1 | RoadKind::Http2 => &["http"],
        };
        options.transports = names.iter().map(|&name| name.to_owned()).collect();
        let keeper = Arc::new(RoadKeeper::new(address, connect, road));
        let memory = Arc::new(MemoryShares::new(memory));
        Ok(Self { keeper, options, road: kind, store, limits, memory, server })
    }

    /// A session for the picture that the server calls `target`. It asks for headers and metadata at once; whether the
    /// server has that picture is told by the first request. What the store has of it is not fetched again: reading that is
    /// all that this waits for.
    pub async fn create_session(&self, target: &str) -> Session {
        let options = jpip::ClientOptions { target: target.to_owned(), ..self.options.clone() };
        self.create_session_with(options).await
    }

    /// As [`create_session`](Self::create_session), which waits no longer, with habits of its own; `transports` follows the road nevertheless.
    pub async fn create_session_with(&self, options: jpip::ClientOptions) -> Session {
        let options = jpip::ClientOptions { transports: self.options.transports.clone(), ..options };
        let place = self.store.clone().map(|store| StoredPicture {
            store,
            server: self.server.clone(),
            target: options.target.clone(),
        });
        let (keeper, limits, memory) = (self.keeper.clone(), self.limits.clone(), self.memory.next_share());
        let session = Session::start(options, keeper, self.road, place, limits, memory).await;
        session.share_memory(&self.memory);
        session
    }

    /// The bound on memory.
    #[must_use]
    pub fn memory(&self) -> MemoryBound {
        self.memory.bound()
    }

    /// Changes the bound on memory, at once.
    pub fn set_memory(&self, bound: MemoryBound) {
        self.memory.set_bound(bound);
    }

    /// The road taken at first.
    #[must_use]
    pub const fn road(&self) -> RoadKind {
        self.road
    }
}
