//! Finding a road to a server: name look-up, racing its addresses, HTTP/3 first and HTTP/1.1 after it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Address, RoadMemory, Transport};
use crate::road::{RequestFields, ResponseHead, RoadError};
use crate::tls::Trust;

#[cfg(feature = "http3")]
use crate::http3;
#[cfg(feature = "http1")]
use crate::tcp;
#[cfg(feature = "webtransport")]
use crate::webtransport;

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Which road; the address' scheme decides where this is [`Transport::Auto`].
    pub transport: Transport,
    /// Whom to believe where the road is encrypted.
    pub trust: Trust,
    /// TCP port for HTTP/1.1 and WebSocket if it is not the address' own.
    pub http1_port: Option<u16>,
    /// With [`Transport::Auto`]: how long HTTP/3 is tried alone.
    pub head_start: Duration,
    /// How long to try in all.
    pub timeout: Duration,
    /// Longest silence within a response before it counts as lost.
    pub stall: Duration,
    /// Header fields that go along: credentials.
    pub fields: RequestFields,
    /// What was learnt of servers: with [`Transport::Auto`], the road that worked last is tried first.
    pub memory: RoadMemory,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            transport: Transport::Auto,
            trust: Trust::default(),
            http1_port: None,
            head_start: Duration::from_millis(300),
            timeout: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            fields: RequestFields::default(),
            memory: RoadMemory::default(),
        }
    }
}

/// A connection to a server, over any road. Clones share it.
#[derive(Clone)]
pub struct Road {
    connection: Connection,
    stall: Duration,
    /// Where the server's word on its other roads is kept, if it comes encrypted.
    #[cfg(feature = "http1")]
    memory: Option<(RoadMemory, Address)>,
}

#[derive(Clone)]
enum Connection {
    #[cfg(feature = "http3")]
    Http3(http3::client::Connection),
    #[cfg(feature = "http1")]
    Http1(tcp::http1::Connection),
    #[cfg(feature = "http1")]
    Http2(tcp::http2::Connection),
    #[cfg(feature = "websocket")]
    WebSocket(tcp::websocket::client::Connection),
    #[cfg(feature = "webtransport")]
    WebTransport(webtransport::client::Connection),
}

impl Road {
    /// Connects to the server of `address`.
    ///
    /// [`Transport::Auto`] tries HTTP/3, and after [`ConnectOptions::head_start`] HTTP/1.1 beside it; the first that
    /// answers is taken, and tried first the next time ([`ConnectOptions::memory`]). A server that answers over HTTP/3 with the wrong certificate ends the attempt. HTTP/1.1 is in TLS
    /// if the address says so; if not, and the caller has named the certificate or its authority, there is no falling
    /// back to it: it would prove nothing. Nor is there with [credentials](ConnectOptions::fields).
    /// # Errors
    /// [`RoadError`]
    pub async fn connect(address: &Address, options: &ConnectOptions) -> Result<Self, RoadError> {
        let transport = match options.transport {
            Transport::Auto => address.transport,
            chosen => chosen,
        };
        let connecting = async {
            match transport {
                Transport::Http3 => http3_road(address, options).await,
                Transport::Http1 => http1_road(address, options).await,
                Transport::Http2 => http2_road(address, options).await,
                Transport::WebSocket => websocket_road(address, options).await,
                Transport::WebTransport => webtransport_road(address, options).await,
                Transport::Auto => either_road(address, options).await,
            }
        };
        let connection = tokio::time::timeout(options.timeout, connecting).await;
        let connection = connection.map_err(|_| unreachable(address, "no answer".to_owned()))??;
        let road = Self {
            connection,
            stall: options.stall,
            #[cfg(feature = "http1")]
            memory: address.secure.then(|| (options.memory.clone(), address.clone())),
        };
        if transport == Transport::Auto {
            options.memory.note(address, road.transport());
        }
        Ok(road)
    }

