//! Bandwidth limits of the server, request by request, on a virtual clock.
#![allow(clippy::unwrap_used)]

mod common;

use common::synthetic::Synthetic;
use common::{Flag, NAME, PEER, channel, server_with};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;
use wavetile_transport::jpip::{Chunk, Reply, Server, ServerOptions, eor};

fn server(options: ServerOptions) -> Server {
    server_with(Synthetic::sized(1500, 1100, 400), options)
}

fn ask(server: &mut Server, query: &str, now: Duration) -> Reply {
    server.handle_request(PEER, "/made%20up.jp2", query, now)
}

/// Pulls a body until its end; how long that takes, from `now` on, and how much it was.
fn pull(reply: &mut Reply, mut now: Duration) -> (Duration, usize) {
    let mut bytes = 0;
    loop {
        match reply.body.poll(16 << 10, now, Waker::noop()) {
            Chunk::Bytes(chunk) => bytes += chunk.len(),
            Chunk::Wait(pause) => {
                assert!(pause > Duration::ZERO);
                now += pause;
            }
            Chunk::End => return (now, bytes),
        }
    }
}

#[test]
fn a_response_takes_as_long_as_its_bytes_do() {
    for options in [
        ServerOptions::default().bandwidth(Some(40_000)),
        ServerOptions::default().client_bandwidth(Some(40_000)),
        ServerOptions::default().bandwidth(Some(60_000)).client_bandwidth(Some(40_000)),
    ] {
        let mut server = server(options);
        let mut reply = ask(&mut server, "fsiz=1500,1100", Duration::ZERO);
        let (end, bytes) = pull(&mut reply, Duration::ZERO);
        assert!(bytes > 60_000, "{bytes}");
        // A quarter of a second's bytes may be sent ahead, and the last chunk is not waited for.
        let full = bytes as f64 / 40_000.0;
        assert!(
            (full - 0.36..=full).contains(&end.as_secs_f64()),
            "{bytes} bytes took {end:?} instead of {full} s"
        );
    }
}

#[test]
fn a_response_that_waits_for_bandwidth_hears_of_a_newer_request_at_once() {
    let mut server = server(ServerOptions::default().bandwidth(Some(1000)));
    let now = Duration::from_secs(1);
    let mut old = ask(&mut server, "fsiz=1500,1100&cnew=http", now);
    let cid = channel(&old);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(flag.clone());
    while let Chunk::Bytes(_) = old.body.poll(4096, now, &waker) {}
    assert!(
        matches!(old.body.poll(4096, now, &waker), Chunk::Wait(pause) if pause > Duration::from_millis(100))
    );
    assert!(!flag.0.load(Ordering::Relaxed));
    ask(&mut server, &format!("cid={cid}&fsiz=100,100&len=1"), now);
    assert!(flag.0.load(Ordering::Relaxed));
    let mut rest = Vec::new();
    while let Chunk::Bytes(bytes) = old.body.poll(4096, now, &waker) {
        rest.extend(bytes);
    }
    assert!(rest.ends_with(&[0, eor::WINDOW_CHANGE, 0]), "{rest:?}");
    assert_eq!(old.body.poll(4096, now, &waker), Chunk::End);
    assert_eq!(server.names(), [NAME]);
}
