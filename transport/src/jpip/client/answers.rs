//! What a client makes of answers: their heads, their bytes, and how they end.

use super::events::{ClientError, Ending, Event};
use super::journal::{BinPiece, JournalEntry};
use super::machine::{Client, Want};
use super::needed;
use super::requests::{ChannelOfClient, Failure, Outcome, Sent, refusal};
use crate::jpip::wire::message::eor;
use crate::jpip::wire::message_reader::MessageEvent;
use crate::jpip::wire::request::SERVICE_PATH;
use crate::jpip::wire::response::{self, NewChannel};
use std::sync::PoisonError;
use std::time::Duration;

impl Client {
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
        sent.lost.clear();
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
        let Self { requests, bins, room, wishes, recalling, codestreams, journal, progress, .. } = self;
        let Some(sent) = requests.get_mut(&id).filter(|sent| sent.accepted) else { return };
        progress.received += bytes.len() as u64;
        let before = *progress;
        let named = self.target_id.is_some();
        let (mut answered, mut filled) = (None, false);
        let mut bins = bins.write().unwrap_or_else(PoisonError::into_inner);
        let result = sent.reader.push(bytes, |event| match event {
            MessageEvent::Data { codestream, id, offset, bytes, last, .. } => {
                if !sent.windows.is_empty() && sent.windows.len() < sent.asked {
                    // The next window has begun.
                    sent.end = None;
                }
                let taken = room.take(&mut bins, (codestream, id), offset, bytes.len(), |bins| {
                    needed::held(bins, codestreams, wishes.kept())
                });
                filled |= taken.filled;
                if taken.evicted > 0 {
                    progress.evicted += taken.evicted;
                    wishes.note_dropped();
                    recalling.begin();
                }
                if !taken.fits {
                    sent.lossy = true;
                    progress.dropped += bytes.len() as u64;
                    wishes.note_dropped();
                    return;
                }
                let generation = bins.generation();
                let insert = bins.insert(codestream, id, offset, bytes, last);
                if room.bound().is_some_and(|bound| bins.memory() > bound) {
                    // Somebody sends pieces with gaps between them, and then what fills many at once.
                    sent.lossy = true;
                    wishes.note_dropped();
                    progress.dropped += bins.remove(codestream, id);
                    room.lose(codestream, id);
                    return;
                }
                if let Some(journal) = journal.as_mut().filter(|_| named && bins.generation() > generation) {
                    let piece = BinPiece { codestream, id, offset, bytes: bytes.to_vec(), last };
                    journal.push(JournalEntry::Piece(piece));
                }
                progress.new += insert.new_bytes;
                progress.duplicate += insert.duplicate_bytes;
                progress.excess += insert.excess_bytes;
            }
            MessageEvent::EndOfResponse { reason, .. } => {
                let done = matches!(reason, eor::IMAGE_DONE | eor::WINDOW_DONE);
                if done && let Some(window) = sent.windows.pop_front() {
                    if !sent.lossy {
                        wishes.note_come(window.as_ref(), sent.drops);
                    }
                    if sent.windows.is_empty() && sent.stands {
                        (sent.answered, answered) = (Some(reason), Some(reason));
                        return;
                    }
                }
                sent.end = Some(reason);
            }
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
        if filled {
            self.events.push_back(Event::Full { window: self.number });
        }
        if answered.is_some() && names_metadata && self.boxes.have_come() {
            self.events.push_back(Event::MetadataComplete);
        }
        if answered.is_some() && self.want == Want::Answer(id) {
            self.window_done(answered);
            self.settle();
        }
    }

    /// The end of an answer. Call it once for each request, unless [`Event::Abort`] named it: then it
    /// may be left out for answers that were of no use.
    pub fn handle_end(&mut self, id: u64, ending: Ending) {
        let Some(mut sent) = self.requests.remove(&id) else { return };
        for (codestream, id) in std::mem::take(&mut sent.lost) {
            // The server may not have heard of it.
            self.room.lose(codestream, id);
        }
        if sent.closes {
            self.events.push_back(Event::Closed);
            return;
        }
        if sent.failure.is_none() && sent.end == Some(eor::SESSION_LIMIT) {
            self.channel = None;
        }
        if !sent.windows.is_empty() && ending != Ending::Complete && sent.is_between_windows() {
            // More may have been on its way.
            sent.end = None;
        }
        let outcome = sent.outcome(ending);
        if let Outcome::Done(reason) = outcome
            && !matches!(reason, Some(eor::IMAGE_DONE | eor::WINDOW_DONE))
            && sent.answered.is_none()
            && let Some(window) = sent.windows.pop_front()
            && !sent.lossy
        {
            self.wishes.note_come(window.as_ref(), sent.drops);
        }
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
            (Some(eor::OTHER | eor::RESPONSE_LIMIT | eor::SESSION_LIMIT), _) => (),
            (None, Outcome::Failed(Failure::Later(error, pause))) => {
                self.count_failure(error.clone(), *pause)
            }
            // The server does not push, or says why it does not go on.
            _ => return,
        }
        self.wishes.reopen();
        self.want = Want::Window;
    }

