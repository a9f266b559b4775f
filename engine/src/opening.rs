//! Opening a picture: of a file, which has it or not, or of a stream, which may not have it yet.

use crate::byte_source::{ByteSource, FileSource};
use crate::data_bin::{DataBinId, DataBins};
use crate::error::{ContainerError, RequestError, Result};
use crate::image::Image;
use crate::limits::Limits;
use crate::source::IndexedFile;
use std::path::Path;
use std::sync::Arc;

/// How to open a picture: within which limits, and which codestream of it.
///
/// ```
/// use wavetile_engine::{ImageOptions, Limits};
///
/// # fn main() -> wavetile_engine::Result<()> {
/// let image = ImageOptions::new().limits(Limits::strict()).open_file("tests/data/gradient.jp2")?;
/// assert_eq!(image.area().width(), 96);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ImageOptions {
    limits: Limits,
    codestream: u32,
}

/// What became of opening a stream.
#[derive(Clone, Debug)]
pub enum Opening {
    /// The headers are there.
    Image(Image),
    /// They are not: try again when more has arrived.
    NeedsMore,
}

impl Opening {
    /// The image, if the headers are there.
    #[must_use]
    pub fn image(self) -> Option<Image> {
        match self {
            Self::Image(image) => Some(image),
            Self::NeedsMore => None,
        }
    }
}

impl ImageOptions {
    /// The first codestream, within the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the picture, and each request for it, may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// One of several codestreams of a JPX file, by its number in file order, with the boxes that hold for it
    /// ([`Container::of_codestream`](crate::boxes::Container::of_codestream)).
    #[must_use]
    pub fn codestream(mut self, number: u32) -> Self {
        self.codestream = number;
        self
    }

    /// Opens a file by its path. Waits for the file system, here and wherever data is read.
    ///
    /// # Errors
    /// The file cannot be read, and as for [`Self::open`].
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<Image> {
        self.open(FileSource::open(path)?)
    }

    /// Opens a file that is held in memory (`Vec<u8>`), or whatever else bytes can be read from.
    ///
    /// # Errors
    /// It is not a JPEG 2000 file, its headers are broken, cut or unsupported, the picture is beyond the limits, or there
    /// is no such codestream.
    pub fn open(&self, source: impl ByteSource + 'static) -> Result<Image> {
        self.open_indexed(Arc::new(IndexedFile::open(source, &self.limits)?))
    }

    /// Opens a picture of a file that is indexed already, within the limits that the file was opened with.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_indexed(&self, file: Arc<IndexedFile>) -> Result<Image> {
        let (codestream, count) = (self.codestream, file.codestream_count());
        if codestream >= count {
            return Err(RequestError::NoSuchCodestream { codestream, count }.into());
        }
        let options = self.clone().limits(file.limits().clone());
        match options.open_stream(file)? {
            Opening::Image(image) => Ok(image),
            // Its first header was read before.
            Opening::NeedsMore => Err(ContainerError::MissingBox { kind: "jp2c" }.into()),
        }
    }

    /// Opens a picture of which data arrives, once the main header bin and metadata-bin 0 are whole.
    ///
    /// # Errors
    /// Broken or unsupported headers, or a picture beyond the limits. A codestream that does not exist needs more, for ever.
    pub fn open_stream(&self, bins: Arc<dyn DataBins + Send + Sync>) -> Result<Opening> {
        let whole = |id| Ok::<_, crate::Error>(bins.bin(self.codestream, id)?.filter(|bin| bin.complete));
        let Some(main) = whole(DataBinId::MainHeader)? else { return Ok(Opening::NeedsMore) };
        if whole(DataBinId::Metadata(0))?.is_none() {
            return Ok(Opening::NeedsMore);
        }
        let main = main.bytes.into_owned();
        Image::parse(bins, &main, self.codestream, &self.limits).map(Opening::Image)
    }
}

impl Image {
    /// Opens the first codestream of a file that is held in memory (`Vec<u8>`), or whatever else bytes can be read from,
    /// within the default limits; [`ImageOptions`] for more.
    ///
    /// # Errors
    /// As [`ImageOptions::open`].
    pub fn open(source: impl ByteSource + 'static) -> Result<Self> {
        ImageOptions::new().open(source)
    }

    /// Opens the first codestream of a file by its path. Waits for the file system, here and wherever data is read.
    ///
    /// # Errors
    /// As [`ImageOptions::open_file`].
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self> {
        ImageOptions::new().open_file(path)
    }

    /// Opens the first codestream of a picture of which data arrives.
    ///
    /// # Errors
    /// As [`ImageOptions::open_stream`].
    pub fn open_stream(bins: Arc<dyn DataBins + Send + Sync>) -> Result<Opening> {
        ImageOptions::new().open_stream(bins)
    }
}
