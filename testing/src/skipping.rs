//! The one rule for tests that cannot run here.
//!
//! Outside of CI they are skipped. In CI (`CI` is set) they fail if what they need should be there: the shared test data where
//! its folder was named or found, a graphics adapter always.
//!
//! Each skipped test is said in a line on standard error, past the test runner's capture, and added to the file that
//! `WAVETILE_SKIPPED` names: `.ci/test` prints that list at the end.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Whether this is a run that decides: `CI` is set, and neither empty nor `false`.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Skips what needs a graphics adapter, for the `reason` given by the driver. Any other trouble with a device is a failure.
#[track_caller]
pub fn skip_adapter(reason: impl Display) {
    skip(format_args!("a graphics adapter; Mesa's llvmpipe will do ({reason})"), true);
}

/// Records that the calling test does not run for want of what it `needs`; the caller returns.
///
/// # Panics
/// In CI, if what is missing is `expected` to be there.
#[track_caller]
pub fn skip(needs: impl Display, expected: bool) {
    let place = Location::caller();
    let thread = std::thread::current();
    // Tests are threads of their name, but for those that run one at a time.
    let test = thread.name().filter(|name| *name != "main").map_or(String::new(), |name| format!("{name} "));
    let line = format!("{test}({}:{}) needs {needs}", place.file(), place.line());
    assert!(!(expected && in_ci()), "{line}");
    record(&line);
}

/// Says and writes `line`, once in each process.
fn record(line: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if !SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned()) {
        return;
    }
    // Not `eprintln!`, which the test runner captures. Whole lines, since others write too.
    let _ = std::io::stderr().write_all(format!("skipped: {line}\n").as_bytes());
    if let Some(path) = std::env::var_os("WAVETILE_SKIPPED").filter(|path| !path.is_empty()) {
        let mut list =
            OpenOptions::new().create(true).append(true).open(&path).expect("the list of skipped tests");
        list.write_all(format!("{line}\n").as_bytes()).expect("the list of skipped tests");
    }
}
