//! Waiting for a submission, on the thread that asks or without blocking it.

use super::context::Context;
use crate::error::DeviceError;
use crate::executor::Waiting;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

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

/// Waits until the device has settled `outcome`, which it does when `submission` is done.
pub(super) async fn wait(
    context: &Context,
    submission: wgpu::SubmissionIndex,
    outcome: &Arc<Outcome>,
    waiting: Waiting,
) -> Result<(), DeviceError> {
    match waiting {
        Waiting::Here => poll(context.device(), submission, outcome),
        Waiting::Elsewhere => poll_elsewhere(context.device(), submission, outcome),
    }
    outcome.settled().await.map_err(|reason| DeviceError::Failed { doing: "reading back", reason })
}

/// Blocks until the submission is done. Its callbacks have been called then, unless the device has failed.
fn poll(device: &wgpu::Device, submission: wgpu::SubmissionIndex, outcome: &Outcome) {
    let polled = device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None });
    outcome.settle(match polled {
        Ok(_) => Err("the device did not map the buffer".to_owned()),
        Err(error) => Err(error.to_string()),
    });
}

/// Devices make progress only while somebody polls them: a thread does, for as long as the submission takes.
#[cfg(not(target_arch = "wasm32"))]
fn poll_elsewhere(device: &wgpu::Device, submission: wgpu::SubmissionIndex, outcome: &Arc<Outcome>) {
    let (theirs, told) = (device.clone(), Arc::clone(outcome));
    let index = submission.clone();
    let thread = std::thread::Builder::new().name("wavetile-readback".to_owned());
    if thread.spawn(move || poll(&theirs, index, &told)).is_err() {
        // No thread to be had.
        poll(device, submission, outcome);
    }
}

/// Browsers poll their devices themselves.
#[cfg(target_arch = "wasm32")]
fn poll_elsewhere(_: &wgpu::Device, _: wgpu::SubmissionIndex, _: &Arc<Outcome>) {}
