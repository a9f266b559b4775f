//! Client of the WebTransport road: one session for all requests to a server.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use wtransport::config::{DnsLookupFuture, DnsResolver};
use wtransport::endpoint::endpoint_side::Client;
use wtransport::endpoint::{ConnectOptions, ConnectRequestBuilder};
use wtransport::error::{ConnectingError, ConnectionError};
use wtransport::{ClientConfig, Endpoint, RecvStream, VarInt};

use super::{END_OF_HEAD, parse_head};
use crate::http3;
use crate::road::wire::USER_AGENT;
use crate::road::{Answer, AnswerBody, BoxFuture, Connection, RequestFields, ResponseHead, RoadError, any};
use crate::tls::{Trust, client_config};

/// Longest head of an answer.
const MOST_HEAD: usize = 64 << 10;
const DATAGRAM_BYTES: usize = 4 << 10;
/// Bytes read at a time.
const PIECE: usize = 32 << 10;

/// A session with one server; clones share it. It is closed when the last clone is dropped.
#[derive(Clone)]
pub struct WebTransportConnection {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint<Client>,
    session: wtransport::Connection,
    /// A stream was refused before its answer began: the session is over, though its connection may live on.
    over: AtomicBool,
}

impl fmt::Debug for WebTransportConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.shared.session.remote_address();
        formatter.debug_struct("Connection").field("peer", &peer).finish_non_exhaustive()
    }
}

impl WebTransportConnection {
    /// Connects to `address`, waits for that, and checks the server's certificate for the host in `authority`, the `host:port` that the
    /// user named. `fields` go with the request for the session.
    /// # Errors
    /// [`RoadError::Unreachable`] if nobody answers, or nobody who knows WebTransport; [`RoadError::Untrusted`] if the
    /// wrong one does.
    pub async fn connect(
        address: SocketAddr,
        authority: &str,
        trust: &Trust,
        fields: &RequestFields,
    ) -> Result<Self, RoadError> {
        let unreachable = |reason: String| RoadError::Unreachable { address: authority.to_owned(), reason };
        let tls = client_config(trust, &[wtransport::tls::WEBTRANSPORT_ALPN]);
        let tls = tls.map_err(|error| RoadError::Address(error.to_string()))?;
        let unspecified = match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let mut quic = http3::client::transport();
        // WebTransport takes it that there are datagrams; none is read.
        quic.datagram_receive_buffer_size(Some(DATAGRAM_BYTES));
        let config = ClientConfig::builder()
            .with_bind_address(SocketAddr::new(unspecified, 0))
            .with_custom_tls_and_transport(tls, quic)
            .dns_resolver(Known(address))
            .build();
        let endpoint = Endpoint::client(config).map_err(|error| unreachable(error.to_string()))?;
        let options = ConnectOptions::builder(format!("https://{authority}/jpip"));
        let options = options.add_header("user-agent", USER_AGENT);
        let add = |options: ConnectRequestBuilder, (name, value)| options.add_header(name, value);
        let options = fields.as_text().fold(options, add).build();
        let session = endpoint.connect(options).await.map_err(|error| match &error {
            ConnectingError::ConnectionError(refused) if is_tls_alert(refused) => {
                RoadError::Untrusted { address: authority.to_owned(), reason: error.to_string() }
            }
            ConnectingError::InvalidUrl(_) | ConnectingError::InvalidServerName(_) => {
                RoadError::Address(error.to_string())
            }
            _ => unreachable(error.to_string()),
        })?;
        Ok(Self { shared: Arc::new(Shared { endpoint, session, over: AtomicBool::new(false) }) })
    }

    /// Sends one request, and waits for the head of its answer; others may be under way.
    /// # Errors
    /// [`RoadError::Lost`] if the session or the stream broke.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let answered = self.ask(path_and_query).await;
        if answered.is_err() {
            self.shared.over.store(true, Ordering::Relaxed);
        }
        answered
    }

    async fn ask(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let opening = self.shared.session.open_bi().await.map_err(|error| lost(&error))?;
        let (mut request, mut answer) = opening.await.map_err(|error| lost(&error))?;
        // A server may refuse a request before it has read it. Then its answer says more than the error here.
        if request.write_all(path_and_query.as_bytes()).await.is_ok() {
            let _ = request.quic_stream_mut().finish();
        }
        let mut text = Vec::new();
        loop {
            if let Some(at) = text.windows(END_OF_HEAD.len()).position(|end| end == END_OF_HEAD) {
                let head = text.get(..at).and_then(parse_head);
                let head = head.ok_or_else(|| RoadError::Lost("the answer has no proper head".to_owned()))?;
                let waiting = Bytes::from(text.split_off(at + END_OF_HEAD.len()));
                return Ok((head, ResponseBody { answer, waiting, _connection: self.clone() }));
            }
            if text.len() > MOST_HEAD {
                return Err(RoadError::Lost("the answer's head does not end".to_owned()));
            }
            match read(&mut answer).await? {
                Some(piece) => text.extend_from_slice(&piece),
                None => return Err(RoadError::Lost("the answer ends within its head".to_owned())),
            }
        }
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        let over = self.shared.over.load(Ordering::Relaxed);
        over || self.shared.session.quic_connection().close_reason().is_some()
    }

    /// Closes the session and waits, shortly, until the server has been told.
    pub async fn close(&self) {
        self.shared.session.close(VarInt::from_u32(0), b"");
        let _ = tokio::time::timeout(Duration::from_millis(500), self.shared.endpoint.wait_idle()).await;
    }
}

impl Connection for WebTransportConnection {
    fn request<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Answer, RoadError>> {
        Box::pin(any(self.request(path_and_query)))
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }
}

/// Body of an answer. Dropping it before its end cancels the answer.
#[derive(Debug)]
pub struct ResponseBody {
    answer: RecvStream,
    /// What came with the head.
    waiting: Bytes,
    /// Keeps the session open while its answer is read.
    _connection: WebTransportConnection,
}

impl ResponseBody {
    /// Waits for the next bytes; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the body or the session broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        if !self.waiting.is_empty() {
            return Ok(Some(std::mem::take(&mut self.waiting)));
        }
        read(&mut self.answer).await
    }
}

impl AnswerBody for ResponseBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RoadError>> {
        Box::pin(self.chunk())
    }
}

/// Tells every name the one address that was chosen.
#[derive(Debug)]
struct Known(SocketAddr);

impl DnsResolver for Known {
    fn resolve(&self, _: &str) -> Pin<Box<dyn DnsLookupFuture>> {
        Box::pin(std::future::ready(Ok(Some(self.0))))
    }
}

async fn read(answer: &mut RecvStream) -> Result<Option<Bytes>, RoadError> {
    let mut piece = vec![0; PIECE];
    let length = answer.read(&mut piece).await.map_err(|error| lost(&error))?;
    Ok(length.map(|length| {
        piece.truncate(length);
        Bytes::from(piece)
    }))
}

/// Whether the server's certificate was refused. wtransport tells the code only in its text.
fn is_tls_alert(error: &ConnectionError) -> bool {
    let ConnectionError::QuicProto(error) = error else { return false };
    let text = error.to_string();
    let code = text.rsplit_once("(code: ").and_then(|(_, code)| code.trim_end_matches(')').parse().ok());
    // QUIC carries TLS alerts as the codes 0x100 to 0x1ff (RFC 9001 section 4.8).
    code.is_some_and(|code: u64| (0x100..0x200).contains(&code))
}

fn lost(error: &impl fmt::Display) -> RoadError {
    RoadError::Lost(error.to_string())
}