    /// Sends one request; others may be under way.
    /// # Errors
    /// [`RoadError::Lost`] if no response head comes.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let stall = self.stall;
        match &self.connection {
            #[cfg(feature = "http3")]
            Connection::Http3(connection) => {
                let (head, body) = in_time(stall, connection.request(path_and_query)).await?;
                Ok((head, ResponseBody { body: Body::Http3(Box::new(body)), stall }))
            }
            #[cfg(feature = "http1")]
            Connection::Http1(connection) => {
                let (head, body) = in_time(stall, connection.request(path_and_query)).await?;
                if let Some((memory, address)) = &self.memory
                    && let Some(alternatives) = crate::jpip::wire::response::header(&head.headers, "Alt-Svc")
                {
                    memory.note_alternatives(address, alternatives);
                }
                Ok((head, ResponseBody { body: Body::Http1(body), stall }))
            }
            #[cfg(feature = "http1")]
            Connection::Http2(connection) => {
                let (head, body) = in_time(stall, connection.request(path_and_query)).await?;
                Ok((head, ResponseBody { body: Body::Http2(body), stall }))
            }
            #[cfg(feature = "websocket")]
            Connection::WebSocket(connection) => {
                let (head, body) = in_time(stall, connection.request(path_and_query)).await?;
                Ok((head, ResponseBody { body: Body::WebSocket(body), stall }))
            }
            #[cfg(feature = "webtransport")]
            Connection::WebTransport(connection) => {
                let (head, body) = in_time(stall, connection.request(path_and_query)).await?;
                Ok((head, ResponseBody { body: Body::WebTransport(Box::new(body)), stall }))
            }
        }
    }

    /// Which road it is; not [`Transport::Auto`].
    pub fn transport(&self) -> Transport {
        match &self.connection {
            #[cfg(feature = "http3")]
            Connection::Http3(_) => Transport::Http3,
            #[cfg(feature = "http1")]
            Connection::Http1(_) => Transport::Http1,
            #[cfg(feature = "http1")]
            Connection::Http2(_) => Transport::Http2,
            #[cfg(feature = "websocket")]
            Connection::WebSocket(_) => Transport::WebSocket,
            #[cfg(feature = "webtransport")]
            Connection::WebTransport(_) => Transport::WebTransport,
        }
    }

    /// Whether it is known to have ended. HTTP/1.1 connects anew by itself.
    pub fn is_closed(&self) -> bool {
        match &self.connection {
            #[cfg(feature = "http3")]
            Connection::Http3(connection) => connection.is_closed(),
            #[cfg(feature = "http1")]
            Connection::Http1(_) => false,
            #[cfg(feature = "http1")]
            Connection::Http2(connection) => connection.is_closed(),
            #[cfg(feature = "websocket")]
            Connection::WebSocket(connection) => connection.is_closed(),
            #[cfg(feature = "webtransport")]
            Connection::WebTransport(connection) => connection.is_closed(),
        }
    }

    /// Closes the connection, telling the server.
    pub async fn close(self) {
        match self.connection {
            #[cfg(feature = "http3")]
            Connection::Http3(connection) => connection.close().await,
            #[cfg(feature = "http1")]
            Connection::Http1(_) | Connection::Http2(_) => {}
            #[cfg(feature = "websocket")]
            Connection::WebSocket(connection) => connection.close().await,
            #[cfg(feature = "webtransport")]
            Connection::WebTransport(connection) => connection.close().await,
        }
    }
}

/// Body of a response. Dropping it before its end cancels the response.
pub struct ResponseBody {
    body: Body,
    stall: Duration,
}

enum Body {
    #[cfg(feature = "http3")]
    Http3(Box<http3::client::ResponseBody>),
    #[cfg(feature = "http1")]
    Http1(tcp::http1::ResponseBody),
    #[cfg(feature = "http1")]
    Http2(tcp::http2::ResponseBody),
    #[cfg(feature = "websocket")]
    WebSocket(tcp::websocket::client::ResponseBody),
    #[cfg(feature = "webtransport")]
    WebTransport(Box<webtransport::client::ResponseBody>),
}

