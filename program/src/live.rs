//! A picture elsewhere that is looked at while it arrives: what brings its data runs beside the window.

use crate::console::Failure;
use crate::viewer::{self, Coming, Feed, Source, Transfer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use wavetile_engine::Image;
use wavetile_engine::source::PartialSource;
use wavetile_engine::tiles::{TileSource, Wake};
use wavetile_transport::client::Session;
use wavetile_transport::jpip::Event;
use wavetile_transport::ranges::{RangeSource, RemoteFile};

/// Shows the picture of a session in a window until that is closed, and ends the session.
///
/// # Errors
/// There can be no window.
pub(crate) fn show_session(
    runtime: &Runtime,
    name: String,
    session: Session,
    image: Image,
) -> Result<(), Failure> {
    let tiles = Arc::new(session.tile_source(&image));
    let from = format!("{name} over {}", session.road());
    let news = Arc::new(SessionNews(Mutex::new(News { from, ..News::default() })));
    let (close, closed) = oneshot::channel();
    let driver = runtime.spawn(drive(session, news.clone(), closed));
    let feed: Box<dyn Feed> = Box::new(news);
    let shown = viewer::run(Source { name, image, tiles: Some(tiles), feed: Some(feed) });
    drop(close);
    runtime.block_on(driver)?;
    Ok(shown?)
}

/// Shows a file on a web server in a window until that is closed.
///
/// # Errors
/// There can be no window.
pub(crate) fn show_file(
    runtime: &Runtime,
    name: String,
    file: RemoteFile,
    image: Image,
) -> Result<(), Failure> {
    let from = format!("{name} in ranges of bytes");
    let bytes = file.bins().source().clone();
    let tiles = {
        // It has a task.
        let _context = runtime.enter();
        Arc::new(file.into_tile_source(image.clone()))
    };
    let feed: Box<dyn Feed> = Box::new(FileFeed { from, tiles: tiles.clone(), bytes });
    Ok(viewer::run(Source { name, image, tiles: Some(tiles), feed: Some(feed) })?)
}

/// What is known of a session.
struct SessionNews(Mutex<News>);

#[derive(Default)]
struct News {
    from: String,
    bytes: u64,
    failure: Option<String>,
    other: Option<Coming>,
    wake: Option<Wake>,
}

impl SessionNews {
    fn news(&self) -> MutexGuard<'_, News> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and wakes the window.
    fn tell(&self, change: impl FnOnce(&mut News)) {
        let mut news = self.news();
        change(&mut news);
        let wake = news.wake.clone();
        drop(news);
        if let Some(wake) = wake {
            wake();
        }
    }
}

impl Feed for Arc<SessionNews> {
    fn transfer(&self) -> Transfer {
        let news = self.news();
        Transfer { from: news.from.clone(), bytes: news.bytes, failure: news.failure.clone() }
    }

    fn wake_by(&self, wake: Wake) {
        self.news().wake = Some(wake);
    }

    fn take_other(&self) -> Option<Coming> {
        self.news().other.take()
    }
}

/// Follows a session until the window is closed, and ends it.
async fn drive(mut session: Session, news: Arc<SessionNews>, mut closed: oneshot::Receiver<()>) {
    loop {
        let event = tokio::select! {
            _ = &mut closed => break,
            event = session.next_event() => event,
        };
        let bytes = session.progress().received;
        match event {
            // The window looks often enough while bytes come.
            Some(Event::Progress(_)) => {
                let mut news = news.news();
                (news.bytes, news.failure) = (bytes, None);
            }
            Some(Event::Failed(error) | Event::Interrupted(error)) => news.tell(|news| {
                (news.bytes, news.failure) = (bytes, Some(error.to_string()));
            }),
            Some(Event::Reset) => {
                let image = tokio::select! {
                    _ = &mut closed => break,
                    image = session.image() => image,
                };
                news.tell(|news| match image {
                    Ok(image) => {
                        let tiles = Arc::new(session.tile_source(&image));
                        news.other = Some(Coming { image, tiles });
                    }
                    Err(error) => news.failure = Some(error.to_string()),
                });
            }
            Some(_) => news.tell(|news| news.bytes = bytes),
            None => {
                news.tell(|news| news.failure = Some("the connection is closed".to_owned()));
                break;
            }
        }
    }
    session.close().await;
}

/// A file that arrives in ranges of bytes.
struct FileFeed {
    from: String,
    tiles: Arc<RangeSource>,
    bytes: Arc<PartialSource>,
}

impl Feed for FileFeed {
    fn transfer(&self) -> Transfer {
        let failure = self.tiles.failure().map(|error| error.to_string());
        Transfer { from: self.from.clone(), bytes: self.bytes.received(), failure }
    }

    fn wake_by(&self, wake: Wake) {
        self.tiles.wake_by(wake);
    }

    fn take_other(&self) -> Option<Coming> {
        // The failure says that it has changed.
        None
    }
}
