//! The `wavetile` program. See `wavetile --help`.

mod cli;
mod console;
mod demo;
#[cfg(feature = "viewer")]
mod live;
#[cfg(feature = "viewer")]
mod viewer;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
