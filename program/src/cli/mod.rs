//! The command line: arguments, exit codes, messages.
//!
//! Each command is a module with its arguments and a `run`. Results go to standard output, everything
//! else to standard error; a failure is one line there and exit code 1.

mod arguments;
mod connection;
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

use crate::console::{complain, report};
use crate::demo;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

/// Serves, shows, fetches and decodes JPEG 2000 pictures. Without a command it runs the demo: a server and a live window
/// in one program.
#[derive(Debug, Parser)]
#[command(name = "wavetile", version)]
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
        None => demo::run(),
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
            report(&failure);
            ExitCode::FAILURE
        }
    }
}

/// The message of a usage error: its first paragraph, and where to read on.
fn usage_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    format!("{} (see wavetile --help)", paragraph.strip_prefix("error: ").unwrap_or(paragraph))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::console::one_line;

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
    #[cfg(feature = "viewer")]
    fn the_reference_has_every_option_and_no_other() {
        use std::collections::BTreeSet;
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command-line.md");
        let reference = std::fs::read_to_string(path).unwrap();
        let is_part = |c: char| c == '-' || c.is_ascii_lowercase();
        let told: BTreeSet<_> =
            reference.split(|c| !is_part(c)).filter_map(|word| word.strip_prefix("--")).collect();
        let program = Arguments::command();
        let arguments = program.get_subcommands().flat_map(clap::Command::get_arguments);
        let options: BTreeSet<_> = arguments.filter_map(clap::Arg::get_long).chain(["help"]).collect();
        assert_eq!(told, options);
        for command in program.get_subcommands().map(clap::Command::get_name) {
            assert!(reference.contains(&format!("\nwavetile {command} ")), "{command}");
        }
    }
}
