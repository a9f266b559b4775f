//! Client of the HTTP/1.1 road: a small pool of kept-alive connections to one server.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::opener::Opener;
use crate::road::wire::{USER_AGENT, outgoing, text_fields};
use crate::road::{Answer, AnswerBody, BoxFuture, Connection, RequestFields, ResponseHead, RoadError, any};

type Sender = SendRequest<Full<Bytes>>;

/// One server, with as many connections as there were requests at once. A request takes the idle one that was used
/// last: those that have not been used for long are the first that a server closes.
#[derive(Debug, Clone)]
pub struct Http1Connections {
    server: Arc<Opener>,
    idle: Idle,
}

/// Connections that carry nothing at the moment, the one used last at the end.
#[derive(Debug, Clone, Default)]
struct Idle(Arc<Mutex<Vec<Sender>>>);

impl Idle {
    fn put(&self, sender: Sender) {
        if !sender.is_closed() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
    }

    /// One that can take a request. Waits if hyper's task has yet to see that the handshake or the last response is
    /// over, which takes no round trip.
    async fn take(&self) -> Option<Sender> {
        loop {
            let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let mut waiting = GettingReady { sender: Some(last), idle: self };
            if let Some(sender) = &mut waiting.sender
                && sender.ready().await.is_ok()
            {
                return waiting.sender.take();
            }
        }
    }
}

/// A connection that gets ready. It stays, if nobody waits for it any more.
struct GettingReady<'a> {
    sender: Option<Sender>,
    idle: &'a Idle,
}

impl Drop for GettingReady<'_> {
    fn drop(&mut self) {
        self.sender.take().into_iter().for_each(|sender| self.idle.put(sender));
    }
}

impl Http1Connections {
    /// Connects to a server, and waits for that.
    /// # Errors
    /// [`RoadError::Unreachable`], [`RoadError::Untrusted`]
    pub async fn connect(server: Opener) -> Result<Self, RoadError> {
        let first = open(&server).await?;
        let idle = Idle::default();
        idle.put(first);
        Ok(Self { server: Arc::new(server), idle })
    }

    /// Sends one request, and waits for the head of its answer. Long targets go out as a POST.
    /// # Errors
    /// [`RoadError::Unreachable`] if no connection could be had, [`RoadError::Lost`] if it broke.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        self.request_with(path_and_query, &HeaderMap::new()).await
    }

    /// As [`request`](Self::request), with more header fields.
    /// # Errors
    /// As for [`request`](Self::request).
    pub async fn request_with(
        &self,
        path_and_query: &str,
        fields: &HeaderMap,
    ) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let (authority, own) = (self.server.authority(), self.server.fields());
        let mut request = build(authority, own, path_and_query, fields)?;
        while let Some(mut sender) = self.idle.take().await {
            // A GET may be asked twice (RFC 9110 section 9.2.2).
            let again = (request.method() == Method::GET).then(|| request.clone());
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.received(sender, response)),
                // The server had closed the kept connection, or did so before it read this: another one will do.
                Err(mut error) => match (error.take_message(), again) {
                    (Some(unsent), _) => request = unsent,
                    (None, Some(again)) if !error.error().is_parse() => request = again,
                    (None, _) => return Err(lost(&error.into_error())),
                },
            }
        }
        let mut sender = open(&self.server).await?;
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        Ok(self.received(sender, response))
    }

    fn received(&self, sender: Sender, response: http::Response<Incoming>) -> (ResponseHead, ResponseBody) {
        let (parts, body) = response.into_parts();
        let head = ResponseHead { status: parts.status.as_u16(), headers: text_fields(&parts.headers) };
        (head, ResponseBody { body, sender: Some(sender), idle: self.idle.clone() })
    }
}

impl Connection for Http1Connections {
    fn request<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Answer, RoadError>> {
        Box::pin(any(self.request(path_and_query)))
    }
}

/// Body of a response. Dropping it before its end closes that connection, which cancels the response; if all bytes of
/// the `Content-Length` were read, that is its end.
#[derive(Debug)]
pub struct ResponseBody {
    body: Incoming,
    sender: Option<Sender>,
    idle: Idle,
}

impl ResponseBody {
    /// Waits for the next bytes; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the connection broke before the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| lost(&error))?.into_data() {
                return Ok(Some(data));
            }
        }
        self.give_back();
        Ok(None)
    }

    /// Lets the next request have the connection.
    fn give_back(&mut self) {
        self.sender.take().into_iter().for_each(|sender| self.idle.put(sender));
    }
}

impl AnswerBody for ResponseBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RoadError>> {
        Box::pin(self.chunk())
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}

async fn open(server: &Opener) -> Result<Sender, RoadError> {
    let stream = server.open().await?;
    let handshake = Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| RoadError::Unreachable {
        address: server.authority().to_owned(),
        reason: error.to_string(),
    })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "HTTP/1.1 connection ended");
        }
    });
    Ok(sender)
}

/// A request for `authority` with the user's fields and `fields`.
pub(super) fn build(
    authority: &str,
    own: &RequestFields,
    path_and_query: &str,
    fields: &HeaderMap,
) -> Result<http::Request<Full<Bytes>>, RoadError> {
    let (target, form) = outgoing(path_and_query);
    let mut request = http::Request::builder()
        .uri(target)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, USER_AGENT);
    if form.is_some() {
        request =
            request.method(Method::POST).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let body = Full::new(Bytes::copy_from_slice(form.unwrap_or_default().as_bytes()));
    let request = request.body(body);
    let mut request =
        request.map_err(|error| RoadError::Address(format!("request target {target:?}: {error}")))?;
    own.put_into(request.headers_mut());
    request.headers_mut().extend(fields.clone());
    Ok(request)
}

pub(super) fn lost(error: &hyper::Error) -> RoadError {
    RoadError::Lost(error.to_string())
}
