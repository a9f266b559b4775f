//! Wakes the workshop.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Rung when there may be something to do. Anybody may ring it, from any thread.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rung: bool,
    stopped: bool,
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There may be something to do.
    pub(crate) fn ring(&self) {
        self.state().rung = true;
        self.changed.notify_all();
    }

    /// There will be nothing to do any more.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until it is rung; false: it was stopped.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.rung && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.rung = false;
        !state.stopped
    }
}
