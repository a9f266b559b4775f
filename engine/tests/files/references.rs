//! Every file of the shared test data that has component references.

use crate::support::{Plane, difference, manifest, read_pgx, read_png, shared_or_skip};
use crate::{empty_codestream, gpu, open, planes};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use wavetile_engine::error::CodestreamError;
use wavetile_engine::{DecodeRequest, Decoder, Error, Image, Limits, Rect};

/// Irreversible references that are kept as a hash only: a hash says nothing about samples that may differ.
/// Their size and completeness are checked; other rows of the same files have their samples compared.
const HASH_ONLY: [(&str, &[u64]); 9] = [
    ("issue205.jp2", &[0, 1]),
    ("small_world_non_consecutive_tilepart_tlm.jp2", &[0]),
    ("issue142.j2k", &[0, 1, 2]),
    ("heliov.jpx", &[0, 1]),
    ("513x513.jp2", &[0]),
    ("Bretagne1_ht_lossy.j2k", &[0, 1]),
    ("simple_dec_irv97_64x64_tiles_PCRL33x33.jph", &[0, 1, 2]),
    ("simple_dec_irv97_64x64_16bit_gray.jph", &[0]),
    ("u04_small.j2c", &[0, 1]),
];

/// A file whose codestream ends a layer early (EOC stands where the packets of its second layer should); what
/// its references show is all there is.
const ONE_LAYER_SHORT: &str = "Marrin.jp2";

/// What ran.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    files: usize,
    /// References whose samples were compared, or whose hash was.
    compared: usize,
    /// References of [`HASH_ONLY`].
    hash_only: usize,
    /// References left to the CPU for their size.
    large: usize,
}

/// Samples of a reference beyond which the GPU test leaves it out: it may run on a software GPU.
const SMALL: u64 = 1 << 20;

struct Check<'a> {
    decoder: &'a Decoder,
    small_only: bool,
    count: Count,
    failures: Vec<String>,
}

impl<'a> Check<'a> {
    fn new(decoder: &'a Decoder, small_only: bool) -> Self {
        Self { decoder, small_only, count: Count::default(), failures: Vec::new() }
    }

    fn folder(&mut self, folder: &Path) {
        for row in manifest(&folder.join("manifest.jsonl")) {
            let name = row["file"].as_str().unwrap();
            // DICOM around the codestream.
            if row["container"] == "dicom" {
                continue;
            }
            self.count.files += 1;
            let before = self.count.compared;
            for reference in row["references"].as_array().unwrap() {
                if reference["kind"] != "components" {
                    continue;
                }
                if let Err(reason) = self.reference(folder, name, reference) {
                    let of = [&reference["reduce"], &reference["region"], &reference["layers"]];
                    self.failures.push(format!("{name} {of:?}: {reason}"));
                }
            }
            if before == self.count.compared {
                self.failures.push(format!("{name}: no samples compared"));
            }
        }
    }

    fn reference(&mut self, folder: &Path, name: &str, reference: &Value) -> Result<(), String> {
        let reduce = reference["reduce"].as_u64().unwrap();
        let tolerance = reference["tolerance_peak"].as_i64().unwrap();
        let edge = |region: &Value, index: usize| region[index].as_u64().unwrap() as u32;
        let region = reference.get("region").filter(|region| region.is_array());
        let request = DecodeRequest {
            reduce: reduce as u32,
            region: region.map(|r| Rect::new(edge(r, 0), edge(r, 1), edge(r, 2), edge(r, 3))),
            layers: reference["layers"].as_u64().map(|layers| layers as u16),
            ..DecodeRequest::default()
        };
        let (file, image) = open(std::fs::read(folder.join(name)).unwrap()).map_err(|e| e.to_string())?;
        let image = match reference["codestream"].as_u64().unwrap_or(0) {
            0 => image,
            number => Image::open_codestream(&file, number as u32, &Limits::default())
                .map_err(|e| e.to_string())?
                .ok_or("there is no such codestream")?,
        };
        let rects = image.component_rects(&request).map_err(|e| e.to_string())?;
        if self.small_only && rects.iter().map(|(_, rect)| rect.area()).sum::<u64>() > SMALL {
            self.count.large += 1;
            return Ok(());
        }
        let (components, report) =
            self.decoder.components(&image, &file, &request).map_err(|e| e.to_string())?;
        let whole = if name == ONE_LAYER_SHORT { 0.5 } else { 1.0 };
        if report.is_complete() != (whole == 1.0) || report.completeness() != whole {
            return Err(format!("{report:?}"));
        }
        let got = planes(components);
        if let Some(sizes) = reference["sizes"].as_array() {
            let got: Vec<Value> =
                got.iter().map(|plane| serde_json::json!([plane.width, plane.height])).collect();
            if &got != sizes {
                return Err(format!("sizes {got:?} instead of {sizes:?}"));
            }
        }
        if HASH_ONLY.iter().any(|&(file, reduces)| file == name && reduces.contains(&reduce))
            && region.is_none()
        {
            assert!(tolerance > 0 && reference["files"].as_array().unwrap().is_empty(), "{name}");
            self.count.hash_only += 1;
            return Ok(());
        }
        let wanted: Vec<Plane> = reference["files"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|path| {
                let path = folder.join(path.as_str().unwrap());
                if path.extension().is_some_and(|extension| extension == "png") {
                    read_png(&path)
                } else {
                    vec![read_pgx(&path)]
                }
            })
            .collect();
        self.count.compared += 1;
        if tolerance == 0 || wanted.is_empty() {
            let hash = sha256(&got);
            if reference["sha256_i32le"] != hash {
                let found = got.iter().zip(&wanted).map(|(g, w)| difference(g, w)).collect::<Vec<_>>();
                return Err(format!("SHA-256 {hash} (differences {found:?})"));
            }
        }
        if !wanted.is_empty() && wanted.len() != got.len() {
            return Err(format!("{} components instead of {}", got.len(), wanted.len()));
        }
        for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            let found = difference(got, wanted);
            if found.peak > tolerance {
                return Err(format!("component {index}: {found:?}, allowed {tolerance}"));
            }
        }
        Ok(())
    }
}

