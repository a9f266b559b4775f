//! What the host's thread and the workshop tell each other. A lock is held while things change hands, never while one of them
//! works.

use super::bell::Bell;
use super::finish::{Batch, Finisher};
use super::page::{PageKey, PictureId, Priority};
use super::picture::TilePicture;
use super::source::{Wake, Wish};
use crate::error::Error;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is wanted, most urgent first.
#[derive(Clone, Default)]
pub(crate) struct Orders {
    pub(crate) version: u64,
    pub(crate) pages: Vec<(PageKey, Priority)>,
    pub(crate) wishes: HashMap<PictureId, Vec<Wish>>,
    pub(crate) pictures: HashMap<PictureId, Arc<TilePicture>>,
}

/// How far the workshop is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The orders that this is about.
    pub(crate) version: u64,
    /// Pages that are not made yet, or not of all that has come.
    pub(crate) pending: usize,
    /// Those of them that are visible.
    pub(crate) visible_pending: usize,
    /// More of what is wanted is on its way.
    pub(crate) busy: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkshopTotals {
    pub(crate) blocks_decoded: u64,
    pub(crate) blocks_resumed: u64,
    pub(crate) blocks_reused: u64,
    pub(crate) pages_made: u64,
    pub(crate) pages_refined: u64,
}

/// What the host takes out.
#[derive(Default)]
pub(crate) struct News {
    pub(crate) standing: Standing,
    pub(crate) totals: WorkshopTotals,
    pub(crate) waiting: usize,
    /// What went wrong since the last time, by picture.
    pub(crate) errors: Vec<(PictureId, Error)>,
    /// Pictures that are others now, with their serials.
    pub(crate) replaced: Vec<(PictureId, u32)>,
}

/// What the workshop takes out.
pub(crate) struct Instructions {
    /// Of the atlas that pages are made for.
    pub(crate) edition: u64,
    pub(crate) orders: Arc<Orders>,
    /// Pages that are in the atlas no more.
    pub(crate) gone: Vec<PageKey>,
    /// The atlas is another one: nothing is in it.
    pub(crate) start_over: bool,
    pub(crate) finisher: Option<Arc<dyn Finisher>>,
}

#[derive(Default)]
struct State {
    orders: Arc<Orders>,
    gone: Vec<PageKey>,
    start_over: bool,
    finisher: Option<Arc<dyn Finisher>>,
    /// Of the atlas that `finished` is for.
    edition: u64,
    finished: VecDeque<Batch>,
    news: News,
}

#[derive(Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    bell: Arc<Bell>,
    /// The host's.
    wake: Option<Wake>,
}

/// Pages that may wait to be put into the atlas; the workshop stops until they are.
const MOST_FINISHED: usize = 32;

impl Mailbox {
    pub(crate) fn new(wake: Option<Wake>) -> Self {
        Self { wake, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What wakes the workshop.
    pub(crate) const fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    // The host's side.

    pub(crate) fn order(&self, orders: Orders) {
        let mut state = self.state();
        state.orders = Arc::new(orders);
        drop(state);
        self.bell.ring();
    }

    pub(crate) fn tell_gone(&self, gone: &mut Vec<PageKey>) {
        if !gone.is_empty() {
            self.state().gone.append(gone);
            // One may be wanted all the same.
            self.bell.ring();
        }
    }

    /// From now on pages are finished by `finisher`; all that were are forgotten.
    pub(crate) fn start_over(&self, finisher: Arc<dyn Finisher>) {
        let mut state = self.state();
        state.finisher = Some(finisher);
        state.start_over = true;
        state.edition += 1;
        state.gone.clear();
        let old = std::mem::take(&mut state.finished);
        drop(state);
        drop(old);
        self.bell.ring();
    }

    pub(crate) fn take_finished(&self) -> Option<Batch> {
        let mut state = self.state();
        let batch = state.finished.pop_front();
        if batch.is_some() {
            drop(state);
            self.bell.ring();
        }
        batch
    }

    pub(crate) fn take_news(&self) -> News {
        let mut state = self.state();
        let waiting = state.finished.iter().map(|batch| batch.pages.len()).sum();
        let (standing, totals) = (state.news.standing, state.news.totals);
        let errors = std::mem::take(&mut state.news.errors);
        let replaced = std::mem::take(&mut state.news.replaced);
        News { standing, totals, waiting, errors, replaced }
    }

    // The workshop's side.

    pub(crate) fn instructions(&self) -> Instructions {
        let mut state = self.state();
        Instructions {
            edition: state.edition,
            orders: Arc::clone(&state.orders),
            gone: std::mem::take(&mut state.gone),
            start_over: std::mem::take(&mut state.start_over),
            finisher: state.finisher.clone(),
        }
    }

    /// So many pages wait that no more should be made.
    pub(crate) fn is_full(&self) -> bool {
        self.state().finished.iter().map(|batch| batch.pages.len()).sum::<usize>() >= MOST_FINISHED
    }

    /// Hands out pages; not if they were made for an atlas of the past.
    pub(crate) fn finish(&self, edition: u64, batch: Batch) {
        let mut state = self.state();
        if state.edition == edition {
            state.finished.push_back(batch);
        }
        drop(state);
        self.wake_host();
    }

    pub(crate) fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.state().news);
    }

    /// Tells where the workshop is; and wakes the host if nothing is left to do for what is visible.
    pub(crate) fn stand(&self, standing: Standing) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.news.standing, standing);
        drop(state);
        if before != standing && standing.visible_pending == 0 && !standing.busy {
            self.wake_host();
        }
    }

    fn wake_host(&self) {
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}
