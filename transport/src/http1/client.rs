//! Client of the HTTP/1.1 road: a small pool of kept-alive connections to one server.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::stream::Opener;
use crate::road::wire::{USER_AGENT, outgoing, text_fields};
use crate::road::{RequestFields, ResponseHead, RoadError};

type Sender = SendRequest<Full<Bytes>>;

/// One server, with as many connections as there were requests at once.
#[derive(Debug, Clone)]
pub struct Connection {
    server: Arc<Opener>,
    idle: Arc<Mutex<Vec<Sender>>>,
}

impl Connection {
    /// Connects to a server.
    /// # Errors
    /// [`RoadError::Unreachable`], [`RoadError::Untrusted`]
    pub async fn connect(server: Opener) -> Result<Self, RoadError> {
        let first = open(&server).await?;
        let server = Arc::new(server);
        Ok(Self { server, idle: Arc::new(Mutex::new(vec![first])) })
    }

    /// Sends one request. Long targets go out as a POST.
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
        while let Some(mut sender) = self.take_idle() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.received(sender, response)),
                // The kept connection had been closed before anything was sent: another one will do.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(lost(&error.into_error())),
                },
            }
        }
        let mut sender = open(&self.server).await?;
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        Ok(self.received(sender, response))
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        let ready = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    fn received(&self, sender: Sender, response: http::Response<Incoming>) -> (ResponseHead, ResponseBody) {
        let (parts, body) = response.into_parts();
        let head = ResponseHead { status: parts.status.as_u16(), headers: text_fields(&parts.headers) };
        (head, ResponseBody { body, sender: Some(sender), idle: self.idle.clone() })
    }
}

/// Body of a response. Dropping it before its end closes that connection, which cancels the response.
#[derive(Debug)]
pub struct ResponseBody {
    body: Incoming,
    sender: Option<Sender>,
    idle: Arc<Mutex<Vec<Sender>>>,
}

impl ResponseBody {
    /// The next bytes, as they arrive; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the connection broke before the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(|error| lost(&error))?.into_data() {
                return Ok(Some(data));
            }
        }
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
        Ok(None)
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
