//! Server of the TCP port: HTTP/1.1 and HTTP/2 (RFC 9113), in the clear or over TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Extensions;
use http::HeaderValue;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::header_case::exact_case;
use super::timed_io::{TimedIo, Turns};
use crate::road::wire::{self, Pump, RequestHead};
use crate::road::{Handler, Reply, Request, RoadLimits};

/// How the length of a response is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// `Transfer-Encoding: chunked`: data flows while it is chosen, and a new view-window pre-empts it.
    #[default]
    Chunked,
    /// `Content-Length`, for clients that know no chunks: the whole response is gathered before its first byte is sent.
    ContentLength,
}

/// A listening TCP port.
pub struct Server {
    listener: TcpListener,
    limits: RoadLimits,
    framing: Framing,
    tls: Option<TlsAcceptor>,
    alternative: Option<HeaderValue>,
}

impl Server {
    /// Listens on `address`; with `tls`, for TLS as well as in the clear.
    /// # Errors
    /// Whatever the system says against it.
    pub fn bind(
        address: SocketAddr,
        limits: RoadLimits,
        framing: Framing,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it. What the system has taken can no longer be pre-empted.
        socket.set_send_buffer_size(limits.send_window)?;
        socket.bind(address)?;
        Ok(Self {
            listener: socket.listen(1024)?,
            limits,
            framing,
            tls: tls.map(TlsAcceptor::from),
            alternative: None,
        })
    }

    /// Says in each response over TLS that HTTP/3 is to be had at UDP port `port` of this host (`Alt-Svc`, RFC 7838).
    #[must_use]
    pub fn with_alternative(self, port: u16) -> Self {
        Self { alternative: HeaderValue::from_str(&format!("h3=\":{port}\"; ma=86400")).ok(), ..self }
    }