impl ResponseBody {
    /// The next bytes, as they arrive; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the connection broke or stood still for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        match &mut self.body {
            #[cfg(feature = "http3")]
            Body::Http3(body) => in_time(self.stall, body.chunk()).await,
            #[cfg(feature = "http1")]
            Body::Http1(body) => in_time(self.stall, body.chunk()).await,
            #[cfg(feature = "http1")]
            Body::Http2(body) => in_time(self.stall, body.chunk()).await,
            #[cfg(feature = "websocket")]
            Body::WebSocket(body) => in_time(self.stall, body.chunk()).await,
            #[cfg(feature = "webtransport")]
            Body::WebTransport(body) => in_time(self.stall, body.chunk()).await,
        }
    }
}

async fn in_time<T>(
    stall: Duration,
    step: impl Future<Output = Result<T, RoadError>>,
) -> Result<T, RoadError> {
    let done = tokio::time::timeout(stall, step).await;
    done.unwrap_or_else(|_| Err(RoadError::Lost(format!("nothing came for {} s", stall.as_secs_f32()))))
}

fn unreachable(address: &Address, reason: String) -> RoadError {
    RoadError::Unreachable { address: address.authority(), reason }
}

async fn either_road(address: &Address, options: &ConnectOptions) -> Result<Connection, RoadError> {
    if cfg!(not(feature = "http3")) {
        return http1_road(address, options).await;
    }
    // What is not encrypted proves nothing.
    let may_fall_back = cfg!(feature = "http1")
        && (address.secure
            || (matches!(options.trust, Trust::WebPki | Trust::Insecure)
                && options.fields.may_go_in_clear()));
    if !may_fall_back {
        return http3_road(address, options).await;
    }
    if options.memory.worked(address) == Some(Transport::Http1) {
        // HTTP/3 did not answer the last time: it is not waited for, unless this road is gone, too.
        if let Ok(Ok(road)) = tokio::time::timeout(options.head_start, http1_road(address, options)).await {
            return Ok(road);
        }
    }
    let mut http3 = std::pin::pin!(http3_road(address, options));
    let failed = match tokio::time::timeout(options.head_start, http3.as_mut()).await {
        Ok(Ok(road)) => return Ok(road),
        Ok(Err(untrusted @ RoadError::Untrusted { .. })) => return Err(untrusted),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    tracing::debug!(server = address.authority(), "no HTTP/3 yet: trying HTTP/1.1");
    let mut http1 = std::pin::pin!(http1_road(address, options));
    if let Some(http3_error) = failed {
        return http1.await.map_err(|error| both(address, &http3_error, &error));
    }
    tokio::select! {
        biased;
        result = http3.as_mut() => match result {
            Ok(road) => Ok(road),
            Err(untrusted @ RoadError::Untrusted { .. }) => Err(untrusted),
            Err(error) => http1.await.map_err(|second| both(address, &error, &second)),
        },
        result = http1.as_mut() => match result {
            Ok(road) => Ok(road),
            Err(error) => http3.await.map_err(|first| match first {
                RoadError::Untrusted { .. } => first,
                first => both(address, &first, &error),
            }),
        },
    }
}

fn both(address: &Address, http3: &RoadError, http1: &RoadError) -> RoadError {
    unreachable(address, format!("over HTTP/3: {http3}; over HTTP/1.1: {http1}"))
}

#[cfg(feature = "http3")]
async fn http3_road(address: &Address, options: &ConnectOptions) -> Result<Connection, RoadError> {
    let port = options.memory.http3_port(address).unwrap_or(address.port);
    let addresses = look_up(address, port).await?;
    let authority = address.authority();
    let road = first_of(addresses, |at| {
        let (host, authority, trust) = (address.host.clone(), authority.clone(), options.trust.clone());
        async move { http3::client::Connection::connect(at, &host, &authority, &trust).await }
    });
    Ok(Connection::Http3(road.await?.with_fields(options.fields.clone())))
}

#[cfg(not(feature = "http3"))]
async fn http3_road(_: &Address, _: &ConnectOptions) -> Result<Connection, RoadError> {
    Err(RoadError::Address("this build has no HTTP/3".to_owned()))
}

#[cfg(feature = "http1")]
async fn http1_road(address: &Address, options: &ConnectOptions) -> Result<Connection, RoadError> {
    over_tcp(address, options, tcp::http1::Connection::connect).await.map(Connection::Http1)
}

#[cfg(feature = "http1")]
async fn http2_road(address: &Address, options: &ConnectOptions) -> Result<Connection, RoadError> {
    over_tcp(address, options, tcp::http2::Connection::connect).await.map(Connection::Http2)
}

/// Tries `connect` at each of the server's addresses, in TLS if the user's address says so.
#[cfg(feature = "http1")]
pub(crate) async fn over_tcp<T, F>(
    address: &Address,
    options: &ConnectOptions,
    connect: impl Fn(tcp::Opener) -> F + Copy + Send + 'static,
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
            true => tcp::Opener::secure(at, &address.host, &authority, &options.trust),
            false => Ok(tcp::Opener::plain(at, &authority)),
        };
        let server = server.and_then(|server| server.with_fields(options.fields.clone()));
        async move { connect(server?).await }
    };
    first_of(addresses, attempt).await
}

