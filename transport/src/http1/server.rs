//! Server of the HTTP/1.1 road.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Extensions;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

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

/// A listening HTTP/1.1 road.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: RoadLimits,
    framing: Framing,
}

impl Server {
    /// Listens on `address`.
    /// # Errors
    /// Whatever the system says against it.
    pub fn bind(address: SocketAddr, limits: RoadLimits, framing: Framing) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it. What the system has taken can no longer be pre-empted.
        socket.set_send_buffer_size(limits.send_window)?;
        socket.bind(address)?;
        Ok(Self { listener: socket.listen(1024)?, limits, framing })
    }

    /// The address listened on, with the real port.
    /// # Errors
    /// Whatever the system says against it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` becomes true, then lets responses finish for [`RoadLimits::grace`].
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
            let site = Site {
                handler: handler.clone(),
                limits: limits.clone(),
                framing: self.framing,
                case: case.clone(),
                turns: Turns::default(),
                peer: peer.ip(),
                #[cfg(feature = "websocket")]
                upgraded: Arc::default(),
            };
            let stop = stop.clone();
            connections.spawn(async move {
                site.serve(stream, stop).await;
                drop(permit);
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

/// What one connection needs to answer its requests.
#[derive(Clone)]
struct Site {
    handler: Arc<dyn Handler>,
    limits: Arc<RoadLimits>,
    framing: Framing,
    case: Extensions,
    turns: Turns,
    peer: IpAddr,
    /// What the connection became.
    #[cfg(feature = "websocket")]
    upgraded: Arc<std::sync::Mutex<Option<hyper::upgrade::OnUpgrade>>>,
}

impl Site {
    async fn serve(self, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let (peer, limits) = (self.peer, self.limits.clone());
        tracing::debug!(%peer, "HTTP/1.1 connection");
        let _ = stream.set_nodelay(true);
        let io = TimedIo::new(stream, self.turns.clone(), limits.header_time, limits.idle);
        #[cfg(feature = "websocket")]
        let (handler, upgraded, turns) = (self.handler.clone(), self.upgraded.clone(), self.turns.clone());
        let service = hyper::service::service_fn(move |request| {
            let site = self.clone();
            async move { Ok::<_, std::convert::Infallible>(site.answer(request).await) }
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
                crate::websocket::server::serve(TokioIo::new(io), handler, peer, &limits, stop).await;
            }
        }
    }

    /// The head that makes the connection a WebSocket, or says why not, if that is asked for.
    #[cfg(feature = "websocket")]
    fn upgrade(&self, request: &mut http::Request<Incoming>) -> Option<http::Response<PumpBody>> {
        let head = crate::websocket::server::accept(request.headers())?;
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
