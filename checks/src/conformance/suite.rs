//! The rows of T.803 | ISO/IEC 15444-4: Part 1 codestreams, Part 15 codestreams, JP2 files.

use super::executors::{Executors, Opened};
use super::row::{Bound, Outcome, Row};
use super::{Group, text};
use serde_json::Value;
use std::path::Path;
use wavetile_engine::{DecodeRequest, Decoder};
use wavetile_testing::compare::Difference;
use wavetile_testing::plane::{Plane, read};

/// Title, class, and how names of streams begin.
const GROUPS: [(&str, &str, &str); 4] = [
    ("T.803, Part 1 codestreams, class 0", "0", "part4/"),
    ("T.803, Part 1 codestreams, class 1", "1", "part4/"),
    ("T.803, Part 15 codestreams (HTJ2K), class 1", "1", "part15/"),
    ("T.803, JP2 files, rendered", "JP2", "jp2/"),
];

/// How absent streams are marked.
const ABSENT: &str = "(absent) ";

/// Runs all rows of the suite's manifest in `folder`.
pub(super) fn groups(
    folder: &Path,
    rows: &[Value],
    executors: &Executors,
    progress: &dyn Fn(&Row),
) -> Result<Vec<Group>, String> {
    let mut groups: Vec<Group> =
        GROUPS.iter().map(|(title, ..)| Group { title: (*title).to_owned(), rows: Vec::new() }).collect();
    for row in rows {
        let stream = text(&row["stream"])?;
        let class = row["class"].as_str().map_or_else(|| row["class"].to_string(), str::to_owned);
        let place = match stream.strip_prefix(ABSENT) {
            Some(name) if name.starts_with("ds") => 2,
            Some(_) => usize::from(class == "1"),
            None => GROUPS
                .iter()
                .position(|(_, c, start)| class == *c && stream.starts_with(start))
                .ok_or_else(|| format!("{stream}: a row of no known class"))?,
        };
        let done = if stream.starts_with(ABSENT) {
            absent(stream, row)
        } else {
            self::row(folder, stream, row, place, executors)?
        };
        progress(&done);
        groups[place].rows.push(done);
    }
    Ok(groups)
}

fn absent(stream: &str, row: &Value) -> Row {
    let reason = || Outcome::NotCompared("the stream could not be had".to_owned());
    Row {
        file: stream.trim_start_matches(ABSENT).to_owned(),
        what: what(row),
        bound: bound(row),
        cpu: reason(),
        gpu: reason(),
    }
}

fn what(row: &Value) -> String {
    format!("component {}, reduced by {}", row["component"], row["reduction"])
}

fn bound(row: &Value) -> Bound {
    let number = |name: &str| row[name].as_f64().unwrap_or_default();
    Bound { peak: number("peak"), mean_square: number("mse") }
}

fn row(folder: &Path, stream: &str, row: &Value, group: usize, executors: &Executors) -> Result<Row, String> {
    let reference = read(&folder.join(text(&row["reference"])?))?;
    let bound = bound(row);
    let note = row["note"].as_str().unwrap_or_default();
    let component = row["component"].as_u64().unwrap_or_default() as usize;
    let request = DecodeRequest::new()
        .reduce(row["reduction"].as_u64().unwrap_or_default() as u32)
        .components(vec![component as u32])
        // T.803's class 0 decoder.
        .without_component_transform(group == 0);
    let opened = Opened::new(&folder.join(stream), 0);
    let compare = |decoder: &Decoder| -> Result<Difference, String> {
        let opened = opened.as_ref().map_err(Clone::clone)?;
        if GROUPS[group].1 == "JP2" {
            let picture = opened.picture(decoder)?;
            return picture[component].difference(&reference[component]);
        }
        let (mut planes, complete) = opened.components(decoder, &request)?;
        if complete < 1.0 {
            return Err(format!("{:.1} % of the packets are there", 100.0 * complete));
        }
        noted(planes.swap_remove(0), note, &reference[0]).difference(&reference[0])
    };
    let (cpu, gpu) = executors.both(|decoder| Outcome::of(compare(decoder), bound));
    Ok(Row { file: stream.to_owned(), what: what(row), bound, cpu, gpu })
}

/// What the manifest's note asks for before comparing.
fn noted(mut plane: Plane, note: &str, reference: &Plane) -> Plane {
    if note.contains(">> 4") {
        plane.samples.iter_mut().for_each(|sample| *sample >>= 4);
    }
    if note.contains("top-left") {
        plane = plane.top_left(reference.width, reference.height);
    }
    plane
}
