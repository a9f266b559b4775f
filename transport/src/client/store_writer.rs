//! Writes what a session receives to a store, beside the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use super::shared::Shared;
use crate::jpip::client::Recall;
use crate::jpip::{BinPiece, JournalEntry};
use crate::store::{Contents, Kept, Store, Writer};

/// A thread that writes, and reads what was dropped from memory. It ends when there are no more who send.
#[derive(Debug)]
pub(super) struct StoreWriter {
    sender: StoreSender,
    task: JoinHandle<()>,
}

/// Leads to that thread.
#[derive(Debug, Clone)]
pub(super) struct StoreSender {
    sender: UnboundedSender<Task>,
    /// Bytes that wait to be written.
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Task {
    Write(Vec<JournalEntry>),
    Read(Recall),
}

impl StoreSender {
    /// Has something written. Where the disk is too slow, so that too much waits in memory, the rest is not kept.
    pub(super) fn write(&self, mut journal: Vec<JournalEntry>) {
        let bytes = |journal: &[JournalEntry]| journal.iter().map(JournalEntry::bytes).sum::<usize>();
        let waits = self.waiting.fetch_add(bytes(&journal), Ordering::AcqRel);
        if waits > MOST_WAITING {
            let all = bytes(&journal);
            journal.retain(|entry| !matches!(entry, JournalEntry::Piece(_)));
            self.waiting.fetch_sub(all - bytes(&journal), Ordering::AcqRel);
        }
        // If the thread has ended, it has said why.
        let _ = self.sender.send(Task::Write(journal));
    }

    /// Has something looked for; the machine is told what was found.
    pub(super) fn read(&self, recall: Recall) {
        let _ = self.sender.send(Task::Read(recall));
    }
}

/// Bytes that may wait to be written.
const MOST_WAITING: usize = 16 << 20;

/// Where a picture is kept.
#[derive(Debug, Clone)]
pub(super) struct StoredPicture {
    pub(super) store: Store,
    pub(super) server: String,
    pub(super) target: String,
}

impl StoredPicture {
    /// What is kept of the picture, as far as it has room in `memory`. What cannot be read is fetched again.
    pub(super) async fn load(self, memory: Option<u64>) -> Option<Kept> {
        let load = move || self.store.load_within(&self.server, &self.target, memory);
        let loading = tokio::task::spawn_blocking(load).await.ok()?;
        loading.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache cannot be read");
            None
        })
    }
}

impl StoreWriter {
    pub(super) fn start(place: StoredPicture, shared: Arc<Shared>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let work = Work { place, shared, waiting: waiting.clone(), writer: None, contents: None };
        let task = tokio::task::spawn_blocking(move || work.run(receiver));
        Self { sender: StoreSender { sender, waiting }, task }
    }

    /// What is sent there is written.
    pub(super) fn sender(&self) -> StoreSender {
        self.sender.clone()
    }

    /// Waits until all is written that was sent; others must have dropped their senders.
    pub(super) async fn finish(self) {
        drop(self.sender);
        let _ = self.task.await;
    }
}

struct Work {
    place: StoredPicture,
    shared: Arc<Shared>,
    waiting: Arc<AtomicUsize>,
    writer: Option<Writer>,
    /// Of the state that is written, and what of that could be read.
    contents: Option<Contents>,
}

impl Work {
    fn run(mut self, mut receiver: UnboundedReceiver<Task>) {
        while let Some(task) = receiver.blocking_recv() {
            match task {
                Task::Write(entries) => self.write(entries),
                Task::Read(recall) => self.read(&recall),
            }
        }
    }

    fn write(&mut self, entries: Vec<JournalEntry>) {
        let bytes: usize = entries.iter().map(JournalEntry::bytes).sum();
        let mut pieces = Vec::new();
        for entry in entries {
            match entry {
                JournalEntry::Piece(piece) => pieces.push(piece),
                JournalEntry::Target(target_id) => {
                    write(&mut self.writer, &mut pieces);
                    let StoredPicture { store, server, target } = &self.place;
                    let opened = store.writer(server, target, &target_id);
                    self.writer = opened.map_err(|error| warn(&error)).ok();
                    self.contents = Some(store.contents(server, target, &target_id));
                }
            }
        }
        write(&mut self.writer, &mut pieces);
        self.waiting.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Reads piece by piece, for as long as there is room and need. What cannot be read is fetched again.
    fn read(&mut self, recall: &Recall) {
        let mut found = Vec::new();
        let mut bytes = 0;
        if let Some(contents) = &mut self.contents
            && contents.refresh().is_ok()
        {
            for &(codestream, id) in &recall.bins {
                let pieces = contents.read(codestream, id).unwrap_or_default();
                bytes += pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>();
                found.extend(pieces);
                if bytes >= READ_AT_ONCE {
                    if !self.shared.handle_recalled(recall.id, &found, false) {
                        found.clear();
                        break;
                    }
                    found.clear();
                    bytes = 0;
                }
            }
        }
        self.shared.handle_recalled(recall.id, &found, true);
    }
}

/// Bytes that are read before they are handed on.
const READ_AT_ONCE: usize = 1 << 20;

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
