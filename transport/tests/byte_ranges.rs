//! Files on web servers, over loopback: servers that know ranges more or less, files that change, answers that break off.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::web::{Answer, Asked, FromFile, Web, response, several, single};
use wavetile_engine::{DecodeRequest, Decoder, Image, Limits, Rect};
use wavetile_transport::client::{ConnectOptions, FetchSummary};
use wavetile_transport::ranges::{ByteRangeError, RemoteFile};
use wavetile_transport::road::{RequestFields, RoadError};

fn sample() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../program/assets/mandelbrot.jp2")).unwrap()
}

fn options() -> ConnectOptions {
    ConnectOptions::default().stall(Duration::from_secs(2)).timeout(Duration::from_secs(2))
}

async fn open(url: &str) -> Result<RemoteFile, ByteRangeError> {
    let opened = RemoteFile::open(url, &options(), &Limits::default()).await?;
    Ok(opened.expect("it is taken for a JPIP server"))
}

/// What is looked at: an overview and a region.
fn views() -> [DecodeRequest; 2] {
    let region = Some(Rect::new(3000, 3000, 4000, 3700));
    [DecodeRequest::new().reduce(4), DecodeRequest::new().region(region)]
}

/// A multipart answer with one part, whatever was asked for.
fn part(start: usize, bytes: &[u8], repeated: usize) -> Vec<u8> {
    let head = format!("--x\r\nContent-Range: bytes {start}-{}/9999999\r\n\r\n", start + bytes.len() - 1);
    let one = [head.as_bytes(), bytes, b"\r\n"].concat();
    let body = [&one.repeat(repeated)[..], b"--x--"].concat();
    response("206 Partial Content", &["Content-Type: multipart/byteranges; boundary=x".to_owned()], &body)
}

#[tokio::test]
async fn servers_that_send_what_was_not_asked_for_do_not_keep_the_client() {
    let whole = Arc::new(sample());
    let odd: [(&str, FromFile); 5] = [
        ("nothing of what", |_, _| {
            response(
                "206 Partial Content",
                &["Content-Type: multipart/byteranges; boundary=x".to_owned()],
                b"--x--",
            )
        }),
        ("other bytes", |_, _| part(0, b"abc", 1)),
        ("other bytes", |file, _| single(file, (0, 10), "\"1\"")),
        ("other bytes", |file, asked| single(file, (asked.ranges[0].0, file.len()), "\"1\"")),
        ("does not end", |file, asked| part(asked.ranges[0].0, &file[asked.ranges[0].0..][..16], 200_000)),
    ];
    for (word, answer) in odd {
        let file = whole.clone();
        let web = Web::start(Box::new(move |asked, number| match number {
            0 => several(&file, asked, "\"1\""),
            _ => answer(&file, asked),
        }))
        .await;
        let mut file = open(&web.url("/a.jp2")).await.unwrap();
        let error = look(&mut file, &whole).await.unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
        assert!(web.asked().len() < 10);
    }
    // A date that is not repeated is no change.
    let file = whole.clone();
    let web = Web::start(Box::new(move |asked, number| {
        let (start, end) = asked.ranges[0];
        let place = format!("Content-Range: bytes {start}-{}/{}", end - 1, file.len());
        let date = "Last-Modified: Mon, 23 Nov 2026 12:00:00 GMT".to_owned();
        let fields = if number == 0 { vec![place, date] } else { vec![place] };
        response("206 Partial Content", &fields, &file[start..end])
    }))
    .await;
    look(&mut open(&web.url("/a.jp2")).await.unwrap(), &whole).await.unwrap();
    assert!(web.asked()[1].header("if-range").is_some_and(|date| date.starts_with("Mon, 23 Nov")));
}

/// Fetches both views; they decode to what `whole` does.
async fn look(file: &mut RemoteFile, whole: &[u8]) -> Result<FetchSummary, ByteRangeError> {
    let limits = Limits::default();
    let image = file.image(0, &limits).await?.unwrap();
    let local = Image::open(whole.to_vec()).unwrap();
    for request in views() {
        file.fetch(&image, &request, false).await?;
        let (found, report) = Decoder::cpu().components(&image, &request).unwrap();
        assert!(report.is_complete());
        assert!(found == Decoder::cpu().components(&local, &request).unwrap().0);
    }
    let spent = file.spent();
    assert_eq!(spent.new, file.bins().source().held());
    Ok(spent)
}

