//! A picture file on a web server, fetched in ranges of bytes.

use super::arguments::Space;
use super::connection::{ConnectionArguments, runtime};
use super::progress::Progress;
use crate::console::Failure;
use std::time::Duration;
use tokio::runtime::Runtime;
use wavetile_engine::{DecodeRequest, Image, Limits};
use wavetile_transport::client::FetchSummary;
use wavetile_transport::ranges::{ByteRangeError, RemoteFile};
use wavetile_transport::road::RoadError;

/// A file whose headers are there.
pub(crate) struct Ranges {
    runtime: Runtime,
    file: RemoteFile,
    image: Image,
}

impl Ranges {
    /// `None` if a JPIP server answers.
    pub(crate) fn open(
        url: &str,
        arguments: &ConnectionArguments,
        codestream: u32,
        limits: &Limits,
    ) -> Result<Option<Self>, Failure> {
        let runtime = runtime()?;
        let options = arguments.options()?;
        let opened = runtime.block_on(async {
            let opened = match RemoteFile::open(url, &options, limits).await {
                // A JPIP server may have nothing but HTTP/3.
                Err(ByteRangeError::Road(RoadError::Unreachable { .. })) if !url.contains('?') => None,
                opened => opened?,
            };
            let Some(mut file) = opened else { return Ok::<_, Failure>(None) };
            let image = file.image(codestream, limits).await?;
            Ok(Some((file, image.ok_or_else(|| format!("the file has no codestream {codestream}"))?)))
        })?;
        Ok(opened.map(|(file, image)| Self { runtime, file, image }))
    }

    pub(crate) const fn image(&self) -> &Image {
        &self.image
    }

    /// Fetches what `request` needs.
    pub(crate) fn fetch(&mut self, request: &DecodeRequest, space: Space) -> Result<(), Failure> {
        let Self { runtime, file, image } = self;
        runtime.block_on(async {
            let progress = Progress::bytes("receiving");
            let source = file.bins().source().clone();
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            let mut fetching = std::pin::pin!(file.fetch(image, request, space == Space::Rendered));
            loop {
                tokio::select! {
                    result = &mut fetching => return Ok(result?),
                    _ = ticks.tick() => progress.reach(source.held()),
                }
            }
        })
    }

    /// What everything so far took.
    pub(crate) fn spent(&self) -> FetchSummary {
        self.file.spent()
    }

    /// Fetches what `request` needs.
    pub(crate) fn into_image(mut self, request: &DecodeRequest, space: Space) -> Result<Image, Failure> {
        self.fetch(request, space)?;
        Ok(self.image)
    }

    /// The runtime that carries the requests, the file, and its picture.
    #[cfg(feature = "viewer")]
    pub(crate) fn into_parts(self) -> (Runtime, RemoteFile, Image) {
        (self.runtime, self.file, self.image)
    }
}
