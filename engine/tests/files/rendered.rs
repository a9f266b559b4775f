//! The JP2 files of T.803 | ISO/IEC 15444-4 as pictures, within peak error 4 and mean squared error 1.

use crate::support::{Plane, difference, manifest, read_png, shared_or_skip};
use crate::{gpu, open_path};
use std::collections::BTreeMap;
use std::path::Path;
use wavetile_engine::{DecodeRequest, Decoder, TexelFormat};

fn check(decoder: &Decoder, folder: &Path) {
    let mut files: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for row in manifest(&folder.join("manifest.jsonl")) {
        let stream = row["stream"].as_str().unwrap();
        if stream.starts_with("jp2/") {
            files.entry(stream.to_owned()).or_default().push(row);
        }
    }
    assert_eq!(files.len(), 9);
    let mut failures = Vec::new();
    for (stream, rows) in files {
        let reference = read_png(&folder.join(rows[0]["reference"].as_str().unwrap()));
        let (file, image) = open_path(&folder.join(&stream));
        let (picture, report) =
            decoder.render(&image, &file, &DecodeRequest::default(), TexelFormat::Rgba8).unwrap();
        assert!(report.is_complete());
        for row in &rows {
            let component = row["component"].as_u64().unwrap() as usize;
            let got = Plane {
                width: picture.size.width as usize,
                height: picture.size.height as usize,
                samples: picture.bytes.iter().skip(component).step_by(4).map(|&v| i32::from(v)).collect(),
            };
            let found = difference(&got, &reference[component]);
            if found.peak > row["peak"].as_i64().unwrap_or(4) || found.mean_square > 1.0 {
                failures.push(format!("{stream} {component}: {found:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn part_4_pictures() {
    let Some(shared) = shared_or_skip("part_4_pictures") else { return };
    let folder = shared.join("testdata/conformance");
    check(&Decoder::cpu(), &folder);
    if let Some(decoder) = gpu() {
        check(&decoder, &folder);
    }
}