#[tokio::test]
async fn servers_that_know_ranges_more_or_less_give_the_same_picture() {
    let whole = Arc::new(sample());
    let file = || whole.clone();
    let kinds: [(&str, Answer, usize, bool); 4] = [
        (
            "several ranges",
            {
                let file = file();
                Box::new(move |asked, _| several(&file, asked, "\"1\""))
            },
            8,
            true,
        ),
        // Asked for several, they give all or the first; then they are asked for one at a time.
        (
            "one range",
            {
                let file = file();
                Box::new(move |asked, _| match asked.ranges[..] {
                    [range] => single(&file, range, "\"1\""),
                    _ => response("200 OK", &["ETag: \"1\"".to_owned()], &file),
                })
            },
            30,
            true,
        ),
        (
            "the first of several",
            {
                let file = file();
                Box::new(move |asked, _| single(&file, asked.ranges[0], "\"1\""))
            },
            30,
            true,
        ),
        (
            "no ranges",
            {
                let file = file();
                Box::new(move |_, _| response("200 OK", &[], &file))
            },
            1,
            false,
        ),
    ];
    for (what, answer, most, partial) in kinds {
        let web = Web::start(answer).await;
        let mut file = open(&web.url("/a.jp2")).await.unwrap();
        let spent = look(&mut file, &whole).await.unwrap();
        println!("{what}: {spent:?}");
        assert!(spent.requests as usize <= most && web.asked().len() == spent.requests as usize, "{what}");
        assert_eq!(spent.duplicate, 0, "{what}");
        assert_eq!(spent.new < whole.len() as u64, partial, "{what}");
        // Once more, and nothing is asked.
        look(&mut file, &whole).await.unwrap();
        assert_eq!(web.asked().len(), spent.requests as usize, "{what}");
        // Each request but the first says which state of the file it is about.
        for asked in &web.asked()[1..] {
            assert_eq!(
                (asked.header("if-range"), asked.header("accept-encoding")),
                (Some("\"1\""), Some("identity"))
            );
        }
    }
}