    fn go_on(&mut self, sent: &Sent, outcome: Outcome) {
        match outcome {
            Outcome::Done(reason) => self.window_done(reason),
            Outcome::More => {
                self.want = Want::Window;
                self.lengthened += u32::from(sent.end == Some(eor::BYTE_LIMIT) && self.lengthened < u32::MAX);
                if sent.new_bytes == 0 && !self.room.is_full() {
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

    /// A window of what is wanted has come, or all that is wanted.
    fn window_done(&mut self, reason: Option<u8>) {
        // Servers that do not know that other windows are to follow end with the first.
        self.want = if self.wishes.have_come() { Want::Settling(reason) } else { Want::Window };
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
    pub(super) fn settle(&mut self) {
        let Want::Settling(reason) = self.want else { return };
        if self.requests.values().any(|sent| sent.answered.is_none()) {
            return;
        }
        if self.owes_correction() {
            self.wishes.reopen();
            self.want = Want::Window;
        } else if self.boxes.are_owed(&self.bins) {
            self.want = Want::Window;
        } else {
            self.want = Want::Nothing;
            self.events.push_back(Event::WindowComplete { window: self.number, reason });
        }
    }

    pub(super) fn owes_correction(&self) -> bool {
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
            self.room.clear();
            self.wishes.reopen();
            // This one is of the picture that there is now.
            let drops = self.wishes.drops();
            self.requests.get_mut(&id).into_iter().for_each(|sent| sent.drops = drops);
            self.boxes = self.boxes.anew();
            self.events.push_back(Event::Reset);
        }
        if self.target_id.as_deref() != Some(found) {
            self.target_id = Some(found.to_owned());
            self.journal.iter_mut().for_each(|journal| journal.push(JournalEntry::Target(found.to_owned())));
        }
    }

    fn count_failure(&mut self, error: ClientError, pause: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        // Wishes stand until they can be met.
        if self.failures >= self.options.attempts.max(1) && !self.listed {
            self.give_up(error);
            return;
        }
        if self.listed && self.failures > 1 {
            self.events.push_back(Event::Interrupted(error));
        }
        let most = if self.listed { MOST_DOUBLINGS_OF_LIST } else { MOST_DOUBLINGS };
        let doubled = self.options.pause.saturating_mul(1 << (self.failures - 1).min(most));
        self.not_before = self.now.saturating_add(pause.unwrap_or(doubled));
    }

    fn give_up(&mut self, error: ClientError) {
        self.want = Want::Nothing;
        self.events.push_back(Event::Failed(error));
    }
}

/// Up to here the length of responses is doubled when they bring nothing new.
const LONGEST_LENGTH: u64 = 1 << 40;

/// The pause after failures is doubled so often, ...
const MOST_DOUBLINGS: u32 = 8;
/// ... and so often where nobody gives up.
const MOST_DOUBLINGS_OF_LIST: u32 = 6;
