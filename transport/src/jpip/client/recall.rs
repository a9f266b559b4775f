//! Bins that were dropped from memory and kept elsewhere: which of them are wanted again.

use super::events::Event;
use super::journal::BinPiece;
use super::machine::{Client, MOST_AT_ONCE, Want};
use super::needed;
use std::collections::HashSet;
use std::sync::PoisonError;
use wavetile_engine::data_bin::{DataBinCache, DataBinId};

/// What is to be looked for where what was received is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// Names it in what follows.
    pub id: u64,
    /// The bins, by codestream, each once; the most urgent first.
    pub bins: Vec<(u32, DataBinId)>,
}

/// How far that is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Recalling {
    /// Nothing is kept elsewhere.
    #[default]
    Never,
    /// All that is kept is held as well.
    NotYet,
    /// For these windows nothing has been looked for.
    Due,
    /// Nothing is asked for until this has been looked for.
    UnderWay(u64),
    /// For these windows all has been looked for.
    Done,
}

impl Recalling {
    /// Other windows are wanted.
    pub(super) fn again(&mut self) {
        if matches!(self, Self::Done | Self::UnderWay(_)) {
            *self = Self::Due;
        }
    }

    /// Something was dropped that is kept.
    pub(super) fn begin(&mut self) {
        if matches!(self, Self::NotYet | Self::Done) {
            *self = Self::Due;
        }
    }

    /// For what is wanted now all has been looked for, and room made before.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    pub(super) const fn holds_up(&self) -> bool {
        matches!(self, Self::Due | Self::UnderWay(_))
    }
}

impl Client {
    /// What was received is kept elsewhere, too ([`keep_journal`](Self::keep_journal)): before something is asked for that was dropped to
    /// make room, it is looked for there ([`poll_recall`](Self::poll_recall)). `all_held`: nothing is kept by now that is not held.
    pub fn recall_dropped(&mut self, all_held: bool) {
        self.recalling = if all_held { Recalling::NotYet } else { Recalling::Due };
    }

    /// What to look for, if anything. Until that was [answered](Self::handle_recalled), or something else is wanted, nothing is asked
    /// for. Call it before [`poll_request`](Self::poll_request).
    pub fn poll_recall(&mut self) -> Option<Recall> {
        self.look_at_recalled();
        if !matches!(self.recalling, Recalling::Due) || self.want != Want::Window {
            return None;
        }
        self.make_room();
        if self.room.is_full() {
            return None;
        }
        self.recalled = self.wishes.open(MOST_AT_ONCE).into_iter().flatten().collect();
        let (mut wanted, mut known) = (Vec::new(), HashSet::new());
        let bins = self.held();
        needed::visit(&bins, &self.codestreams, self.recalled.iter(), |codestream, id| {
            if !bins.is_complete(codestream, id) && known.insert((codestream, id)) {
                wanted.push((codestream, id));
            }
            wanted.len() < MOST_RECALLED
        });
        drop(bins);
        if wanted.is_empty() {
            self.recalling = Recalling::Done;
            return None;
        }
        self.next_id += 1;
        self.recalling = Recalling::UnderWay(self.next_id);
        Some(Recall { id: self.next_id, bins: wanted })
    }

    /// Whether all that is to be asked for next has been looked for.
    pub(super) fn look_at_recalled(&mut self) {
        if self.recalling.is_done() && self.want == Want::Window {
            let open = self.wishes.open(self.at_once());
            if open.iter().flatten().any(|window| !self.recalled.contains(window)) {
                self.recalling = Recalling::Due;
            }
        }
    }

    /// Takes in what was found of a recall; `last`: there is no more. Returns whether there is room for more.
    pub fn handle_recalled(&mut self, id: u64, pieces: &[BinPiece], last: bool) -> bool {
        if !matches!(self.recalling, Recalling::UnderWay(under_way) if under_way == id) {
            // Something else is wanted by now.
            return false;
        }
        let Self { bins, room, wishes, codestreams, .. } = self;
        let mut bins = bins.write().unwrap_or_else(PoisonError::into_inner);
        let mut filled = false;
        for piece in pieces {
            let (codestream, id) = (piece.codestream, piece.id);
            if !room.fits(&bins, piece.bytes.len()) {
                let least = DataBinCache::most_added(piece.bytes.len());
                let taken =
                    room.make(&mut bins, least, |bins| needed::held(bins, codestreams, wishes.kept()));
                filled |= taken.filled;
                if taken.evicted > 0 {
                    self.progress.evicted += taken.evicted;
                    wishes.note_dropped();
                }
            }
            if !room.fits(&bins, piece.bytes.len()) {
                continue;
            }
            let insert = bins.insert(codestream, id, piece.offset, &piece.bytes, piece.last);
            self.progress.recalled += insert.new_bytes;
            // The server does not know of it.
            room.lose(codestream, id);
            if room.bound().is_some_and(|bound| bins.memory() > bound) {
                self.progress.evicted += bins.remove(codestream, id);
            }
        }
        let full = room.is_full();
        drop(bins);
        if last {
            self.recalling = Recalling::Done;
        }
        if filled {
            self.events.push_back(Event::Full { window: self.number });
        }
        self.events.push_back(Event::Progress(self.progress));
        !full && !last
    }
}

/// So many bins are looked for at once: what is asked for instead costs bandwidth and nothing else.
const MOST_RECALLED: usize = 1 << 16;
