//! A client's TCP connection, plain or in TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::road::{RequestFields, RoadError};
use crate::tls::{Trust, client_config};

/// Either kind.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// How to open TCP connections to one server.
#[derive(Clone)]
pub struct Opener {
    address: SocketAddr,
    /// The `host:port` that the user named.
    authority: String,
    /// With the name that the certificate must have.
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// What goes with each request, or with the handshake.
    fields: RequestFields,
}

impl Opener {
    /// In the clear, to `address`; `authority` is the `host:port` that the user named.
    pub fn plain(address: SocketAddr, authority: &str) -> Self {
        Self { address, authority: authority.to_owned(), tls: None, fields: RequestFields::default() }
    }

    /// In TLS, to the server called `host` (a name, or an address without brackets) at `address`.
    /// # Errors
    /// [`RoadError::Address`] if `host` is no name that a certificate can have, or `trust` cannot be read.
    pub fn secure(
        address: SocketAddr,
        host: &str,
        authority: &str,
        trust: &Trust,
    ) -> Result<Self, RoadError> {
        let wrong = |reason: String| RoadError::Address(format!("{authority}: {reason}"));
        let config = client_config(trust, &[b"http/1.1"]).map_err(|error| wrong(error.to_string()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| wrong(error.to_string()))?;
        let tls = Some((Arc::new(config), name));
        Ok(Self { tls, ..Self::plain(address, authority) })
    }

    /// Sends `fields` with each request, or with the handshake.
    /// # Errors
    /// [`RoadError::Address`] if they may not go in the clear, as this would.
    pub fn with_fields(self, fields: RequestFields) -> Result<Self, RoadError> {
        fields.check(self.tls.is_some())?;
        Ok(Self { fields, ..self })
    }

    /// The same server, of which nothing but HTTP/2 is wanted.
    pub(super) fn for_http2(mut self) -> Self {
        if let Some((config, _)) = &mut self.tls {
            Arc::make_mut(config).alpn_protocols = vec![b"h2".to_vec()];
        }
        self
    }

    /// `https` or `http`.
    pub(super) const fn http_scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    pub(crate) const fn fields(&self) -> &RequestFields {
        &self.fields
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// `wss` or `ws`.
    #[cfg(feature = "websocket")]
    pub(crate) fn websocket_scheme(&self) -> &'static str {
        if self.tls.is_some() { "wss" } else { "ws" }
    }

    /// A new connection.
    /// # Errors
    /// [`RoadError::Unreachable`], [`RoadError::Untrusted`]
    pub(crate) async fn open(&self) -> Result<Box<dyn ByteStream>, RoadError> {
        let address = || self.authority.clone();
        let unreachable =
            |error: std::io::Error| RoadError::Unreachable { address: address(), reason: error.to_string() };
        let stream = TcpStream::connect(self.address).await.map_err(unreachable)?;
        let _ = stream.set_nodelay(true);
        let Some((config, name)) = &self.tls else { return Ok(Box::new(stream)) };
        match TlsConnector::from(config.clone()).connect(name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            // What rustls says is wrapped; the rest is TCP's.
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                Err(RoadError::Untrusted { address: address(), reason: error.to_string() })
            }
            Err(error) => Err(unreachable(error)),
        }
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener")
            .field("authority", &self.authority)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}
