//! Hands cases to workers, and notices when one of them crashes or hangs.

use super::case::Case;
use super::worker::{Deed, Verdict};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How workers are started.
#[derive(Clone, Debug)]
pub(crate) struct Crew {
    pub(crate) shared: PathBuf,
    pub(crate) seed: u64,
    /// Compare the executors.
    pub(crate) gpu: bool,
    /// Processes at a time.
    pub(crate) workers: usize,
}

impl Crew {
    /// Runs all cases; `done` is told of each, in no order.
    ///
    /// # Errors
    /// A worker cannot be started.
    pub(crate) fn run(
        &self,
        batches: Vec<Vec<Case>>,
        done: &(dyn Fn(&Case, Deed) + Sync),
    ) -> Result<(), String> {
        let queue = Mutex::new(VecDeque::from(batches));
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let work = || {
            let mut worker = None;
            while let Some(batch) = next() {
                for case in &batch {
                    let hands = match worker.take() {
                        Some(hands) => hands,
                        None => Hands::hire(self)?,
                    };
                    let (deed, hands) = hands.work(case);
                    worker = hands;
                    done(case, deed);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.workers).map(|_| scope.spawn(work)).collect();
            let ends = threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
            ends.collect()
        })
    }
}

/// A worker process.
struct Hands {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

impl Hands {
    fn hire(crew: &Crew) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start a worker: {error}");
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["hostile", "--worker", "--seed", &crew.seed.to_string()]);
        command.args(crew.gpu.then_some("--gpu"));
        command.env("WAVETILE_SHARED", &crew.shared);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a worker has no pipes".into());
        };
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.map_while(|line| sender.send(line).ok()).for_each(drop);
        });
        Ok(Self { child, input, output: receiver })
    }

    /// Runs one case; the worker is gone if it did not survive that.
    fn work(mut self, case: &Case) -> (Deed, Option<Self>) {
        let asked = writeln!(self.input, "{case}").and_then(|()| self.input.flush());
        let answer = asked
            .map_err(|_| RecvTimeoutError::Disconnected)
            .and_then(|()| self.output.recv_timeout(PATIENCE));
        if let Some(deed) = answer.as_ref().ok().and_then(|line| Deed::parse(line)) {
            return (deed, Some(self));
        }
        let _ = self.child.kill();
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let (how, time) = match answer {
            Err(RecvTimeoutError::Timeout) => (format!("no answer within {PATIENCE:?}"), PATIENCE),
            _ => (status, Duration::ZERO),
        };
        (Deed { verdict: Verdict::Died(how), time, memory: 0 }, None)
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        // It ends when its input does; what it may still be doing is of no use.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a worker may take over one case before it is given up; real time, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
