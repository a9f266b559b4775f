//! Server of the WebTransport road: what the HTTP/3 road hands over, sessions and their streams.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use h3::error::StreamError;
use h3::ext::Protocol;
use h3::proto::frame::Frame;
use h3::quic::{self, RecvStream as _, SendStream as _, SendStreamUnframed as _, StreamErrorIncoming};
use h3::server::{RequestResolver, RequestStream};
use h3::stream::BufRecvStream;
use h3::webtransport::SessionId;
use http::{Method, StatusCode};
use tokio::sync::watch;

use super::{parse_request, write_head};
use crate::road::wire::{self, Pump};
use crate::road::{Handler, Reply, Request, RoadLimits};

/// Sessions of one HTTP/3 connection at once.
pub(crate) const MOST_SESSIONS: u64 = 16;

/// Streams in the life of a session: h3 0.0.8 keeps a note of each until the connection ends.
const MOST_STREAMS: u64 = 1 << 18;

/// The stream's session has ended (WEBTRANSPORT_SESSION_GONE).
const SESSION_GONE: u64 = 0x170d_7b68;
/// The stream's session has not begun (WEBTRANSPORT_BUFFERED_STREAM_REJECTED).
const NO_SESSION: u64 = 0x3994_bd84;
/// Code 0 of an application, as HTTP/3 carries it (WEBTRANSPORT_APPLICATION_ERROR).
const BROKEN_OFF: u64 = 0x52e4_a40f_a8db;

/// What a client's bidirectional stream turned out to be.
pub(crate) enum Received<S> {
    Request(Box<(http::Request<()>, RequestStream<S, Bytes>)>),
    /// A stream of a session, after the session's number.
    Stream(SessionId, BufRecvStream<S, Bytes>),
}

/// Reads the beginning of a stream.
pub(crate) async fn receive<C>(
    mut resolver: RequestResolver<C, Bytes>,
) -> Result<Received<C::BidiStream>, StreamError>
where
    C: quic::Connection<Bytes>,
{
    let frame = poll_fn(|context| resolver.frame_stream.poll_next(context)).await;
    if let Ok(Some(Frame::WebTransportStream(session))) = frame {
        return Ok(Received::Stream(session, resolver.frame_stream.into_inner()));
    }
    let request = resolver.accept_with_frame(frame)?.resolve().await?;
    Ok(Received::Request(Box::new(request)))
}

/// Whether a request asks for a session.
pub(crate) fn asks_for_session(request: &http::Request<()>) -> bool {
    request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>() == Some(&Protocol::WEB_TRANSPORT)
}

/// The open sessions of a connection.
pub(crate) struct Sessions {
    /// Each with what its streams watch: that its sender is gone.
    open: Mutex<HashMap<SessionId, Session>>,
    /// Changes when a session begins.
    begun: watch::Sender<()>,
}

struct Session {
    alive: watch::Receiver<()>,
    streams: u64,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self { open: Mutex::default(), begun: watch::Sender::new(()) }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session, unless there are too many.
    fn begin(&self, session: SessionId) -> Option<watch::Sender<()>> {
        let (life, alive) = watch::channel(());
        {
            let mut open = self.open();
            if open.len() as u64 >= MOST_SESSIONS {
                return None;
            }
            open.insert(session, Session { alive, streams: 0 });
        }
        self.begun.send_replace(());
        Some(life)
    }

    /// Takes a stream into its session; waits for the session, which may arrive after its streams. `None`: the session
    /// has had its share of streams.
    async fn join(&self, session: SessionId) -> Option<watch::Receiver<()>> {
        let mut begun = self.begun.subscribe();
        loop {
            if let Some(session) = self.open().get_mut(&session) {
                session.streams += 1;
                return (session.streams <= MOST_STREAMS).then(|| session.alive.clone());
            }
            begun.changed().await.ok()?;
        }
    }
}

/// Accepts a session and holds it until either side ends it. `stop`: the server takes no more requests; `abandoned`: it
/// waits no longer for the answers under way.
pub(crate) async fn hold_session<S>(
    sessions: &Sessions,
    mut stream: RequestStream<S, Bytes>,
    mut stop: watch::Receiver<bool>,
    mut abandoned: watch::Receiver<bool>,
) -> Result<(), StreamError>
where
    S: quic::RecvStream + quic::SendStream<Bytes>,
{
    let session = SessionId::from(stream.id());
    let Some(life) = sessions.begin(session) else {
        let refused = http::Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
        stream.send_response(refused.body(()).expect("a status makes a response")).await?;
        return stream.finish().await;
    };
    let accepted = http::Response::builder().header("sec-webtransport-http3-draft", "draft02");
    let accepted = accepted.body(()).expect("a valid field makes a response");
    let held = async {
        stream.send_response(accepted).await?;
        // What comes are capsules; the one that ends a session is followed by the stream's end.
        while stream.recv_data().await?.is_some() {}
        Ok(())
    };
    let ended = tokio::select! {
        ended = held => ended,
        () = wire::stopped(&mut stop) => {
            sessions.open().remove(&session);
            tokio::select! {
                () = life.closed() => {}
                () = wire::stopped(&mut abandoned) => {}
            }
            Ok(())
        }
    };
    sessions.open().remove(&session);
    drop(life);
    ended?;
    stream.finish().await
}

