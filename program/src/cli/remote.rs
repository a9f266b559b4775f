//! A picture on a JPIP server.

use super::arguments::Space;
use super::connection::{ConnectionArguments, runtime};
use super::progress::Progress;
use crate::console::Failure;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::runtime::Runtime;
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{DecodeRequest, Image, ImageOptions, Limits};
use wavetile_transport::client::{ClientConfig, FetchSummary, Session};
use wavetile_transport::jpip::wire::fields::NumberRange;
use wavetile_transport::jpip::wire::metareq::MetadataRequest;
use wavetile_transport::road::RoadKind;

/// Which boxes of a file are fetched along with its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boxes {
    /// Those that tell how to show the picture.
    Needed,
    /// All.
    All,
}

/// A connection to a server that has sent the headers of a picture.
pub(crate) struct Remote {
    runtime: Runtime,
    session: Session,
    image: Image,
    /// How the last response ended.
    end: Option<u8>,
}

impl Remote {
    pub(crate) fn connect(
        url: &str,
        arguments: &ConnectionArguments,
        codestream: u32,
        boxes: Boxes,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let connect = arguments.options()?;
        let mut config = ClientConfig::default().connect(connect).store(arguments.store()?);
        if boxes == Boxes::All {
            config.jpip.metadata = Some(MetadataRequest::parse("[*]")?);
        }
        #[cfg(feature = "viewer")]
        (config.jpip.push = arguments.push);
        config.jpip.codestreams = vec![NumberRange::one(codestream.into())];
        let (session, image, end) = runtime.block_on(async {
            let mut session = Session::open(url, config).await?;
            let end = fetch(&mut session, None).await?.reason;
            let options = ImageOptions::new().limits(limits.clone()).codestream(codestream);
            let image = options.open_stream(session.bins())?.image();
            let missing = || match codestream {
                0 => "the server has not sent the headers of the picture".to_owned(),
                _ => format!("the server has sent no codestream {codestream}: there may be fewer (from 0)"),
            };
            let image = image.ok_or_else(missing)?;
            Ok::<_, Failure>((session, image, end))
        })?;
        Ok(Self { runtime, session, image, end })
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Fetches what `request` needs.
    pub(crate) fn fetch(&mut self, request: &DecodeRequest, space: Space) -> Result<(), Failure> {
        let window = match space {
            Space::Rendered => self.image.rendered_window(request)?,
            Space::Components => self.image.component_window(request),
        };
        self.end = self.runtime.block_on(fetch(&mut self.session, Some(window)))?.reason;
        Ok(())
    }

    /// Bytes that the cache had at the start.
    pub(crate) const fn kept_bytes(&self) -> u64 {
        self.session.kept_bytes()
    }

    /// What everything so far took, and over which road.
    pub(crate) fn spent(&self) -> (FetchSummary, RoadKind) {
        let mut spent = self.session.spent();
        spent.reason = self.end;
        (spent, self.session.road())
    }

    /// Fetches what `request` needs, and ends the session.
    pub(crate) fn into_image(mut self, request: &DecodeRequest, space: Space) -> Result<Image, Failure> {
        self.fetch(request, space)?;
        self.runtime.block_on(self.session.close());
        Ok(self.image)
    }

    /// The runtime that drives the session, the session, and its picture.
    #[cfg(feature = "viewer")]
    pub(crate) fn into_parts(self) -> (Runtime, Session, Image) {
        (self.runtime, self.session, self.image)
    }

    /// Ends the session.
    pub(crate) fn close(self) {
        self.runtime.block_on(self.session.close());
    }
}

/// Fetches a window (`None`: headers) with a progress bar.
async fn fetch(session: &mut Session, window: Option<ViewWindow>) -> Result<FetchSummary, Failure> {
    let progress = Progress::bytes("receiving");
    let bins = session.bins();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut fetching = std::pin::pin!(session.fetch(window));
    loop {
        tokio::select! {
            result = &mut fetching => return Ok(result?),
            _ = ticks.tick() => {
                progress.reach(bins.read().unwrap_or_else(PoisonError::into_inner).bytes_held());
            }
        }
    }
}
