//! The JPIP client: says what to request, takes in what is answered. No socket and no clock of its own.

use super::boxes::Boxes;
use super::events::{ClientOptions, Event, Outgoing, Progress, StreamKind};
use super::journal::JournalEntry;
use super::needed;
use super::recall::Recalling;
use super::requests::{ChannelOfClient, Sent};
use super::room::Room;
use super::wishes::Wishes;
use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::metareq::MetadataRequest;
use crate::jpip::wire::view_window_fields::MOST_WINDOWS;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use wavetile_engine::DecodeRequest;
use wavetile_engine::data_bin::DataBinCache;
use wavetile_engine::view_window::ViewWindow;

/// The client of one picture.
#[derive(Debug)]
pub struct Client {
    pub(super) options: ClientOptions,
    pub(super) bins: Arc<RwLock<DataBinCache>>,
    /// The windows that are wanted.
    pub(super) wishes: Wishes,
    /// They are a list of any length, which changes often.
    pub(super) listed: bool,
    /// How often in a row an answer to the same windows ended at its length.
    pub(super) lengthened: u32,
    pub(super) room: Room,
    pub(super) recalling: Recalling,
    /// The windows whose bins were looked for last.
    pub(super) recalled: Vec<ViewWindow>,
    /// Codestreams that the windows are of.
    pub(super) codestreams: Vec<NumberRange>,
    /// Number of the windows.
    pub(super) number: u64,
    pub(super) want: Want,
    pub(super) target_id: Option<String>,
    pub(super) channel: Option<ChannelOfClient>,
    /// Offer no session any more: the server refused one.
    pub(super) refused_session: bool,
    pub(super) boxes: Boxes,
    /// What was received, for those who keep it.
    pub(super) journal: Option<Vec<JournalEntry>>,
    /// What the window shows that was asked for by a verb.
    pub(super) view: DecodeRequest,
    pub(super) next_id: u64,
    pub(super) requests: BTreeMap<u64, Sent>,
    pub(super) events: VecDeque<Event>,
    pub(super) progress: Progress,
    pub(super) failures: u32,
    pub(super) not_before: Duration,
    pub(super) now: Duration,
    pub(super) closing: Option<String>,
    /// Nothing will be asked for any more.
    pub(super) closed: bool,
}

/// What is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// The windows: some were not asked for, or there is more of them.
    Window,
    /// Nothing until the answer to this request ends.
    Answer(u64),
    /// Nothing until answers to older requests have ended, too: bytes that they lost would be missing.
    Settling(Option<u8>),
    Nothing,
}

