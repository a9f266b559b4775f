//! What a session's handle, its driver and its requests share: the machine, and news of it.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use wavetile_engine::tiles::Wake;
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{Image, ImageOptions, Limits, Result};

use super::store_writer::StoreSender;
use crate::jpip::client::Recall;
use crate::jpip::{self, BinPiece, Ending, Event, JournalEntry, Outgoing, Progress, View};

/// The machine of a session, and those who wait for it.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something happened that the driver should look at.
    wake: Notify,
    /// There is an event, or there will be none any more.
    event: Notify,
    /// The same, for any number of those who wait.
    news: watch::Sender<()>,
    /// The same, for those who do not wait.
    wakes: Mutex<Vec<Wake>>,
    start: Instant,
}

struct State {
    machine: jpip::Client,
    events: VecDeque<Event>,
    /// The window last completed.
    completed: Option<(u64, Option<u8>)>,
    /// Why the machine has given up.
    failed: Option<jpip::ClientError>,
    /// How often all that was held has been dropped.
    resets: u64,
    /// Views asked for so far.
    tickets: u64,
    /// Requests whose answers are awaited.
    under_way: HashSet<u64>,
    totals: Totals,
    ended: bool,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) progress: Progress,
    pub(super) asked: u64,
    pub(super) requests: u64,
    pub(super) rounds: u64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("totals", &self.totals()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(machine: jpip::Client) -> Self {
        let state = State {
            machine,
            events: VecDeque::new(),
            completed: None,
            failed: None,
            resets: 0,
            tickets: 0,
            under_way: HashSet::new(),
            totals: Totals::default(),
            ended: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Notify::new(),
            event: Notify::new(),
            news: watch::Sender::new(()),
            wakes: Mutex::default(),
            start: Instant::now(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and lets the driver see to what follows.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.state());
        self.wake.notify_one();
        result
    }

    pub(super) fn set_window(&self, window: Option<ViewWindow>) -> u64 {
        self.change(|state| state.machine.set_window(window))
    }

    /// Changes what is wanted to a list of windows. A failure of the past is forgotten.
    pub(super) fn set_wishes(&self, windows: Vec<ViewWindow>) {
        self.change(|state| {
            state.machine.set_wishes(windows);
            if state.failed.is_some() {
                state.retry();
            }
        });
    }

    /// Bounds the memory of what is held.
    pub(super) fn set_memory(&self, bound: Option<u64>) {
        self.change(|state| state.machine.set_memory(bound));
    }

    /// Whether nothing more will come of what is wanted.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.ended || state.failed.is_some() || state.machine.is_idle()
    }

    /// Whether there is no room for more of what is wanted.
    pub(super) fn is_full(&self) -> bool {
        self.state().machine.is_full()
    }

    /// How often all that was held has been dropped.
    pub(super) fn resets(&self) -> u64 {
        self.state().resets
    }

    /// Calls `wake` whenever something has happened.
    pub(super) fn wake_by(&self, wake: Wake) {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
    }

    pub(super) fn retry(&self) {
        self.change(State::retry);
    }

    pub(super) fn close(&self) {
        self.change(|state| state.machine.close());
    }

    /// Sets the window anew: events of the past are dropped, and failures forgotten.
    pub(super) fn start_over(&self, window: Option<ViewWindow>) -> u64 {
        self.change(|state| {
            state.events.clear();
            let number = state.machine.set_window(window);
            if state.failed.is_some() {
                state.retry();
            }
            number
        })
    }

    /// Calls a verb of the machine. A failure of the past is forgotten.
    pub(super) fn request(&self, verb: impl FnOnce(&mut jpip::Client) -> Result<View>) -> Result<ViewTicket> {
        self.change(|state| {
            let view = verb(&mut state.machine)?;
            if state.failed.is_some() {
                state.retry();
            }
            state.tickets += 1;
            Ok(ViewTicket { view, resets: state.resets, serial: state.tickets })
        })
    }

    pub(super) fn request_metadata(&self) {
        self.change(|state| state.machine.request_metadata());
    }

    pub(super) fn image(&self, limits: &Limits) -> Result<Option<Image>> {
        // Not under the lock: it parses headers.
        let (bins, codestream) = {
            let state = self.state();
            (state.machine.bins(), state.machine.first_codestream())
        };
        let options = ImageOptions::new().limits(limits.clone()).codestream(codestream);
        Ok(options.open_stream(bins)?.image())
    }

    pub(super) fn comes_as_tiles(&self) -> bool {
        self.state().machine.stream() == jpip::StreamKind::Tiles
    }

    pub(super) fn has_all_boxes(&self) -> bool {
        self.state().machine.has_all_boxes()
    }

    /// Gives up the view of `ticket`, unless it is complete or another has taken its place.
    pub(super) fn cancel(&self, ticket: &ViewTicket) {
        self.change(|state| {
            let done = state.completed.is_some_and(|completed| completed.0 >= ticket.view.number);
            // One that was asked for later may show the same.
            let last = state.tickets == ticket.serial && state.machine.window_number() == ticket.view.number;
            if last && !done {
                state.machine.set_window(None);
            }
        });
    }

    /// What became of the view of `ticket`, and of the bytes.
    pub(super) fn look(&self, ticket: &ViewTicket) -> (ViewOutcome, Progress) {
        let state = self.state();
        let number = ticket.view.number;
        let standing = if state.resets != ticket.resets {
            ViewOutcome::Changed
        } else if let Some((_, reason)) = state.completed.filter(|completed| completed.0 == number) {
            ViewOutcome::Complete(reason)
        } else if state.machine.window_number() != number {
            ViewOutcome::Replaced
        } else if let Some(error) = &state.failed {
            ViewOutcome::Failed(error.clone())
        } else if state.ended {
            ViewOutcome::Closed
        } else {
            ViewOutcome::UnderWay
        };
        (standing, state.machine.progress())
    }

    /// Whether nothing more is to come for the headers: the first window is complete, or why not.
    pub(super) fn opening(&self) -> Opening {
        let state = self.state();
        match (&state.failed, state.ended, state.completed) {
            (Some(error), ..) => Opening::Failed(error.clone()),
            (None, true, _) => Opening::Closed,
            (None, false, Some(_)) => Opening::Complete,
            (None, false, None) => Opening::UnderWay,
        }
    }

    /// Tells whenever something has happened.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    pub(super) fn handle_head(&self, id: u64, status: u16, headers: &[(String, String)]) {
        self.change(|state| state.machine.handle_head(id, status, headers));
    }

    pub(super) fn handle_body(&self, id: u64, bytes: &[u8]) {
        self.change(|state| state.machine.handle_body(id, bytes));
    }

    pub(super) fn handle_end(&self, id: u64, ending: Ending) {
        self.change(|state| {
            state.under_way.remove(&id);
            state.machine.handle_end(id, ending);
        });
    }

    /// Hands what was found of a recall to the machine; whether there is room and need for more.
    pub(super) fn handle_recalled(&self, id: u64, pieces: &[BinPiece], last: bool) -> bool {
        self.change(|state| state.machine.handle_recalled(id, pieces, last))
    }

    fn tell(&self) {
        self.event.notify_one();
        self.news.send_replace(());
        // Called off the lock: they may look for what has come.
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        wakes.iter().for_each(|wake| wake());
    }

    pub(super) fn progress(&self) -> Progress {
        self.state().machine.progress()
    }

    pub(super) fn totals(&self) -> Totals {
        let state = self.state();
        Totals { progress: state.machine.progress(), ..state.totals }
    }

    /// Whether the window called `number`, or a newer one, is complete; and for what reason.
    pub(super) fn completed(&self, number: u64) -> Option<Option<u8>> {
        self.state().completed.filter(|completed| completed.0 >= number).map(|completed| completed.1)
    }

    /// Time since the start, as the machine is told it.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until something has happened that the driver should look at.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// What the driver is to do now.
    pub(super) fn work(&self) -> DriverWork {
        let now = self.now();
        let mut state = self.state();
        let recall = state.machine.poll_recall();
        let mut outgoing = Vec::new();
        while let Some(request) = state.machine.poll_request(now) {
            outgoing.push(request);
        }
        let (aborted, closed) = state.take_events();
        for id in &aborted {
            state.under_way.remove(id);
        }
        for request in &outgoing {
            state.totals.rounds += u64::from(state.under_way.is_empty());
            state.under_way.insert(request.id);
            state.totals.requests += 1;
            state.totals.asked = state.totals.asked.saturating_add(request.length.unwrap_or(0));
        }
        let events = !state.events.is_empty();
        let work = DriverWork {
            outgoing,
            aborted,
            closed,
            next_wake: state.machine.next_wake(),
            journal: state.machine.take_journal(),
            recall,
        };
        drop(state);
        if events {
            self.tell();
        }
        work
    }

    pub(super) async fn next_event(&self) -> Option<Event> {
        loop {
            {
                let mut state = self.state();
                let event = state.events.pop_front();
                if event.is_some() || state.ended {
                    return event;
                }
            }
            self.event.notified().await;
        }
    }
}

