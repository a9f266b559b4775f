//! The pictures that are measured.

use super::ours;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wavetile::engine::{DecodeRequest, Image, Rect};

/// A file, and the part of it that is decoded.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) name: String,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) request: DecodeRequest,
}

/// The bundled sample.
pub(crate) fn sample_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("program/assets/mandelbrot.jp2")
}

impl Picture {
    /// All that can be decoded; says which are left out, and why.
    pub(crate) fn all() -> Vec<Self> {
        let sample: Arc<[u8]> = std::fs::read(sample_path()).expect("the sample is in the repository").into();
        let picture = |name: &str, reduce, region| Self {
            name: name.to_owned(),
            bytes: sample.clone(),
            request: DecodeRequest::new().reduce(reduce).region(region),
        };
        let mut pictures = vec![
            picture("sample_overview", 3, None),
            picture("sample_region", 0, Some(Rect::new(3584, 3584, 4608, 4608))),
        ];
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
        let folder = std::env::var_os("WAVETILE_SHARED").map_or(beside, PathBuf::from).join("bench");
        let Ok(files) = std::fs::read_dir(&folder) else {
            println!("skipped: the pictures of ../shared/bench (set WAVETILE_SHARED to the folder above it)");
            return pictures;
        };
        let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
        paths.sort();
        for path in paths {
            if path.extension().is_some_and(|ending| ending == "j2k" || ending == "j2c")
                && let Ok(bytes) = std::fs::read(&path)
            {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let picture = Self { name, bytes: bytes.into(), request: DecodeRequest::default() };
                match picture.unsupported() {
                    None => pictures.push(picture),
                    Some(reason) => println!("skipped: {}: {reason}", picture.name),
                }
            }
        }
        pictures
    }

    fn unsupported(&self) -> Option<String> {
        let opened = Image::open(self.bytes.clone());
        let planned = opened.and_then(|image| ours::try_plan(&image, &self.request, ours::COMPONENTS));
        planned.err().map(|error| error.to_string())
    }

    /// Opens it as a decoder does.
    pub(crate) fn open(&self) -> Image {
        Image::open(self.bytes.clone()).expect("it was opened before")
    }

    /// A photograph of millions of samples: only the most telling comparisons are worth their time.
    pub(crate) fn is_large(&self) -> bool {
        let image = self.open();
        self.request.reduce == 0 && self.request.region.is_none() && image.area().area() > 4 << 20
    }
}
