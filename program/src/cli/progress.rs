//! A progress bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// What is going on. Vanishes when dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Work of unknown length, such as "decoding".
    pub(crate) fn spinner(what: &str) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        Self::new(ProgressBar::no_length(), style, what)
    }

    /// Bytes arriving; nobody knows how many there will be.
    pub(crate) fn bytes(what: &str) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {bytes} {bytes_per_sec} {elapsed}");
        Self::new(ProgressBar::no_length(), style, what)
    }

    /// `rows` rows to be written.
    pub(crate) fn rows(what: &str, rows: u64) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {percent}%");
        Self::new(ProgressBar::new(rows), style, what)
    }

    fn new(
        bar: ProgressBar,
        style: Result<ProgressStyle, indicatif::style::TemplateError>,
        what: &str,
    ) -> Self {
        // Hides itself where standard error is not a terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    pub(crate) fn reach(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
