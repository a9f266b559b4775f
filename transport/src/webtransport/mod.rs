//! The WebTransport road (draft-ietf-webtrans-http3): each request on a bidirectional stream of a session, which is
//! itself a request of an HTTP/3 connection. The binding is written down in `docs/jpip-over-webtransport.md`.

pub mod client;
pub(crate) mod server;

use crate::road::{Reply, ResponseHead};

/// What ends the head of an answer.
const END_OF_HEAD: &[u8] = b"\n\n";

/// The head of an answer: a line for the status, one for each header field, and an empty one.
fn write_head(reply: &Reply) -> String {
    let mut head = format!("{}\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {}\n", value.replace(['\r', '\n'], " "));
    }
    head.push('\n');
    head
}

/// A head without its empty line. `None`: it is not in the form of the binding.
fn parse_head(text: &[u8]) -> Option<ResponseHead> {
    let mut lines = std::str::from_utf8(text).ok()?.split('\n');
    let status = lines.next()?;
    let digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some(ResponseHead {
        status: status.parse().ok().filter(|_| digits)?,
        headers: lines.map(field).collect::<Option<_>>()?,
    })
}

/// The path and query in what a request's stream carried. `None`: it is not in the form of the binding.
fn parse_request(bytes: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(bytes).ok()?;
    let line = line.strip_suffix('\n').unwrap_or(line);
    if !line.starts_with('/') || line.contains(['\r', '\n', ' ']) {
        return None;
    }
    Some(line.split_once('?').unwrap_or((line, "")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_have_the_form_of_the_binding() {
        assert_eq!(parse_request(b"/a.jp2?len=0"), Some(("/a.jp2", "len=0")));
        assert_eq!(parse_request(b"/a.jp2\n"), Some(("/a.jp2", "")));
        for wrong in [&b""[..], b"a.jp2", b"/a\n/b", b"/a b", b"/\xff", b"/a\r\n", b"7 /a"] {
            assert_eq!(parse_request(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn heads_are_read_as_they_are_written() {
        let headers = vec![("JPIP-cnew", "cid=1,path=jpip".to_owned()), ("JPIP-tid", "a\nb".to_owned())];
        let text = write_head(&Reply { status: 200, headers, body: Box::new(Vec::new()) });
        assert_eq!(text, "200\nJPIP-cnew: cid=1,path=jpip\nJPIP-tid: a b\n\n");
        let head = parse_head(text.as_bytes().strip_suffix(END_OF_HEAD).unwrap()).unwrap();
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(head.status, 200);
        assert_eq!(head.headers, [field("jpip-cnew", "cid=1,path=jpip"), field("jpip-tid", "a b")]);
        for wrong in [&b""[..], b"ok", b"+20", b"2000", b"200\nno colon", b"200\n\xff: 1"] {
            assert_eq!(parse_head(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (parse_head(&bytes), parse_request(&bytes));
        }
    }
}
