//! What became of commands that were recorded: done, on their way, or dropped without having been submitted.

use crate::tiles::PageKey;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const ON_ITS_WAY: u8 = 0;
const DONE: u8 = 1;
const DROPPED: u8 = 2;

/// Remembers which pages were recorded into which encoder until the device has done it.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    recorded: VecDeque<Recording>,
    next: u64,
    /// For each slot, the last recording that wrote all of it.
    written: Vec<u64>,
}

#[derive(Debug)]
struct Recording {
    number: u64,
    state: Arc<AtomicU8>,
    pages: Vec<(PageKey, u32)>,
}

/// What came to nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Whether anything did.
    pub(crate) any: bool,
    /// Pages whose slots do not hold what they should.
    pub(crate) pages: Vec<(PageKey, u32)>,
}

/// Something that is being recorded.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    state: Arc<AtomicU8>,
}

/// Tells when commands are done, or dropped.
struct Watch(Arc<AtomicU8>);

impl Drop for Watch {
    fn drop(&mut self) {
        let change = |state| (state == ON_ITS_WAY).then_some(DROPPED);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok();
    }
}

impl Recordings {
    /// Forgets all; there are `slots` slots now.
    pub(crate) fn reset(&mut self, slots: u32) {
        self.recorded.clear();
        self.written = vec![0; slots as usize];
    }

    /// What is recorded into `encoder` from now on belongs to this.
    pub(crate) fn begin(&mut self, encoder: &wgpu::CommandEncoder) -> Ticket {
        self.next += 1;
        let state = Arc::new(AtomicU8::new(ON_ITS_WAY));
        let watch = Watch(Arc::clone(&state));
        encoder.on_submitted_work_done(move || watch.0.store(DONE, Ordering::Relaxed));
        self.recorded.push_back(Recording {
            number: self.next,
            state: Arc::clone(&state),
            pages: Vec::new(),
        });
        Ticket { number: self.next, state }
    }

    /// A page, or a part of one, was recorded.
    pub(crate) fn add(&mut self, ticket: &Ticket, key: PageKey, slot: u32, whole: bool) {
        debug_assert!(ticket.state.load(Ordering::Relaxed) != DONE);
        if let Some(written) = self.written.get_mut(slot as usize).filter(|_| whole) {
            *written = ticket.number;
        }
        if let Some(recording) = self.recorded.back_mut().filter(|last| last.number == ticket.number) {
            recording.pages.push((key, slot));
        }
    }

    /// Forgets what is done; tells what was dropped. What was written again since is as it should be.
    pub(crate) fn settle(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        let written = &self.written;
        self.recorded.retain(|recording| match recording.state.load(Ordering::Relaxed) {
            ON_ITS_WAY => true,
            DROPPED => {
                dropped.any = true;
                let harmed = |(_, slot): &&(PageKey, u32)| {
                    written.get(*slot as usize).is_some_and(|&last| last <= recording.number)
                };
                dropped.pages.extend(recording.pages.iter().filter(harmed));
                false
            }
            _ => false,
        });
        dropped
    }
}
