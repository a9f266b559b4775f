//! What the tests share.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

pub mod link;
pub mod stack;
pub mod synthetic;
#[cfg(feature = "http1")]
pub mod web;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;
use synthetic::Synthetic;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, Insert};
use wavetile_transport::jpip::{
    MemoryCatalogue, MessageEvent, MessageReader, Reply, ServedPicture, Server, ServerOptions,
};

/// A waker that tells whether it was woken.
#[derive(Default)]
pub struct Flag(pub AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const NAME: &str = "made up.jp2";

pub fn server_of(pictures: Vec<(&str, Arc<dyn ServedPicture>)>, options: ServerOptions) -> Server {
    let catalogue =
        MemoryCatalogue::new(pictures.into_iter().map(|(name, picture)| (name.to_owned(), picture)));
    let mut number = 0_u128;
    let random = move || {
        number += 1;
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    };
    Server::new(catalogue, options, Box::new(random))
}

pub fn server_with(picture: Synthetic, options: ServerOptions) -> Server {
    server_of(vec![(NAME, Arc::new(picture))], options)
}

pub fn ask(server: &mut Server, query: &str) -> Reply {
    server.handle_request(PEER, "/made%20up.jp2", query, Duration::ZERO)
}

pub fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
}

/// The new channel of a reply.
pub fn channel(reply: &Reply) -> String {
    let value = header(reply, "JPIP-cnew").unwrap();
    let cid = value.split(',').find_map(|part| part.strip_prefix("cid="));
    cid.unwrap().to_owned()
}

/// A body that was read whole.
#[derive(Default)]
pub struct Received {
    /// One entry for each message, in order: id, offset, payload bytes, last.
    pub messages: Vec<(DataBinId, u64, usize, bool)>,
    /// Reason of the end-of-response.
    pub end: Option<u8>,
    pub inserted: Insert,
    pub body_bytes: usize,
    /// Without the end-of-response.
    pub message_bytes: usize,
}

pub fn pull(mut reply: Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.body.poll_chunk(16 << 10) {
        bytes.extend(chunk);
    }
    bytes
}

/// Reads a whole reply, whose status must be 200, into `cache`.
pub fn receive(reply: Reply, cache: &mut DataBinCache) -> Received {
    assert_eq!(reply.status, 200, "{}", reply.reason);
    let bytes = pull(reply);
    let mut received = read(&bytes, cache);
    received.body_bytes = bytes.len();
    received
}

pub fn read(bytes: &[u8], cache: &mut DataBinCache) -> Received {
    let mut received = Received::default();
    let mut end_bytes = 0;
    let mut reader = MessageReader::new();
    reader
        .push(bytes, |event| match event {
            MessageEvent::Data { codestream, id, offset, bytes, last, .. } => {
                let insert = cache.insert(codestream, id, offset, bytes, last);
                received.inserted.new_bytes += insert.new_bytes;
                received.inserted.duplicate_bytes += insert.duplicate_bytes;
                received.inserted.excess_bytes += insert.excess_bytes;
                received.messages.push((id, offset, bytes.len(), last));
                assert!(received.end.is_none(), "a message after the end");
            }
            MessageEvent::EndOfResponse { reason, body } => {
                assert_eq!(received.end.replace(reason), None);
                end_bytes = 3 + body.len();
            }
        })
        .unwrap();
    assert!(reader.is_between_messages());
    received.message_bytes = bytes.len() - end_bytes;
    received
}
