//! Client of HTTP/2 (RFC 9113): one connection that carries all requests.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::http1::{build, lost};
use super::opener::Opener;
use crate::road::wire::text_fields;
use crate::road::{Answer, AnswerBody, BoxFuture, Connection, RequestFields, ResponseHead, RoadError, any};

/// A connection to one server; clones share it. In TLS the server must choose HTTP/2, in the clear it must know it.
#[derive(Debug, Clone)]
pub struct Http2Connection {
    sender: SendRequest<Full<Bytes>>,
    /// `scheme://host:port` before each target.
    origin: String,
    authority: String,
    fields: RequestFields,
}

impl Http2Connection {
    /// Connects to a server, and waits for that.
    /// # Errors
    /// [`RoadError::Unreachable`], also if the server has no HTTP/2; [`RoadError::Untrusted`]
    pub async fn connect(server: Opener) -> Result<Self, RoadError> {
        let server = server.for_http2();
        let unreachable =
            |reason: String| RoadError::Unreachable { address: server.authority().to_owned(), reason };
        let stream = server.open().await?;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(4 * STREAM_WINDOW);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| unreachable(error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP/2 connection ended");
            }
        });
        let origin = format!("{}://{}", server.http_scheme(), server.authority());
        Ok(Self { sender, origin, authority: server.authority().to_owned(), fields: server.fields().clone() })
    }

    /// Sends one request, and waits for the head of its answer; others may be under way. Long targets go out as a POST.
    /// # Errors
    /// [`RoadError::Lost`] if the connection or the stream broke.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let mut request = build(&self.authority, &self.fields, path_and_query, &http::HeaderMap::new())?;
        // It names the host by itself.
        request.headers_mut().remove(http::header::HOST);
        let target = format!("{}{}", self.origin, request.uri());
        *request.uri_mut() = target
            .parse()
            .map_err(|error| RoadError::Address(format!("request target {target:?}: {error}")))?;
        let mut sender = self.sender.clone();
        sender.ready().await.map_err(|error| lost(&error))?;
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        let (parts, body) = response.into_parts();
        let head = ResponseHead { status: parts.status.as_u16(), headers: text_fields(&parts.headers) };
        Ok((head, ResponseBody { body, _connection: self.clone() }))
    }

    /// Whether it is known to have ended.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Connection for Http2Connection {
    fn request<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Answer, RoadError>> {
        Box::pin(any(self.request(path_and_query)))
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}

/// Body of a response. Dropping it before its end resets its stream, which cancels the response.
#[derive(Debug)]
pub struct ResponseBody {
    body: Incoming,
    /// Keeps the connection open while its response is read.
    _connection: Http2Connection,
}

impl ResponseBody {
    /// Waits for the next bytes; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the stream broke before its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| lost(&error))?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

impl AnswerBody for ResponseBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RoadError>> {
        Box::pin(self.chunk())
    }
}

/// Bytes of a response that may wait here unread. They cannot be pre-empted any more.
const STREAM_WINDOW: u32 = 512 << 10;
