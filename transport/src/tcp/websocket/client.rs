//! Client of the WebSocket road: one connection for all requests to a server.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use super::{Notice, PROTOCOL, config, parse_notice, parse_piece};
use crate::road::wire::USER_AGENT;
use crate::road::{Answer, AnswerBody, BoxFuture, Connection, ResponseHead, RoadError, any};
use crate::tcp::opener::{ByteStream, Opener};

/// A connection. Clones share it.
#[derive(Debug, Clone)]
pub struct WebSocketConnection {
    commands: mpsc::Sender<Command>,
}

#[derive(Debug)]
enum Command {
    Ask { target: String, head: oneshot::Sender<(ResponseHead, u32)>, body: mpsc::Sender<Bytes> },
    Cancel(u32),
    Close,
}

/// Largest message that is accepted: a server sends pieces of 16 kB.
const MOST_MESSAGE: usize = 4 << 20;

/// Pieces of a body that wait for its reader.
const MOST_WAITING: usize = 16;

/// A server takes a connection that is silent for longer than 30 s for dead.
const PING: Duration = Duration::from_secs(10);

impl WebSocketConnection {
    /// Connects to a server, and waits for that.
    /// # Errors
    /// [`RoadError::Unreachable`], [`RoadError::Untrusted`]
    pub async fn connect(server: Opener) -> Result<Self, RoadError> {
        let authority = server.authority();
        let unreachable = |reason: String| RoadError::Unreachable { address: authority.to_owned(), reason };
        let stream = server.open().await?;
        let request = format!("{}://{authority}/", server.websocket_scheme()).into_client_request();
        let mut request = request.map_err(|error| unreachable(error.to_string()))?;
        let fields = request.headers_mut();
        fields.insert(http::header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        fields.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        server.fields().put_into(fields);
        let handshake =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config(MOST_MESSAGE)));
        let (socket, _) = handshake.await.map_err(|error| unreachable(error.to_string()))?;
        let (commands, orders) = mpsc::channel(16);
        tokio::spawn(async move {
            if let Err(error) = drive(socket, orders).await {
                tracing::debug!(%error, "WebSocket connection ended");
            }
        });
        Ok(Self { commands })
    }

    /// Sends one request, and waits for the head of its answer; others may be under way.
    /// # Errors
    /// [`RoadError::Lost`] if the connection ends before its head comes.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let (head, answered) = oneshot::channel();
        let (body, pieces) = mpsc::channel(MOST_WAITING);
        let ask = Command::Ask { target: path_and_query.to_owned(), head, body };
        self.commands.send(ask).await.map_err(|_| gone())?;
        let (head, number) = answered.await.map_err(|_| gone())?;
        Ok((head, ResponseBody { pieces, number, commands: self.commands.clone(), ended: false }))
    }

    /// Whether it is known to have ended.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Closes the connection, and waits until the server has been told.
    pub async fn close(&self) {
        let _ = self.commands.send(Command::Close).await;
        self.commands.closed().await;
    }
}

fn gone() -> RoadError {
    RoadError::Lost("the WebSocket connection has ended".to_owned())
}

impl Connection for WebSocketConnection {
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
#[derive(Debug)]
pub struct ResponseBody {
    pieces: mpsc::Receiver<Bytes>,
    number: u32,
    commands: mpsc::Sender<Command>,
    ended: bool,
}

impl ResponseBody {
    /// Waits for the next bytes; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the body or the connection broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        match self.pieces.recv().await {
            // An empty piece is the end: the server sends none.
            Some(piece) if piece.is_empty() => {
                self.ended = true;
                Ok(None)
            }
            Some(piece) => Ok(Some(piece)),
            None if self.ended => Ok(None),
            None => Err(RoadError::Lost("the response broke off".to_owned())),
        }
    }
}

impl AnswerBody for ResponseBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RoadError>> {
        Box::pin(self.chunk())
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if !self.ended {
            // If there is no room, the server's pieces have nobody to go to, and that cancels it as well.
            let _ = self.commands.try_send(Command::Cancel(self.number));
        }
    }
}

/// A request under way.
struct UnderWay {
    /// Until the head has come.
    head: Option<oneshot::Sender<(ResponseHead, u32)>>,
    body: mpsc::Sender<Bytes>,
}

async fn drive(
    socket: WebSocketStream<Box<dyn ByteStream>>,
    mut orders: mpsc::Receiver<Command>,
) -> Result<(), tungstenite::Error> {
    let (mut out, mut messages) = socket.split();
    let mut under_way: HashMap<u32, UnderWay> = HashMap::new();
    let mut next = 0u32;
    let mut pings = interval_at(Instant::now() + PING, PING);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Command::Ask { target, head, body }) => {
                    while under_way.contains_key(&next) {
                        next = next.wrapping_add(1);
                    }
                    under_way.insert(next, UnderWay { head: Some(head), body });
                    out.send(Message::text(format!("{next} {target}"))).await?;
                    next = next.wrapping_add(1);
                }
                Some(Command::Cancel(number)) => cancel(&mut out, number).await?,
                Some(Command::Close) | None => return out.close().await,
            },
            _ = pings.tick() => out.send(Message::Ping(Bytes::new())).await?,
            message = messages.next() => match message.transpose()? {
                Some(Message::Text(text)) => match parse_notice(&text) {
                    Some((number, Notice::Head(head))) => {
                        if let Some(head_of) = under_way.get_mut(&number).and_then(|one| one.head.take())
                            && head_of.send((head, number)).is_err()
                        {
                            cancel(&mut out, number).await?;
                        }
                    }
                    Some((number, Notice::End)) => {
                        if let Some(one) = under_way.remove(&number) {
                            // Nobody may be reading any more.
                            let _ = one.body.send(Bytes::new()).await;
                        }
                    }
                    Some((number, Notice::Lost)) => drop(under_way.remove(&number)),
                    None => tracing::debug!("a message that the binding does not have"),
                },
                Some(Message::Binary(bytes)) => {
                    let Some((number, piece)) = parse_piece(&bytes) else { continue };
                    if let Some(one) = under_way.get(&number)
                        && !piece.is_empty()
                        && one.body.send(piece).await.is_err()
                    {
                        cancel(&mut out, number).await?;
                    }
                }
                Some(Message::Close(_)) | None => return Ok(()),
                Some(_) => {}
            },
        }
    }
}

async fn cancel(
    out: &mut (impl SinkExt<Message, Error = tungstenite::Error> + Unpin),
    number: u32,
) -> Result<(), tungstenite::Error> {
    out.send(Message::text(format!("{number} cancel"))).await
}
