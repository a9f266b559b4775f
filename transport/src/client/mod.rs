//! The JPIP client program: finds a road to a server and drives the state machine over it.
//!
//! ```no_run
//! # async fn example() -> Result<(), wavetile_transport::client::ClientError> {
//! use wavetile_engine::{geometry::Size, view_window::ViewWindow};
//! use wavetile_transport::client::{Client, ClientConfig};
//!
//! let mut client = Client::connect("jpip://example.org/slides/7.jp2", ClientConfig::default()).await?;
//! let summary = client.fetch(Some(ViewWindow::whole(Size::new(1024, 768)))).await?;
//! println!("{} bytes in {:?}", summary.received, summary.time);
//! let bins = client.bins(); // what the decoder reads
//! client.close().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod connect;
mod driver;

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use wavetile_engine::data_bin::DataBinCache;
use wavetile_engine::view_window::ViewWindow;

use crate::jpip::{self, Event, Progress};
use crate::road::RoadError;

pub use address::{Address, DEFAULT_PORT};
pub use connect::{ConnectOptions, ResponseBody, Road};
use driver::{Driver, Shared};

/// Which road to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// HTTP/3 if the server answers over it, else HTTP/1.1; in TLS if the address says so.
    #[default]
    Auto,
    /// HTTP/3 only.
    Http3,
    /// HTTP/1.1 only. Unless the address says so, nothing is encrypted, and nobody proves who they are.
    Http1,
    /// WebSocket only. Unless the address says so, nothing is encrypted, and nobody proves who they are.
    WebSocket,
    /// WebTransport only.
    WebTransport,
}

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Roads and trust.
    pub connect: ConnectOptions,
    /// Habits of the state machine. `target` is taken from the address, and `transports` follows the road.
    pub jpip: jpip::ClientOptions,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { connect: ConnectOptions::default(), jpip: jpip::ClientOptions::new("") }
    }
}

/// Why a client failed.
#[derive(Debug, Clone, thiserror::Error)]
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

/// What a window took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// A client of one picture. Its work is done by a task of the runtime it was made in, and ends when it is dropped.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    bins: Arc<RwLock<DataBinCache>>,
    transport: Transport,
    start: Instant,
    task: JoinHandle<()>,
}

impl Client {
    /// Connects to the server of `url`, `jpip://host:port/name`, and asks for headers and metadata. The default port
    /// is [`DEFAULT_PORT`].
    /// # Errors
    /// [`ClientError::Road`]
    pub async fn connect(url: &str, config: ClientConfig) -> Result<Self, ClientError> {
        let start = Instant::now();
        let address: Address = url.parse()?;
        let ClientConfig { connect, mut jpip } = config;
        let road = Road::connect(&address, &connect).await?;
        let transport = road.transport();
        jpip.target.clone_from(&address.target);
        let names: &[&str] = match transport {
            Transport::Http3 => &["h3", "https", "http"],
            Transport::WebSocket => &["ws", "http"],
            Transport::WebTransport => &["wt", "h3", "http"],
            Transport::Http1 | Transport::Auto => &["http"],
        };
        jpip.transports = names.iter().map(|&name| name.to_owned()).collect();
        let machine = jpip::Client::new(jpip);
        let bins = machine.bins();
        let shared = Arc::new(Shared::new(machine));
        let driver = Driver::new(shared.clone(), address, connect, road);
        let task = tokio::spawn(driver.run());
        Ok(Self { shared, bins, transport, start, task })
    }

    /// Changes what is wanted; `None` = headers and metadata only. Returns the number of the window for
    /// [`Event::WindowComplete`]. The same window again changes nothing.
    pub fn set_window(&self, window: Option<ViewWindow>) -> u64 {
        self.shared.set_window(window)
    }

    /// Tries again after [`Event::Failed`].
    pub fn retry(&self) {
        self.shared.retry();
    }

    /// The next event; `None` once the client is closed. Progress that was not asked for in time is told at once, as
    /// its sum. Can be dropped at any time without losing an event.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.shared.next_event().await
    }

    /// The data-bins received so far; shared, and filled while responses arrive.
    pub fn bins(&self) -> Arc<RwLock<DataBinCache>> {
        self.bins.clone()
    }

    /// Bytes so far.
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// What everything took since the client was made, finding the server included.
    pub fn spent(&self) -> FetchSummary {
        let totals = self.shared.totals();
        FetchSummary {
            asked: totals.asked,
            received: totals.progress.received,
            new: totals.progress.new,
            duplicate: totals.progress.duplicate,
            requests: totals.requests,
            rounds: totals.rounds,
            time: self.start.elapsed(),
            reason: None,
        }
    }

    /// The road taken at first.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Sets the window and waits until everything that the server sends for it has arrived. Events meanwhile are
    /// dropped.
    /// # Errors
    /// [`ClientError::Jpip`] if the client gives up, [`ClientError::Closed`].
    pub async fn fetch(&mut self, window: Option<ViewWindow>) -> Result<FetchSummary, ClientError> {
        let start = Instant::now();
        let before = self.shared.totals();
        let number = self.shared.start_over(window);
        let reason = loop {
            if let Some(reason) = self.shared.completed(number) {
                break reason;
            }
            match self.next_event().await {
                Some(Event::Failed(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err(ClientError::Closed),
            }
        };
        let after = self.shared.totals();
        Ok(FetchSummary {
            asked: after.asked - before.asked,
            received: after.progress.received - before.progress.received,
            new: after.progress.new - before.progress.new,
            duplicate: after.progress.duplicate - before.progress.duplicate,
            requests: after.requests - before.requests,
            rounds: after.rounds - before.rounds,
            time: start.elapsed(),
            reason,
        })
    }

    /// Closes the session on the server, then the connection.
    pub async fn close(mut self) {
        self.shared.close();
        if tokio::time::timeout(LONGEST_CLOSE, &mut self.task).await.is_err() {
            tracing::debug!("the server did not confirm the end of the session");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How long the server may take to confirm the end of a session.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);
