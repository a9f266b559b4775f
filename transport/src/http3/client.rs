//! Client of the HTTP/3 road: one QUIC connection, each request on a stream of its own.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Method, header};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{IdleTimeout, VarInt};
use tokio::task::AbortHandle;

use super::{ALPN, H3_NO_ERROR, UNIDIRECTIONAL_STREAMS};
use crate::road::wire::{USER_AGENT, outgoing, text_fields};
use crate::road::{Answer, AnswerBody, BoxFuture, Connection, RequestFields, ResponseHead, RoadError, any};
use crate::tls::{Trust, client_config};

type SendRequest = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;
type Stream = h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// A connection to one server; clones share it. It is closed when the last clone is dropped.
#[derive(Clone)]
pub struct Http3Connection {
    requests: SendRequest,
    shared: Arc<Shared>,
    /// What goes with each request.
    fields: RequestFields,
}

struct Shared {
    endpoint: quinn::Endpoint,
    connection: quinn::Connection,
    driver: AbortHandle,
    /// The `https://host:port` before each target.
    origin: String,
}

impl Http3Connection {
    /// Connects to `address`, waits for that, and checks the server's certificate for `host` (a name, or an address without brackets).
    /// `authority` is the `host:port` that the user named.
    /// # Errors
    /// [`RoadError::Unreachable`] if nobody answers, [`RoadError::Untrusted`] if the wrong one does.
    pub async fn connect(
        address: SocketAddr,
        host: &str,
        authority: &str,
        trust: &Trust,
    ) -> Result<Self, RoadError> {
        let unreachable = |reason: String| RoadError::Unreachable { address: authority.to_owned(), reason };
        let config = quic_config(trust).map_err(RoadError::Address)?;
        let unspecified = match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let endpoint = quinn::Endpoint::client(SocketAddr::new(unspecified, 0));
        let endpoint = endpoint.map_err(|error| unreachable(error.to_string()))?;
        let connecting = endpoint.connect_with(config, address, host);
        let connecting = connecting.map_err(|error| RoadError::Address(format!("{host}: {error}")))?;
        let connection = connecting.await.map_err(|error| match &error {
            quinn::ConnectionError::TransportError(reason) if is_tls_alert(u64::from(reason.code)) => {
                RoadError::Untrusted { address: authority.to_owned(), reason: reason.reason.clone() }
            }
            quinn::ConnectionError::ConnectionClosed(reason)
                if is_tls_alert(u64::from(reason.error_code)) =>
            {
                RoadError::Untrusted { address: authority.to_owned(), reason: reason.to_string() }
            }
            _ => unreachable(error.to_string()),
        })?;
        let mut builder = h3::client::builder();
        let built =
            builder.max_field_section_size(16 << 10).build(h3_quinn::Connection::new(connection.clone()));
        let (mut driver, requests) = built.await.map_err(|error| unreachable(error.to_string()))?;
        let driver = tokio::spawn(async move {
            let error = poll_fn(|context| driver.poll_close(context)).await;
            tracing::debug!(%error, "HTTP/3 connection ended");
        });
        let driver = driver.abort_handle();
        let shared = Shared { endpoint, connection, driver, origin: format!("https://{authority}") };
        Ok(Self { requests, shared: Arc::new(shared), fields: RequestFields::default() })
    }

    /// Sends `fields` with each request.
    #[must_use]
    pub fn with_fields(self, fields: RequestFields) -> Self {
        Self { fields, ..self }
    }

    /// Sends one request, and waits for the head of its answer; others may be under way. Long targets go out as a POST.
    /// # Errors
    /// [`RoadError::Lost`] if the connection or the stream broke.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let (target, form) = outgoing(path_and_query);
        let mut request = http::Request::builder()
            .uri(format!("{}{target}", self.shared.origin))
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(form) = form {
            request = request
                .method(Method::POST)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::CONTENT_LENGTH, form.len());
        }
        let request = request.body(());
        let mut request =
            request.map_err(|error| RoadError::Address(format!("request target {target:?}: {error}")))?;
        self.fields.put_into(request.headers_mut());
        let mut stream = self.requests.clone().send_request(request).await.map_err(|error| lost(&error))?;
        // A server may refuse a body before it has read it. Then its response says more than the error here.
        let sent = match form {
            Some(form) => stream.send_data(Bytes::copy_from_slice(form.as_bytes())).await,
            None => Ok(()),
        };
        if sent.is_ok() {
            let _ = stream.finish().await;
        }
        let response = stream.recv_response().await.map_err(|error| lost(&error))?;
        let head =
            ResponseHead { status: response.status().as_u16(), headers: text_fields(response.headers()) };
        Ok((head, ResponseBody { stream, connection: self.clone() }))
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.connection.close_reason().is_some()
    }

    /// Closes the connection and waits, shortly, until the server has been told.
    pub async fn close(&self) {
        self.shared.connection.close(H3_NO_ERROR, b"");
        let _ = tokio::time::timeout(Duration::from_millis(500), self.shared.endpoint.wait_idle()).await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.connection.close(H3_NO_ERROR, b"");
        self.driver.abort();
    }
}

impl Connection for Http3Connection {
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

/// Body of a response. Dropping it before its end cancels the response.
pub struct ResponseBody {
    stream: Stream,
    /// Keeps the connection open while its response is read.
    connection: Http3Connection,
}

impl ResponseBody {
    /// Waits for the next bytes; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the stream broke before its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        let data = self.stream.recv_data().await.map_err(|error| {
            match self.connection.shared.connection.close_reason() {
                Some(reason) => RoadError::Lost(reason.to_string()),
                None => lost(&error),
            }
        })?;
        Ok(data.map(|mut data| data.copy_to_bytes(data.remaining())))
    }
}

impl AnswerBody for ResponseBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RoadError>> {
        Box::pin(self.chunk())
    }
}

fn quic_config(trust: &Trust) -> Result<quinn::ClientConfig, String> {
    let tls = client_config(trust, &[ALPN]).map_err(|error| error.to_string())?;
    let crypto = QuicClientConfig::try_from(tls).map_err(|error| error.to_string())?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

/// QUIC as the clients of both of its roads want it.
pub(crate) fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(UNIDIRECTIONAL_STREAMS)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(4 * STREAM_WINDOW))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(IDLE)));
    transport
}

/// QUIC carries TLS alerts as the codes 0x100 to 0x1ff (RFC 9001 section 4.8).
fn is_tls_alert(code: u64) -> bool {
    (0x100..0x200).contains(&code)
}

fn lost(error: &h3::error::StreamError) -> RoadError {
    RoadError::Lost(error.to_string())
}

/// Bytes of a response that may wait here unread. They cannot be pre-empted any more.
const STREAM_WINDOW: u32 = 512 << 10;
const KEEP_ALIVE: Duration = Duration::from_secs(8);
/// Longest silence of a connection, in milliseconds.
const IDLE: VarInt = VarInt::from_u32(30_000);
