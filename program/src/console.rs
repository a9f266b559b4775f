//! What is said, and where: results on standard output, everything else on standard error.

use std::error::Error;
use std::io::Write;

/// Why a command failed.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The one line of a failure on standard error, with what caused it.
pub(crate) fn report(failure: &Failure) {
    complain(&with_sources(&**failure));
}

/// One line on standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", one_line(text));
}

/// One line on standard error that is not a failure.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {}", one_line(text));
}

/// Text for standard output. Nobody listening is no failure.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
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

/// Line breaks and other control characters as spaces; runs of them as one.
pub(crate) fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: inner")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(with_sources(&Outer(std::io::Error::other("inner"))), "outer: inner");
        assert_eq!(with_sources(&Outer(std::io::Error::other("deep"))), "outer: inner: deep");
    }
}
