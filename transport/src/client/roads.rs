//! The roads of this build, and how to connect over each.

use std::future::Future;
use std::sync::Arc;

use super::look_up::{first_of, look_up};
use super::{Address, ConnectOptions};
use crate::road::{BoxFuture, Connection, RoadError, RoadKind};
#[cfg(feature = "http1")]
use crate::tcp::{self, Opener};

/// Connects to a server over one road.
type Connect = for<'a> fn(&'a Address, &'a ConnectOptions) -> Connecting<'a>;

type Connecting<'a> = BoxFuture<'a, Result<Arc<dyn Connection>, RoadError>>;

const ROADS: &[(RoadKind, Connect)] = &[
    #[cfg(feature = "http3")]
    (RoadKind::Http3, |to, options| any(over_http3(to, options))),
    #[cfg(feature = "webtransport")]
    (RoadKind::WebTransport, |to, options| any(over_webtransport(to, options))),
    #[cfg(feature = "http1")]
    (RoadKind::Http1, |to, options| any(over_tcp(to, options, tcp::http1::Http1Connections::connect))),
    #[cfg(feature = "http1")]
    (RoadKind::Http2, |to, options| any(over_tcp(to, options, tcp::http2::Http2Connection::connect))),
    #[cfg(feature = "websocket")]
    (RoadKind::WebSocket, |to, options| {
        any(over_tcp(to, options, tcp::websocket::client::WebSocketConnection::connect))
    }),
];

/// Whether this build has a road.
pub(super) fn is_built(kind: RoadKind) -> bool {
    ROADS.iter().any(|(built, _)| *built == kind)
}

/// Connects over one road.
pub(super) async fn over(
    kind: RoadKind,
    address: &Address,
    options: &ConnectOptions,
) -> Result<Arc<dyn Connection>, RoadError> {
    match ROADS.iter().find(|(built, _)| *built == kind) {
        Some((_, connect)) => connect(address, options).await,
        None => Err(RoadError::Address(format!("this build has no {kind}"))),
    }
}

fn any<'a, C: Connection + 'static>(
    connecting: impl Future<Output = Result<C, RoadError>> + Send + 'a,
) -> Connecting<'a> {
    Box::pin(async move { Ok(Arc::new(connecting.await?) as Arc<dyn Connection>) })
}

#[cfg(feature = "http3")]
async fn over_http3(
    address: &Address,
    options: &ConnectOptions,
) -> Result<crate::http3::client::Http3Connection, RoadError> {
    let port = options.memory.http3_port(address).unwrap_or(address.port);
    let addresses = look_up(address, port).await?;
    let authority = address.authority();
    let connection = first_of(addresses, |at| {
        let (host, authority, trust) = (address.host.clone(), authority.clone(), options.trust.clone());
        async move { crate::http3::client::Http3Connection::connect(at, &host, &authority, &trust).await }
    });
    Ok(connection.await?.with_fields(options.fields.clone()))
}

#[cfg(feature = "webtransport")]
async fn over_webtransport(
    address: &Address,
    options: &ConnectOptions,
) -> Result<crate::webtransport::client::WebTransportConnection, RoadError> {
    use crate::webtransport::client::WebTransportConnection;
    let addresses = look_up(address, address.port).await?;
    let authority = address.authority();
    let connection = first_of(addresses, |at| {
        let (authority, trust, fields) = (authority.clone(), options.trust.clone(), options.fields.clone());
        async move { WebTransportConnection::connect(at, &authority, &trust, &fields).await }
    });
    connection.await
}

/// Tries `connect` at each of the server's addresses, in TLS if the user's address says so.
#[cfg(feature = "http1")]
pub(crate) async fn over_tcp<T, F>(
    address: &Address,
    options: &ConnectOptions,
    connect: impl Fn(Opener) -> F + Copy + Send + 'static,
) -> Result<T, RoadError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, RoadError>> + Send + 'static,
{
    let port = options.http1_port.unwrap_or(address.port);
    let addresses = look_up(address, port).await?;
    let authority = Address { port, ..address.clone() }.authority();
    let attempt = |at| {
        let server = match address.secure {
            true => Opener::secure(at, &address.host, &authority, &options.trust),
            false => Ok(Opener::plain(at, &authority)),
        };
        let server = server.and_then(|server| server.with_fields(options.fields.clone()));
        async move { connect(server?).await }
    };
    first_of(addresses, attempt).await
}
