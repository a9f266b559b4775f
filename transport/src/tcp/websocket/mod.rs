//! The WebSocket road: JPIP requests as text messages, bodies as binary ones. The binding is written down in
//! `docs/jpip-over-websocket.md`.

pub mod client;
pub(crate) mod server;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::road::ResponseHead;

/// The subprotocol.
const PROTOCOL: &str = "jpip.1";

/// Bytes of a binary message before the body's.
const NUMBER_BYTES: usize = 4;

/// What a client's text message says.
#[derive(Debug, PartialEq, Eq)]
enum Order<'a> {
    /// A request, by path and query.
    Ask(&'a str),
    Cancel,
}

/// `None`: it is not in the form of the binding.
fn parse_order(text: &str) -> Option<(u32, Order<'_>)> {
    let (number, rest) = numbered(text)?;
    match rest {
        "cancel" => Some((number, Order::Cancel)),
        _ if rest.starts_with('/') => Some((number, Order::Ask(rest))),
        _ => None,
    }
}

/// What a server's text message says.
#[derive(Debug, PartialEq, Eq)]
enum Notice {
    Head(ResponseHead),
    End,
    Lost,
}

/// `None`: it is not in the form of the binding.
fn parse_notice(text: &str) -> Option<(u32, Notice)> {
    let (number, rest) = numbered(text)?;
    let notice = match rest {
        "end" => Notice::End,
        "lost" => Notice::Lost,
        _ => {
            let mut lines = rest.split('\n');
            let status = lines.next()?.parse().ok()?;
            let field = |line: &str| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            };
            Notice::Head(ResponseHead { status, headers: lines.map(field).collect::<Option<_>>()? })
        }
    };
    Some((number, notice))
}

fn numbered(text: &str) -> Option<(u32, &str)> {
    let (number, rest) = text.split_once(' ')?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.parse().ok().filter(|_| digits)?, rest))
}

/// The body's bytes in a binary message, and the number of the request.
fn parse_piece(bytes: &Bytes) -> Option<(u32, Bytes)> {
    let number = u32::from_be_bytes(*bytes.first_chunk::<NUMBER_BYTES>()?);
    Some((number, bytes.slice(NUMBER_BYTES..)))
}

/// Messages of at most `most` bytes, and little of them waiting to be written.
fn config(most: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_and_notices_have_the_form_of_the_binding() {
        assert_eq!(parse_order("7 /a.jp2?len=0 x"), Some((7, Order::Ask("/a.jp2?len=0 x"))));
        assert_eq!(parse_order("4294967295 cancel"), Some((u32::MAX, Order::Cancel)));
        for wrong in ["", "7", "7 ", "+7 /", "-1 /", "4294967296 /", "7 a", " /", "7  /", "cancel"] {
            assert_eq!(parse_order(wrong), None, "{wrong:?}");
        }
        let headers = vec![("jpip-cnew".to_owned(), "cid=1,path=jpip".to_owned())];
        let head = Notice::Head(ResponseHead { status: 200, headers });
        assert_eq!(parse_notice("3 200\nJPIP-cnew: cid=1,path=jpip"), Some((3, head)));
        assert_eq!(parse_notice("3 end"), Some((3, Notice::End)));
        assert_eq!(parse_notice("3 lost"), Some((3, Notice::Lost)));
        for wrong in ["3 ok", "3 200\nno colon", "x 200", "3 99999"] {
            assert_eq!(parse_notice(wrong), None, "{wrong:?}");
        }
        assert_eq!(parse_piece(&Bytes::from_static(&[0, 0, 1, 2, 9])), Some((258, Bytes::from_static(&[9]))));
        assert_eq!(parse_piece(&Bytes::from_static(&[0, 0, 1])), None);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,60}") {
            let _ = (parse_order(&text), parse_notice(&text));
        }
    }
}