/// The same answer in chunks, which tell their end only after the last byte.
fn chunked(answer: &[u8]) -> Vec<u8> {
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let fields = String::from_utf8(answer[..head].to_vec()).unwrap();
    let length = fields.lines().find(|line| line.starts_with("Content-Length")).unwrap();
    let fields = fields.replace(length, "Transfer-Encoding: chunked");
    let mut bytes = fields.into_bytes();
    for piece in answer[head..].chunks(10_000) {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[tokio::test]
async fn one_connection_does_where_the_server_keeps_it() {
    let whole = Arc::new(sample());
    let kinds: [(&str, FromFile); 3] = [
        ("with lengths", |file, asked| several(file, asked, "\"1\"")),
        ("in chunks", |file, asked| chunked(&several(file, asked, "\"1\""))),
        ("the first of several", |file, asked| single(file, asked.ranges[0], "\"1\"")),
    ];
    for (what, answer) in kinds {
        let file = whole.clone();
        let answer = move |asked: &Asked, number: usize| match number {
            0 => response("307 Temporary Redirect", &["Location: b.jp2".to_owned()], b""),
            _ => answer(&file, asked),
        };
        let web = Web::start_with(Box::new(answer), true).await;
        let mut file = open(&web.url("/a.jp2")).await.unwrap();
        look(&mut file, &whole).await.unwrap();
        let (requests, connections) = (web.asked().len(), web.connections.load(Ordering::SeqCst));
        // One at a time, as many as are under way at once.
        let most = if what == "the first of several" { 6 } else { 1 };
        assert!(requests > most + 2 && connections <= most, "{what}: {requests} over {connections}");
    }
}

#[tokio::test]
async fn answers_that_break_off_are_gone_on_with_where_they_broke() {
    let whole = Arc::new(sample());
    let file = whole.clone();
    let answer = move |asked: &Asked, number: usize| {
        let mut bytes = several(&file, asked, "\"1\"");
        // Every second answer, after the first, stops half way.
        if number % 2 == 1 {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    };
    let web = Web::start(Box::new(answer)).await;
    let mut file = open(&web.url("/a.jp2")).await.unwrap();
    let spent = look(&mut file, &whole).await.unwrap();
    assert_eq!(spent.duplicate, 0, "{spent:?}");
    // One that never brings anything is given up.
    let file = whole.clone();
    let never = move |asked: &Asked, number: usize| match number {
        0 => several(&file, asked, "\"1\""),
        _ => Vec::new(),
    };
    let web = Web::start(Box::new(never)).await;
    let mut file = open(&web.url("/a.jp2")).await.unwrap();
    let error = look(&mut file, &whole).await.unwrap_err();
    assert!(matches!(error, ByteRangeError::Road(RoadError::Lost(_))), "{error}");
}

#[tokio::test]
async fn a_file_that_changes_is_noticed() {
    let whole = Arc::new(sample());
    let changes: [(&str, FromFile); 4] = [
        ("another tag", |file, asked| several(file, asked, "\"2\"")),
        ("all of it, as If-Range has it", |file, _| response("200 OK", &["ETag: \"2\"".to_owned()], file)),
        ("another length", |file, asked| single(&file[..file.len() - 1], asked.ranges[0], "\"1\"")),
        ("no such range", |_, _| response("416 Range Not Satisfiable", &[], b"")),
    ];
    for (what, change) in changes {
        let file = whole.clone();
        let answer = move |asked: &Asked, number: usize| match number {
            0 => several(&file, asked, "\"1\""),
            _ => change(&file, asked),
        };
        let web = Web::start(Box::new(answer)).await;
        let mut file = open(&web.url("/a.jp2")).await.unwrap();
        let error = look(&mut file, &whole).await.unwrap_err();
        assert!(matches!(error, ByteRangeError::Changed), "{what}: {error}");
    }
}

#[tokio::test]
async fn answers_that_make_no_sense_are_refused_in_words() {
    let whole = Arc::new(sample());
    let wrong: [(&str, FromFile); 7] = [
        ("which bytes", |file, _| response("206 Partial Content", &[], file)),
        ("how long", |file, _| {
            response("206 Partial Content", &["Content-Range: bytes 0-9/*".to_owned()], &file[..10])
        }),
        ("which bytes", |file, _| {
            response("206 Partial Content", &["Content-Range: bytes 10-19/99".to_owned()], &file[..10])
        }),
        ("compressed", |file, _| response("200 OK", &["Content-Encoding: gzip".to_owned()], file)),
        ("empty", |_, _| response("416 Range Not Satisfiable", &[], b"")),
        ("status 403", |_, _| response("403 Forbidden", &[], b"")),
        ("redirections", |_, _| response("302 Found", &["Location: /a.jp2".to_owned()], b"")),
    ];
    for (word, answer) in wrong {
        let file = whole.clone();
        let web = Web::start(Box::new(move |asked, _| answer(&file, asked))).await;
        let error = open(&web.url("/a.jp2?x")).await.err().unwrap().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    // What is no picture is an error of the picture.
    let web = Web::start(Box::new(|_, _| response("200 OK", &[], b"<html>"))).await;
    let mut file = open(&web.url("/a.jp2?x")).await.unwrap();
    let error = file.image(0, &Limits::default()).await.unwrap_err();
    assert!(matches!(error, ByteRangeError::Picture(_)), "{error}");
    // A file that says that it is long costs nothing.
    let web =
        Web::start(Box::new(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nabc".to_vec()))
            .await;
    let error = open(&web.url("/a.jp2")).await.err().unwrap();
    assert!(matches!(error, ByteRangeError::TooLong { len: 99_999_999_999_999, .. }), "{error}");
}

#[tokio::test]
async fn redirections_are_followed_and_credentials_are_not_sent_elsewhere() {
    let whole = Arc::new(sample());
    let file = whole.clone();
    let other = Web::start(Box::new(move |asked, _| several(&file, asked, "\"1\""))).await;
    let to = other.url("/other.jp2?key=1");
    let web = Web::start(Box::new(move |asked, _| {
        let location = if asked.path == "/a.jp2" { "b/c.jp2" } else { &to };
        response("307 Temporary Redirect", &[format!("Location: {location}")], b"")
    }))
    .await;
    let mut fields = RequestFields::default();
    fields.bearer("secret").unwrap();
    let refused = options().fields(fields.clone());
    let error = RemoteFile::open(&web.url("/a.jp2"), &refused, &Limits::default()).await.err().unwrap();
    assert!(error.to_string().contains("in the clear") && web.asked().is_empty(), "{error}");
    fields.allow_in_clear();
    let allowed = options().fields(fields);
    let opened = RemoteFile::open(&web.url("/a.jp2"), &allowed, &Limits::default()).await.unwrap();
    let mut file = opened.unwrap();
    look(&mut file, &whole).await.unwrap();
    let paths: Vec<_> = web.asked().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(paths, ["/a.jp2", "/b/c.jp2"]);
    assert!(web.asked().iter().all(|asked| asked.header("authorization") == Some("Bearer secret")));
    assert!(other.asked().iter().all(|asked| asked.header("authorization").is_none()));
    assert!(other.asked().iter().all(|asked| asked.path == "/other.jp2?key=1"));
}

#[tokio::test]
async fn a_jpip_server_is_told_from_a_file() {
    for (answer, jpip) in [
        (response("200 OK", &["Content-Type: image/jpp-stream".to_owned()], b"\0\x02\0"), true),
        (response("400 Bad Request", &[], b""), true),
        (response("404 Not Found", &[], b""), true),
        // OpenJPIP's server says nothing to a request without fields.
        (response("200 OK", &[], b""), true),
        (response("200 OK", &["Content-Type: text/html".to_owned()], b"<html>not a picture"), true),
        (response("200 OK", &[], b"\xFF\x4F\xFF\x51 and so on"), false),
    ] {
        let web = Web::start(Box::new(move |_, _| answer.clone())).await;
        let found = RemoteFile::open(&web.url("/a.jp2"), &options(), &Limits::default()).await.unwrap();
        assert_eq!(found.is_none(), jpip);
    }
    // A name with a query is no JPIP target of ours.
    let web = Web::start(Box::new(|_, _| response("404 Not Found", &[], b""))).await;
    let error = RemoteFile::open(&web.url("/a.jp2?x=1"), &options(), &Limits::default()).await.err().unwrap();
    assert!(matches!(error, ByteRangeError::Refused(404)), "{error}");
}