/// What it takes to answer on one stream.
pub(crate) struct Answerer<'a> {
    pub(crate) handler: &'a Arc<dyn Handler>,
    pub(crate) limits: &'a RoadLimits,
    pub(crate) peer: IpAddr,
}

impl Answerer<'_> {
    /// Reads one request and answers it, as long as the session lives and the server does not abandon it.
    pub(crate) async fn answer<S>(
        &self,
        sessions: &Sessions,
        session: SessionId,
        mut stream: BufRecvStream<S, Bytes>,
        mut abandoned: watch::Receiver<bool>,
    ) where
        S: quic::RecvStream + quic::SendStream<Bytes> + quic::SendStreamUnframed<Bytes>,
    {
        let joined = tokio::time::timeout(self.limits.header_time, sessions.join(session)).await;
        let Ok(Some(mut alive)) = joined else {
            stream.stop_sending(NO_SESSION);
            return stream.reset(NO_SESSION);
        };
        let answered = tokio::select! {
            answered = self.exchange(&mut stream) => answered.map_err(|error| (BROKEN_OFF, error)),
            Err(_) = alive.changed() => Err((SESSION_GONE, "the session has ended".to_owned())),
            () = wire::stopped(&mut abandoned) => Err((BROKEN_OFF, "the server stops".to_owned())),
        };
        if let Err((code, error)) = answered {
            tracing::debug!(peer = %self.peer, error, "WebTransport stream broken off");
            stream.stop_sending(code);
            // Without this, dropping the stream would end the answer as if it were whole.
            stream.reset(code);
        }
    }

    async fn exchange<S>(&self, stream: &mut BufRecvStream<S, Bytes>) -> Result<(), String>
    where
        S: quic::RecvStream + quic::SendStream<Bytes> + quic::SendStreamUnframed<Bytes>,
    {
        let read = tokio::time::timeout(self.limits.body_time, self.read(stream)).await;
        let reply = match read {
            Ok(Ok(Ok(request))) => wire::ask(self.handler, request).await,
            Ok(Ok(Err(reply))) => reply,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => wire::too_slow(),
        };
        self.send(stream, Bytes::from(write_head(&reply))).await?;
        let mut body = Pump::new(reply.body);
        while let Some(chunk) = body.next().await.map_err(|error| error.to_string())? {
            // Returns when QUIC has taken the chunk: only then is the next one chosen.
            self.send(stream, chunk).await?;
        }
        self.in_time(poll_fn(|context| stream.poll_finish(context))).await
    }

    async fn read<S>(
        &self,
        stream: &mut BufRecvStream<S, Bytes>,
    ) -> Result<Result<Request, Reply>, StreamErrorIncoming>
    where
        S: quic::RecvStream,
    {
        let mut bytes = Vec::new();
        while let Some(data) = poll_fn(|context| stream.poll_data(context)).await? {
            if bytes.len() + data.len() > self.limits.target + self.limits.body {
                return Ok(Err(wire::too_large()));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(match parse_request(&bytes) {
            Some((path, query)) => {
                Ok(Request { peer: self.peer.to_canonical(), path: path.to_owned(), query: query.to_owned() })
            }
            None => Err(Reply::text(400, "a stream carries one line: the path and query of a request\n")),
        })
    }

    async fn send<S>(&self, stream: &mut BufRecvStream<S, Bytes>, mut bytes: Bytes) -> Result<(), String>
    where
        S: quic::SendStreamUnframed<Bytes>,
    {
        while bytes.has_remaining() {
            let sent = poll_fn(|context| stream.poll_send(context, &mut bytes));
            self.in_time(async { sent.await.map(|_| ()) }).await?;
        }
        Ok(())
    }

    /// Waits for one step of sending, but not for ever: a client that reads nothing holds no answer open.
    async fn in_time(
        &self,
        step: impl Future<Output = Result<(), StreamErrorIncoming>>,
    ) -> Result<(), String> {
        match tokio::time::timeout(self.limits.idle, step).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("the client reads nothing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    fn number(session: u64) -> SessionId {
        SessionId::try_from(session * 4).unwrap()
    }

    #[tokio::test]
    async fn a_stream_waits_for_its_session_and_hears_of_its_end() {
        let sessions = Sessions::new();
        let wait = Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, sessions.join(number(1))).await.is_err());
        let begin = async {
            tokio::time::sleep(wait).await;
            (sessions.begin(number(2)), sessions.begin(number(1)).unwrap())
        };
        let (joined, (_other, life)) = tokio::join!(sessions.join(number(1)), begin);
        let mut alive = joined.unwrap();
        assert!(tokio::time::timeout(wait, alive.changed()).await.is_err());
        drop(life);
        assert!(alive.changed().await.is_err());
    }

    #[tokio::test]
    async fn sessions_and_their_streams_are_counted() {
        let sessions = Sessions::new();
        let lives: Vec<_> = (0..MOST_SESSIONS).map(|at| sessions.begin(number(at)).unwrap()).collect();
        assert!(sessions.begin(number(MOST_SESSIONS)).is_none());
        sessions.open().remove(&number(0));
        assert!(sessions.begin(number(MOST_SESSIONS)).is_some());
        sessions.open().get_mut(&number(1)).unwrap().streams = MOST_STREAMS - 1;
        assert!(sessions.join(number(1)).await.is_some());
        assert!(sessions.join(number(1)).await.is_none());
        drop(lives);
    }
}
