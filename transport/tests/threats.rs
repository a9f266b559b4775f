//! What strangers try: names that lead out of the root, channels that belong to others, and numbers that would cost
//! memory or time.
#![allow(clippy::unwrap_used)]

mod common;

use common::synthetic::Synthetic;
use common::{NAME, PEER, ask, channel, header, pull, receive, server_with};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wavetile_engine::data_bin::DataBinCache;
use wavetile_testing::running::Folder;
use wavetile_transport::jpip::{ServedPicture, Server, ServerOptions, eor};
use wavetile_transport::server::Directory;

/// A directory that is removed at the end: `root` with one picture, and secrets beside it.
struct Scratch(Folder);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        for directory in ["root/deep/er", "outside"] {
            std::fs::create_dir_all(folder.join(directory)).unwrap();
        }
        for file in ["root/a.jp2", "root/deep/b.jp2", "secret.jp2", "outside/c.jp2", "root/secret.txt"] {
            folder.file(file, file);
        }
        Self(folder)
    }

    /// A server of `root` that notes every file which it opens.
    fn server(&self) -> (Server, Arc<Mutex<BTreeSet<PathBuf>>>) {
        let opened = Arc::new(Mutex::new(BTreeSet::new()));
        let note = opened.clone();
        let open: wavetile_transport::server::directory::OpenPicture = Box::new(move |path| {
            note.lock().unwrap().insert(path.to_owned());
            Ok(Arc::new(Synthetic::new()) as Arc<dyn ServedPicture>)
        });
        let catalogue = Directory::new(self.0.join("root"), open).unwrap();
        (Server::new(catalogue, ServerOptions::default(), Box::new(|| 7)), opened)
    }
}

/// Names that would leave a root if they became paths: ways up, in many spellings, to many places.
fn traversals(absolute: &str) -> BTreeSet<String> {
    let ups = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%00",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "..;",
        ".. ",
        "...",
        "....",
        "%uff0e%uff0e",
        "\u{ff0e}\u{ff0e}",
        "\u{2024}\u{2024}",
    ];
    let separators = [
        "/",
        "\\",
        "%2f",
        "%5c",
        "%252f",
        "//",
        "/./",
        "%c0%af",
        "%ef%bc%8f",
        "\u{2215}",
        "/%00/",
        "%2f%2e%2f",
    ];
    let goals = ["secret.jp2", "outside/c.jp2", "secret.jp2%00.jp2", "outside%2fc.jp2", "etc/passwd", ""];
    let starts = ["", "/", "deep/", "deep/er/", "a.jp2/", "./", "C:/", "file:///"];
    let mut names = BTreeSet::new();
    for up in ups {
        for separator in separators {
            for depth in 1..=3 {
                let climb = format!("{up}{separator}").repeat(depth);
                for goal in goals {
                    for start in starts {
                        names.insert(format!("{start}{climb}{goal}"));
                    }
                }
            }
        }
    }
    for goal in goals {
        names.insert(format!("{absolute}/{goal}"));
        names.insert(format!("//{absolute}/{goal}"));
        names.insert(format!("root/../{goal}"));
        names.insert(format!("~/{goal}"));
    }
    names
}

#[test]
fn no_spelling_of_a_way_out_of_the_root_opens_anything() {
    let scratch = Scratch::new("paths");
    let absolute = scratch.0.to_str().unwrap().to_owned();
    let (mut server, opened) = scratch.server();
    let names = traversals(&absolute);
    assert!(names.len() >= 5000, "{} names", names.len());
    for name in &names {
        let fields = name.replace('&', "%26").replace(' ', "%20");
        for (path, query) in
            [(format!("/{fields}"), String::new()), ("/jpip".to_owned(), format!("target={fields}"))]
        {
            let reply = server.handle_request(PEER, &path, &query, Duration::ZERO);
            assert!([400, 404].contains(&reply.status), "{path}?{query}: {} {}", reply.status, reply.reason);
            let text = String::from_utf8(pull(reply)).unwrap();
            assert!(!text.contains(&absolute), "{path}?{query} tells where the root is: {text}");
        }
    }
    assert_eq!(*opened.lock().unwrap(), BTreeSet::new());
    // The check can fail: this one is there.
    assert_eq!(server.handle_request(PEER, "/deep/b.jp2", "", Duration::ZERO).status, 200);
    assert_eq!(*opened.lock().unwrap(), BTreeSet::from([scratch.0.join("root/deep/b.jp2")]));
}

