//! A bound on memory that the sessions of a client share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::MemoryBound;
use super::shared::Shared;

/// What each session may take.
#[derive(Debug)]
pub(super) struct MemoryShares(Mutex<State>);

#[derive(Debug)]
struct State {
    bound: MemoryBound,
    sessions: Vec<Weak<Shared>>,
}

impl MemoryShares {
    pub(super) const fn new(bound: MemoryBound) -> Self {
        Self(Mutex::new(State { bound, sessions: Vec::new() }))
    }

    pub(super) fn bound(&self) -> MemoryBound {
        self.state().bound
    }

    pub(super) fn set_bound(&self, bound: MemoryBound) {
        let mut state = self.state();
        state.bound = bound;
        state.share();
    }

    /// What another session would have.
    pub(super) fn next_share(&self) -> Option<u64> {
        let state = self.state();
        match state.bound {
            MemoryBound::Unbounded => None,
            MemoryBound::Bytes(bytes) => Some(bytes / (state.sessions.len() as u64 + 1)),
        }
    }

    /// Another session takes its share.
    pub(super) fn add(&self, session: &Arc<Shared>) {
        let mut state = self.state();
        state.sessions.push(Arc::downgrade(session));
        state.share();
    }

    /// A session takes nothing any more.
    pub(super) fn remove(&self, session: &Arc<Shared>) {
        let mut state = self.state();
        state.sessions.retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(session)));
        state.share();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn share(&mut self) {
        self.sessions.retain(|session| session.strong_count() > 0);
        let share = match self.bound {
            MemoryBound::Unbounded => None,
            MemoryBound::Bytes(bytes) => Some(bytes / (self.sessions.len() as u64).max(1)),
        };
        self.sessions.iter().filter_map(Weak::upgrade).for_each(|session| session.set_memory(share));
    }
}