#[cfg(not(feature = "http1"))]
async fn http1_road(_: &Address, _: &ConnectOptions) -> Result<Connection, RoadError> {
    Err(RoadError::Address("this build has no HTTP/1.1".to_owned()))
}

#[cfg(not(feature = "http1"))]
async fn http2_road(_: &Address, _: &ConnectOptions) -> Result<Connection, RoadError> {
    Err(RoadError::Address("this build has no HTTP/2".to_owned()))
}

#[cfg(feature = "websocket")]
async fn websocket_road(address: &Address, options: &ConnectOptions) -> Result<Connection, RoadError> {
    over_tcp(address, options, tcp::websocket::client::Connection::connect).await.map(Connection::WebSocket)
}

#[cfg(not(feature = "websocket"))]
async fn websocket_road(_: &Address, _: &ConnectOptions) -> Result<Connection, RoadError> {
    Err(RoadError::Address("this build has no WebSocket".to_owned()))
}

#[cfg(feature = "webtransport")]
async fn webtransport_road(address: &Address, options: &ConnectOptions) -> Result<Connection, RoadError> {
    let addresses = look_up(address, address.port).await?;
    let authority = address.authority();
    let road = first_of(addresses, |at| {
        let (authority, trust, fields) = (authority.clone(), options.trust.clone(), options.fields.clone());
        async move { webtransport::client::Connection::connect(at, &authority, &trust, &fields).await }
    });
    road.await.map(Connection::WebTransport)
}

#[cfg(not(feature = "webtransport"))]
async fn webtransport_road(_: &Address, _: &ConnectOptions) -> Result<Connection, RoadError> {
    Err(RoadError::Address("this build has no WebTransport".to_owned()))
}

async fn look_up(address: &Address, port: u16) -> Result<Vec<SocketAddr>, RoadError> {
    let found = tokio::net::lookup_host((address.host.as_str(), port)).await;
    let found: Vec<_> = found.map_err(|error| unreachable(address, error.to_string()))?.collect();
    if found.is_empty() { Err(unreachable(address, "the name has no address".to_owned())) } else { Ok(found) }
}

/// Tries each address, a little after the one before it or when that has failed; the first to succeed wins, and the
/// others are given up. If none does, the first refusal for reasons of trust is told, else the last failure.
async fn first_of<T, F>(addresses: Vec<SocketAddr>, attempt: impl Fn(SocketAddr) -> F) -> Result<T, RoadError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, RoadError>> + Send + 'static,
{
    let mut addresses = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        let next = addresses.next();
        let more = next.is_some();
        if let Some(address) = next {
            attempts.spawn(attempt(address));
        }
        let outcome = if more {
            tokio::time::timeout(STAGGER, attempts.join_next()).await.unwrap_or(None)
        } else {
            match attempts.join_next().await {
                Some(outcome) => Some(outcome),
                None => break,
            }
        };
        match outcome {
            Some(Ok(Ok(won))) => return Ok(won),
            Some(Ok(Err(error))) if !matches!(failure, Some(RoadError::Untrusted { .. })) => {
                failure = Some(error)
            }
            _ => {}
        }
    }
    Err(failure.unwrap_or_else(|| RoadError::Lost("the attempt was given up".to_owned())))
}

/// Time between attempts at the addresses of one name.
const STAGGER: Duration = Duration::from_millis(100);
