//! One picture on a server: what is wanted of it, and what has come.

use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use wavetile_engine::data_bin::DataBinCache;
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{DecodeRequest, Image, Limits, Rect};

use super::driver::Driver;
use super::memory::MemoryShares;
use super::road_keeper::RoadKeeper;
use super::session_source::SessionSource;
use super::shared::{Opening, Shared};
use super::store_writer::{StoreWriter, StoredPicture};
use super::streamed_image::{ImageError, StreamedImage};
use super::{Address, Client, ClientConfig, ClientError, FetchSummary};
use crate::jpip::{self, Event, Metadata, Progress, View};
use crate::road::RoadKind;

/// One picture on a server. Its work is done by a task of the runtime it was made in, and ends when it is dropped.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    bins: Arc<RwLock<DataBinCache>>,
    road: RoadKind,
    start: Instant,
    kept_bytes: u64,
    limits: Limits,
    memory: OnceLock<Arc<MemoryShares>>,
    task: JoinHandle<()>,
}

impl Session {
    /// Connects to the server of `url`, `jpip://host:port/name`, for this picture alone, waits for the
    /// connection, and asks for headers and metadata.
    /// # Errors
    /// [`ClientError::Road`]
    pub async fn open(url: &str, config: ClientConfig) -> Result<Self, ClientError> {
        let start = Instant::now();
        let address: Address = url.parse()?;
        let target = address.target.clone();
        let client = Client::connect_to(address, config).await?;
        let mut session = client.create_session(&target).await;
        session.start = start;
        Ok(session)
    }

    pub(super) async fn start(
        options: jpip::ClientOptions,
        keeper: Arc<RoadKeeper>,
        road: RoadKind,
        place: Option<StoredPicture>,
        limits: Limits,
        memory: Option<u64>,
    ) -> Self {
        let start = Instant::now();
        let kept = match place.clone() {
            Some(place) => place.load(memory).await,
            None => None,
        };
        let kept_bytes = kept.as_ref().map_or(0, |kept| kept.bins.bytes_held());
        let all_held = kept.as_ref().is_none_or(|kept| kept.whole);
        let mut machine = match kept {
            Some(kept) => jpip::Client::with_bins(options, kept.target_id, kept.bins),
            None => jpip::Client::new(options),
        };
        if place.is_some() {
            machine.keep_journal();
            machine.recall_dropped(all_held);
        }
        machine.set_memory(memory);
        let bins = machine.bins();
        let shared = Arc::new(Shared::new(machine));
        let saver = place.map(|place| StoreWriter::start(place, shared.clone()));
        let driver = Driver::new(shared.clone(), keeper, saver);
        Self {
            shared,
            bins,
            road,
            start,
            kept_bytes,
            limits,
            memory: OnceLock::new(),
            task: tokio::spawn(driver.run()),
        }
    }

    /// Takes a share of the client's memory.
    pub(super) fn share_memory(&self, memory: &Arc<MemoryShares>) {
        if self.memory.set(memory.clone()).is_ok() {
            memory.add(&self.shared);
        }
    }

    /// Fetches what tiles of `image`, which this session gave ([`image`](Self::image)), wish for, while the session lives. Not for
    /// sessions of [tiles as they are in the file](jpip::StreamKind::Tiles): nobody would see what has come.
    #[must_use]
    pub fn tile_source(&self, image: &Image) -> SessionSource {
        SessionSource::new(self.shared.clone(), self.bins.clone(), image.clone())
    }

    /// Changes what is wanted to any number of windows, the most urgent first: [`jpip::Client::set_wishes`].
    pub fn set_wishes(&self, windows: Vec<ViewWindow>) {
        self.shared.set_wishes(windows);
    }

