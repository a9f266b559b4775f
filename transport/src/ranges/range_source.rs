//! Ranges of bytes as the source of a picture's tiles.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use wavetile_engine::source::PartialSource;
use wavetile_engine::tiles::{Arrivals, TileSource, Wake, Wish};
use wavetile_engine::{DecodeRequest, Image};

use super::error::ByteRangeError;
use super::remote_file::RemoteFile;

/// Fetches what tiles of a picture wish for out of a file on a web server: [`RemoteFile::into_tile_source`].
///
/// A few wishes are fetched at a time, in their order. What is under way for wishes that all have been given up is broken off; bytes
/// that have come are kept. While the server cannot be reached the wishes stand, and it is tried again.
#[derive(Debug)]
pub struct RangeSource {
    wishes: watch::Sender<Arc<Vec<Wish>>>,
    state: Arc<State>,
    source: Arc<PartialSource>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    generation: AtomicU64,
    /// Wishes that are being met, or are to be.
    busy: AtomicBool,
    /// The file has become another one.
    replaced: AtomicBool,
    failure: Mutex<Option<ByteRangeError>>,
    wakes: Mutex<Vec<Wake>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl State {
    fn came(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.wake();
    }

    fn wake(&self) {
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        wakes.iter().for_each(|wake| wake());
    }

    fn fail(&self, error: Option<ByteRangeError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

impl RangeSource {
    pub(super) fn start(file: RemoteFile, image: Image) -> Self {
        let (wishes, receiver) = watch::channel(Arc::default());
        let (state, source) = (Arc::new(State::default()), file.bins().source().clone());
        let task = tokio::spawn(Fetching { file, image, wishes: receiver, state: state.clone() }.run());
        Self { wishes, state, source, task }
    }

    /// Why the last attempt to fetch something failed; `None` if it did not. Where another attempt may help there will be one.
    #[must_use]
    pub fn failure(&self) -> Option<ByteRangeError> {
        self.state.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bounds the memory of the bytes that are held ([`PartialSource::set_bound`]), at once; `None`: as much as comes. Where all is
    /// wanted that is held, no more is fetched.
    pub fn set_memory(&self, bound: Option<u64>) {
        self.source.set_bound(bound);
        // What there was no room for may be fetched now.
        self.wishes.send_if_modified(|wishes| {
            self.state.busy.store(!wishes.is_empty(), Ordering::Release);
            true
        });
    }

    /// Bytes of memory that what is held takes, bookkeeping included.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.source.memory()
    }

    /// Whether there is no room for more of what is wanted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.source.is_full()
    }
}

impl Drop for RangeSource {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TileSource for RangeSource {
    fn want(&self, wishes: &[Wish]) {
        let mut wishes = wishes.to_vec();
        wishes.sort_by_key(|wish| wish.priority);
        self.wishes.send_if_modified(|known| {
            let other = **known != wishes;
            if other {
                self.state.busy.store(!wishes.is_empty(), Ordering::Release);
                *known = Arc::new(wishes);
            }
            other
        });
    }

    fn generation(&self) -> u64 {
        self.state.generation.load(Ordering::Acquire)
    }

    fn arrivals(&self, since: u64) -> Arrivals {
        if since >= self.generation() {
            Arrivals::Nothing
        } else if self.state.replaced.load(Ordering::Acquire) {
            Arrivals::Replaced
        } else {
            Arrivals::Anything
        }
    }

    fn is_idle(&self) -> bool {
        !self.state.busy.load(Ordering::Acquire) || self.task.is_finished()
    }

    fn wake_by(&self, wake: Wake) {
        self.state.wakes.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
    }
}

/// The task behind a source.
struct Fetching {
    file: RemoteFile,
    image: Image,
    wishes: watch::Receiver<Arc<Vec<Wish>>>,
    state: Arc<State>,
}

/// What became of a list of wishes.
enum Outcome {
    /// All has come, as far as there is room.
    Done,
    /// Others are wanted.
    Changed,
    /// The server could not be reached.
    Lost(ByteRangeError),
    /// Nothing will come any more.
    Over(ByteRangeError),
}

impl Fetching {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            let wishes = self.wishes.borrow_and_update().clone();
            let received = self.file.bins().source().received();
            let outcome = self.fetch(&wishes).await;
            if self.file.bins().source().received() > received {
                failures = 0;
            }
            let pause = match outcome {
                Outcome::Changed => continue,
                Outcome::Done => {
                    self.state.fail(None);
                    None
                }
                Outcome::Lost(error) => {
                    self.state.fail(Some(error));
                    failures = (failures + 1).min(MOST_DOUBLINGS);
                    Some(PAUSE * (1 << failures))
                }
                Outcome::Over(error) => {
                    let replaced = matches!(error, ByteRangeError::Changed);
                    self.state.fail(Some(error));
                    self.state.replaced.store(replaced, Ordering::Release);
                    self.state.busy.store(false, Ordering::Release);
                    self.state.came();
                    return;
                }
            };
            let changed = match pause {
                Some(pause) => tokio::time::timeout(pause, self.wishes.changed()).await.unwrap_or(Ok(())),
                None => {
                    self.rest();
                    self.wishes.changed().await
                }
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Nothing is left to be done, unless something else is wanted by now.
    fn rest(&self) {
        let wishes = self.wishes.borrow();
        if !wishes.has_changed() {
            self.state.busy.store(false, Ordering::Release);
        }
        drop(wishes);
        self.state.wake();
    }

    async fn fetch(&mut self, wishes: &[Wish]) -> Outcome {
        let source = self.file.bins().source().clone();
        source.advance_time();
        // What others have read in vain, and nobody wants any more.
        let _ = source.take_missing();
        for batch in wishes.chunk_by(|a, b| a.priority == b.priority).flat_map(|class| class.chunks(AT_ONCE))
        {
            if source.is_full() {
                return Outcome::Done;
            }
            let requests: Vec<DecodeRequest> = batch
                .iter()
                .map(|wish| wish.request.clone())
                .filter(|request| self.image.component_rects(request).is_ok())
                .collect();
            let state = self.state.clone();
            let given_up = given_up(self.wishes.clone(), batch);
            let fetching = self.file.fetch_all(&self.image, &requests, true, || state.came());
            let fetched = tokio::select! {
                fetched = fetching => fetched,
                () = given_up => return Outcome::Changed,
            };
            match fetched {
                Ok(()) => {}
                Err(error @ ByteRangeError::Road(_)) => return Outcome::Lost(error),
                // A part of it is broken: there may be others.
                Err(ByteRangeError::Picture(error)) => {
                    tracing::warn!(%error, "a part of the picture cannot be fetched");
                }
                Err(error) => return Outcome::Over(error),
            }
            if self.wishes.has_changed().unwrap_or(true) {
                return Outcome::Changed;
            }
        }
        Outcome::Done
    }
}

/// Waits until none of `batch` is wanted.
async fn given_up(mut wishes: watch::Receiver<Arc<Vec<Wish>>>, batch: &[Wish]) {
    let is_wanted = |wishes: &[Wish]| wishes.iter().any(|wish| batch.contains(wish));
    loop {
        if !is_wanted(&wishes.borrow_and_update()) {
            return;
        }
        if wishes.changed().await.is_err() {
            // The source is gone, and ends this.
            std::future::pending::<()>().await;
        }
    }
}

/// Wishes that are fetched at once: the bytes of some lie close together.
const AT_ONCE: usize = 8;
/// Pause after the first failure, halved; ...
const PAUSE: Duration = Duration::from_millis(250);
/// ... it is doubled so often.
const MOST_DOUBLINGS: u32 = 6;
