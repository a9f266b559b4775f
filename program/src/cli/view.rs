//! `wavetile view`: a live window.

use super::connection::ConnectionArguments;
use super::remote::Boxes;
use super::target::{Opened, Target};
use crate::console::Failure;
use crate::live;
use crate::viewer::{self, Source};
use wavetile_engine::{Image, Limits};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file, or jpip://HOST:PORT/NAME; or http, ws, and, always encrypted, jpips, https, wss
    target: Target,
    /// Bytes that a JPIP server may send beyond each view: better quality, then what is around it [default: none]
    #[arg(long, value_name = "BYTES")]
    push: Option<u64>,
    #[command(flatten)]
    connection: ConnectionArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !viewer::has_display() {
        return Err("there is no display to open a window on".into());
    }
    let name = arguments.target.name();
    let at_rest = |image: Image| {
        let source = Source { name: arguments.target.name(), image, tiles: None, feed: None };
        Ok(viewer::run(source)?)
    };
    let connection = ConnectionArguments { push: arguments.push, ..arguments.connection.clone() };
    match arguments.target.open(&connection, 0, Boxes::Needed, &Limits::default())? {
        Opened::File { image, .. } | Opened::Kept { image } => at_rest(image),
        Opened::Ranges(ranges) => {
            let (runtime, file, image) = ranges.into_parts();
            live::show_file(&runtime, name, file, image)
        }
        Opened::Remote(remote) => {
            let (runtime, session, image) = remote.into_parts();
            live::show_session(&runtime, name, session, image)
        }
    }
}
