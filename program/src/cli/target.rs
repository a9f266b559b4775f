//! What a command works on: a file, or a picture on a JPIP server.

use super::arguments::Space;
use super::connection::ConnectionArguments;
use super::ranges::Ranges;
use super::remote::{Boxes, Remote};
use crate::console::Failure;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use wavetile_engine::byte_source::FileSource;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DecodeRequest, Image, ImageOptions, Limits};
use wavetile_transport::client::Address;
use wavetile_transport::ranges::RemoteFile;

/// Where a picture is.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    File(PathBuf),
    Remote(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A file whose name looks like an address can be given as ./NAME.
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        // A name with a query is not one of JPIP's.
        let plain = text.contains('?').then(|| RemoteFile::check_address(text));
        let checked = plain.unwrap_or_else(|| text.parse::<Address>().map(drop));
        checked.map_err(|error| error.to_string())?;
        Ok(Self::Remote(text.to_owned()))
    }
}

/// A picture that can be asked.
pub(crate) enum Opened {
    File { file: Arc<IndexedFile>, image: Image },
    Remote(Remote),
    Ranges(Ranges),
    Kept { image: Image },
}

impl Target {
    /// As given.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Remote(url) => url.clone(),
        }
    }

    /// Opens the file, or connects and fetches the headers, at the codestream of this number.
    pub(crate) fn open(
        &self,
        connection: &ConnectionArguments,
        codestream: u32,
        boxes: Boxes,
        limits: &Limits,
    ) -> Result<Opened, Failure> {
        match self {
            Self::File(path) => open_file(path, codestream, limits)
                .map_err(|failure| format!("{}: {failure}", path.display()).into()),
            Self::Remote(url) if connection.offline => {
                let bins = Arc::new(connection.kept(url)?.bins);
                let options = ImageOptions::new().limits(limits.clone()).codestream(codestream);
                let image = options.open_stream(bins)?.image();
                let image = image.ok_or_else(|| format!("the cache has not all headers of {url}"))?;
                Ok(Opened::Kept { image })
            }
            Self::Remote(url) => {
                // Who says how to reach it has a JPIP server.
                let plain = connection.transport.is_none() && url.to_ascii_lowercase().starts_with("http");
                if plain && let Some(ranges) = Ranges::open(url, connection, codestream, limits)? {
                    return Ok(Opened::Ranges(ranges));
                }
                Ok(Opened::Remote(Remote::connect(url, connection, codestream, boxes, limits)?))
            }
        }
    }
}

fn open_file(path: &Path, codestream: u32, limits: &Limits) -> Result<Opened, Failure> {
    let file = Arc::new(IndexedFile::open(FileSource::open(path)?, limits)?);
    let image = ImageOptions::new().codestream(codestream).open_indexed(file.clone())?;
    Ok(Opened::File { file, image })
}

impl Opened {
    /// The picture and, of a file, its container with the places of the boxes.
    pub(crate) fn image(&self) -> &Image {
        match self {
            Self::File { image, .. } | Self::Kept { image } => image,
            Self::Remote(remote) => remote.image(),
            Self::Ranges(ranges) => ranges.image(),
        }
    }

    /// The file, unless the picture is on a server.
    pub(crate) fn file(&self) -> Option<&IndexedFile> {
        match self {
            Self::File { file, .. } => Some(file),
            Self::Remote(_) | Self::Ranges(_) | Self::Kept { .. } => None,
        }
    }

    /// Ends the session, if there is one.
    pub(crate) fn close(self) {
        if let Self::Remote(remote) = self {
            remote.close();
        }
    }

    /// The picture with the data that `request` needs, which is fetched if need be.
    pub(crate) fn into_image(self, request: &DecodeRequest, space: Space) -> Result<Image, Failure> {
        match self {
            Self::File { image, .. } | Self::Kept { image } => Ok(image),
            Self::Remote(remote) => remote.into_image(request, space),
            Self::Ranges(ranges) => ranges.into_image(request, space),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_scheme_and_everything_else_is_a_file() {
        assert!(matches!("a/b.jp2".parse(), Ok(Target::File(_))));
        assert!(matches!("jpip:b.jp2".parse(), Ok(Target::File(_))));
        assert!(matches!("jpip://host:99/a/b.jp2".parse(), Ok(Target::Remote(_))));
        assert!("ftp://host/a".parse::<Target>().is_err());
    }
}