#[cfg(unix)]
#[test]
fn no_link_out_of_the_root_is_followed_whenever_it_is_made() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new("links");
    let root = scratch.0.join("root");
    symlink(scratch.0.join("secret.jp2"), root.join("out.jp2")).unwrap();
    symlink("../secret.jp2", root.join("relative.jp2")).unwrap();
    symlink(scratch.0.join("outside"), root.join("away")).unwrap();
    symlink("/", root.join("everything")).unwrap();
    symlink("out.jp2", root.join("chain.jp2")).unwrap();
    symlink("loop.jp2", root.join("loop.jp2")).unwrap();
    let (mut server, opened) = scratch.server();
    let away = ["out.jp2", "relative.jp2", "away/c.jp2", "chain.jp2", "loop.jp2", "everything/etc/passwd"];
    for name in away {
        let reply = server.handle_request(PEER, &format!("/{name}"), "", Duration::ZERO);
        assert_eq!(reply.status, 404, "{name}");
    }
    // A directory that was listed becomes a link, later.
    assert_eq!(server.handle_request(PEER, "/deep/b.jp2", "", Duration::ZERO).status, 200);
    std::fs::rename(root.join("deep"), root.join("was deep")).unwrap();
    std::fs::copy(scratch.0.join("secret.jp2"), scratch.0.join("outside/b.jp2")).unwrap();
    symlink(scratch.0.join("outside"), root.join("deep")).unwrap();
    assert_eq!(server.handle_request(PEER, "/deep/b.jp2", "", Duration::from_secs(60)).status, 404);
    assert_eq!(*opened.lock().unwrap(), BTreeSet::from([root.join("deep/b.jp2")]));
}

#[test]
fn a_guessed_channel_is_of_no_use() {
    let mut server = server_with(Synthetic::new(), ServerOptions::default());
    let known = channel(&ask(&mut server, "cnew=http"));
    assert_eq!(known.len(), 32, "128 bits");
    let mut guesses: Vec<String> = (0..128)
        .map(|bit| format!("{:032x}", u128::from_str_radix(&known, 16).unwrap() ^ (1 << bit)))
        .collect();
    guesses.extend([
        known.to_uppercase().replace(|digit: char| digit.is_ascii_digit(), "1"),
        known[..31].to_owned(),
        format!("{known}0"),
        format!(" {known}"),
        "*".to_owned(),
        "%00".to_owned(),
        "0".to_owned(),
    ]);
    for guess in &guesses {
        let guess = guess.replace(' ', "%20");
        for query in [
            format!("cid={guess}&fsiz=200,150"),
            format!("cid={guess}&model=-P*&fsiz=200,150"),
            format!("cid={guess}&cclose=*"),
            format!("cid={guess}&cnew=http"),
        ] {
            let reply = server.handle_request(PEER, "/jpip", &query, Duration::ZERO);
            assert!([400, 404].contains(&reply.status), "{query}: {}", reply.status);
            assert_eq!(header(&reply, "JPIP-cnew"), None);
        }
        let _ = server.handle_request(PEER, "/jpip", &format!("cclose={guess}&len=0"), Duration::ZERO);
    }
    assert_eq!((server.sessions(), server.channels()), (1, 1));
    let reply = server.handle_request(PEER, "/jpip", &format!("cid={known}&fsiz=200,150"), Duration::ZERO);
    let mut cache = DataBinCache::new();
    assert_eq!(receive(reply, &mut cache).end, Some(eor::IMAGE_DONE));
    Synthetic::new().assert_whole(&cache);
}

