//! A web server that does what a test wants of it.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub ranges: Vec<(usize, usize)>,
    pub headers: Vec<(String, String)>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// How the server of a test answers: bytes as they go on the wire, after which the connection is closed.
pub type Answer = Box<dyn Fn(&Asked, usize) -> Vec<u8> + Send + Sync>;

/// An answer to one request, from the file.
pub type FromFile = fn(&[u8], &Asked) -> Vec<u8>;

/// An HTTP/1.1 server that does what a test wants of it.
pub struct Web {
    pub address: SocketAddr,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    /// Connections so far.
    pub connections: Arc<AtomicUsize>,
}

impl Web {
    /// Each connection is for one request, though nobody is told.
    pub async fn start(answer: Answer) -> Self {
        Self::start_with(answer, false).await
    }

    /// Connections stay open, if `keep`.
    pub async fn start_with(answer: Answer, keep: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let web = Self { address, asked: Arc::default(), connections: Arc::default() };
        let (log, opened, answer) = (web.asked.clone(), web.connections.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while serve(&mut stream, &log, &answer).await && keep {}
                    let _ = stream.get_mut().shutdown().await;
                });
            }
        });
        web
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers one request; `false` if there is none.
pub async fn serve(stream: &mut BufReader<TcpStream>, log: &Mutex<Vec<Asked>>, answer: &Answer) -> bool {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let fields = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut asked = Asked { path, ranges: Vec::new(), headers };
    if let Some(ranges) = asked.header("range").and_then(|value| value.strip_prefix("bytes=")) {
        let pair = |range: &str| {
            let (first, last) = range.split_once('-').unwrap();
            (first.parse().unwrap(), last.parse::<usize>().unwrap() + 1)
        };
        asked.ranges = ranges.split(',').map(pair).collect();
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let bytes = answer(&asked, number);
    stream.get_mut().write_all(&bytes).await.is_ok()
}

pub fn response(status: &str, fields: &[String], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for field in fields {
        head += &format!("{field}\r\n");
    }
    [(head + "\r\n").as_bytes(), body].concat()
}

pub fn single(file: &[u8], (start, end): (usize, usize), tag: &str) -> Vec<u8> {
    let end = end.min(file.len());
    let place = format!("Content-Range: bytes {start}-{}/{}", end - 1, file.len());
    response("206 Partial Content", &[place, format!("ETag: {tag}")], &file[start..end])
}

pub fn several(file: &[u8], asked: &Asked, tag: &str) -> Vec<u8> {
    if let [range] = asked.ranges[..] {
        return single(file, range, tag);
    }
    let mut body = Vec::new();
    for &(start, end) in &asked.ranges {
        let end = end.min(file.len());
        let head = format!("\r\n--x--y\r\nContent-Range: bytes {start}-{}/{}\r\n\r\n", end - 1, file.len());
        body.extend(head.bytes());
        body.extend(&file[start..end]);
    }
    body.extend(b"\r\n--x--y--\r\n");
    let kind = "Content-Type: multipart/byteranges; boundary=\"x--y\"".to_owned();
    response("206 Partial Content", &[kind, format!("ETag: {tag}")], &body)
}
