//! Server of the HTTP/3 road.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::error::StreamError;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{IdleTimeout, VarInt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bounded::{Bounded, BoundedConnection};
use super::{ALPN, H3_NO_ERROR, UNIDIRECTIONAL_STREAMS};
use crate::road::wire::{self, Pump, RequestHead};
use crate::road::{Handler, Reply, Request, RoadLimits};
use crate::tls::LiveIdentity;
#[cfg(feature = "webtransport")]
use crate::webtransport::server::{self as webtransport, Answerer, MOST_SESSIONS, Received, Sessions};

type H3Connection = h3::server::Connection<BoundedConnection, Bytes>;
type Resolver = h3::server::RequestResolver<BoundedConnection, Bytes>;
type Stream = h3::server::RequestStream<Bounded<h3_quinn::BidiStream<Bytes>>, Bytes>;

/// A listening HTTP/3 road.
#[derive(Debug)]
pub struct Server {
    endpoint: quinn::Endpoint,
    limits: RoadLimits,
}

impl Server {
    /// Listens on `address` (UDP). Must be called within a tokio runtime.
    /// # Errors
    /// Whatever the system says against the address, and certificates that do not fit their key.
    pub fn bind(address: SocketAddr, identity: &Arc<LiveIdentity>, limits: RoadLimits) -> io::Result<Self> {
        let tls = identity.server_config(&[ALPN]).map_err(io::Error::other)?;
        let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport(&limits)?));
        Ok(Self { endpoint: quinn::Endpoint::server(config, address)?, limits })
    }

    /// The address listened on, with the real port.
    /// # Errors
    /// Whatever the system says against it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Serves, and waits until `stop` becomes true, then lets responses finish for [`RoadLimits::grace`].
    pub async fn run(self, handler: Arc<dyn Handler>, mut stop: watch::Receiver<bool>) {
        let limits = Arc::new(self.limits);
        let mut connections = JoinSet::new();
        loop {
            let incoming = tokio::select! {
                incoming = self.endpoint.accept() => incoming,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                () = wire::stopped(&mut stop) => break,
            };
            let Some(incoming) = incoming else { break };
            if self.endpoint.open_connections() >= limits.connections {
                tracing::warn!(peer = %incoming.remote_address(), "too many connections: refused");
                incoming.refuse();
            } else if self.endpoint.open_connections() >= limits.connections / 2
                && !incoming.remote_address_validated()
            {
                // Under load a client proves its address before it gets a connection's worth of memory.
                let _ = incoming.retry();
            } else {
                let context = ConnectionContext {
                    handler: handler.clone(),
                    limits: limits.clone(),
                    #[cfg(feature = "webtransport")]
                    sessions: Arc::new(Sessions::new()),
                };
                connections.spawn(context.serve(incoming, stop.clone()));
            }
        }
        self.endpoint.set_server_config(None);
        while connections.join_next().await.is_some() {}
        self.endpoint.close(H3_NO_ERROR, b"");
        let _ = tokio::time::timeout(LAST_PACKETS, self.endpoint.wait_idle()).await;
    }
}

fn transport(limits: &RoadLimits) -> io::Result<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.bidirectional_streams))
        .max_concurrent_uni_streams(UNIDIRECTIONAL_STREAMS)
        .stream_receive_window(VarInt::from_u32(limits.stream_window))
        .receive_window(VarInt::from_u32(limits.connection_window))
        .send_window(limits.send_window.into())
        .datagram_receive_buffer_size(DATAGRAM_BYTES)
        .max_idle_timeout(Some(IdleTimeout::try_from(limits.idle).map_err(io::Error::other)?));
    Ok(transport)
}

/// What one connection needs to answer its requests.
#[derive(Clone)]
struct ConnectionContext {
    handler: Arc<dyn Handler>,
    limits: Arc<RoadLimits>,
    #[cfg(feature = "webtransport")]
    sessions: Arc<Sessions>,
}

