//! Requests to a server, as text: a line for each, `path?query`. `$` stands for the channel that was opened last; a line `!`
//! lets a second go by; a request after `-` is given up after its first bytes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use wavetile_engine::Limits;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, DataBins};
use wavetile_engine::source::IndexedFile;
use wavetile_transport::jpip::{
    MemoryCatalogue, MessageEvent, MessageReader, Reply, ServedPicture, Server, ServerOptions,
};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Requests beyond these say nothing new.
const REQUESTS: usize = 40;
/// Bytes of a body that are looked at.
const BODY: usize = 64 << 10;

/// The pictures that are served.
static PICTURES: LazyLock<BTreeMap<&'static str, Arc<IndexedFile>>> = LazyLock::new(|| {
    [
        ("gradient.jp2", &include_bytes!("../../engine/tests/data/gradient.jp2")[..]),
        ("tiles.jp2", &include_bytes!("../../transport/tests/data/tiles.jp2")[..]),
        ("precincts.j2k", &include_bytes!("../../transport/tests/data/precincts.j2k")[..]),
    ]
    .into_iter()
    .map(|(name, bytes)| {
        (name, Arc::new(IndexedFile::open(bytes.to_vec(), &Limits::default()).expect("a sound file")))
    })
    .collect()
});

/// Asks a server all of it, and checks what it sends.
pub fn ask(script: &str) {
    let pictures =
        PICTURES.iter().map(|(name, file)| ((*name).to_owned(), file.clone() as Arc<dyn ServedPicture>));
    let options = ServerOptions::default().sessions_per_address(8).channels_per_session(3);
    let (most_sessions, most_memory) = (options.sessions_per_address, options.model_memory);
    let mut number = 0_u128;
    let random = move || {
        number += 1;
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    };
    let mut server = Server::new(MemoryCatalogue::new(pictures), options, Box::new(random));
    let mut channel = String::new();
    let mut now = Duration::ZERO;
    for line in script.lines().take(REQUESTS) {
        if line == "!" {
            now += Duration::from_secs(1);
            continue;
        }
        let (given_up, line) = line.strip_prefix('-').map_or((false, line), |line| (true, line));
        let line = line.replace('$', &channel);
        let (path, query) = line.split_once('?').unwrap_or((&line, ""));
        let reply = server.handle_request(PEER, path, query, now);
        let opened = reply.headers.iter().find(|(name, _)| *name == "JPIP-cnew");
        if let Some(name) =
            opened.and_then(|(_, value)| value.split(',').find_map(|part| part.strip_prefix("cid=")))
        {
            name.clone_into(&mut channel);
        }
        check(reply, if given_up { 100 } else { BODY });
        assert!(server.sessions() <= most_sessions && server.channels() <= 3 * most_sessions);
        assert!(
            server.model_memory() <= most_sessions * (most_memory + (16 << 10)),
            "{}",
            server.model_memory()
        );
    }
}

/// Every byte of a stream is that of the file which has the bin, and a stream that is read whole ends with an
/// end-of-response.
fn check(mut reply: Reply, most: usize) {
    let header =
        |name| reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str());
    assert!(reply.headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])), "{:?}", reply.headers);
    assert!(
        [200, 202, 400, 404, 406, 413, 415, 501, 503].contains(&reply.status),
        "{} {}",
        reply.status,
        reply.reason
    );
    let messages =
        reply.status == 200 && header("Content-Type").is_some_and(|kind| kind.starts_with("image/jp"));
    let (mut bytes, mut whole) = (Vec::new(), false);
    while bytes.len() < most {
        match reply.body.poll_chunk(1000) {
            Some(chunk) => {
                assert!((1..=1000).contains(&chunk.len()));
                bytes.extend(chunk);
            }
            None => {
                whole = true;
                break;
            }
        }
    }
    if !messages {
        return;
    }
    let mut cache = DataBinCache::new();
    let mut ended = false;
    let mut reader = MessageReader::new();
    let read = reader.push(&bytes, |event| match event {
        MessageEvent::Data { codestream, id, offset, bytes, last, .. } => {
            assert!(!ended, "a message after the end");
            cache.insert(codestream, id, offset, bytes, last);
        }
        MessageEvent::EndOfResponse { .. } => ended = true,
    });
    read.expect("the stream can be read");
    // One that stands does not end by itself.
    assert!(ended || !whole || reply.body.exact_len().is_none(), "no end-of-response");
    for (codestream, id) in cache.ids() {
        let held = cache.bin(codestream, id).expect("it is held").expect("it is held");
        let same = |file: &Arc<IndexedFile>| {
            file.bin(codestream, id).ok().flatten().is_some_and(|bin| bin.bytes.starts_with(&held.bytes))
        };
        // Tiles are put together from tile-parts, and no file has them as bins.
        assert!(matches!(id, DataBinId::Tile(_)) || PICTURES.values().any(same), "{id:?}");
    }
}
