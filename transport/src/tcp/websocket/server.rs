//! Server of the WebSocket road: what an HTTP/1.1 connection becomes after its upgrade.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::{NUMBER_BYTES, Order, PROTOCOL, config, parse_order};
use crate::road::wire::{self, Pump};
use crate::road::{Handler, Reply, Request, RoadLimits};

/// The head that accepts an upgrade to WebSocket; `None` if none is asked for. An upgrade that cannot be accepted
/// gets an error's head.
pub(crate) fn accept(request: &HeaderMap) -> Option<http::response::Builder> {
    let holds = |name: header::HeaderName, word: &str| {
        let values = request.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !holds(header::CONNECTION, "upgrade") || !holds(header::UPGRADE, "websocket") {
        return None;
    }
    let refused = http::Response::builder().status(StatusCode::BAD_REQUEST);
    let Some(key) = request.get(header::SEC_WEBSOCKET_KEY) else { return Some(refused) };
    if !holds(header::SEC_WEBSOCKET_VERSION, "13") {
        return Some(
            refused.status(StatusCode::UPGRADE_REQUIRED).header(header::SEC_WEBSOCKET_VERSION, "13"),
        );
    }
    let offers = request.contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    if offers && !holds(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        return Some(refused);
    }
    let accepted = http::Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    Some(if offers { accepted.header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) } else { accepted })
}

/// Answers requests on an upgraded connection until either side ends it.
pub(crate) async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    handler: Arc<dyn Handler>,
    peer: IpAddr,
    limits: &RoadLimits,
    mut stop: watch::Receiver<bool>,
) {
    let config = config(limits.body.saturating_add(limits.target));
    let (mut out, mut orders) =
        WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await.split();
    // One message ahead: the next is chosen when that has gone.
    let (sender, mut messages) = mpsc::channel::<Message>(1);
    let mut answers = JoinSet::new();
    let mut under_way: HashMap<u32, AbortHandle> = HashMap::new();
    let ending = loop {
        tokio::select! {
            biased;
            () = wire::stopped(&mut stop) => break Some((CloseCode::Away, "the server ends")),
            Some(ended) = answers.join_next(), if !answers.is_empty() => {
                // Cancelled answers were taken out at once.
                if let Ok(number) = ended {
                    under_way.remove(&number);
                }
            }
            order = orders.next(), if under_way.len() < limits.bidirectional_streams as usize => {
                let text = match order {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) | None => break None,
                    Some(Ok(_)) => break Some((CloseCode::Policy, "requests are text")),
                    Some(Err(error)) => {
                        tracing::debug!(%peer, %error, "WebSocket connection failed");
                        break Some((CloseCode::Size, "the message cannot be read"));
                    }
                };
                match parse_order(&text) {
                    Some((number, Order::Ask(target))) if !under_way.contains_key(&number) => {
                        let (path, query) = target.split_once('?').unwrap_or((target, ""));
                        let request = Request {
                            peer: peer.to_canonical(),
                            path: path.to_owned(),
                            query: query.to_owned(),
                        };
                        // Here, so that requests are taken in their order.
                        let reply = wire::ask(&handler, request).await;
                        let answer = answer(number, reply, sender.clone());
                        under_way.insert(number, answers.spawn(answer));
                    }
                    Some((number, Order::Cancel)) => {
                        // An answer that has ended needs no second end.
                        if let Some(answer) = under_way.remove(&number) {
                            answer.abort();
                            if out.send(Message::text(format!("{number} end"))).await.is_err() {
                                break None;
                            }
                        }
                    }
                    _ => break Some((CloseCode::Policy, "no request, or its number is under way")),
                }
            }
            Some(message) = messages.recv() => {
                // Pieces of a cancelled answer may still be waiting.
                if out.send(message).await.is_err() {
                    break None;
                }
            }
        }
    };
    answers.abort_all();
    if let Some((code, reason)) = ending {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(limits.grace, out.send(Message::Close(Some(frame)))).await;
    }
    let _ = tokio::time::timeout(limits.grace, out.close()).await;
}

/// Sends one answer, and returns its number.
async fn answer(number: u32, reply: Reply, out: mpsc::Sender<Message>) -> u32 {
    let mut head = format!("{number} {}", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("\n{name}: {}", value.replace(['\r', '\n'], " "));
    }
    let mut body = Pump::new(reply.body);
    if out.send(Message::text(head)).await.is_err() {
        return number;
    }
    let last = loop {
        match body.next().await {
            Ok(Some(chunk)) => {
                if out.send(Message::Binary(piece(number, &chunk))).await.is_err() {
                    return number;
                }
            }
            Ok(None) => break "end",
            Err(_) => break "lost",
        }
    };
    // Whoever does not hear it has gone.
    let _ = out.send(Message::text(format!("{number} {last}"))).await;
    number
}

fn piece(number: u32, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(NUMBER_BYTES + body.len());
    bytes.put_u32(number);
    bytes.put_slice(body);
    bytes.freeze()
}
