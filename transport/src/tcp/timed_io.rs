//! A connection that fails when its peer is too slow with a request's head, or stands still.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Counts when a request was taken up, and again when it was answered: odd between the two.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    count: Arc<AtomicU64>,
    /// Requests overlap: the count stays odd from the first one on, and only standing still is timed.
    overlap: bool,
}

impl Turns {
    /// The same connection, once it is known that its requests overlap.
    pub(super) fn overlapping(&self) -> Self {
        Self { count: self.count.clone(), overlap: true }
    }

    /// To be called when a request's head is whole, and when its response has ended.
    pub(super) fn next(&self) {
        if self.overlap {
            self.count.fetch_or(1, Ordering::AcqRel);
        } else {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

/// Wraps a stream with two deadlines: `header_time` from the first byte of a head until the request is taken up, and
/// `idle` from the last progress in either direction at all other times.
pub(super) struct TimedIo<T> {
    inner: T,
    turns: Turns,
    header_time: Duration,
    idle: Duration,
    /// While a head is arriving: the count of turns when it began.
    head: Option<u64>,
    deadline: Pin<Box<Sleep>>,
}

impl<T> TimedIo<T> {
    pub(super) fn new(inner: T, turns: Turns, header_time: Duration, idle: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(idle));
        Self { inner, turns, header_time, idle, head: None, deadline }
    }

    fn progress(&mut self, reading: bool) {
        let turns = self.turns.count();
        if reading && turns.is_multiple_of(2) {
            if self.head != Some(turns) {
                self.head = Some(turns);
                self.deadline.as_mut().reset(Instant::now() + self.header_time);
            }
        } else if self.head != Some(turns) {
            self.restart_idle();
        }
    }

    fn restart_idle(&mut self) {
        self.head = None;
        self.deadline.as_mut().reset(Instant::now() + self.idle);
    }

    /// To be asked whenever the inner stream is not ready.
    fn waiting<R>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if self.head.is_some_and(|head| head != self.turns.count()) {
            self.restart_idle();
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => return self.waiting(context),
            Poll::Ready(Ok(1..)) => self.progress(false),
            Poll::Ready(_) => {}
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        match read {
            Poll::Pending => return self.waiting(context),
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.progress(true),
            Poll::Ready(_) => {}
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