    /// The address listened on, with the real port.
    /// # Errors
    /// Whatever the system says against it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves, and waits until `stop` becomes true, then lets responses finish for [`RoadLimits::grace`].
    pub async fn run(self, handler: Arc<dyn Handler>, mut stop: watch::Receiver<bool>) {
        let case = exact_case().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "header names will not have their exact case");
            Extensions::new()
        });
        let limits = Arc::new(self.limits);
        let free = Arc::new(Semaphore::new(limits.connections));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                () = wire::stopped(&mut stop) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    // Out of file handles, most likely: wait for some connection to end.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(permit) = free.clone().try_acquire_owned() else {
                tracing::warn!(%peer, "too many connections: refused");
                continue;
            };
            let context = ConnectionContext {
                handler: handler.clone(),
                limits: limits.clone(),
                framing: self.framing,
                case: case.clone(),
                turns: Turns::default(),
                peer: peer.ip(),
                alternative: None,
                #[cfg(feature = "websocket")]
                upgraded: Arc::default(),
            };
            let (tls, stop) = (self.tls.clone(), stop.clone());
            let alternative = self.alternative.clone();
            connections.spawn(async move {
                context.serve(stream, tls, alternative, stop).await;
                drop(permit);
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

/// What one connection needs to answer its requests.
#[derive(Clone)]
struct ConnectionContext {
    handler: Arc<dyn Handler>,
    limits: Arc<RoadLimits>,
    framing: Framing,
    case: Extensions,
    turns: Turns,
    peer: IpAddr,
    /// `Alt-Svc`.
    alternative: Option<HeaderValue>,
    /// What the connection became.
    #[cfg(feature = "websocket")]
    upgraded: Arc<std::sync::Mutex<Option<hyper::upgrade::OnUpgrade>>>,
}

impl ConnectionContext {
    /// Finds out from the first bytes what the connection is.
    async fn serve(
        mut self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        alternative: Option<HeaderValue>,
        mut stop: watch::Receiver<bool>,
    ) {
        let (peer, limits) = (self.peer, self.limits.clone());
        let _ = stream.set_nodelay(true);
        let mut first = [0; HTTP2_PREFACE.len()];
        let seen = tokio::select! {
            seen = tokio::time::timeout(limits.idle, stream.peek(&mut first)) => seen,
            () = wire::stopped(&mut stop) => return,
        };
        let Ok(Ok(mut seen @ 1..)) = seen else { return };
        // A preface in pieces looks like the beginning of a POST at first. Looking on takes nothing away.
        let late = tokio::time::Instant::now() + limits.header_time;
        while seen < first.len()
            && HTTP2_PREFACE.starts_with(&first[..seen])
            && tokio::time::Instant::now() < late
        {
            tokio::select! {
                () = tokio::time::sleep(PREFACE_PAUSE) => {}
                () = wire::stopped(&mut stop) => return,
            }
            let Ok(more) = stream.peek(&mut first).await else { return };
            seen = more;
        }
        // The time for a request's head begins here: a handshake is a part of it.
        let io = TimedIo::new(stream, self.turns.clone(), limits.header_time, limits.idle);
        match tls {
            Some(tls) if first[0] == TLS_HANDSHAKE => {
                let accepted = tokio::select! {
                    accepted = tls.accept(io) => accepted,
                    () = wire::stopped(&mut stop) => return,
                };
                // What is said in the clear may be anybody's word.
                self.alternative = alternative;
                match accepted {
                    Ok(io) if io.get_ref().1.alpn_protocol() == Some(b"h2") => self.http2(io, stop).await,
                    Ok(io) => self.http1(io, stop).await,
                    Err(error) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                }
            }
            _ if first[..seen] == *HTTP2_PREFACE => self.http2(io, stop).await,
            _ => self.http1(io, stop).await,
        }
    }

    /// Many requests at once. Each connection's streams, windows and resets are bounded.
    async fn http2<T>(mut self, io: T, mut stop: watch::Receiver<bool>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (peer, limits) = (self.peer, self.limits.clone());
        tracing::debug!(%peer, "HTTP/2 connection");
        self.turns = self.turns.overlapping();
        // HTTP/2 has no chunks, and its names are in lower case.
        self.framing = Framing::Chunked;
        self.case = Extensions::new();
        let service = hyper::service::service_fn(move |request| {
            let context = self.clone();
            async move { Ok::<_, std::convert::Infallible>(context.answer(request).await) }
        });
        let section = limits.field_section.saturating_add(limits.target);
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.bidirectional_streams)
            .initial_stream_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .max_header_list_size(u32::try_from(section).unwrap_or(u32::MAX))
            .max_send_buf_size(HTTP2_SEND_BUFFER)
            .max_pending_accept_reset_streams(MOST_RESETS)
            .max_local_error_reset_streams(MOST_RESETS);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = wire::stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(limits.grace, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "HTTP/2 connection failed");
        }
    }

    async fn http1<T>(self, io: T, mut stop: watch::Receiver<bool>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (peer, limits) = (self.peer, self.limits.clone());
        tracing::debug!(%peer, "HTTP/1.1 connection");
        #[cfg(feature = "websocket")]
        let (handler, upgraded, turns) = (self.handler.clone(), self.upgraded.clone(), self.turns.clone());
        let service = hyper::service::service_fn(move |request| {
            let context = self.clone();
            async move { Ok::<_, std::convert::Infallible>(context.answer(request).await) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle.saturating_add(limits.header_time))
            .max_buf_size((limits.target + limits.field_section).max(16 << 10))
            .preserve_header_case(true)
            .title_case_headers(true);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = wire::stopped(&mut stop) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(limits.grace, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "HTTP/1.1 connection failed");
        }
        #[cfg(feature = "websocket")]
        {
            let upgraded = upgraded.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(upgraded) = upgraded
                && let Ok(io) = upgraded.await
            {
                // No heads come any more: only standing still is timed.
                turns.next();
                crate::tcp::websocket::server::serve(TokioIo::new(io), handler, peer, &limits, stop).await;
            }
        }
    }

    /// The head that makes the connection a WebSocket, or says why not, if that is asked for.
    #[cfg(feature = "websocket")]
    fn upgrade(&self, request: &mut http::Request<Incoming>) -> Option<http::Response<PumpBody>> {
        let head = crate::tcp::websocket::server::accept(request.headers())?;
        let response = head.body(PumpBody::empty(self.turns.clone()));
        let response = response.expect("a status and valid fields make a response");
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            let mut upgraded = self.upgraded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *upgraded = Some(hyper::upgrade::on(request));
        }
        Some(response)
    }

    async fn answer(
        self,
        #[cfg_attr(not(feature = "websocket"), expect(unused_mut))] mut request: http::Request<Incoming>,
    ) -> http::Response<PumpBody> {
        self.turns.next();
        #[cfg(feature = "websocket")]
        if let Some(response) = self.upgrade(&mut request) {
            return response;
        }
        let head = RequestHead::new(&request);
        let mut reply = match head.early_reply(&self.limits) {
            Some(reply) => reply,
            None => match self.read_request(head, request.into_body()).await {
                Ok(request) => wire::ask(&self.handler, request).await,
                Err(reply) => reply,
            },
        };
        if self.framing == Framing::ContentLength && reply.body.exact_len().is_none() {
            reply = gather(reply).await;
        }
        let head = wire::response_head(&reply);
        let body = PumpBody { left: reply.body.exact_len(), pump: Pump::new(reply.body), turns: self.turns };
        let mut response = head.body(body).expect("a status and valid fields make a response");
        *response.extensions_mut() = self.case;
        if let Some(alternative) = self.alternative {
            response.headers_mut().insert(http::header::ALT_SVC, alternative);
        }
        response
    }

    async fn read_request(&self, head: RequestHead, body: Incoming) -> Result<Request, Reply> {
        let mut bytes = Vec::new();
        if head.wants_body() {
            let reading = read_body(body, self.limits.body);
            bytes = tokio::time::timeout(self.limits.body_time, reading)
                .await
                .map_err(|_| wire::too_slow())??;
        }
        head.into_request(self.peer, bytes)
    }
}

