//! Checks that take longer than tests do, each a subcommand.

mod conformance;
mod flights;
mod hostile;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Counts what is allocated, so that the hostile set can tell what each case takes.
#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

#[derive(Debug, Parser)]
#[command(about = "Checks of Wavetile that take longer than its tests")]
struct Arguments {
    #[command(subcommand)]
    check: Check,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// All references of the shared test data, on both executors, as a table
    Conformance(conformance::Arguments),
    /// Broken, cut and changed files: no panic, no hang, bounded memory, one verdict on both executors
    Hostile(hostile::Arguments),
    /// A flight over a picture of 100 gigapixels that comes over a link: bounds of memory, no hole, no leak, no byte in vain
    Flight(flights::Arguments),
}

fn main() -> ExitCode {
    let passed = match Arguments::parse().check {
        Check::Conformance(arguments) => conformance::run(&arguments),
        Check::Hostile(arguments) => hostile::run(&arguments),
        Check::Flight(arguments) => flights::run(&arguments),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
