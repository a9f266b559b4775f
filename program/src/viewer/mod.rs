//! The live window: pan, zoom, and watch the picture arrive.

mod app;
mod camera;
mod canvas;
mod overlay;
mod source;
mod window;

pub(crate) use source::{Coming, Feed, Source, Transfer};

/// Opens the window and returns when it is closed.
///
/// # Errors
/// A message for people: no display, or no usable graphics driver.
pub(crate) fn run(source: Source) -> Result<(), String> {
    app::run(source)
}

/// Whether a window can be expected to open here.
#[must_use]
pub(crate) fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // Elsewhere there is always a desktop.
    !cfg!(any(target_os = "linux", target_os = "freebsd")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
