//! The JPIP client: says what to request, takes in what is answered. No socket and no clock of its own.

use super::boxes::{Boxes, Naming};
use super::events::{ClientError, ClientOptions, Ending, Event, Outgoing, Progress, StreamKind};
use super::holdings;
use super::journal::{BinPiece, JournalEntry};
use super::requests::{ChannelOfClient, Failure, Outcome, Sent, refusal};
use crate::jpip::wire::cache_model::CacheModel;
use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::message::eor;
use crate::jpip::wire::message_reader::MessageEvent;
use crate::jpip::wire::metareq::MetadataRequest;
use crate::jpip::wire::request::{CloseChannels, Request, SERVICE_PATH};
use crate::jpip::wire::response::{self, NewChannel};
use crate::jpip::wire::view_window_fields::StreamRange;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use wavetile_engine::DecodeRequest;
use wavetile_engine::data_bin::DataBinCache;
use wavetile_engine::view_window::ViewWindow;

/// The client of one picture.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    bins: Arc<RwLock<DataBinCache>>,
    window: Option<ViewWindow>,
    /// Codestreams that the window is of.
    codestreams: Vec<NumberRange>,
    /// Number of the window.
    number: u64,
    want: Want,
    target_id: Option<String>,
    channel: Option<ChannelOfClient>,
    /// Offer no session any more: the server refused one.
    refused_session: bool,
    boxes: Boxes,
    /// What was received, for those who keep it.
    journal: Option<Vec<JournalEntry>>,
    /// What the window shows.
    view: DecodeRequest,
    next_id: u64,
    requests: BTreeMap<u64, Sent>,
    events: VecDeque<Event>,
    progress: Progress,
    failures: u32,
    not_before: Duration,
    now: Duration,
    closing: Option<String>,
}

