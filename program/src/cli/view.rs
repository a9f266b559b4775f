//! `wavetile view`: a live window.

use super::connection::ConnectionArguments;
use super::remote::Boxes;
use super::target::{Opened, Target};
use crate::console::Failure;
use crate::viewer::{self, Source};
use std::sync::Arc;
use wavetile_engine::{DataBins, Limits};

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
    let at_rest = |bins: Arc<dyn DataBins + Send + Sync>| Source {
        name: name.clone(),
        bins,
        steer: Box::new(|_, _| {}),
        transfer: None,
        on_start: Box::new(|_| {}),
    };
    let connection = ConnectionArguments { push: arguments.push, ..arguments.connection.clone() };
    match arguments.target.open(&connection, 0, Boxes::Needed, &Limits::default())? {
        Opened::File { file, .. } => Ok(viewer::run(at_rest(file))?),
        Opened::Kept { image } => Ok(viewer::run(at_rest(image.bins().clone()))?),
        Opened::Ranges(ranges) => {
            let (runtime, file) = ranges.into_parts();
            Ok(viewer::run(crate::live::file_source(runtime.handle(), name, file))?)
        }
        Opened::Remote(remote) => {
            let (runtime, session) = remote.into_parts();
            let source = crate::live::source(runtime.handle(), name, session);
            Ok(viewer::run(source)?)
        }
    }
}
