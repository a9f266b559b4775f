//! How a server is reached: the arguments for it, and what drives a client.

use super::arguments::TransportArgument;
use crate::console::Failure;
use std::path::PathBuf;
use tokio::runtime::Runtime;
use wavetile_transport::client::{Address, ConnectOptions, RoadChoice};
use wavetile_transport::road::RequestFields;
use wavetile_transport::road::RoadKind;
use wavetile_transport::store::{Kept, Store};
use wavetile_transport::tls::{Fingerprint, Trust};

/// How to reach a server.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Targets on servers")]
pub(crate) struct ConnectionArguments {
    /// How to reach the server [default: h3, then http; for http(s):// files of web servers, too]
    #[arg(long, value_enum)]
    pub(crate) transport: Option<TransportArgument>,
    /// Believe servers whose certificate chains to one in this PEM file
    #[arg(long, value_name = "FILE", group = "trust")]
    pub(crate) ca: Option<PathBuf>,
    /// Believe the server with this certificate (SHA-256, as `serve` prints it)
    #[arg(long, value_name = "HEX", group = "trust")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Believe any server: for tests
    #[arg(long, group = "trust")]
    pub(crate) insecure: bool,
    /// Send the token in this file along (`Authorization: Bearer`), encrypted only
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_file: Option<PathBuf>,
    /// Send this header field along, as 'Name: value', encrypted only; can be given several times
    #[arg(long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// Send both also where nothing is encrypted
    #[arg(long)]
    pub(crate) credentials_in_clear: bool,
    /// Keep what is received in this folder, and do not fetch it again
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Most bytes that the cache may hold
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, requires = "cache")]
    pub(crate) cache_limit: u64,
    /// Use what the cache has, without the server
    #[arg(long, requires = "cache")]
    pub(crate) offline: bool,
    /// Bytes that the server may send beyond each view: better quality, then what is around it
    #[cfg(feature = "viewer")]
    #[arg(skip)]
    pub(crate) push: Option<u64>,
}

impl ConnectionArguments {
    /// How to connect.
    pub(crate) fn options(&self) -> Result<ConnectOptions, Failure> {
        let trust = match (&self.ca, self.fingerprint, self.insecure) {
            (Some(file), _, _) => Trust::Authorities(file.clone()),
            (None, Some(fingerprint), _) => Trust::Fingerprint(fingerprint),
            (None, None, true) => Trust::Insecure,
            (None, None, false) => Trust::WebPki,
        };
        let road = match self.transport {
            None => RoadChoice::Auto,
            Some(TransportArgument::H3) => RoadChoice::Only(RoadKind::Http3),
            Some(TransportArgument::H2) => RoadChoice::Only(RoadKind::Http2),
            Some(TransportArgument::Http) => RoadChoice::Only(RoadKind::Http1),
            Some(TransportArgument::Ws) => RoadChoice::Only(RoadKind::WebSocket),
            Some(TransportArgument::Wt) => RoadChoice::Only(RoadKind::WebTransport),
        };
        let mut fields = RequestFields::default();
        if let Some(file) = &self.bearer_file {
            let token = std::fs::read_to_string(file);
            fields.bearer(&token.map_err(|error| format!("{}: {error}", file.display()))?)?;
        }
        for field in &self.headers {
            let (name, value) = field.split_once(':').ok_or("--header is 'Name: value'")?;
            fields.add(name.trim(), value)?;
        }
        if self.credentials_in_clear {
            fields.allow_in_clear();
        }
        Ok(ConnectOptions::default().road(road).trust(trust).fields(fields))
    }

    /// The cache, if there shall be one.
    pub(crate) fn store(&self) -> Result<Option<Store>, Failure> {
        let Some(folder) = &self.cache else { return Ok(None) };
        let store = Store::open(folder, self.cache_limit);
        Ok(Some(store.map_err(|error| format!("the cache {}: {error}", folder.display()))?))
    }

    /// What the cache has of `url`.
    pub(crate) fn kept(&self, url: &str) -> Result<Kept, Failure> {
        let address: Address = url.parse()?;
        let store = self.store()?.ok_or("--offline needs --cache")?;
        let kept = store.load(&address.server(), &address.target)?;
        Ok(kept.ok_or_else(|| format!("the cache has nothing of {url}"))?)
    }
}

/// What drives a client.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
