//! Files of other encoders, with component references of other decoders: whole, reduced, regions, layers.

use super::digest::sha256;
use super::executors::{Executors, Opened};
use super::row::{Bound, Outcome, Row};
use super::{Group, text};
use serde_json::Value;
use std::path::Path;
use wavetile_engine::{DecodeRequest, Decoder, Rect};
use wavetile_testing::compare::Difference;
use wavetile_testing::plane::{Plane, read};

/// A file whose codestream ends a layer early (EOC stands where the packets of its second layer should); what
/// its references show is all there is.
const ONE_LAYER_SHORT: &str = "Marrin.jp2";

/// Runs all component references of a manifest.
pub(super) fn group(
    title: &str,
    folder: &Path,
    rows: &[Value],
    executors: &Executors,
    progress: &dyn Fn(&Row),
) -> Result<Group, String> {
    let mut group = Group { title: title.to_owned(), rows: Vec::new() };
    for file in rows {
        let name = text(&file["file"])?;
        for reference in file["references"].as_array().into_iter().flatten() {
            if reference["kind"] == "components" {
                let row = row(folder, name, reference, executors)?;
                progress(&row);
                group.rows.push(row);
            }
        }
    }
    Ok(group)
}

fn row(folder: &Path, name: &str, reference: &Value, executors: &Executors) -> Result<Row, String> {
    let codestream = reference["codestream"].as_u64().unwrap_or(0) as u32;
    let edges = reference["region"].as_array();
    let edges =
        edges.map(|edges| edges.iter().map(|edge| edge.as_u64().unwrap_or(0) as u32).collect::<Vec<_>>());
    let region = match edges.as_deref() {
        Some(&[x0, y0, x1, y1]) => Some(Rect::new(x0, y0, x1, y1)),
        _ => None,
    };
    let request = DecodeRequest::new()
        .reduce(reference["reduce"].as_u64().unwrap_or(0) as u32)
        .region(region)
        .layers(reference["layers"].as_u64().map(|layers| layers as u16));
    let wanted = wanted(folder, reference)?;
    let exact = reference["tolerance_peak"] == 0;
    let bound =
        if exact { Bound::EXACT } else { Bound::peak(reference["tolerance_peak"].as_f64().unwrap_or(0.0)) };
    let opened = Opened::new(&folder.join(name), codestream);
    let compare = |decoder: &Decoder| -> Result<Option<Difference>, String> {
        let opened = opened.as_ref().map_err(Clone::clone)?;
        let (planes, complete) = opened.components(decoder, &request)?;
        if complete != (if name == ONE_LAYER_SHORT { 0.5 } else { 1.0 }) {
            return Err(format!("{:.1} % of the packets are there", 100.0 * complete));
        }
        compare(&planes, &wanted, reference, exact)
    };
    let (cpu, gpu) = executors.both(|decoder| match compare(decoder) {
        Ok(None) => Outcome::NotCompared(
            "of its lossy reference only a hash was kept; size and packets are right".into(),
        ),
        Ok(Some(found)) => Outcome::of(Ok(found), bound),
        Err(reason) => Outcome::Failed(reason),
    });
    Ok(Row { file: name.to_owned(), what: what(&request, codestream), bound, cpu, gpu })
}

fn wanted(folder: &Path, reference: &Value) -> Result<Vec<Plane>, String> {
    let mut planes = Vec::new();
    for file in reference["files"].as_array().into_iter().flatten() {
        planes.extend(read(&folder.join(text(file)?))?);
    }
    Ok(planes)
}

/// The largest differences of all components. `None`: there are no samples to compare with.
fn compare(
    got: &[Plane],
    wanted: &[Plane],
    reference: &Value,
    exact: bool,
) -> Result<Option<Difference>, String> {
    if let Some(sizes) = reference["sizes"].as_array() {
        let found: Vec<Value> =
            got.iter().map(|plane| serde_json::json!([plane.width, plane.height])).collect();
        if &found != sizes {
            return Err(format!("sizes {found:?} instead of {sizes:?}"));
        }
    }
    let mut largest = Difference::default();
    if !wanted.is_empty() && wanted.len() != got.len() {
        return Err(format!("{} components instead of {}", got.len(), wanted.len()));
    }
    for (got, wanted) in got.iter().zip(wanted) {
        let found = got.difference(wanted)?;
        largest.peak = largest.peak.max(found.peak);
        largest.mean_square = largest.mean_square.max(found.mean_square);
    }
    let hash = (exact || wanted.is_empty()).then(|| sha256(got));
    match hash {
        Some(hash) if reference["sha256_i32le"] == hash => Ok(Some(Difference::default())),
        Some(_) if !exact => Ok(None),
        Some(hash) => Err(format!("SHA-256 {hash}, largest difference {}", largest.peak)),
        None => Ok(Some(largest)),
    }
}

fn what(request: &DecodeRequest, codestream: u32) -> String {
    let mut what = if codestream > 0 { format!("codestream {codestream}, ") } else { String::new() };
    what += &match request.reduce {
        0 => "whole".to_owned(),
        reduce => format!("reduced by {reduce}"),
    };
    if let Some(Rect { x0, y0, x1, y1 }) = request.region {
        what += &format!(", region {x0} {y0} {x1} {y1}");
    }
    if let Some(layers) = request.layers {
        what += &format!(", layers {layers}");
    }
    what
}
