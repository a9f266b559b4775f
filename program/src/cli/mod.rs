//! The command line: arguments, exit codes, messages.
//!
//! Each command is a module with its arguments and a `run`. Results go to standard output, everything
//! else to standard error; a failure is one line there and exit code 1.

mod arguments;
mod decode;
mod fetch;
mod info;
mod output;
mod progress;
mod ranges;
mod remote;
mod serve;
mod target;
#[cfg(feature = "viewer")]
mod view;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// Streams JPEG 2000 pictures over JPIP. Without a command it runs the demo: a server and a live window
/// in one program.
#[derive(Debug, Parser)]
#[command(name = "wavetile", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pictures of a directory over JPIP
    Serve(serve::Arguments),
    /// Tell what the headers of a picture say
    Info(info::Arguments),
    /// Decode a picture to a file
    Decode(decode::Arguments),
    /// Fetch a picture, or a part of it, from a server and tell what that took
    Fetch(fetch::Arguments),
    /// Show a picture in a window while it arrives
    #[cfg(feature = "viewer")]
    View(view::Arguments),
}

/// Why a command failed.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let arguments =
        Arguments::command().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => {
            // Help or version, asked for.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            complain(&usage_line(&error));
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("WAVETILE_LOG"))
        .with_writer(std::io::stderr)
        .init();
    let result = match arguments.command {
        None => crate::demo::run(),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Info(arguments)) => info::run(&arguments),
        Some(Command::Decode(arguments)) => decode::run(&arguments),
        Some(Command::Fetch(arguments)) => fetch::run(&arguments),
        #[cfg(feature = "viewer")]
        Some(Command::View(arguments)) => view::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&with_sources(&*failure));
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", one_line(text));
}

/// One line on standard error that is not a failure.
fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {}", one_line(text));
}

/// Text for standard output. Nobody listening is no failure.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The error and what caused it, as far as its own text does not say so.
fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The message of a usage error: its first paragraph, and where to read on.
fn usage_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    format!("{} (see wavetile --help)", paragraph.strip_prefix("error: ").unwrap_or(paragraph))
}

/// Line breaks and other control characters as spaces; runs of them as one.
fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn usage_errors_fit_one_line() {
        for arguments in [
            &["wavetile", "decode", "a.jp2"][..],
            &["wavetile", "decode", "a.jp2", "-o", "a.png", "--region", "1,2,3"],
            &["wavetile", "nonsense"],
            &["wavetile", "info", "a", "--fingerprint", "00", "--insecure"],
        ] {
            let error = Arguments::try_parse_from(arguments).unwrap_err();
            let line = one_line(&usage_line(&error));
            assert!(line.ends_with("(see wavetile --help)") && !line.contains('\n'), "{line}");
            assert!(line.len() < 200, "{line}");
        }
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: inner")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(with_sources(&Outer(std::io::Error::other("inner"))), "outer: inner");
        assert_eq!(with_sources(&Outer(std::io::Error::other("deep"))), "outer: inner: deep");
    }
}
