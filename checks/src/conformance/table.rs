//! The table as Markdown.

use super::Group;
use super::row::{Outcome, Row};
use std::fmt::Write;
use std::path::Path;

const COMMAND: &str = "cargo run --release -p wavetile-checks -- conformance --write .";

/// Where the sentence stands in README.md.
const BEGIN: &str = "<!-- conformance: written by wavetile-checks -->";
const END: &str = "<!-- end of conformance -->";

/// All rows, under the summary.
pub(super) fn whole(groups: &[Group], gpu: &str) -> String {
    let mut text = format!(
        "# Conformance\n\nPrinted by `{COMMAND}`; the GPU executor ran on {gpu}.\n\n\
         Of each reference the table gives what is allowed and what was found, on the CPU and on the GPU: the peak \
         error and, where it is bounded too, the mean squared error; or \"exact\". Pictures are rendered with sub-sampled \
         components repeated, as the references are. Rows that are not compared name the reason: streams of the \
         suite that could not be had, and references of lossy files of which only a hash was kept.\n\n"
    );
    text += &summary(groups);
    for Group { title, rows } in groups {
        let _ =
            write!(text, "\n## {title}\n\n| file | what | allowed | CPU | GPU |\n|---|---|---|---|---|\n");
        for Row { file, what, bound, cpu, gpu } in rows {
            let _ = writeln!(text, "| {file} | {what} | {bound} | {cpu} | {gpu} |");
        }
    }
    text
}

/// One line a group.
fn summary(groups: &[Group]) -> String {
    let mut text = "| references | rows | pass on the CPU | pass on the GPU | fail | not compared |\n|---|---|---|---|---|---|\n".to_owned();
    for Group { title, rows } in groups {
        let count = |is: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
        let passed = |outcome: &Outcome| matches!(outcome, Outcome::Passed(_));
        let _ = writeln!(
            text,
            "| {title} | {} | {} | {} | {} | {} |",
            rows.len(),
            count(&|row| passed(&row.cpu)),
            count(&|row| passed(&row.gpu)),
            count(&|row| !row.passes()),
            count(&|row| matches!(row.cpu, Outcome::NotCompared(_))),
        );
    }
    text
}

/// All groups in one sentence, with the day.
pub(super) fn sentence(groups: &[Group]) -> String {
    let count =
        |is: &dyn Fn(&Row) -> bool| groups.iter().flat_map(|group| &group.rows).filter(|row| is(row)).count();
    let passed = |outcome: &Outcome| matches!(outcome, Outcome::Passed(_));
    format!(
        "Of {} references, {} pass on the CPU and {} on the GPU, {} fail, and {} are not compared ({}).\n",
        count(&|_| true),
        count(&|row| passed(&row.cpu)),
        count(&|row| passed(&row.gpu)),
        count(&|row| !row.passes()),
        count(&|row| matches!(row.cpu, Outcome::NotCompared(_))),
        time::OffsetDateTime::now_utc().date(),
    )
}

/// Writes docs/conformance.md and replaces the sentence in README.md.
pub(super) fn write(repository: &Path, whole: &str, sentence: &str) -> Result<(), String> {
    let put = |name: &str, text: &str| {
        let path = repository.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    put("docs/conformance.md", whole)?;
    let path = repository.join("README.md");
    let readme = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{} has no place for it: {BEGIN}", path.display()))?;
    put("README.md", &format!("{before}{BEGIN}\n{sentence}{END}{after}"))
}
