//! Drives the client's state machine over a road: sends what it asks for, hands in what arrives, connects again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use wavetile_engine::view_window::ViewWindow;

use super::Address;
use super::connect::{ConnectOptions, Road};
use crate::jpip::{self, Ending, Event, Outgoing, Progress};
use crate::road::RoadError;

/// What the program's handle, its driver and its requests share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something happened that the driver should look at.
    wake: Notify,
    /// There is an event, or there will be none any more.
    event: Notify,
    start: Instant,
}

struct State {
    machine: jpip::Client,
    events: VecDeque<Event>,
    /// The window last completed.
    completed: Option<(u64, Option<u8>)>,
    /// The machine has given up.
    failed: bool,
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
            failed: false,
            under_way: HashSet::new(),
            totals: Totals::default(),
            ended: false,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), event: Notify::new(), start: Instant::now() }
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
            if state.failed {
                state.retry();
            }
            number
        })
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
        self.failed = false;
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
                Event::Failed(_) => self.failed = true,
                Event::Reset => self.completed = None,
                Event::Closed => closed = true,
                Event::Progress(_) if matches!(self.events.back(), Some(Event::Progress(_))) => {
                    self.events.pop_back();
                }
                _ => {}
            }
            self.events.push_back(event);
        }
        (aborted, closed)
    }
}

/// The task behind a client.
pub(super) struct Driver {
    shared: Arc<Shared>,
    keeper: Arc<Keeper>,
    running: JoinSet<u64>,
    handles: HashMap<u64, AbortHandle>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, address: Address, options: ConnectOptions, road: Road) -> Self {
        let keeper = Arc::new(Keeper { address, options, road: tokio::sync::Mutex::new(Some(road)) });
        Self { shared, keeper, running: JoinSet::new(), handles: HashMap::new() }
    }

    /// Works until the session is closed.
    pub(super) async fn run(mut self) {
        let end = End(self.shared.clone());
        while let Some(next_wake) = self.turn() {
            let now = self.shared.start.elapsed();
            let pause = next_wake.map(|at| at.saturating_sub(now));
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
                Some(ended) = self.running.join_next() => {
                    if let Ok(id) = ended {
                        self.handles.remove(&id);
                    }
                }
            }
        }
        self.running.abort_all();
        if let Some(road) = self.keeper.road.lock().await.take() {
            road.close().await;
        }
        drop(end);
    }

    /// Sends what is to be sent and takes over events. `None` at the end, else when to come again although nothing
    /// happened.
    fn turn(&mut self) -> Option<Option<Duration>> {
        let now = self.shared.start.elapsed();
        let mut outgoing = Vec::new();
        let (aborted, closed, next_wake, events) = {
            let mut state = self.shared.state();
            while let Some(request) = state.machine.poll_request(now) {
                outgoing.push(request);
            }
            let (aborted, closed) = state.take_events();
            for id in &aborted {
                state.under_way.remove(id);
                if let Some(handle) = self.handles.remove(id) {
                    handle.abort();
                }
            }
            for request in &outgoing {
                state.totals.rounds += u64::from(state.under_way.is_empty());
                state.under_way.insert(request.id);
                state.totals.requests += 1;
                state.totals.asked = state.totals.asked.saturating_add(request.length.unwrap_or(0));
            }
            (aborted, closed, state.machine.next_wake(), !state.events.is_empty())
        };
        if events {
            self.shared.event.notify_one();
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

/// Tells the handle, also when the task is aborted or panics, that no event follows.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.state().ended = true;
        self.0.event.notify_one();
    }
}

/// One request and its answer.
async fn exchange(shared: Arc<Shared>, keeper: Arc<Keeper>, request: Outgoing) -> u64 {
    let Outgoing { id, path_and_query, .. } = request;
    let outcome = keeper.exchange(&shared, id, &path_and_query).await;
    let ending = match outcome {
        Ok(()) => Ending::Complete,
        Err(error) => {
            tracing::debug!(id, %error, "response broken off");
            Ending::Broken(error.to_string())
        }
    };
    shared.change(|state| {
        state.under_way.remove(&id);
        state.machine.handle_end(id, ending);
    });
    id
}

/// Keeps a road to the server, and finds a new one when it is lost. When to try again is the machine's choice.
struct Keeper {
    address: Address,
    options: ConnectOptions,
    road: tokio::sync::Mutex<Option<Road>>,
}

impl Keeper {
    async fn exchange(&self, shared: &Shared, id: u64, path_and_query: &str) -> Result<(), RoadError> {
        let road = self.road().await?;
        let outcome = async {
            let (head, mut body) = road.request(path_and_query).await?;
            shared.change(|state| state.machine.handle_head(id, head.status, &head.headers));
            while let Some(chunk) = body.chunk().await? {
                shared.change(|state| state.machine.handle_body(id, &chunk));
            }
            Ok(())
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            // Whatever it was, a new connection does no harm. Other responses keep theirs.
            *self.road.lock().await = None;
        }
        outcome
    }

    async fn road(&self) -> Result<Road, RoadError> {
        let mut kept = self.road.lock().await;
        match kept.as_ref().filter(|road| !road.is_closed()) {
            Some(road) => Ok(road.clone()),
            None => Ok(kept.insert(Road::connect(&self.address, &self.options).await?).clone()),
        }
    }
}