/// What is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// The window: it was not asked for, or there is more of it.
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
            options,
            bins: Arc::default(),
            window: None,
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
        if window != self.window {
            self.window = window;
            self.number += 1;
            self.want = Want::Window;
        }
        self.number
    }

    /// Changes which codestreams of a file (JPX) the window is of; at first those of
    /// [`ClientOptions::codestreams`]. Returns the
    /// number of the window, as [`set_window`](Self::set_window). Where codestreams differ in size, each is asked
    /// for the window as the server fits it to it.
    pub fn set_codestreams(&mut self, codestreams: Vec<NumberRange>) -> u64 {
        if codestreams != self.codestreams {
            self.codestreams = codestreams;
            self.number += 1;
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
        self.want = Want::Window;
    }

    /// Closes the session: the next request does that, and no other follows.
    pub fn close(&mut self) {
        self.want = Want::Nothing;
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
        if self.want != Want::Window || now < self.not_before {
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

    /// Status and header fields of an answer.
    pub fn handle_head(&mut self, id: u64, status: u16, headers: &[(String, String)]) {
        let Some(sent) = self.requests.get_mut(&id) else { return };
        if sent.closes {
            return;
        }
        if matches!(status, 400 | 501) && sent.names_boxes {
            sent.failure = Some(Failure::AskAgain);
            self.boxes.give_up(&self.bins);
            return;
        }
        if status != 200 {
            sent.failure = Some(refusal(sent, status, headers));
            if status == 404 && sent.channel.is_some() {
                self.drop_channel(id);
            } else if status == 503 && self.requests.get(&id).is_some_and(|sent| sent.opens_channel) {
                self.refused_session = true;
            } else if matches!(status, 414 | 431) {
                self.options.model_length = 0;
            }
            return;
        }
        if let Some(kind) = response::header(headers, "Content-Type")
            && !kind
                .split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(self.options.stream.media_type()))
        {
            sent.failure = Some(Failure::Final(ClientError::NotJpp(kind.to_owned())));
            return;
        }
        sent.accepted = true;
        let (opens, corrects, of) = (sent.opens_channel, sent.corrects, sent.channel.clone());
        self.take_target_id(id, response::header(headers, "JPIP-tid"));
        if let Some(channel) = self.channel.as_mut().filter(|channel| Some(&channel.name) == of.as_ref()) {
            channel.corrected = channel.corrected.max(corrects.unwrap_or(0));
        }
        if opens {
            let new = response::header(headers, "JPIP-cnew").and_then(NewChannel::parse);
            self.refused_session = new.is_none();
            self.channel = new.map(|new| ChannelOfClient {
                name: new.channel,
                path: new.path.unwrap_or_else(|| SERVICE_PATH.to_owned()),
                next_request: 1,
                broken: 0,
                corrected: 0,
            });
            if let Some(sent) = self.requests.get_mut(&id) {
                sent.channel = self.channel.as_ref().map(|channel| channel.name.clone());
            }
            let session = self.channel.is_some();
            self.events.push_back(Event::Opened { target_id: self.target_id.clone(), session });
        } else if of.is_none() && self.progress.received == 0 {
            self.events.push_back(Event::Opened { target_id: self.target_id.clone(), session: false });
        }
    }

    /// Bytes of an answer's body, split anywhere.
    pub fn handle_body(&mut self, id: u64, bytes: &[u8]) {
        let Some(sent) = self.requests.get_mut(&id).filter(|sent| sent.accepted) else { return };
        self.progress.received += bytes.len() as u64;
        let before = self.progress;
        let named = self.target_id.is_some();
        let mut answered = None;
        let mut bins = self.bins.write().unwrap_or_else(PoisonError::into_inner);
        let result = sent.reader.push(bytes, |event| match event {
            MessageEvent::Data { codestream, id, offset, bytes, last, .. } => {
                let before = bins.generation();
                let insert = bins.insert(codestream, id, offset, bytes, last);
                if let Some(journal) = self.journal.as_mut().filter(|_| named && bins.generation() > before) {
                    let piece = BinPiece { codestream, id, offset, bytes: bytes.to_vec(), last };
                    journal.push(JournalEntry::Piece(piece));
                }
                self.progress.new += insert.new_bytes;
                self.progress.duplicate += insert.duplicate_bytes;
                self.progress.excess += insert.excess_bytes;
            }
            MessageEvent::EndOfResponse { reason: reason @ (eor::IMAGE_DONE | eor::WINDOW_DONE), .. }
                if sent.stands && sent.answered.is_none() =>
            {
                sent.answered = Some(reason);
                answered = Some(reason);
            }
            MessageEvent::EndOfResponse { reason, .. } => sent.end = Some(reason),
        });
        drop(bins);
        sent.new_bytes += self.progress.new - before.new;
        sent.old_bytes += self.progress.duplicate - before.duplicate;
        if self.progress.new > before.new {
            self.failures = 0;
        }
        self.events.push_back(Event::Progress(self.progress));
        if let Err(error) = result {
            sent.failure = Some(Failure::Later(error.into(), None));
            sent.accepted = false;
            self.events.push_back(Event::Abort { id });
        }
        let names_metadata = sent.names_metadata;
        if answered.is_some() && names_metadata && self.boxes.have_come() {
            self.events.push_back(Event::MetadataComplete);
        }
        if answered.is_some() && self.want == Want::Answer(id) {
            self.want = Want::Settling(answered);
            self.settle();
        }
    }

    /// The end of an answer. Call it once for each request, unless [`Event::Abort`] named it: then it
    /// may be left out for answers that were of no use.
    pub fn handle_end(&mut self, id: u64, ending: Ending) {
        let Some(sent) = self.requests.remove(&id) else { return };
        if sent.closes {
            self.events.push_back(Event::Closed);
            return;
        }
        if sent.failure.is_none() && sent.end == Some(eor::SESSION_LIMIT) {
            self.channel = None;
        }
        let outcome = sent.outcome(ending);
        self.note_lost_bytes(&sent, &outcome);
        if sent.names_metadata && matches!(outcome, Outcome::Done(_)) && self.boxes.have_come() {
            self.events.push_back(Event::MetadataComplete);
        }
        if sent.answered.is_some() {
            self.end_of_standing(&sent, &outcome);
        }
        if self.want == Want::Answer(id) {
            self.go_on(&sent, outcome);
        }
        self.settle();
    }

    /// A response whose window was done has ended. If nothing has taken its place, another shall stand: it was broken
    /// off, has stood for long, or the picture has changed.
    fn end_of_standing(&mut self, sent: &Sent, outcome: &Outcome) {
        let ended = sent.end == Some(eor::SESSION_LIMIT);
        if self.want != Want::Nothing || sent.window != self.number || (self.channel.is_none() && !ended) {
            return;
        }
        match (sent.end, outcome) {
            (Some(eor::OTHER | eor::RESPONSE_LIMIT | eor::SESSION_LIMIT), _) => self.want = Want::Window,
            (None, Outcome::Failed(Failure::Later(error, pause))) => {
                self.want = Want::Window;
                self.count_failure(error.clone(), *pause);
            }
            // The server does not push, or says why it does not go on.
            _ => (),
        }
    }

    fn go_on(&mut self, sent: &Sent, outcome: Outcome) {
        match outcome {
            Outcome::Done(reason) => self.want = Want::Settling(reason),
            Outcome::More => {
                self.want = Want::Window;
                if sent.new_bytes == 0 {
                    self.stalled(sent);
                }
            }
            Outcome::Failed(Failure::AskAgain) => {
                self.want = Want::Window;
                self.count_failure(ClientError::Stalled, Some(Duration::ZERO));
            }
            Outcome::Failed(Failure::Later(error, pause)) => {
                self.want = Want::Window;
                self.count_failure(error, pause);
            }
            Outcome::Failed(Failure::Final(error)) => self.give_up(error),
        }
    }

    /// There is more, but nothing new came. If that is because what did not fit into `model` came again, a
    /// longer response will reach beyond it.
    fn stalled(&mut self, sent: &Sent) {
        let length = self.options.length.unwrap_or(1 << 20);
        if sent.old_bytes > 0 && length < LONGEST_LENGTH {
            self.options.length = Some(length.max(1) * 2);
        } else {
            self.count_failure(ClientError::Stalled, None);
        }
    }

    /// Declares the window complete once no bytes can be missing any more.
    fn settle(&mut self) {
        let Want::Settling(reason) = self.want else { return };
        if self.requests.values().any(|sent| sent.answered.is_none()) {
            return;
        }
        if self.owes_correction() || self.boxes.are_owed(&self.bins) {
            self.want = Want::Window;
        } else {
            self.want = Want::Nothing;
            self.events.push_back(Event::WindowComplete { window: self.number, reason });
        }
    }

    fn owes_correction(&self) -> bool {
        self.channel.as_ref().is_some_and(ChannelOfClient::owes_correction)
    }

    /// Within a session, the server takes what it sent for received.
    fn note_lost_bytes(&mut self, sent: &Sent, outcome: &Outcome) {
        let lost = sent.end.is_none() && !matches!(outcome, Outcome::Done(_));
        if let Some(channel) =
            self.channel.as_mut().filter(|channel| Some(&channel.name) == sent.channel.as_ref())
            && lost
        {
            channel.broken += 1;
        }
    }

    fn send_window(&mut self) -> Outgoing {
        let metadata = self.boxes.request(&self.bins);
        let names_boxes = metadata == Some(Naming::Needed);
        let opens_channel = self.options.sessions && !self.refused_session && self.channel.is_none();
        // What older answers still bring would be sent again, if the server were told now that it is missing.
        let correction = self.requests.is_empty() && self.owes_correction();
        let first_only = self.codestreams == [NumberRange::one(0)];
        let mut statements = match correction {
            true => holdings::nothing(first_only, self.options.stream == StreamKind::Tiles),
            false => Vec::new(),
        };
        if correction || self.channel.is_none() {
            let bins = self.bins.read().unwrap_or_else(PoisonError::into_inner);
            statements.extend(holdings::statements(&bins, first_only, self.options.model_length));
        }
        let mut request = Request {
            types: vec![self.options.stream.name().to_owned()],
            streams: self.codestreams.iter().map(|&range| StreamRange { range, step: 1 }).collect(),
            length: self.options.length,
            window: self.window.clone(),
            model: CacheModel { statements },
            metadata: metadata.map(Naming::into_request),
            ..Request::default()
        };
        let mut path = SERVICE_PATH.to_owned();
        let mut corrects = None;
        match &mut self.channel {
            Some(channel) => {
                request.channel = Some(channel.name.clone());
                request.request_id = Some(channel.next_request);
                channel.next_request += 1;
                path.clone_from(&channel.path);
                corrects = correction.then_some(channel.broken);
            }
            None => request.target = Some(self.options.target.clone()),
        }
        if opens_channel {
            request.new_channel = Some(self.options.transports.clone());
            request.request_id = Some(0);
        }
        let in_session = request.channel.is_some() || opens_channel;
        // What is owed goes first: it waits until no other answer is under way, and one that stands always is.
        let may_stand = in_session && (correction || !self.owes_correction());
        request.push = self.options.push.filter(|_| may_stand && request.window.is_some());
        let has_model = !request.model.is_empty();
        if has_model || request.channel.is_none() {
            // A cache model is meant for one state of the picture only.
            request.target_id = Some(self.target_id.clone().unwrap_or_else(|| "0".to_owned()));
        }
        let names_metadata = request.metadata.is_some() && !names_boxes;
        let id = self.add(Sent {
            channel: request.channel.clone(),
            opens_channel,
            corrects,
            has_model,
            stands: request.push.is_some(),
            names_boxes,
            names_metadata,
            ..Sent::new(self.number)
        });
        self.want = Want::Answer(id);
        Outgoing { id, path_and_query: request.to_path_and_query(&path), length: request.length }
    }

    fn send_close(&mut self, channel: String) -> Outgoing {
        let request = Request {
            // Not as a request of the channel that it closes: one server dies of that.
            close: Some(CloseChannels::Listed(vec![channel])),
            length: Some(0),
            ..Request::default()
        };
        let id = self.add(Sent { closes: true, ..Sent::new(self.number) });
        Outgoing { id, path_and_query: request.to_path_and_query(SERVICE_PATH), length: request.length }
    }

    fn add(&mut self, sent: Sent) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.requests.insert(id, sent);
        id
    }

    /// The server does not know the channel of request `id` any more.
    fn drop_channel(&mut self, id: u64) {
        let of = self.requests.get(&id).and_then(|sent| sent.channel.clone());
        if self.channel.as_ref().map(|channel| &channel.name) == of.as_ref() {
            self.channel = None;
        }
    }

    /// If the picture is another one than before, what was held of it goes, and so do older answers.
    fn take_target_id(&mut self, id: u64, found: Option<&str>) {
        let Some(found) = found else { return };
        if self.target_id.as_deref().is_some_and(|known| known != found) {
            let old: Vec<u64> = self.requests.keys().copied().filter(|&other| other != id).collect();
            for id in old {
                self.requests.remove(&id);
                self.events.push_back(Event::Abort { id });
                if self.want == Want::Answer(id) {
                    self.want = Want::Window;
                }
            }
            self.bins.write().unwrap_or_else(PoisonError::into_inner).clear();
            self.boxes = self.boxes.anew();
            self.events.push_back(Event::Reset);
        }
        if self.target_id.as_deref() != Some(found) {
            self.target_id = Some(found.to_owned());
            self.journal.iter_mut().for_each(|journal| journal.push(JournalEntry::Target(found.to_owned())));
        }
    }

    fn count_failure(&mut self, error: ClientError, pause: Option<Duration>) {
        self.failures += 1;
        if self.failures >= self.options.attempts.max(1) {
            self.give_up(error);
            return;
        }
        let doubled = self.options.pause.saturating_mul(1 << (self.failures - 1).min(8));
        self.not_before = self.now.saturating_add(pause.unwrap_or(doubled));
    }

    fn give_up(&mut self, error: ClientError) {
        self.want = Want::Nothing;
        self.events.push_back(Event::Failed(error));
    }
}

/// Up to here the length of responses is doubled when they bring nothing new.
const LONGEST_LENGTH: u64 = 1 << 40;
