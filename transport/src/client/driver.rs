//! Drives the client's state machine over a road: sends what it asks for, hands in what arrives, connects again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::road_keeper::RoadKeeper;
use super::shared::{DriverWork, End, Shared};
use super::store_writer::StoreWriter;
use crate::jpip::{Ending, Outgoing};

/// The task behind a session.
pub(super) struct Driver {
    shared: Arc<Shared>,
    keeper: Arc<RoadKeeper>,
    saver: Option<StoreWriter>,
    running: JoinSet<u64>,
    handles: HashMap<u64, AbortHandle>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, keeper: Arc<RoadKeeper>, saver: Option<StoreWriter>) -> Self {
        Self { shared, keeper, saver, running: JoinSet::new(), handles: HashMap::new() }
    }

    /// Works until the session is closed.
    pub(super) async fn run(mut self) {
        let end = End::new(self.shared.clone(), self.saver.as_ref().map(StoreWriter::sender));
        while let Some(next_wake) = self.work() {
            let pause = next_wake.map(|at| longer(at.saturating_sub(self.shared.now())));
            tokio::select! {
                () = self.shared.woken() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
                Some(ended) = self.running.join_next() => {
                    if let Ok(id) = ended {
                        self.handles.remove(&id);
                    }
                }
            }
        }
        self.running.shutdown().await;
        // Other sessions may go on.
        if let Some(keeper) = Arc::into_inner(self.keeper) {
            keeper.close().await;
        }
        drop(end);
        if let Some(saver) = self.saver {
            saver.finish().await;
        }
    }

    /// Sends what is to be sent and takes over events. `None` at the end, else when to come again although nothing
    /// happened.
    fn work(&mut self) -> Option<Option<Duration>> {
        let DriverWork { outgoing, aborted, closed, next_wake, journal, recall } = self.shared.work();
        if let Some(saver) = self.saver.as_ref().filter(|_| !journal.is_empty()) {
            saver.sender().write(journal);
        }
        // Behind what has come by now.
        if let (Some(saver), Some(recall)) = (&self.saver, recall) {
            saver.sender().read(recall);
        }
        for handle in aborted.iter().filter_map(|id| self.handles.remove(id)) {
            handle.abort();
        }
        if closed {
            return None;
        }
        for request in outgoing.into_iter().filter(|request| !aborted.contains(&request.id)) {
            let id = request.id;
            tracing::debug!(id, target = request.path_and_query, "request");
            let exchange = exchange(self.shared.clone(), self.keeper.clone(), request);
            self.handles.insert(id, self.running.spawn(exchange));
        }
        Some(next_wake)
    }
}

/// A pause longer by up to a quarter, at random: clients that lost a server at one time do not come back at one time.
fn longer(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 256;
    pause + pause.mul_f64(random as f64 / 1024.0)
}

/// One request and its answer.
async fn exchange(shared: Arc<Shared>, keeper: Arc<RoadKeeper>, request: Outgoing) -> u64 {
    let Outgoing { id, path_and_query, .. } = request;
    let outcome = keeper.exchange(&shared, id, &path_and_query).await;
    let ending = match outcome {
        Ok(()) => Ending::Complete,
        Err(error) => {
            tracing::debug!(id, %error, "response broken off");
            Ending::Broken(error.to_string())
        }
    };
    shared.handle_end(id, ending);
    id
}
