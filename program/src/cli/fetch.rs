//! `wavetile fetch`: what a window of a picture costs on the wire.

use super::arguments::{Space, WindowArguments};
use super::connection::ConnectionArguments;
use super::remote::Boxes;
use super::target::{Opened, Target};
use crate::console::{Failure, say};
use serde::Serialize;
use std::fmt::Write as _;
use wavetile_engine::Limits;
use wavetile_transport::client::FetchSummary;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// jpip://HOST:PORT/NAME, or http, ws, and, always encrypted, jpips, https, wss; http(s) also of files on web servers
    target: Target,
    #[command(flatten)]
    window: WindowArguments,
    /// As JSON, in a stable schema
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// Number of the JSON schema: it grows when a member is renamed, removed or changes its meaning.
const SCHEMA: u32 = 1;

/// The bytes of a fetch. Member names are the JSON schema.
#[derive(Debug, Serialize)]
struct Ledger {
    schema: u32,
    /// As given on the command line.
    target: String,
    road: &'static str,
    /// Bytes of data-bins that the cache had.
    cached: u64,
    /// Bytes of messages that the requests allowed.
    asked: u64,
    /// Bytes of response bodies.
    received: u64,
    /// Bytes of data-bins, each counted once.
    payload: u64,
    /// Bytes of data-bins that came though they were there.
    duplicate: u64,
    /// What is received and no payload: headers of messages, ends of responses, and what came twice.
    wasted: u64,
    requests: u64,
    /// Requests that cost a round trip of their own.
    rounds: u64,
    seconds: f64,
    /// How the last response ended; none if the server does not say.
    end: Option<u8>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Target::Remote(url) = &arguments.target else {
        return Err(format!("{} is a file: there is nothing to fetch", arguments.target.name()).into());
    };
    if arguments.connection.offline {
        return Err("--offline fetches nothing: `wavetile decode --offline` shows what the cache has".into());
    }
    let request = arguments.window.request();
    let limits = Limits::default();
    let codestream = arguments.window.codestream;
    let mut opened = arguments.target.open(&arguments.connection, codestream, Boxes::Needed, &limits)?;
    // Refuse what cannot be decoded before it is fetched.
    opened.image().component_rects(&request)?;
    let (spent, road, cached) = match &mut opened {
        Opened::Remote(remote) => {
            remote.fetch(&request, Space::Components)?;
            let (spent, road) = remote.spent();
            (spent, road.name(), remote.kept_bytes())
        }
        Opened::Ranges(ranges) => {
            ranges.fetch(&request, Space::Components)?;
            (ranges.spent(), "ranges over HTTP/1.1", 0)
        }
        Opened::File { .. } | Opened::Kept { .. } => (FetchSummary::default(), "none", 0),
    };
    opened.close();
    let ledger = Ledger {
        schema: SCHEMA,
        target: url.clone(),
        road,
        cached,
        asked: spent.asked,
        received: spent.received,
        payload: spent.new,
        duplicate: spent.duplicate,
        wasted: spent.received.saturating_sub(spent.new),
        requests: spent.requests,
        rounds: spent.rounds,
        seconds: spent.time.as_secs_f64(),
        end: spent.reason,
    };
    if arguments.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&ledger)?))
    } else {
        say(&text(&ledger))
    }
}

fn text(ledger: &Ledger) -> String {
    let mut text = format!("{}\n", ledger.target);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    line("road", ledger.road.to_owned());
    if ledger.cached > 0 {
        line("cached", format!("{} bytes", ledger.cached));
    }
    line("received", format!("{} bytes in {:.3} s", ledger.received, ledger.seconds));
    line("payload", format!("{} bytes", ledger.payload));
    line("duplicate", format!("{} bytes", ledger.duplicate));
    line("wasted", format!("{} bytes", ledger.wasted));
    line("asked", format!("{} bytes at most", ledger.asked));
    line("requests", format!("{} in {} rounds", ledger.requests, ledger.rounds));
    text
}