impl ConnectionContext {
    async fn serve(self, incoming: quinn::Incoming, stop: watch::Receiver<bool>) {
        let peer = incoming.remote_address();
        let handshake = async {
            let connection = incoming.await.map_err(|error| error.to_string())?;
            let request_bytes = (2 * self.limits.field_section + self.limits.body) as u64 + FRAME_OVERHEAD;
            let bounded = BoundedConnection::new(connection.clone(), request_bytes);
            let mut builder = h3::server::builder();
            builder.max_field_section_size(self.limits.field_section as u64);
            #[cfg(feature = "webtransport")]
            builder
                .enable_webtransport(true)
                .enable_extended_connect(true)
                .enable_datagram(true)
                .max_webtransport_sessions(MOST_SESSIONS);
            let requests = builder.build(bounded).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((connection, requests))
        };
        match tokio::time::timeout(self.limits.header_time, handshake).await {
            Ok(Ok((quic, requests))) => {
                tracing::debug!(%peer, "HTTP/3 connection");
                self.serve_requests(quic, requests, peer.ip(), stop).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "HTTP/3 handshake failed"),
            Err(_) => tracing::debug!(%peer, "HTTP/3 handshake took too long"),
        }
    }

    async fn serve_requests(
        self,
        quic: quinn::Connection,
        mut connection: H3Connection,
        peer: IpAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut requests = JoinSet::new();
        let (abandon, abandoned) = watch::channel(false);
        loop {
            let accepted = tokio::select! {
                accepted = connection.accept() => accepted,
                Some(_) = requests.join_next(), if !requests.is_empty() => continue,
                () = wire::stopped(&mut stop) => {
                    return finish(&quic, &mut connection, &mut requests, &abandon, self.limits.grace).await;
                }
            };
            match accepted {
                Ok(Some(resolver)) => {
                    drop(requests.spawn(self.clone().answer(resolver, peer, stop.clone(), abandoned.clone())))
                }
                Ok(None) => break,
                Err(error) => {
                    if !error.is_h3_no_error() {
                        tracing::debug!(%peer, %error, "HTTP/3 connection ended");
                    }
                    break;
                }
            }
        }
    }