#[test]
fn numbers_that_claim_everything_cost_next_to_nothing() {
    let most = u64::MAX;
    let bombs = [
        format!("model=P0-{most},H0-{most},M0-{most},T0-{most}"),
        format!("model=P0-{most}:{most},-P0-{most}:0"),
        format!("model=P{most}-0"),
        "model=P*,H*,M*,-P*,-H*,-M*".to_owned(),
        format!("model=[0-{most}]P0-{most}"),
        format!("need=P0-{most}"),
        format!("need=H0-{most},T0-{most},M0-{most}"),
        format!("stream=0-{most}"),
        format!("stream=0-{most}:{most}"),
        "stream=0-".to_owned() + &",0-".repeat(500),
        format!("comps=0-{most}"),
        format!("layers={most}"),
        format!("len={most}"),
        format!("fsiz={m},{m}&rsiz={m},{m}&roff={m},{m}", m = u32::MAX),
        format!("mset=0-{most}"),
        format!("model={}", "P0:1,".repeat(1000)),
        format!("model={}", (0..1500).map(|id| format!("P{}:{id},", id * 2)).collect::<String>()),
        format!("qid={most}"),
        format!("subtarget=0-{most}&type=raw"),
        format!("metareq={}", "[*]".repeat(300)),
        format!("tpmodel=0.0-{most}.{most}"),
        format!("tpneed=0.0-{most}.{most}"),
        format!("model=t0-{most}c0-{most}r0-{most}p0-{most}"),
    ];
    for bomb in &bombs {
        let mut server = server_with(Synthetic::new(), ServerOptions::default());
        let known = channel(&ask(&mut server, "cnew=http"));
        for window in ["fsiz=200,150", "fsiz=200,150&type=jpt-stream", ""] {
            for start in [format!("cid={known}&"), String::new()] {
                let query = format!("{start}{window}&{bomb}");
                let reply = ask(&mut server, &query);
                assert!([200, 400, 404, 415, 501].contains(&reply.status), "{bomb}: {}", reply.status);
                let most_bytes = 400_000;
                assert!(pull(reply).len() < most_bytes, "{query}");
                assert!(server.model_memory() <= 64 << 10, "{query}: {} bytes", server.model_memory());
            }
        }
        // It goes on for everybody else.
        let mut cache = DataBinCache::new();
        receive(ask(&mut server, "fsiz=200,150"), &mut cache);
        Synthetic::new().assert_whole(&cache);
    }
}

#[test]
fn sessions_and_channels_are_bounded_however_fast_they_are_asked_for() {
    let options = ServerOptions::default().sessions_per_address(8).channels_per_session(4);
    let mut server = server_with(Synthetic::new(), options);
    let mut refused = 0;
    for _ in 0..1000 {
        let reply = ask(&mut server, "cnew=http&len=0");
        match reply.status {
            200 => {
                let known = channel(&reply);
                for _ in 0..10 {
                    ask(&mut server, &format!("cid={known}&cnew=http&len=0"));
                }
            }
            status => {
                assert_eq!(status, 503);
                assert!(header(&reply, "Retry-After").is_some());
                refused += 1;
            }
        }
    }
    assert_eq!((server.sessions(), server.channels(), refused), (8, 32, 992));
    // Others are served, and the sessions go when nobody uses them.
    assert_eq!(
        server.handle_request([10, 0, 0, 1].into(), "/made%20up.jp2", "cnew=http", Duration::ZERO).status,
        200
    );
    server.expire(Duration::from_secs(121));
    assert_eq!((server.sessions(), server.channels()), (0, 0));
    assert_eq!(ask(&mut server, "cnew=http").status, 200);
    assert_eq!(server.names(), [NAME]);
}
