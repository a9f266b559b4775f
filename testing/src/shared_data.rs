//! Test data that is not in the repository: where it is, and the manifests that say what its files are.

use crate::skip;
use std::path::{Path, PathBuf};

/// The folder of shared test data: `$WAVETILE_SHARED`, or `shared` in or beside the repository.
///
/// # Errors
/// Where it should have been.
pub fn shared_folder() -> Result<PathBuf, String> {
    let candidates = match std::env::var_os("WAVETILE_SHARED") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => {
            let package = Path::new(env!("CARGO_MANIFEST_DIR"));
            package.ancestors().skip(1).take(2).map(|above| above.join("shared")).collect()
        }
    };
    candidates
        .into_iter()
        .find(|folder| folder.join("testdata").is_dir())
        .ok_or_else(|| "the shared test data (WAVETILE_SHARED, or ../shared)".to_owned())
}

/// A file or folder of the shared test data; `None`, the test being skipped, where it is not.
#[track_caller]
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = shared_folder();
    let expected = folder.is_ok() || std::env::var_os("WAVETILE_SHARED").is_some();
    match folder.map(|folder| folder.join(name)) {
        Ok(path) if path.exists() => return Some(path),
        Ok(path) => skip(format_args!("{}, which is not there", path.display()), expected),
        Err(reason) => skip(reason, expected),
    }
    None
}

/// The rows of a manifest: one JSON object a line.
///
/// They come as text: with `serde_json` here, its comparisons of numbers with JSON would stand in every test.
///
/// # Panics
/// If it cannot be read, or has no row.
pub fn manifest(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    assert!(!rows.is_empty(), "{} has no row", path.display());
    rows
}