impl State {
    fn retry(&mut self) {
        self.failed = None;
        self.machine.retry();
    }

    /// Takes over the machine's events. Returns the answers that are to be broken off, and whether this is the end.
    fn take_events(&mut self) -> (Vec<u64>, bool) {
        let (mut aborted, mut closed) = (Vec::new(), false);
        while let Some(event) = self.machine.poll_event() {
            match event {
                Event::Abort { id } => {
                    aborted.push(id);
                    continue;
                }
                Event::WindowComplete { window, reason } => self.completed = Some((window, reason)),
                Event::Failed(ref error) => self.failed = Some(error.clone()),
                Event::Reset => {
                    self.completed = None;
                    self.resets += 1;
                }
                Event::Closed => closed = true,
                Event::Progress(_) if matches!(self.events.back(), Some(Event::Progress(_))) => {
                    self.events.pop_back();
                }
                _ => {}
            }
            // Nobody needs to read them.
            if self.events.len() >= MOST_EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
        (aborted, closed)
    }
}

/// What the driver is to do.
pub(super) struct DriverWork {
    pub(super) outgoing: Vec<Outgoing>,
    /// Answers that are to be broken off.
    pub(super) aborted: Vec<u64>,
    /// This is the end.
    pub(super) closed: bool,
    /// When to come again although nothing happened.
    pub(super) next_wake: Option<Duration>,
    /// What has come, to be kept.
    pub(super) journal: Vec<JournalEntry>,
    /// What is to be looked for where that is kept.
    pub(super) recall: Option<Recall>,
}

/// A view that was asked for.
#[derive(Debug, Clone)]
pub(super) struct ViewTicket {
    pub(super) view: View,
    /// How often all had been dropped by then.
    resets: u64,
    serial: u64,
}

/// What became of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ViewOutcome {
    UnderWay,
    Complete(Option<u8>),
    Replaced,
    Changed,
    Failed(jpip::ClientError),
    Closed,
}

/// What became of the first window, which brings the headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    UnderWay,
    Complete,
    Failed(jpip::ClientError),
    Closed,
}

/// Tells the handle, also when the task is aborted or panics, that no event follows; and keeps what came last.
pub(super) struct End {
    shared: Arc<Shared>,
    saver: Option<StoreSender>,
}

impl End {
    pub(super) const fn new(shared: Arc<Shared>, saver: Option<StoreSender>) -> Self {
        Self { shared, saver }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let journal = {
            let mut state = self.shared.state();
            state.ended = true;
            state.machine.take_journal()
        };
        if let Some(saver) = &self.saver {
            saver.write(journal);
        }
        self.shared.tell();
    }
}

/// So many events wait to be read; older ones are dropped.
const MOST_EVENTS: usize = 1 << 10;
