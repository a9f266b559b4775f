//! An image that can be decoded at any time while its data still arrives, and news of how far it is.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures_util::stream::{self, Stream};
use wavetile_engine::data_bin::DataBinCache;
use wavetile_engine::source::TileBins;
use wavetile_engine::{DecodeRequest, Decoder, Image, ImageOptions, Limits, Prepared, PreparedComponents};

use super::ClientError;
use super::shared::{Shared, ViewOutcome, ViewTicket};
use crate::jpip::Progress;

/// Why there is no image.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The server could not be asked, or refuses.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The headers are broken or too large, or the picture has no such region or component.
    #[error(transparent)]
    Image(#[from] wavetile_engine::Error),
    /// The server has answered without the headers.
    #[error("the server has not sent the headers of the picture: there may be no such codestream")]
    NoHeaders,
    /// Another image of the session has taken its place, or the picture has changed.
    #[error("the image is given up: {0}")]
    GivenUp(&'static str),
}

impl ImageError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Client(error) => error.code(),
            Self::Image(error) => error.code(),
            Self::NoHeaders => "image.no-headers",
            Self::GivenUp(_) => "image.given-up",
        }
    }
}

/// What has happened to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// Bytes have arrived (of the whole session so far).
    Progress(Progress),
    /// All that the server sends for it is there; with the reason of the end-of-response, if it gives one. The last
    /// update, as all that follow here.
    Complete(Option<u8>),
    /// Another image of the session has taken its place. What has come for this one is kept.
    Replaced,
    /// The picture has changed on the server, and what was held is dropped: ask anew.
    Changed,
    /// The session has given up; the next request tries again.
    Failed(crate::jpip::ClientError),
    /// The session is closed.
    Closed,
}

/// An image of a [`Session`](super::Session) that was asked for. Dropping it before it is complete tells the server that it
/// is not wanted any more; every byte that has come is kept.
#[derive(Debug)]
pub struct StreamedImage {
    bins: Arc<RwLock<DataBinCache>>,
    image: Image,
    ticket: ViewTicket,
    shared: Arc<Shared>,
    watch: Watch,
    limits: Limits,
    /// Of tiles: the image as of a generation of the bins, so that they are not taken apart again for nothing.
    of_tiles: Mutex<Option<(u64, Image)>>,
}

impl StreamedImage {
    pub(super) fn new(
        shared: Arc<Shared>,
        bins: Arc<RwLock<DataBinCache>>,
        image: Image,
        ticket: ViewTicket,
        limits: Limits,
    ) -> Self {
        let watch = Watch::new(shared.clone(), ticket.clone());
        Self { bins, image, ticket, shared, watch, limits, of_tiles: Mutex::default() }
    }

