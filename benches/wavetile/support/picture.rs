//! The pictures that are measured.

use super::ours;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wavetile::engine::image::{DecodeRequest, Image};
use wavetile::engine::source::IndexedFile;
use wavetile::engine::{Limits, Rect};

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
            request: DecodeRequest { reduce, region, ..DecodeRequest::default() },
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
        let file = IndexedFile::open(self.bytes.clone(), &Limits::default());
        let opened = file.and_then(|file| Ok((Image::open(&file, &Limits::default())?, file)));
        let planned = opened.and_then(|(image, file)| {
            image.map(|image| ours::try_plan(&image, &file, &self.request, ours::COMPONENTS)).transpose()
        });
        match planned {
            Ok(Some(_)) => None,
            Ok(None) => Some("its headers are incomplete".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Opens it as a decoder does.
    pub(crate) fn open(&self) -> (IndexedFile, Image) {
        let file = IndexedFile::open(self.bytes.clone(), &Limits::default()).expect("it was opened before");
        let image = Image::open(&file, &Limits::default()).expect("it was opened before");
        (file, image.expect("a file holds all headers"))
    }

    /// A photograph of millions of samples: only the most telling comparisons are worth their time.
    pub(crate) fn is_large(&self) -> bool {
        let (_, image) = self.open();
        self.request.reduce == 0 && self.request.region.is_none() && image.area().area() > 4 << 20
    }
}
