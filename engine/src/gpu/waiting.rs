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
        if told.outcome.is_none() {
            told.outcome = Some(outcome);
            if let Some(waker) = told.waker.take() {
                waker.wake();
            }
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
        Waiting::Here => poll(context, outcome),
        Waiting::Elsewhere => poll_elsewhere(context, outcome),
    }
}

/// Browsers poll their devices themselves, and let nobody wait for that.
#[cfg(target_arch = "wasm32")]
fn poll_for(_: &Context, _: &Arc<Outcome>, _: Waiting) {}

/// Polls on a thread of its own.
#[cfg(not(target_arch = "wasm32"))]
fn poll_elsewhere(context: &Context, outcome: &Arc<Outcome>) {
    let (theirs, told) = (context.clone(), Arc::clone(outcome));
    let thread = std::thread::Builder::new().name("wavetile-readback".to_owned());
    if thread.spawn(move || poll(&theirs, &told)).is_err() {
        // No thread to be had.
        poll(context, outcome);
    }
}

/// Polls until the outcome is settled, with pauses of an eighth of the time that it took so far.
///
/// `wgpu` could wait, but holds a lock meanwhile that others need to present a frame.
#[cfg(not(target_arch = "wasm32"))]
fn poll(context: &Context, outcome: &Outcome) {
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
                    outcome.settle(Err("the device did not tell that it was done".to_owned()));
                }
            }
            Ok(_) => idle_since = None,
            Err(error) => outcome.settle(Err(error.to_string())),
        }
        if outcome.is_settled() {
            return;
        }
        std::thread::sleep((start.elapsed() / 8).clamp(*PAUSES.start(), *PAUSES.end()));
    }
}
