//! A QUIC connection for h3 that bounds the bytes of each received stream.
//!
//! h3 0.0.8 gathers every frame other than DATA whole before it looks at it, however long the frame claims to be. QUIC's
//! flow control does not help, because gathered bytes count as read. So the bytes of a stream are counted here: a
//! request stream holds at most a header section and a body, other streams a fixed number.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};

/// Most bytes of one unidirectional stream: settings, and a long life's worth of priority updates.
const UNIDIRECTIONAL_BYTES: u64 = 1 << 20;

/// A connection whose request streams carry at most `request_bytes` from the peer.
pub(super) struct BoundedConnection {
    inner: h3_quinn::Connection,
    request_bytes: u64,
}

/// A stream, or one half of it, with the number of bytes that it may still bring.
pub(super) struct Bounded<S> {
    inner: S,
    left: u64,
    /// Whether going beyond ends the connection; else it ends the stream.
    vital: bool,
}

impl BoundedConnection {
    pub(super) fn new(connection: quinn::Connection, request_bytes: u64) -> Self {
        Self { inner: h3_quinn::Connection::new(connection), request_bytes }
    }

    fn bounded<S>(&self, inner: S) -> Bounded<S> {
        Bounded { inner, left: self.request_bytes, vital: false }
    }
}

impl<B: Buf> quic::Connection<B> for BoundedConnection {
    type RecvStream = Bounded<h3_quinn::RecvStream>;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        let accepted = quic::Connection::<B>::poll_accept_recv(&mut self.inner, context);
        accepted.map_ok(|inner| Bounded { inner, left: UNIDIRECTIONAL_BYTES, vital: true })
    }

    fn poll_accept_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let accepted = quic::Connection::<B>::poll_accept_bidi(&mut self.inner, context);
        accepted.map_ok(|inner| self.bounded(inner))
    }

    fn opener(&self) -> Opener {
        Opener { inner: quic::Connection::<B>::opener(&self.inner), request_bytes: self.request_bytes }
    }
}

impl<B: Buf> quic::OpenStreams<B> for BoundedConnection {
    type BidiStream = Bounded<h3_quinn::BidiStream<B>>;
    type SendStream = h3_quinn::SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        let opened = quic::OpenStreams::<B>::poll_open_bidi(&mut self.inner, context);
        opened.map_ok(|inner| self.bounded(inner))
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.inner.poll_open_send(context)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<B>::close(&mut self.inner, code, reason);
    }
}

/// Opens streams. A server opens only its own control streams.
pub(super) struct Opener {
    inner: h3_quinn::OpenStreams,
    request_bytes: u64,
}

impl<B: Buf> quic::OpenStreams<B> for Opener {
    type BidiStream = Bounded<h3_quinn::BidiStream<B>>;
    type SendStream = h3_quinn::SendStream<B>;

    fn poll_open_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        let opened = quic::OpenStreams::<B>::poll_open_bidi(&mut self.inner, context);
        opened.map_ok(|inner| Bounded { inner, left: self.request_bytes, vital: false })
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.inner.poll_open_send(context)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<B>::close(&mut self.inner, code, reason);
    }
}

impl<S: quic::RecvStream<Buf = Bytes>> quic::RecvStream for Bounded<S> {
    type Buf = Bytes;

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let data = std::task::ready!(self.inner.poll_data(context))?;
        let length = data.as_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(data))
            }
            None if self.vital => {
                let reason = std::io::Error::other("a control stream carries too much");
                let connection_error = ConnectionErrorIncoming::Undefined(std::sync::Arc::new(reason));
                Poll::Ready(Err(StreamErrorIncoming::ConnectionErrorIncoming { connection_error }))
            }
            None => {
                let error_code = Code::H3_EXCESSIVE_LOAD.value();
                self.inner.stop_sending(error_code);
                Poll::Ready(Err(StreamErrorIncoming::StreamTerminated { error_code }))
            }
        }
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.inner.stop_sending(error_code);
    }

    fn recv_id(&self) -> StreamId {
        self.inner.recv_id()
    }
}

impl<B: Buf, S: quic::SendStream<B>> quic::SendStream<B> for Bounded<S> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.inner.poll_ready(context)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.inner.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.inner.poll_finish(context)
    }

    fn reset(&mut self, reset_code: u64) {
        self.inner.reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.inner.send_id()
    }
}

#[cfg(feature = "webtransport")]
impl<B: Buf, S: quic::SendStreamUnframed<B>> quic::SendStreamUnframed<B> for Bounded<S> {
    fn poll_send<D: Buf>(
        &mut self,
        context: &mut Context<'_>,
        data: &mut D,
    ) -> Poll<Result<usize, StreamErrorIncoming>> {
        self.inner.poll_send(context, data)
    }
}
