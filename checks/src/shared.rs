//! The folder of shared test data: `$WAVETILE_SHARED`, or `shared` beside the repository.

use std::path::{Path, PathBuf};

/// The folder, or what to do about its absence.
pub(crate) fn folder() -> Result<PathBuf, String> {
    let candidates = match std::env::var_os("WAVETILE_SHARED") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => {
            let package = Path::new(env!("CARGO_MANIFEST_DIR"));
            package.ancestors().skip(1).take(2).map(|up| up.join("shared")).collect()
        }
    };
    let found = candidates.into_iter().find(|folder| folder.join("testdata").is_dir());
    found.ok_or_else(|| {
        "the shared test data is not there: set WAVETILE_SHARED to its folder, or put it into ../shared"
            .into()
    })
}
