//! Waiting for a submission, on the thread that asks or without blocking it.

use super::context::Context;
use crate::error::DeviceError;
use crate::executor::Waiting;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
#[cfg(not(target_arch = "wasm32"))]
use std::time::{Duration, Instant};

/// What a device tells once, from whichever thread polls it.
#[derive(Debug, Default)]
pub(super) struct Outcome(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    outcome: Option<Result<(), String>>,
    waker: Option<Waker>,
}

impl Outcome {
    /// The first outcome stands.
    pub(super) fn settle(&self, outcome: Result<(), String>) {
        let mut told = self.told();
        if told.outcome.is_some() {
            return;
        }
        told.outcome = Some(outcome);
        let waker = told.waker.take();
        // Who is woken may look at once.
        drop(told);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn is_settled(&self) -> bool {
        self.told().outcome.is_some()
    }

    async fn settled(&self) -> Result<(), String> {
        poll_fn(|task| {
            let mut told = self.told();
            match told.outcome.clone() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    told.waker = Some(task.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Waits until the device has settled `outcome`, which it does when what was submitted is done.
pub(super) async fn wait(
    context: &Context,
    outcome: &Arc<Outcome>,
    waiting: Waiting,
) -> Result<(), DeviceError> {
    poll_for(context, outcome, waiting);
    outcome.settled().await.map_err(|reason| DeviceError::Failed { doing: "reading back", reason })
}

/// Devices make progress only while somebody polls them.
#[cfg(not(target_arch = "wasm32"))]
fn poll_for(context: &Context, outcome: &Arc<Outcome>, waiting: Waiting) {
    match waiting {
        Waiting::Here => poll_until(context, || outcome.is_settled(), |reason| outcome.settle(Err(reason))),
        Waiting::Elsewhere => context.poller().add(context, outcome),
    }
}

/// Browsers poll their devices themselves, and let nobody wait for that.
#[cfg(target_arch = "wasm32")]
fn poll_for(_: &Context, _: &Arc<Outcome>, _: Waiting) {}

/// One thread for each device that polls for all who wait elsewhere; it ends when nobody does.
#[derive(Debug, Default)]
pub(super) struct Poller(Mutex<Vec<Arc<Outcome>>>);

#[cfg(not(target_arch = "wasm32"))]
impl Poller {
    fn add(&self, context: &Context, outcome: &Arc<Outcome>) {
        let first = {
            let mut awaited = self.awaited();
            awaited.push(Arc::clone(outcome));
            awaited.len() == 1
        };
        if first {
            let theirs = context.clone();
            let thread = std::thread::Builder::new().name("wavetile-poll".to_owned());
            if thread.spawn(move || theirs.poller().run(&theirs)).is_err() {
                // No thread to be had.
                self.run(context);
            }
        }
    }

    /// Polls until all that is awaited is settled.
    fn run(&self, context: &Context) {
        let is_done = || {
            let mut awaited = self.awaited();
            awaited.retain(|outcome| !outcome.is_settled());
            awaited.is_empty()
        };
        let fail = |reason: String| {
            let awaited = self.awaited().clone();
            awaited.iter().for_each(|outcome| outcome.settle(Err(reason.clone())));
        };
        poll_until(context, is_done, fail);
    }

    fn awaited(&self) -> MutexGuard<'_, Vec<Arc<Outcome>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls until `is_done`, with pauses that grow up to a millisecond; calls `fail` if that will never be.
///
/// `wgpu` could wait, but holds a lock meanwhile that others need to present a frame.
#[cfg(not(target_arch = "wasm32"))]
fn poll_until(context: &Context, is_done: impl Fn() -> bool, fail: impl Fn(String)) {
    const PAUSES: std::ops::RangeInclusive<Duration> = Duration::from_micros(20)..=Duration::from_millis(1);
    /// Another thread that polls may be about to tell.
    const LONGEST_SILENCE: Duration = Duration::from_secs(2);
    let start = Instant::now();
    let mut idle_since = None;
    loop {
        let turn = context.turn();
        let polled = context.device().poll(wgpu::PollType::Poll);
        drop(turn);
        match polled {
            Ok(status) if status.is_queue_empty() => {
                let idle_since = *idle_since.get_or_insert_with(Instant::now);
                if idle_since.elapsed() > LONGEST_SILENCE {
                    fail("the device did not tell that it was done".to_owned());
                }
            }
            Ok(_) => idle_since = None,
            Err(error) => fail(error.to_string()),
        }
        if is_done() {
            return;
        }
        // An eighth of the time that it took so far.
        std::thread::sleep((start.elapsed() / 8).clamp(*PAUSES.start(), *PAUSES.end()));
    }
}