    /// The picture: its headers, and what has arrived of it by the time of each call. Of a session of
    /// [tiles](crate::jpip::StreamKind::Tiles) it sees no data; [`arrived`](Self::arrived) does.
    #[must_use]
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// What has arrived, shared and growing; of a session of [tiles](crate::jpip::StreamKind::Tiles), to be read through
    /// [`TileBins`].
    #[must_use]
    pub fn bins(&self) -> &Arc<RwLock<DataBinCache>> {
        &self.bins
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &DecodeRequest {
        &self.ticket.view.request
    }

    /// Decodes what there is by now, up to the coefficients: for textures, memory or pictures. Any thread will do that may
    /// compute for a while; nothing is waited for.
    /// # Errors
    /// [`Decoder::prepare`]
    pub fn prepare(&self, decoder: &Decoder) -> wavetile_engine::Result<Prepared> {
        decoder.prepare(&self.arrived()?, self.request())
    }

    /// The same for components.
    /// # Errors
    /// [`Decoder::prepare_components`]
    pub fn prepare_components(&self, decoder: &Decoder) -> wavetile_engine::Result<PreparedComponents> {
        decoder.prepare_components(&self.arrived()?, self.request())
    }

    /// The picture with what has arrived of it, as headers and precincts also if it comes as tiles: for [`Decoder::prepare`]
    /// with [`request`](Self::request), on any thread. It costs no copy of the bytes.
    /// # Errors
    /// The headers of tiles are broken or too large.
    pub fn arrived(&self) -> wavetile_engine::Result<Image> {
        if !self.shared.comes_as_tiles() {
            return Ok(self.image.clone());
        }
        // They must not change while they are taken apart. The snapshot shares their bytes.
        let bins = self.bins.read().unwrap_or_else(PoisonError::into_inner).clone();
        let generation = bins.generation();
        let mut of_tiles = self.of_tiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, image)) = of_tiles.as_ref().filter(|(known, _)| *known == generation) {
            return Ok(image.clone());
        }
        let options = ImageOptions::new().codestream(self.image.codestream()).limits(self.limits.clone());
        let opened = options.open_stream(Arc::new(TileBins::new(bins, &self.limits)))?.image();
        let image = opened.unwrap_or_else(|| self.image.clone());
        *of_tiles = Some((generation, image.clone()));
        Ok(image)
    }

    /// What has happened since the last update was told, if anything has: for loops that draw frames and never wait. `None`
    /// after the last update, too.
    pub fn latest_update(&mut self) -> Option<Update> {
        self.watch.latest()
    }

    /// Waits until something has happened; `None` after the last update. Can be dropped at any time; updates in between are told
    /// as one.
    pub async fn next_update(&mut self) -> Option<Update> {
        self.watch.next().await
    }

    /// The updates as a stream of its own, from now on. It does not keep the image.
    pub fn updates(&self) -> impl Stream<Item = Update> + Send + 'static {
        let watch = Watch::new(self.shared.clone(), self.ticket.clone());
        stream::unfold(watch, |mut watch| async move { watch.next().await.map(|update| (update, watch)) })
    }

    /// Waits until all is there.
    /// # Errors
    /// [`ImageError`]
    pub async fn complete(&mut self) -> Result<(), ImageError> {
        // Also after the last update was read.
        let mut watch = Watch::new(self.shared.clone(), self.ticket.clone());
        loop {
            match watch.next().await {
                Some(Update::Progress(_)) => {}
                Some(Update::Complete(_)) => return Ok(()),
                Some(Update::Replaced) => return Err(ImageError::GivenUp("another was asked for")),
                Some(Update::Changed) => return Err(ImageError::GivenUp("the picture has changed")),
                Some(Update::Failed(error)) => return Err(ClientError::from(error).into()),
                Some(Update::Closed) | None => return Err(ClientError::Closed.into()),
            }
        }
    }
}

impl Drop for StreamedImage {
    fn drop(&mut self) {
        self.shared.cancel(&self.ticket);
    }
}

/// Follows one view.
#[derive(Debug)]
struct Watch {
    shared: Arc<Shared>,
    ticket: ViewTicket,
    news: tokio::sync::watch::Receiver<()>,
    told: Progress,
    over: bool,
}

impl Watch {
    fn new(shared: Arc<Shared>, ticket: ViewTicket) -> Self {
        let news = shared.news();
        let told = shared.progress();
        Self { shared, ticket, news, told, over: false }
    }

    async fn next(&mut self) -> Option<Update> {
        loop {
            if let Some(update) = self.latest() {
                return Some(update);
            }
            if self.over || self.news.changed().await.is_err() {
                return None;
            }
        }
    }

    /// What is new, without waiting for it.
    fn latest(&mut self) -> Option<Update> {
        if self.over {
            return None;
        }
        self.news.borrow_and_update();
        let (outcome, progress) = self.shared.look(&self.ticket);
        self.over = outcome != ViewOutcome::UnderWay;
        match outcome {
            ViewOutcome::UnderWay if progress == self.told => None,
            ViewOutcome::UnderWay => {
                self.told = progress;
                Some(Update::Progress(progress))
            }
            ViewOutcome::Complete(reason) => Some(Update::Complete(reason)),
            ViewOutcome::Replaced => Some(Update::Replaced),
            ViewOutcome::Changed => Some(Update::Changed),
            ViewOutcome::Failed(error) => Some(Update::Failed(error)),
            ViewOutcome::Closed => Some(Update::Closed),
        }
    }
}