    #[cfg(feature = "webtransport")]
    async fn answer(
        self,
        resolver: Resolver,
        peer: IpAddr,
        stop: watch::Receiver<bool>,
        abandoned: watch::Receiver<bool>,
    ) {
        match tokio::time::timeout(self.limits.header_time, webtransport::receive(resolver)).await {
            Ok(Ok(Received::Stream(session, stream))) => {
                let answerer = Answerer { handler: &self.handler, limits: &self.limits, peer };
                answerer.answer(&self.sessions, session, stream, abandoned).await;
            }
            Ok(Ok(Received::Request(request))) => {
                let (request, stream) = *request;
                if !webtransport::asks_for_session(&request) {
                    return self.answer_request(request, stream, peer, abandoned).await;
                }
                tracing::debug!(%peer, "WebTransport session");
                if let Err(error) = webtransport::hold_session(&self.sessions, stream, stop, abandoned).await
                {
                    tracing::debug!(%peer, %error, "WebTransport session broken off");
                }
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no request"),
            Err(_) => tracing::debug!(%peer, "the request's head took too long"),
        }
    }

    #[cfg(not(feature = "webtransport"))]
    async fn answer(
        self,
        resolver: Resolver,
        peer: IpAddr,
        _stop: watch::Receiver<bool>,
        abandoned: watch::Receiver<bool>,
    ) {
        match tokio::time::timeout(self.limits.header_time, resolver.resolve_request()).await {
            Ok(Ok((request, stream))) => self.answer_request(request, stream, peer, abandoned).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no request"),
            Err(_) => tracing::debug!(%peer, "the request's head took too long"),
        }
    }

    async fn answer_request(
        self,
        request: http::Request<()>,
        mut stream: Stream,
        peer: IpAddr,
        mut abandoned: watch::Receiver<bool>,
    ) {
        let head = RequestHead::new(&request);
        let only_head = request.method() == http::Method::HEAD;
        let reply = match head.early_reply(&self.limits) {
            Some(reply) => reply,
            None => match self.read_request(head, &mut stream, peer).await {
                Ok(Ok(request)) => wire::ask(&self.handler, request).await,
                Ok(Err(reply)) => reply,
                Err(error) => return tracing::debug!(%peer, %error, "request broken off"),
            },
        };
        let sent = tokio::select! {
            sent = self.send(reply, only_head, &mut stream) => sent,
            () = wire::stopped(&mut abandoned) => Err("the server stops".to_owned()),
        };
        if let Err(error) = sent {
            tracing::debug!(%peer, %error, "response broken off");
            // Without this, dropping the stream would end the response as if it were whole.
            stream.stop_stream(Code::H3_INTERNAL_ERROR);
        }
    }

    async fn read_request(
        &self,
        head: RequestHead,
        stream: &mut Stream,
        peer: IpAddr,
    ) -> Result<Result<Request, Reply>, StreamError> {
        let mut bytes = Vec::new();
        if head.wants_body() {
            let reading = async {
                while let Some(mut data) = stream.recv_data().await? {
                    if bytes.len() + data.remaining() > self.limits.body {
                        return Ok(Err(wire::too_large()));
                    }
                    while data.has_remaining() {
                        bytes.extend_from_slice(data.chunk());
                        data.advance(data.chunk().len());
                    }
                }
                Ok(Ok(()))
            };
            match tokio::time::timeout(self.limits.body_time, reading).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(reply))) => return Ok(Err(reply)),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(Err(wire::too_slow())),
            }
        }
        Ok(head.into_request(peer, bytes))
    }

    async fn send(&self, reply: Reply, only_head: bool, stream: &mut Stream) -> Result<(), String> {
        let head = wire::response_head(&reply).body(()).expect("a status and valid fields make a response");
        let mut pump = Pump::new(reply.body);
        self.in_time(stream.send_response(head)).await?;
        while !only_head && let Some(chunk) = pump.next().await.map_err(|error| error.to_string())? {
            // Returns when QUIC has taken the chunk: only then is the next one chosen.
            self.in_time(stream.send_data(chunk)).await?;
        }
        self.in_time(stream.finish()).await
    }

    /// Waits for one step of sending, but not for ever: a client that reads nothing holds no response open.
    async fn in_time(&self, step: impl Future<Output = Result<(), StreamError>>) -> Result<(), String> {
        match tokio::time::timeout(self.limits.idle, step).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("the client reads nothing".to_owned()),
        }
    }
}

/// Refuses new requests, lets the running ones finish for `grace`, breaks off the others, and waits for the last bytes
/// to arrive.
async fn finish(
    quic: &quinn::Connection,
    connection: &mut H3Connection,
    requests: &mut JoinSet<()>,
    abandon: &watch::Sender<bool>,
    grace: Duration,
) {
    let _ = connection.shutdown(0).await;
    // h3 takes care of its control streams only while it is asked for requests.
    let refuse = async {
        while let Ok(Some(_)) = connection.accept().await {}
        std::future::pending::<()>().await;
    };
    let rest = async {
        let _ = tokio::time::timeout(grace, async { while requests.join_next().await.is_some() {} }).await;
        let _ = abandon.send(true);
        let _ = tokio::time::timeout(LINGER, async { while requests.join_next().await.is_some() {} }).await;
        // Closing discards what is not acknowledged yet, and h3 does not tell when that is. What is more, quinn-proto
        // 0.11.19 never tells the peer of a close while the congestion window is full.
        let linger = LINGER + quic.rtt().saturating_mul(4);
        let _ = tokio::time::timeout(linger, quic.closed()).await;
    };
    tokio::select! {
        () = refuse => {}
        () = rest => {}
    }
}

/// WebTransport takes it that there are datagrams. Nobody reads them: later ones replace earlier ones.
const DATAGRAM_BYTES: Option<usize> = if cfg!(feature = "webtransport") { Some(4 << 10) } else { None };
/// Room for frame headers, unknown frames and a header section before its decompression.
const FRAME_OVERHEAD: u64 = 64 << 10;
/// Least time for the last bytes of responses to arrive before the connection is closed.
const LINGER: Duration = Duration::from_millis(100);
/// How long the last packets, which tell clients that the server has gone, may take.
const LAST_PACKETS: Duration = Duration::from_millis(500);
