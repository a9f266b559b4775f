//! What servers ask: a handler, and the replies whose bodies are pulled.

use std::net::IpAddr;
use std::task::Waker;

use crate::jpip::Chunk;

/// One request, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Address of the client.
    pub peer: IpAddr,
    /// Path of the target, still percent-encoded, with its leading slash.
    pub path: String,
    /// Request fields: the target's query and, after `&`, a POST's body. Still percent-encoded.
    pub query: String,
}

/// One reply. Its body is pulled while it is sent.
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Header fields, names in the case to show on HTTP/1.1.
    pub headers: Vec<(&'static str, String)>,
    /// What to send.
    pub body: Box<dyn ReplyBody>,
}

/// A body that decides what it holds only when the connection can take it.
pub trait ReplyBody: Send + 'static {
    /// The next bytes, at most `max` (not zero) of them, or how long to wait before asking again; waking `waker` ends
    /// that pause early. May block: it is not called on an async thread. A body that waits is dropped when its client
    /// leaves.
    fn poll_chunk(&mut self, max: usize, waker: &Waker) -> Chunk;

    /// Called before the first chunk where the whole body is gathered before it is sent: it must not wait for long.
    fn will_be_gathered(&mut self) {}

    /// Length of what is left, if it is known beforehand.
    fn exact_len(&self) -> Option<u64> {
        None
    }
}

/// Answers requests. May block: it is not called on an async thread.
pub trait Handler: Send + Sync + 'static {
    /// The reply to one request. GET, HEAD and POST all arrive here.
    fn handle(&self, request: Request) -> Reply;
}

impl<F: Fn(Request) -> Reply + Send + Sync + 'static> Handler for F {
    fn handle(&self, request: Request) -> Reply {
        self(request)
    }
}

impl ReplyBody for Vec<u8> {
    fn poll_chunk(&mut self, max: usize, _waker: &Waker) -> Chunk {
        if self.is_empty() {
            return Chunk::End;
        }
        let rest = self.split_off(max.min(self.len()));
        Chunk::Bytes(std::mem::replace(self, rest))
    }

    fn exact_len(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

impl Reply {
    /// A reply with a plain text body, for errors.
    pub fn text(status: u16, text: &str) -> Self {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: Box::new(text.as_bytes().to_vec()) }
    }
}
