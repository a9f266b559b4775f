//! Exact case of header names on HTTP/1.1. Names are case-insensitive, but deployed JPIP clients compare
//! `JPIP-cnew` and its like byte by byte.

use http::Extensions;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::road::JPIP_HEADERS;

/// Extensions that make hyper write the JPIP header names as the standard does, when they are put on a response and
/// `preserve_header_case` is on.
///
/// hyper keeps the case of names in an extension that it writes while parsing and reads while encoding, meant for
/// proxies; its type is private. So one response head with the wanted names is parsed here, and its extensions kept.
pub(super) async fn exact_case() -> Result<Extensions, hyper::Error> {
    let (near, mut far) = tokio::io::duplex(4096);
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.preserve_header_case(true);
    let (mut sender, connection) = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(near)).await?;
    let canned = async move {
        let mut head = String::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
        for name in JPIP_HEADERS {
            head.push_str(name);
            head.push_str(": 0\r\n");
        }
        head.push_str("\r\n");
        // The duplex pipe takes the whole head at once; the request is read so that hyper never waits.
        let mut request = [0; 1024];
        let _ = far.read(&mut request).await;
        let _ = far.write_all(head.as_bytes()).await;
        far
    };
    let request = http::Request::new(Empty::new());
    let exchange = async {
        let (response, _far) = tokio::join!(sender.send_request(request), canned);
        response.map(|response| response.extensions().clone())
    };
    tokio::select! {
        biased;
        extensions = exchange => extensions,
        result = connection => result.map(|()| Extensions::new()),
    }
}