/// A preface that is not whole yet is looked at again after this time.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);

/// First byte of a TLS connection: the content type of a handshake record (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// How a connection begins whose client knows beforehand that HTTP/2 is spoken (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8; 14] = b"PRI * HTTP/2.0";

/// Bytes waiting in one HTTP/2 stream: what has been chosen can no longer be pre-empted.
const HTTP2_SEND_BUFFER: usize = 32 << 10;

/// Streams that a client may have reset before they were taken up, and that we reset; then its connection ends.
const MOST_RESETS: usize = 64;

async fn read_body(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Reply> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Reply::text(400, "the request body broke off\n"))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > limit {
            return Err(wire::too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn gather(mut reply: Reply) -> Reply {
    reply.body.will_be_gathered();
    let mut pump = Pump::new(reply.body);
    let mut bytes = Vec::new();
    loop {
        match pump.next().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Reply { body: Box::new(bytes), ..reply },
            Err(_) => return Reply::text(500, "internal error\n"),
        }
    }
}

/// A reply's body as hyper wants it.
struct PumpBody {
    pump: Pump,
    left: Option<u64>,
    turns: Turns,
}

#[cfg(feature = "websocket")]
impl PumpBody {
    fn empty(turns: Turns) -> Self {
        Self { left: Some(0), pump: Pump::new(Box::new(Vec::new())), turns }
    }
}

impl Body for PumpBody {
    type Data = Bytes;
    type Error = JoinError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, JoinError>>> {
        let next = std::task::ready!(self.pump.poll_next(context)).transpose();
        if let (Some(left), Some(Ok(chunk))) = (&mut self.left, &next) {
            *left = left.saturating_sub(chunk.len() as u64);
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl Drop for PumpBody {
    fn drop(&mut self) {
        self.turns.next();
    }
}