impl Client {
    /// A client that at first asks for headers and metadata, until [`set_window`](Self::set_window).
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        Self {
            codestreams: options.codestreams.clone(),
            journal: None,
            boxes: Boxes::new(options.metadata.clone()),
            wishes: Wishes::new(options.overview.map(ViewWindow::whole)),
            options,
            bins: Arc::default(),
            listed: false,
            lengthened: 0,
            room: Room::default(),
            recalling: Recalling::default(),
            recalled: Vec::new(),
            number: 0,
            want: Want::Window,
            target_id: None,
            channel: None,
            refused_session: false,
            view: DecodeRequest::default(),
            next_id: 0,
            requests: BTreeMap::new(),
            events: VecDeque::new(),
            progress: Progress::default(),
            failures: 0,
            not_before: Duration::ZERO,
            now: Duration::ZERO,
            closing: None,
            closed: false,
        }
    }

    /// A client that holds `bins` already: of the state `target_id` of the picture, as the server named it before. If
    /// that has changed, they are dropped.
    #[must_use]
    pub fn with_bins(options: ClientOptions, target_id: String, bins: DataBinCache) -> Self {
        Self { bins: Arc::new(RwLock::new(bins)), target_id: Some(target_id), ..Self::new(options) }
    }

    /// From now on, notes what is received, to be [taken](Self::take_journal).
    pub fn keep_journal(&mut self) {
        self.journal = Some(self.target_id.clone().map(JournalEntry::Target).into_iter().collect());
    }

    /// What was received since the last call, if that is noted. What is received before the server has named the state of
    /// the picture, or if it does not, is not in it.
    pub fn take_journal(&mut self) -> Vec<JournalEntry> {
        self.journal.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The data-bins received so far; shared, and filled by [`handle_body`](Self::handle_body).
    #[must_use]
    pub fn bins(&self) -> Arc<RwLock<DataBinCache>> {
        self.bins.clone()
    }

    /// Bytes so far.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Changes what is wanted; `None` = headers and metadata only. Returns the number of the window for
    /// [`Event::WindowComplete`]. The same window again changes nothing.
    pub fn set_window(&mut self, window: Option<ViewWindow>) -> u64 {
        let windows: Vec<ViewWindow> = window.into_iter().collect();
        if !self.wishes.are(&windows) {
            self.listed = false;
            self.wishes.set(windows, false);
            self.wish_anew();
            self.want = Want::Window;
        }
        self.number
    }

    /// Changes what is wanted to any number of windows, the most urgent first; none = headers and metadata only. Returns their
    /// number for [`Event::WindowComplete`], which tells when all of them are there. The same windows again change nothing.
    ///
    /// Each is sent when those before it are there, without a round trip in between where the server knows how
    /// (docs/jpip-then.md). What is under way for windows that are wanted still goes on; in a session, another is given up within
    /// a round trip, and no byte is asked for twice. Windows that are known to have come are not asked for.
    pub fn set_wishes(&mut self, windows: Vec<ViewWindow>) -> u64 {
        if self.wishes.are(&windows) {
            return self.number;
        }
        self.listed = true;
        let under_way = match self.want {
            Want::Answer(id) => Some(id),
            _ => None,
        };
        // To ask for nothing is to stop what is under way.
        let may_have = self.options.push.is_none() && !(windows.is_empty() && under_way.is_some());
        self.wishes.set(windows, may_have);
        self.wish_anew();
        let open = self.wishes.open(self.at_once());
        let same = under_way.and_then(|id| self.requests.get_mut(&id)).filter(|sent| sent.windows == open);
        if let Some(sent) = same {
            sent.window = self.number;
        } else if open.is_empty() && under_way.is_none() {
            self.want = Want::Settling(None);
            self.settle();
        } else {
            self.want = Want::Window;
        }
        self.number
    }

    /// Most windows of one request: a server that keeps no account of what it sent would send some of it twice.
    pub(super) fn at_once(&self) -> usize {
        if self.options.sessions && !self.refused_session { MOST_AT_ONCE } else { 1 }
    }

    fn wish_anew(&mut self) {
        self.number += 1;
        self.lengthened = 0;
        self.room.look_again();
        self.recalling.again();
        self.bins.write().unwrap_or_else(PoisonError::into_inner).advance_time();
    }

    /// Bounds the memory of the data-bins that are held, bookkeeping included ([`DataBinCache::memory`]); `None`: as much as
    /// comes. Bins that no window needs which is under way, or came before it in the list, are dropped, those that were used
    /// longest ago first, and the server is told. Where all are needed, nothing more is asked for ([`Event::Full`]): of
    /// what is wanted, the first windows are there, and of the last the coarser resolutions.
    ///
    /// A bound can be changed at any time. One that has not room for the headers leaves nothing to be seen.
    pub fn set_memory(&mut self, bound: Option<u64>) {
        if self.room.set_bound(bound) {
            self.make_room();
        }
    }

    /// Whether there is no room for more of what is wanted: nothing is asked for.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.room.is_full()
    }

    /// Whether everything that is wanted has come, or nothing more of it will.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.closed || self.want == Want::Nothing || (self.want == Want::Window && self.room.is_full())
    }

    /// The data-bins, to be read.
    pub(super) fn held(&self) -> RwLockReadGuard<'_, DataBinCache> {
        self.bins.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what is not needed, if there is hardly room.
    pub(super) fn make_room(&mut self) {
        let Self { bins, room, wishes, codestreams, .. } = self;
        let mut bins = bins.write().unwrap_or_else(PoisonError::into_inner);
        let taken = room.make(&mut bins, 0, |bins| needed::held(bins, codestreams, wishes.kept()));
        drop(bins);
        if taken.evicted > 0 {
            self.progress.evicted += taken.evicted;
            self.wishes.note_dropped();
            self.recalling.begin();
        }
        if taken.cut {
            self.wishes.reopen();
            if self.want == Want::Nothing {
                // It stands until there is room again.
                self.want = Want::Window;
            }
        }
        if taken.filled {
            self.events.push_back(Event::Full { window: self.number });
        }
    }

    /// Changes which codestreams of a file (JPX) the window is of; at first those of
    /// [`ClientOptions::codestreams`]. Returns the
    /// number of the window, as [`set_window`](Self::set_window). Where codestreams differ in size, each is asked
    /// for the window as the server fits it to it.
    pub fn set_codestreams(&mut self, codestreams: Vec<NumberRange>) -> u64 {
        if codestreams != self.codestreams {
            self.codestreams = codestreams;
            self.wishes.reopen();
            self.wish_anew();
            self.want = Want::Window;
        }
        self.number
    }

    /// Asks for boxes along with the window, unless they are asked for already.
    pub(super) fn want_metadata(&mut self, request: MetadataRequest) {
        if self.boxes.want(request) {
            self.want = Want::Window;
        }
    }

    /// Whether the boxes that were asked for have come, or there are none.
    #[must_use]
    pub fn has_all_boxes(&self) -> bool {
        self.boxes.are_there()
    }

    /// What the picture comes as.
    #[must_use]
    pub const fn stream(&self) -> StreamKind {
        self.options.stream
    }

    /// Number of the window.
    #[must_use]
    pub const fn window_number(&self) -> u64 {
        self.number
    }

    pub(super) const fn view(&self) -> &DecodeRequest {
        &self.view
    }

    pub(super) fn set_view(&mut self, view: DecodeRequest) {
        self.view = view;
    }

    pub(crate) fn first_codestream(&self) -> u32 {
        let first = self.codestreams.first().map_or(0, |range| range.from);
        u32::try_from(first).unwrap_or(u32::MAX)
    }

    /// Tries again after [`Event::Failed`].
    pub fn retry(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
        self.room.look_again();
        self.want = Want::Window;
    }

    /// Closes the session: the next request does that, and no other follows.
    pub fn close(&mut self) {
        (self.want, self.closed) = (Want::Nothing, true);
        match self.channel.take() {
            Some(channel) => self.closing = Some(channel.name),
            None => self.events.push_back(Event::Closed),
        }
    }

    /// The next request to send at time `now` (from any fixed moment), if any. Call it until it returns
    /// `None`, after every other call.
    pub fn poll_request(&mut self, now: Duration) -> Option<Outgoing> {
        self.now = self.now.max(now);
        if let Some(channel) = self.closing.take() {
            return Some(self.send_close(channel));
        }
        if self.want != Want::Window || self.closed || now < self.not_before {
            return None;
        }
        self.look_at_recalled();
        if !self.recalling.is_done() {
            self.make_room();
        }
        if self.room.is_full() || self.recalling.holds_up() {
            return None;
        }
        if self.requests.values().any(|sent| sent.goes_alone() && !sent.accepted && sent.failure.is_none()) {
            return None;
        }
        if self.channel.is_none() {
            // Without a channel nothing tells the server that an older window is of no use.
            let old = self.requests.keys();
            self.events.extend(old.map(|&id| Event::Abort { id }));
            self.requests.clear();
        }
        if self.requests.len() >= self.options.requests.max(1) {
            return None;
        }
        Some(self.send_window())
    }

    /// When [`poll_request`](Self::poll_request) should be called again though nothing happened.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        (self.want == Want::Window && self.not_before > self.now).then_some(self.not_before)
    }

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

/// So many windows are asked for at once.
pub(super) const MOST_AT_ONCE: usize = 1 + MOST_WINDOWS;
