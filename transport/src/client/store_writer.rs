//! Writes what a session receives to a store, beside the session.

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use crate::jpip::{BinPiece, JournalEntry};
use crate::store::{Kept, Store, Writer};

/// A thread that writes. It ends when there are no more who send.
#[derive(Debug)]
pub(super) struct StoreWriter {
    sender: UnboundedSender<Vec<JournalEntry>>,
    task: JoinHandle<()>,
}

/// Where a picture is kept.
#[derive(Debug, Clone)]
pub(super) struct StoredPicture {
    pub(super) store: Store,
    pub(super) server: String,
    pub(super) target: String,
}

impl StoredPicture {
    /// What is kept of the picture. What cannot be read is fetched again.
    pub(super) async fn load(self) -> Option<Kept> {
        let loading =
            tokio::task::spawn_blocking(move || self.store.load(&self.server, &self.target)).await.ok()?;
        loading.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache cannot be read");
            None
        })
    }
}

impl StoreWriter {
    pub(super) fn start(place: StoredPicture) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, task: tokio::task::spawn_blocking(move || save(&place, receiver)) }
    }

    /// What is sent there is written. It waits in memory, where the cache of the session has it anyway.
    pub(super) fn sender(&self) -> UnboundedSender<Vec<JournalEntry>> {
        self.sender.clone()
    }

    /// Waits until all is written that was sent; others must have dropped their senders.
    pub(super) async fn finish(self) {
        drop(self.sender);
        let _ = self.task.await;
    }
}

fn save(place: &StoredPicture, mut receiver: UnboundedReceiver<Vec<JournalEntry>>) {
    let mut writer = None;
    while let Some(mut entries) = receiver.blocking_recv() {
        // What has come meanwhile is written along.
        while let Ok(more) = receiver.try_recv() {
            entries.extend(more);
        }
        let mut pieces = Vec::new();
        for entry in entries {
            match entry {
                JournalEntry::Piece(piece) => pieces.push(piece),
                JournalEntry::Target(target_id) => {
                    write(&mut writer, &mut pieces);
                    let opened = place.store.writer(&place.server, &place.target, &target_id);
                    writer = opened.map_err(|error| warn(&error)).ok();
                }
            }
        }
        write(&mut writer, &mut pieces);
    }
}

/// Writes and empties `pieces`. After a failure, no more is written.
fn write(writer: &mut Option<Writer>, pieces: &mut Vec<BinPiece>) {
    if let Some(open) = writer.as_mut().filter(|_| !pieces.is_empty()) {
        match open.append(pieces) {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("the cache is full: no more is kept of this picture");
                *writer = None;
            }
            Err(error) => {
                warn(&error);
                *writer = None;
            }
        }
    }
    pieces.clear();
}

fn warn(error: &std::io::Error) {
    tracing::warn!(%error, "the cache cannot be written: what comes is not kept");
}
