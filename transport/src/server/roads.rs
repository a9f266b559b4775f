//! One handler behind both roads, with a common end.

use crate::options::setters;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::road::{Handler, RoadLimits};
use crate::tls::{Certificate, Fingerprint, LiveIdentity, TlsError};

#[cfg(feature = "http3")]
use crate::http3;
#[cfg(feature = "http1")]
use crate::tcp::listener::{self, Framing};

/// Where and how to listen.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RoadsConfig {
    /// UDP address for HTTP/3; port 0 takes a free one.
    #[cfg(feature = "http3")]
    pub http3: Option<SocketAddr>,
    /// TCP address for HTTP/1.1 and HTTP/2, in the clear and over TLS; port 0 takes the port of HTTP/3 if that is free,
    /// else any.
    #[cfg(feature = "http1")]
    pub http1: Option<SocketAddr>,
    /// How HTTP/1.1 tells lengths.
    #[cfg(feature = "http1")]
    pub framing: Framing,
    /// Certificate for HTTP/3 and for TLS over TCP.
    pub certificate: Certificate,
    /// Bounds.
    pub limits: RoadLimits,
}

setters!(RoadsConfig {
    #[cfg(feature = "http3")]
    http3: Option<SocketAddr>,
    #[cfg(feature = "http1")]
    http1: Option<SocketAddr>,
    #[cfg(feature = "http1")]
    framing: Framing,
    certificate: Certificate,
    limits: RoadLimits,
});

impl RoadsConfig {
    /// The address that a self-signed certificate names.
    fn first_address(&self) -> Option<SocketAddr> {
        let mut addresses: [Option<SocketAddr>; 2] = [None; 2];
        #[cfg(feature = "http3")]
        (addresses[0] = self.http3);
        #[cfg(feature = "http1")]
        (addresses[1] = self.http1);
        addresses.into_iter().flatten().next()
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({road}): {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Which road.
        road: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No road has an address.
    #[error("no address to listen on")]
    NoAddress,
    /// The directory to serve cannot be used.
    #[error("cannot serve {path}: {error}")]
    Root {
        /// The directory.
        path: std::path::PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl ServerError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "server.listen",
            Self::Tls(error) => error.code(),
            Self::NoAddress => "server.no-address",
            Self::Root { .. } => "server.root",
        }
    }
}

/// Listening roads that ask one [`Handler`].
pub struct Roads {
    #[cfg(feature = "http3")]
    http3: Option<(http3::server::Server, SocketAddr)>,
    #[cfg(feature = "http1")]
    http1: Option<(listener::Server, SocketAddr)>,
    identity: Option<Arc<LiveIdentity>>,
    refresh: Duration,
}

impl Roads {
    /// Listens on every address given. Must be called within a tokio runtime.
    /// # Errors
    /// [`ServerError`]
    pub fn bind(config: &RoadsConfig) -> Result<Self, ServerError> {
        let mut roads = Self {
            #[cfg(feature = "http3")]
            http3: None,
            #[cfg(feature = "http1")]
            http1: None,
            identity: None,
            refresh: config.limits.certificate_refresh,
        };
        let listen = config.first_address().ok_or(ServerError::NoAddress)?;
        let identity = Arc::new(LiveIdentity::load(&config.certificate, Some(listen.ip()))?);
        roads.identity = Some(identity.clone());
        #[cfg(feature = "http3")]
        roads.bind_http3(config, &identity)?;
        #[cfg(feature = "http1")]
        roads.bind_http1(config, &identity)?;
        Ok(roads)
    }

    #[cfg(feature = "http3")]
    fn bind_http3(&mut self, config: &RoadsConfig, identity: &Arc<LiveIdentity>) -> Result<(), ServerError> {
        let Some(address) = config.http3 else { return Ok(()) };
        let refused = |error| ServerError::Listen { address, road: "HTTP/3", error };
        let server =
            http3::server::Server::bind(address, identity, config.limits.clone()).map_err(refused)?;
        let address = server.local_addr().map_err(refused)?;
        self.http3 = Some((server, address));
        Ok(())
    }

    #[cfg(feature = "http1")]
    fn bind_http1(&mut self, config: &RoadsConfig, identity: &Arc<LiveIdentity>) -> Result<(), ServerError> {
        let Some(address) = config.http1 else { return Ok(()) };
        let refused = |error| ServerError::Listen { address, road: "HTTP/1.1 and HTTP/2", error };
        let tls = Arc::new(identity.tcp_server_config()?);
        let bind = |address| {
            listener::Server::bind(address, config.limits.clone(), config.framing, Some(tls.clone()))
        };
        let same_port = self.http3_addr().filter(|_| address.port() == 0).map(|http3| http3.port());
        let server = match same_port.map(|port| bind(SocketAddr::new(address.ip(), port))) {
            Some(Ok(server)) => server,
            _ => bind(address).map_err(refused)?,
        };
        let server = match self.http3_addr() {
            Some(http3) => server.with_alternative(http3.port()),
            None => server,
        };
        let address = server.local_addr().map_err(refused)?;
        self.http1 = Some((server, address));
        Ok(())
    }

    /// Address of the HTTP/3 road.
    pub fn http3_addr(&self) -> Option<SocketAddr> {
        #[cfg(feature = "http3")]
        return self.http3.as_ref().map(|(_, address)| *address);
        #[cfg(not(feature = "http3"))]
        None
    }

    /// Address of the TCP port: HTTP/1.1 and HTTP/2.
    pub fn http1_addr(&self) -> Option<SocketAddr> {
        #[cfg(feature = "http1")]
        return self.http1.as_ref().map(|(_, address)| *address);
        #[cfg(not(feature = "http1"))]
        None
    }

    /// Fingerprint of the certificate that is shown now.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.identity.as_ref().map(|identity| identity.fingerprint())
    }

    /// The certificate.
    pub(crate) fn identity(&self) -> Option<Arc<LiveIdentity>> {
        self.identity.clone()
    }

    /// Serves, and waits until `shutdown` is done, then lets responses finish for [`RoadLimits::grace`] and closes.
    pub async fn run(self, handler: Arc<dyn Handler>, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        #[cfg(feature = "http3")]
        if let Some((server, _)) = self.http3 {
            running.spawn(server.run(handler.clone(), stopped.clone()));
        }
        #[cfg(feature = "http1")]
        if let Some((server, _)) = self.http1 {
            running.spawn(server.run(handler.clone(), stopped.clone()));
        }
        tokio::select! {
            () = shutdown => {}
            Some(_) = running.join_next() => {}
            () = keep_fresh(self.identity, self.refresh) => {}
        }
        let _ = stop.send(true);
        while running.join_next().await.is_some() {}
    }
}

/// Looks after the certificate, for as long as it is polled.
async fn keep_fresh(identity: Option<Arc<LiveIdentity>>, pause: Duration) {
    let Some(identity) = identity else { return std::future::pending().await };
    loop {
        tokio::time::sleep(pause).await;
        let looking = identity.clone();
        let looked = tokio::task::spawn_blocking(move || looking.refresh(SystemTime::now())).await;
        match looked {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                tracing::warn!(fingerprint = %identity.fingerprint(), "the certificate is a new one")
            }
            Ok(Err(error)) => tracing::warn!(%error, "the new certificate cannot be used: the old one stays"),
            Err(error) => tracing::error!(%error, "looking after the certificate failed"),
        }
    }
}
