//! Sessions and their channels (T.808 Annex B), as the server keeps them.

use super::client_model::ClientModel;
use super::held::Held;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;
use wavetile_engine::data_bin::DataBinId;

/// A session: channels that share what the server believes of the client.
pub(super) struct Session {
    /// Where it was opened from.
    pub(super) peer: IpAddr,
    /// Its channels' identifiers.
    pub(super) channels: Vec<String>,
    /// When it was last heard of.
    pub(super) active: Duration,
    pub(super) state: Arc<SessionState>,
}

/// A channel: requests in an order, of which a newer one takes over from an older one.
pub(super) struct Channel {
    /// Number of its session.
    pub(super) session: u64,
    /// Name of its picture.
    pub(super) target: String,
    /// Highest `qid` so far.
    pub(super) newest_id: Option<u64>,
    pub(super) state: Arc<ChannelState>,
}

/// What the responses of a channel share.
#[derive(Debug, Default)]
pub(super) struct ChannelState {
    /// Number of the newest request; responses to others end.
    newest: AtomicU64,
    /// Responses that stand are to end.
    stopping: AtomicBool,
    /// Responses that wait, and are to hear of a newer request.
    waiting: Mutex<Vec<Waker>>,
}

impl ChannelState {
    /// Number of the newest request.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Makes another request the newest, and returns its number.
    pub(super) fn advance(&self) -> u64 {
        let number = self.newest.fetch_add(1, Ordering::AcqRel) + 1;
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(Waker::wake);
        number
    }

    /// Lets responses that stand end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Wakes `waker` at the next request.
    fn listen(&self, waker: &Waker) {
        let mut waiting = self.waiting();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            // Those that are pushed out come to look by themselves.
            waiting.truncate(MOST_LISTENING - 1);
            waiting.push(waker.clone());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Responses of one channel that are woken.
const MOST_LISTENING: usize = 64;

/// A channel, and which of its requests a response belongs to.
pub(super) struct RequestTurn {
    pub(super) channel: Arc<ChannelState>,
    pub(super) number: u64,
}

impl RequestTurn {
    pub(super) fn is_newest(&self) -> bool {
        self.channel.newest() == self.number
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.channel.stopping.load(Ordering::Acquire)
    }

    /// Wakes `waker` when a newer request comes.
    pub(super) fn listen(&self, waker: &Waker) {
        self.channel.listen(waker);
    }
}

/// A codestream of a picture: its target-id and its number.
pub(super) type Name = (String, u32);

/// What the responses of a session share.
#[derive(Debug)]
pub(super) struct SessionState {
    models: Mutex<Vec<(Name, ClientModel)>>,
    /// Most bytes of memory for all models.
    most_memory: usize,
}

impl SessionState {
    pub(super) fn new(most_memory: usize) -> Self {
        Self { models: Mutex::default(), most_memory }
    }

    /// How much of a data-bin the client holds.
    pub(super) fn held(&self, name: &Name, id: DataBinId) -> Held {
        let models = self.lock();
        let model = models.iter().find(|(known, _)| known == name);
        model.map_or(Held::Nothing, |(_, model)| model.held(id))
    }

    /// Bytes behind a gap that the client holds, the first of them that reach beyond `at`.
    pub(super) fn island(&self, name: &Name, id: DataBinId, at: u64) -> Option<Range<u64>> {
        let models = self.lock();
        models.iter().find(|(known, _)| known == name)?.1.island(id, at)
    }

    /// Notes what was handed out of `id`, and of the `follow` identifiers after it, unless a newer request
    /// of the channel has come: its cache model may already tell that these bytes are lost.
    pub(super) fn note(
        &self,
        name: &Name,
        id: DataBinId,
        follow: u64,
        held: Held,
        turn: Option<&RequestTurn>,
    ) {
        self.change(name, |model| {
            if turn.is_none_or(RequestTurn::is_newest) {
                model.note(id, follow, held);
            }
        });
    }

    /// Changes the model of one codestream. If the models get too large, a part of them is forgotten: the
    /// client may then be sent again what it has, which costs bandwidth and nothing else.
    pub(super) fn change(&self, name: &Name, change: impl FnOnce(&mut ClientModel)) {
        let mut models = self.lock();
        let index = models.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            models.push((name.clone(), ClientModel::default()));
            models.len() - 1
        });
        change(&mut models[index].1);
        if memory(&models) > self.most_memory {
            tracing::debug!("a part of a session's cache model is forgotten");
            models.iter_mut().for_each(|(_, model)| model.forget_some());
            if memory(&models) > self.most_memory - self.most_memory / 4 {
                *models = Vec::new();
            }
        }
    }

    /// Forgets all models.
    pub(super) fn forget(&self) {
        *self.lock() = Vec::new();
    }

    /// Bytes of memory that the models take.
    pub(super) fn memory(&self) -> usize {
        memory(&self.lock())
    }

    /// The models stay usable whatever a thread that panicked left behind: they are only a belief.
    fn lock(&self) -> MutexGuard<'_, Vec<(Name, ClientModel)>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn memory(models: &[(Name, ClientModel)]) -> usize {
    models.iter().map(|(name, model)| name.0.len() + size_of::<(Name, ClientModel)>() + model.memory()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_response_notes_nothing_any_more() {
        let session = SessionState::new(1 << 16);
        let channel = Arc::new(ChannelState::default());
        let turn = RequestTurn { channel: channel.clone(), number: 0 };
        let name = |target: &str, codestream| (target.to_owned(), codestream);
        session.note(&name("t", 0), DataBinId::Precinct(1), 0, Held::Layers(1), Some(&turn));
        channel.advance();
        session.note(&name("t", 0), DataBinId::Precinct(2), 0, Held::Layers(1), Some(&turn));
        assert_eq!(session.held(&name("t", 0), DataBinId::Precinct(1)), Held::Layers(1));
        assert_eq!(session.held(&name("t", 0), DataBinId::Precinct(2)), Held::Nothing);
        for other in [name("another", 0), name("t", 1)] {
            assert_eq!(session.held(&other, DataBinId::Precinct(1)), Held::Nothing);
        }
    }
}