/// Over all samples as little-endian 32-bit words.
fn sha256(planes: &[Plane]) -> String {
    let mut hash = Sha256::new();
    for plane in planes {
        for sample in &plane.samples {
            hash.update(sample.to_le_bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(decoder: &Decoder, small_only: bool, folder: &Path) -> Count {
    let mut check = Check::new(decoder, small_only);
    check.folder(folder);
    assert!(check.failures.is_empty(), "{:?}\n{}", check.count, check.failures.join("\n"));
    check.count
}

#[test]
fn files_on_the_cpu() {
    let Some(shared) = shared_or_skip("files_on_the_cpu") else { return };
    let decoder = Decoder::cpu();
    let count = check(&decoder, false, &shared.join("testdata/files"));
    assert_eq!(count, Count { files: 117, compared: 496, hash_only: 17, large: 0 });
    let count = check(&decoder, false, &shared.join("testdata/streaming"));
    assert_eq!(count, Count { files: 3, compared: 25, hash_only: 0, large: 0 });
    let count = check(&decoder, false, &shared.join("testdata/jpx"));
    assert_eq!(count, Count { files: 2, compared: 5, hash_only: 0, large: 0 });
}

#[test]
fn files_on_the_gpu() {
    let Some(shared) = shared_or_skip("files_on_the_gpu") else { return };
    let Some(decoder) = gpu() else { return };
    let count = check(&decoder, true, &shared.join("testdata/files"));
    assert_eq!(count, Count { files: 117, compared: 495, hash_only: 12, large: 6 });
    let count = check(&decoder, true, &shared.join("testdata/streaming"));
    assert_eq!(count, Count { files: 3, compared: 25, hash_only: 0, large: 0 });
    let count = check(&decoder, true, &shared.join("testdata/jpx"));
    assert_eq!(count, Count { files: 2, compared: 5, hash_only: 0, large: 0 });
}

#[test]
fn every_hash_only_file_is_in_the_manifest() {
    let Some(shared) = shared_or_skip("every_hash_only_file_is_in_the_manifest") else { return };
    let rows = manifest(&shared.join("testdata/files/manifest.jsonl"));
    let names: BTreeSet<&str> = rows.iter().map(|row| row["file"].as_str().unwrap()).collect();
    assert!(HASH_ONLY.iter().all(|(name, _)| names.contains(name)));
}

/// No file of the shared data is that deep: the samples of a decode are 32-bit signed integers.
#[test]
fn samples_deeper_than_31_bits_are_refused_by_name() {
    let decode = |depth| {
        let (file, image) = open(empty_codestream(20, 10, 20, depth)).unwrap();
        Decoder::cpu().components(&image, &file, &DecodeRequest::default())
    };
    assert_eq!(decode(31).unwrap().0[0].samples, [1 << 30; 200]);
    for depth in [32, 38] {
        match decode(depth) {
            Err(Error::Codestream(CodestreamError::Unsupported { feature })) => {
                assert!(feature.starts_with(&format!("{depth}-bit unsigned samples")), "{feature}");
            }
            other => panic!("{depth} bits: {other:?}"),
        }
    }
}