    /// Whether there is no room for more of what is wanted: [`jpip::Client::set_memory`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.is_full()
    }

    /// Changes what is wanted; `None` = headers and metadata only. Returns the number of the window for
    /// [`Event::WindowComplete`]. The same window again changes nothing.
    pub fn set_window(&self, window: Option<ViewWindow>) -> u64 {
        self.shared.set_window(window)
    }

    /// Tries again after [`Event::Failed`].
    pub fn retry(&self) {
        self.shared.retry();
    }

    /// Waits for the next event; `None` once the client is closed. Progress that was not asked for in time is told at once, as
    /// its sum. Can be dropped at any time without losing an event.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.shared.next_event().await
    }

    /// The data-bins received so far; shared, and filled while responses arrive.
    pub fn bins(&self) -> Arc<RwLock<DataBinCache>> {
        self.bins.clone()
    }

    /// Bytes of data-bins that the store had at the start.
    pub const fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Bytes so far.
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// What everything took since the client was made, finding the server included.
    pub fn spent(&self) -> FetchSummary {
        let totals = self.shared.totals();
        FetchSummary {
            asked: totals.asked,
            received: totals.progress.received,
            new: totals.progress.new,
            duplicate: totals.progress.duplicate,
            requests: totals.requests,
            rounds: totals.rounds,
            time: self.start.elapsed(),
            reason: None,
        }
    }

    /// The road taken at first.
    pub fn road(&self) -> RoadKind {
        self.road
    }

    /// Sets the window and waits until everything that the server sends for it has arrived. Events meanwhile are
    /// dropped.
    /// # Errors
    /// [`ClientError::Jpip`] if the client gives up, [`ClientError::Closed`].
    pub async fn fetch(&mut self, window: Option<ViewWindow>) -> Result<FetchSummary, ClientError> {
        let start = Instant::now();
        let before = self.shared.totals();
        let number = self.shared.start_over(window);
        let reason = loop {
            if let Some(reason) = self.shared.completed(number) {
                break reason;
            }
            match self.next_event().await {
                Some(Event::Failed(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err(ClientError::Closed),
            }
        };
        let after = self.shared.totals();
        Ok(FetchSummary {
            asked: after.asked - before.asked,
            received: after.progress.received - before.progress.received,
            new: after.progress.new - before.progress.new,
            duplicate: after.progress.duplicate - before.progress.duplicate,
            requests: after.requests - before.requests,
            rounds: after.rounds - before.rounds,
            time: start.elapsed(),
            reason,
        })
    }

    /// What the picture may cost to be read and decoded from now on, in place of [`ClientConfig::limits`].
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Waits for the headers of the picture.
    /// # Errors
    /// [`ImageError`], also if the picture is beyond the limits of the session.
    pub async fn image(&self) -> Result<Image, ImageError> {
        let mut news = self.shared.news();
        loop {
            news.borrow_and_update();
            let opening = self.shared.opening();
            if let Some(image) = self.shared.image(&self.limits)? {
                return Ok(image);
            }
            match opening {
                Opening::UnderWay => {}
                Opening::Complete => return Err(ImageError::NoHeaders),
                Opening::Failed(error) => return Err(ClientError::from(error).into()),
                Opening::Closed => return Err(ClientError::Closed.into()),
            }
            if news.changed().await.is_err() {
                return Err(ClientError::Closed.into());
            }
        }
    }

    /// The whole picture in full size and quality. As the verbs after it, it waits for the headers and for nothing else, takes
    /// the place of the image before it, and what has come stays.
    /// # Errors
    /// [`ImageError`]
    pub async fn request_image(&self) -> Result<StreamedImage, ImageError> {
        self.ask(|machine, image| machine.request_image(image)).await
    }

    /// Whatever a decoder can be asked for. Waits for the headers alone.
    /// # Errors
    /// [`ImageError`], also if the picture has no such region or component.
    pub async fn request(&self, wanted: &DecodeRequest) -> Result<StreamedImage, ImageError> {
        self.ask(|machine, image| machine.request(image, wanted.clone())).await
    }

    /// A region of the reference grid in full quality, with that many resolution levels discarded. Waits for the headers
    /// alone.
    /// # Errors
    /// [`ImageError`], also if the region lies outside the picture.
    pub async fn request_region(&self, region: Rect, reduce: u32) -> Result<StreamedImage, ImageError> {
        self.ask(|machine, image| machine.request_region(image, region, reduce)).await
    }

    /// The image before (at first: the whole picture) in the quality of that many layers, which arrive one after another.
    /// Waits for the headers alone.
    /// # Errors
    /// [`ImageError`]
    pub async fn request_progressive_quality(&self, up_to_layers: u16) -> Result<StreamedImage, ImageError> {
        self.ask(|machine, image| machine.request_progressive_quality(image, up_to_layers)).await
    }

    /// The image before (at first: the whole picture) with that many resolution levels discarded. Waits for the headers
    /// alone.
    /// # Errors
    /// [`ImageError`]
    pub async fn request_resolution_level(&self, reduce: u32) -> Result<StreamedImage, ImageError> {
        self.ask(|machine, image| machine.request_resolution_level(image, reduce)).await
    }

    /// Some components of the image before (at first: of the whole picture); none named = all. Waits for the headers alone.
    /// # Errors
    /// [`ImageError`], also for components that the picture does not have.
    pub async fn request_components(&self, components: &[u32]) -> Result<StreamedImage, ImageError> {
        self.ask(|machine, image| machine.request_components(image, components)).await
    }

    /// Waits for what the headers and all boxes of the file say, beside whatever image is under way.
    /// # Errors
    /// [`ImageError`]
    pub async fn request_metadata(&self) -> Result<Metadata, ImageError> {
        self.image().await?;
        self.shared.request_metadata();
        let mut news = self.shared.news();
        loop {
            news.borrow_and_update();
            if self.shared.has_all_boxes() {
                return Ok(Metadata::of(&self.image().await?));
            }
            match self.shared.opening() {
                Opening::UnderWay | Opening::Complete => {}
                Opening::Failed(error) => return Err(ClientError::from(error).into()),
                Opening::Closed => return Err(ClientError::Closed.into()),
            }
            if news.changed().await.is_err() {
                return Err(ClientError::Closed.into());
            }
        }
    }

    async fn ask(
        &self,
        verb: impl FnOnce(&mut jpip::Client, &Image) -> wavetile_engine::Result<View>,
    ) -> Result<StreamedImage, ImageError> {
        let image = self.image().await?;
        let ticket = self.shared.request(|machine| verb(machine, &image))?;
        Ok(StreamedImage::new(self.shared.clone(), self.bins.clone(), image, ticket, self.limits.clone()))
    }

    /// Closes the session on the server, and with the last of them the connection. Waits until the server has confirmed it,
    /// but not for long.
    pub async fn close(mut self) {
        self.shared.close();
        if tokio::time::timeout(LONGEST_CLOSE, &mut self.task).await.is_err() {
            tracing::debug!("the server did not confirm the end of the session");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.get() {
            memory.remove(&self.shared);
        }
        self.task.abort();
    }
}

/// How long the server may take to confirm the end of a session.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);
