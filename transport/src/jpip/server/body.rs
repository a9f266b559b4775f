//! Bodies of responses. They are pulled: what to send is chosen when the connection can take it, so that a
//! newer request of the same channel takes over at once.

use super::message_stream::{Filled, MessageStream};
use super::schedule::{Class, Grant, QueuePlace};
use super::served_picture::ServedPicture;
use super::session::RequestTurn;
use crate::jpip::wire::message::MessageWriter;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// What a body has at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// At least one byte.
    Bytes(Vec<u8>),
    /// Nothing yet: ask again after this time, or when the waker that was passed is woken, if that is sooner.
    Wait(Duration),
    /// Nothing more will come.
    End,
}

/// A body, pulled chunk by chunk.
pub struct Body {
    content: Content,
    /// Where bandwidth is shared out.
    place: Option<QueuePlace>,
}

enum Content {
    /// Bytes that are made, but not handed out.
    Made(Vec<u8>),
    /// Bytes of a file as they are.
    Raw { picture: Arc<dyn ServedPicture>, left: Range<u64> },
    /// Messages, chosen as they are pulled; those that are made and not handed out are `pending`.
    Messages { stream: Box<MessageStream>, pending: Vec<u8> },
}

impl Body {
    /// A body that is known beforehand.
    pub(super) fn text(text: &str) -> Self {
        Self::new(Content::Made(text.as_bytes().to_vec()))
    }

    /// Nothing but an end-of-response.
    pub(super) fn end(reason: u8) -> Self {
        let mut message = Vec::new();
        MessageWriter::new().write_end(&mut message, reason, &[]);
        Self::new(Content::Made(message))
    }

    /// Bytes of the file itself, all of which are there.
    pub(super) fn raw(picture: Arc<dyn ServedPicture>, range: Range<u64>) -> Self {
        Self::new(Content::Raw { picture, left: range })
    }

    pub(super) fn messages(stream: MessageStream) -> Self {
        Self::new(Content::Messages { stream: Box::new(stream), pending: Vec::new() })
    }

    const fn new(content: Content) -> Self {
        Self { content, place: None }
    }

    /// The next bytes: at least one, at most `max` (taken as 1 if 0). `None` = finished. A JPP-stream
    /// always ends with an end-of-response. Reads the picture's file, so it may wait for a disk.
    pub fn poll_chunk(&mut self, max: usize) -> Option<Vec<u8>> {
        match self.poll(max, Duration::ZERO, Waker::noop()) {
            Chunk::Bytes(bytes) => Some(bytes),
            Chunk::Wait(_) | Chunk::End => None,
        }
    }

    /// As [`poll_chunk`](Self::poll_chunk), for bodies that may have to wait. `now` counts from the moment that the
    /// server's times count from; `waker` is woken if there is something to do sooner than was said.
    pub fn poll(&mut self, max: usize, now: Duration, waker: &Waker) -> Chunk {
        let mut max = max.max(1);
        if self.content.is_over() {
            self.place = None;
            return Chunk::End;
        }
        let stream = self.content.stream();
        let standing = stream.and_then(|stream| stream.standing.as_ref());
        let watching = standing.is_some_and(|standing| standing.watching);
        if let Some(place) = &mut self.place {
            if standing.is_some_and(|standing| standing.answered) {
                place.set_class(Class::Push);
            } else if stream.is_some_and(|stream| stream.then.begun) {
                // A small window must not take others along.
                place.set_class(Class::LargeWindow);
            }
        }
        let turn = stream.and_then(|stream| stream.turn.as_ref());
        let paced = stream.is_some_and(|stream| stream.pace.is_some());
        if let Some(turn) = turn.filter(|_| standing.is_some() || paced || self.place.is_some()) {
            // Before anything is looked at, or a request that comes in between would not be heard of.
            turn.listen(waker);
        }
        // The few bytes that tell the end of an old response, or signs of life, are not worth waiting for.
        let in_turn = !watching && turn.is_none_or(RequestTurn::is_newest);
        if let Some(place) = self.place.as_ref().filter(|_| in_turn) {
            match place.ask(max, now, waker) {
                Grant::Bytes(granted) => max = granted,
                Grant::Wait(pause) => return Chunk::Wait(pause),
            }
        }
        let chunk = self.content.next(max, now);
        match (&chunk, &self.place) {
            (Chunk::Bytes(bytes), Some(place)) => place.spend(bytes.len(), now),
            (Chunk::End, _) => self.place = None,
            _ => (),
        }
        chunk
    }

    /// Lets the response end with its first window: it is to be gathered before it is sent.
    pub fn do_not_stand(&mut self) {
        if let Content::Messages { stream, .. } = &mut self.content {
            stream.standing = None;
            stream.then.windows.clear();
        }
    }

    /// The same body, which sends when `place` lets it.
    pub(super) fn in_turn(self, place: Option<QueuePlace>) -> Self {
        Self { place, ..self }
    }

    /// Length of the whole body, if it is known: not for a stream whose data is yet to be chosen.
    #[must_use]
    pub fn exact_len(&self) -> Option<u64> {
        match &self.content {
            Content::Made(bytes) => Some(bytes.len() as u64),
            Content::Raw { left, .. } => Some(left.end.saturating_sub(left.start)),
            Content::Messages { .. } => None,
        }
    }
}

impl Content {
    fn is_over(&self) -> bool {
        matches!(self, Self::Made(bytes) if bytes.is_empty())
    }

    fn stream(&self) -> Option<&MessageStream> {
        match self {
            Self::Messages { stream, .. } => Some(stream),
            Self::Made(_) | Self::Raw { .. } => None,
        }
    }

    fn next(&mut self, max: usize, now: Duration) -> Chunk {
        if let Self::Messages { stream, pending } = self
            && pending.is_empty()
        {
            match stream.fill(pending, max.max(LEAST_CHUNK), now) {
                Filled::Full => (),
                Filled::Finished => *self = Self::Made(std::mem::take(pending)),
                Filled::Waits(pause) if pending.is_empty() => return Chunk::Wait(pause),
                Filled::Waits(_) => (),
            }
        }
        match self {
            Self::Made(bytes) | Self::Messages { pending: bytes, .. } => first(bytes, max),
            Self::Raw { picture, left } => {
                let end = left.end.min(left.start.saturating_add(max as u64));
                let bytes = picture.read_raw(left.start..end).inspect_err(|error| {
                    tracing::warn!(%error, "a response ends early");
                });
                left.start = end;
                bytes.ok().filter(|bytes| !bytes.is_empty()).map_or(Chunk::End, Chunk::Bytes)
            }
        }
    }
}

/// Takes at most `max` of `bytes`.
fn first(bytes: &mut Vec<u8>, max: usize) -> Chunk {
    if bytes.is_empty() {
        return Chunk::End;
    }
    let rest = bytes.split_off(max.min(bytes.len()));
    Chunk::Bytes(std::mem::replace(bytes, rest))
}

/// Chunks are made at least this long; shorter ones are cut from them.
const LEAST_CHUNK: usize = 64;
