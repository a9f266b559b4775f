//! `conformance`: decodes every reference of the shared test data on both executors and prints a table.

mod digest;
mod executors;
mod files;
mod row;
mod suite;
mod table;

use executors::Executors;
use row::{Outcome, Row};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write docs/conformance.md and the sentence in README.md of the repository in this folder
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Only files whose names contain this
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    only: Option<String>,
}

/// Rows that belong together.
#[derive(Debug)]
struct Group {
    title: String,
    rows: Vec<Row>,
}

/// Folders of files with component references, and what they are.
const FILES: [(&str, &str); 3] =
    [("files", "Files of other encoders"), ("streaming", "Large pictures"), ("jpx", "JPX and JPH files")];

/// Prints the table; tells whether all rows pass.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let executors = Executors::new()?;
    let filter = arguments.only.as_deref().unwrap_or_default();
    let progress = |row: &Row| eprintln!("{}: {}: {} | {}", row.file, row.what, row.cpu, row.gpu);
    let groups = groups(&wavetile_testing::shared_folder()?, &executors, filter, &progress)?;
    let text = table::whole(&groups, &executors.gpu_name());
    println!("{text}");
    if let Some(folder) = &arguments.write {
        table::write(folder, &text, &table::sentence(&groups))?;
    }
    Ok(groups.iter().flat_map(|group| &group.rows).all(|row| row.passes()))
}

/// Runs all rows of files whose names contain `filter`.
fn groups(
    shared: &Path,
    executors: &Executors,
    filter: &str,
    progress: &dyn Fn(&Row),
) -> Result<Vec<Group>, String> {
    let data = shared.join("testdata");
    let suite = data.join("conformance");
    let mut groups = suite::groups(&suite, &manifest(&suite, "stream", filter)?, executors, progress)?;
    for (name, title) in FILES {
        let folder = data.join(name);
        groups.push(files::group(title, &folder, &manifest(&folder, "file", filter)?, executors, progress)?);
    }
    Ok(groups)
}

/// The rows of a folder's manifest whose `key` contains `filter`: one JSON object a line.
fn manifest(folder: &Path, key: &str, filter: &str) -> Result<Vec<Value>, String> {
    let path = folder.join("manifest.jsonl");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    let rows: Vec<Value> =
        rows.collect::<Result<_, _>>().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(rows.into_iter().filter(|row| row[key].as_str().is_some_and(|name| name.contains(filter))).collect())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("a manifest has {value} where a text should be"))
}

impl Row {
    /// Neither executor failed.
    fn passes(&self) -> bool {
        ![&self.cpu, &self.gpu].into_iter().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_row_passes() {
        let Some(shared) = wavetile_testing::shared("") else { return };
        let executors = Executors::new().unwrap();
        if let Some(reason) = executors.no_gpu() {
            wavetile_testing::skip_adapter(reason);
        }
        let groups = groups(&shared, &executors, "", &|_| ()).unwrap();
        let failures: Vec<_> =
            groups.iter().flat_map(|group| &group.rows).filter(|row| !row.passes()).collect();
        assert!(failures.is_empty(), "{failures:#?}");
        let counts = |compared: bool| -> Vec<usize> {
            let is = |row: &&Row| compared == !matches!(row.cpu, Outcome::NotCompared(_));
            groups.iter().map(|group| group.rows.iter().filter(is).count()).collect()
        };
        assert_eq!(counts(true), [25, 52, 86, 27, 513, 25, 5]);
        assert_eq!(counts(false), [1, 3, 12, 0, 15, 0, 0]);
    }
}
