//! What the end-to-end tests share: finding the shared data, reading references, comparing.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of shared test data: `$WAVETILE_SHARED`, or `shared` beside the repository.
pub fn shared() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("WAVETILE_SHARED").map(PathBuf::from) {
        return folder.join("testdata").is_dir().then_some(folder);
    }
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).take(2).map(|up| up.join("shared"));
    beside.into_iter().find(|folder| folder.join("testdata").is_dir())
}

/// The shared data, or `None` after saying that `test` was skipped.
pub fn shared_or_skip(test: &str) -> Option<PathBuf> {
    let folder = shared();
    if folder.is_none() {
        println!("skipped: {test} needs the shared test data (set WAVETILE_SHARED to its folder)");
    }
    folder
}

/// The rows of a manifest: one JSON object a line.
pub fn manifest(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// One component of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<i32>,
}

/// Reads a PNG of 1 to 4 channels, unscaled.
pub fn read_png(path: &Path) -> Vec<Plane> {
    let image = image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (width, height) = (image.width() as usize, image.height() as usize);
    let channels = usize::from(image.color().channel_count());
    let samples: Vec<i32> = if image.color().bytes_per_pixel() as usize / channels == 2 {
        match &image {
            image::DynamicImage::ImageLuma16(i) => i.as_raw().iter().map(|&v| i32::from(v)).collect(),
            image::DynamicImage::ImageLumaA16(i) => i.as_raw().iter().map(|&v| i32::from(v)).collect(),
            image::DynamicImage::ImageRgb16(i) => i.as_raw().iter().map(|&v| i32::from(v)).collect(),
            image::DynamicImage::ImageRgba16(i) => i.as_raw().iter().map(|&v| i32::from(v)).collect(),
            other => panic!("{}: unexpected {:?}", path.display(), other.color()),
        }
    } else {
        image.as_bytes().iter().map(|&v| i32::from(v)).collect()
    };
    (0..channels)
        .map(|channel| Plane {
            width,
            height,
            samples: samples.iter().skip(channel).step_by(channels).copied().collect(),
        })
        .collect()
}

/// How far two planes are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub peak: i64,
    pub mean_square: f64,
}

/// # Panics
/// If the sizes differ.
pub fn difference(got: &Plane, wanted: &Plane) -> Difference {
    assert_eq!((got.width, got.height), (wanted.width, wanted.height), "sizes differ");
    let mut peak = 0;
    let mut sum = 0.0;
    for (&a, &b) in got.samples.iter().zip(&wanted.samples) {
        let d = (i64::from(a) - i64::from(b)).abs();
        peak = peak.max(d);
        sum += (d * d) as f64;
    }
    Difference { peak, mean_square: sum / got.samples.len().max(1) as f64 }
}

#[test]
fn one_wrong_sample_is_seen() {
    let plane = Plane { width: 3, height: 2, samples: vec![0, 1, 2, 3, 4, 5] };
    assert_eq!(difference(&plane, &plane), Difference { peak: 0, mean_square: 0.0 });
    let mut wrong = plane.clone();
    wrong.samples[4] -= 3;
    assert_eq!(difference(&plane, &wrong), Difference { peak: 3, mean_square: 1.5 });
}
