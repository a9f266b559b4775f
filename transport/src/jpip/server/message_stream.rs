//! A JPP-stream or JPT-stream under way (T.808 Annex A): which message comes next, and when it ends.

use super::part::{Found, Part, UnsentPiece, Wanted};
use super::push::{Codestreams, StandingResponse, TARGET_CHANGED, Watch};
use super::session::RequestTurn;
use crate::jpip::wire::message::{MessageHeader, MessageWriter, eor};
use std::collections::VecDeque;
use std::iter::Peekable;
use std::time::Duration;
use wavetile_engine::Result;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::view_window::ViewWindow;

/// Longer messages than this are cut inside packets, whatever the client asks for: each is held in memory.
const MOST_ALIGNED: u64 = 1 << 20;

/// A piece of a data-bin that ends a chunk has at least this many bytes.
const LEAST_PIECE: u64 = 32;

/// A stream of messages under way.
pub(super) struct MessageStream {
    pub(super) wanted: Wanted,
    /// The codestream that is sent.
    pub(super) part: Part,
    /// Numbers of those after it.
    pub(super) rest: Peekable<Box<dyn Iterator<Item = u32> + Send>>,
    /// Every codestream of the file is sent, and so far all of each.
    pub(super) whole: bool,
    pub(super) turn: Option<RequestTurn>,
    /// Bytes of messages that may still be sent.
    pub(super) budget: u64,
    /// Most payload bytes of one message.
    pub(super) most_payload: u64,
    /// Messages end where packets do, as far as they are not longer than [`MOST_ALIGNED`].
    pub(super) align: bool,
    /// Messages of precincts tell the layers that they complete.
    pub(super) extended: bool,
    pub(super) writer: MessageWriter,
    pub(super) piece: Option<UnsentPiece>,
    /// Windows that follow the first.
    pub(super) then: Then,
    /// The response goes on after the windows.
    pub(super) standing: Option<StandingResponse>,
    /// Codestreams follow one another no faster than this.
    pub(super) pace: Option<Pace>,
}

/// Windows that follow the first of a response, which ends with an end-of-response for each (docs/jpip-then.md).
pub(super) struct Then {
    pub(super) windows: VecDeque<ViewWindow>,
    /// The first is done.
    pub(super) begun: bool,
    /// Numbers of the codestreams of each of them.
    pub(super) codestreams: Codestreams,
}

/// How fast codestreams may follow one another (`drate`, T.808 C.7).
pub(super) struct Pace {
    interval: Duration,
    /// When the next may begin.
    next: Option<Duration>,
    /// None has begun.
    before_all: bool,
}

impl Pace {
    /// So many a second; `before_all`: the response begins with something else.
    pub(super) fn new(rate: f64, before_all: bool) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(LONGEST_INTERVAL);
        Self { interval: interval.min(LONGEST_INTERVAL), next: None, before_all }
    }

    /// How long to wait for the next codestream; if not at all, it begins now.
    fn begin(&mut self, now: Duration) -> Option<Duration> {
        if std::mem::take(&mut self.before_all) {
            return None;
        }
        // This is at the end of the first, which began not long ago.
        let next = *self.next.get_or_insert(now.saturating_add(self.interval));
        let pause = next.checked_sub(now).filter(|pause| !pause.is_zero());
        if pause.is_none() {
            self.next = Some(now.saturating_add(self.interval));
        }
        pause
    }
}

/// Nobody waits longer for a codestream, however low a rate is asked for.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// What became of an attempt to write a message.
enum Step {
    Written,
    /// On to the next codestream.
    Moved,
    /// The chunk has no room for a message that is worth while.
    ChunkFull,
    End(u8, String),
    /// A standing response has nothing to send for so long.
    Wait(Duration),
}

/// What became of a chunk.
pub(super) enum Filled {
    Full,
    Finished,
    Waits(Duration),
}

impl MessageStream {
    /// Fills `out` with messages up to `room` bytes.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>, room: usize, now: Duration) -> Filled {
        loop {
            match self.step(out, room, now) {
                Ok(Step::Written | Step::Moved) => (),
                Ok(Step::ChunkFull) => return Filled::Full,
                Ok(Step::Wait(pause)) => return Filled::Waits(pause),
                Ok(Step::End(reason, text)) => {
                    if self.goes_on(reason, out) {
                        continue;
                    }
                    self.writer.write_end(out, reason, text.as_bytes());
                    return Filled::Finished;
                }
                Err(error) => {
                    tracing::warn!(%error, "a response ends early");
                    self.writer.write_end(out, eor::OTHER, b"the picture cannot be read");
                    return Filled::Finished;
                }
            }
        }
    }

    /// Whether the response stands when what it sent ends for `reason`; if so, it turns to what is next.
    fn goes_on(&mut self, reason: u8, out: &mut Vec<u8>) -> bool {
        if self.is_stopping() {
            return false;
        }
        let done = matches!(reason, eor::IMAGE_DONE | eor::WINDOW_DONE);
        if done && let Some(window) = self.then.windows.pop_front() {
            self.writer.write_end(out, reason, &[]);
            self.then.begun = true;
            self.rest = (self.then.codestreams)().peekable();
            self.turn_to(window);
            return true;
        }
        let Some(standing) = &mut self.standing else { return false };
        if standing.answered {
            standing.budget = self.budget;
            if standing.watching || !(done || matches!(reason, eor::BYTE_LIMIT | eor::RESPONSE_LIMIT)) {
                return false;
            }
            if reason == eor::BYTE_LIMIT {
                standing.windows.clear();
            }
        } else {
            if !done {
                return false;
            }
            standing.answered = true;
            self.writer.write_end(out, reason, &[]);
            if reason == eor::IMAGE_DONE || standing.budget == 0 {
                standing.windows.clear();
            }
        }
        self.piece = None;
        self.budget = standing.budget;
        match standing.windows.pop_front() {
            Some(window) => {
                self.rest = (standing.codestreams)().peekable();
                self.turn_to(window);
            }
            None => standing.watching = true,
        }
        true
    }

    /// Goes on with another window of the codestreams of `rest`.
    fn turn_to(&mut self, window: ViewWindow) {
        self.piece = None;
        self.wanted.window = Some(window);
        // Metadata has been sent with the first window: this is at once at its end.
        self.part = self.wanted.metadata();
        self.whole = false;
    }

    /// What a standing response does when it has sent everything.
    fn watch(&mut self, out: &mut Vec<u8>, watch: Watch) -> Step {
        match watch {
            Watch::Wait(pause) => Step::Wait(pause),
            Watch::Changed => Step::End(eor::OTHER, String::from_utf8_lossy(TARGET_CHANGED).into_owned()),
            Watch::Enough => Step::End(eor::RESPONSE_LIMIT, String::new()),
            Watch::Sign => {
                // A message that holds nothing.
                let header = MessageHeader {
                    codestream: self.part.codestream,
                    id: DataBinId::MainHeader,
                    aux: None,
                    offset: 0,
                    length: 0,
                    last: false,
                };
                self.writer.write_header(out, &header);
                Step::Written
            }
        }
    }

    /// Whether the window is done, and the server stops: nothing more is owed.
    fn is_stopping(&self) -> bool {
        let answered = self.standing.as_ref().is_some_and(|standing| standing.answered);
        answered && self.turn.as_ref().is_some_and(RequestTurn::is_stopping)
    }

    fn step(&mut self, out: &mut Vec<u8>, room: usize, now: Duration) -> Result<Step> {
        if self.turn.as_ref().is_some_and(|turn| !turn.is_newest()) {
            return Ok(Step::End(eor::WINDOW_CHANGE, String::new()));
        }
        if self.is_stopping() {
            return Ok(Step::End(eor::SESSION_LIMIT, "the server stops".to_owned()));
        }
        if let Some(standing) = self.standing.as_mut().filter(|standing| standing.watching) {
            let watch = standing.watch(now);
            return Ok(self.watch(out, watch));
        }
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None => match self.part.next_piece()? {
                Found::Piece(piece) => piece,
                Found::Nothing => return Ok(self.next_part(now)),
                Found::TooFar => return Ok(Step::End(eor::RESPONSE_LIMIT, String::new())),
            },
        };
        let piece = self.piece.insert(piece);
        let room = room.saturating_sub(out.len()) as u64;
        let left = piece.end - piece.at;
        let mut most = left.min(self.most_payload);
        let aligned = self.align.then(|| piece.aligned(most)).filter(|&payload| payload <= MOST_ALIGNED);
        most = aligned.unwrap_or(most);
        let mut header = MessageHeader {
            codestream: self.part.codestream,
            id: piece.id,
            // The longest that it can become.
            aux: piece.layers_at(piece.end).filter(|_| self.extended),
            offset: piece.at,
            length: most,
            last: false,
        };
        let overhead = self.writer.header_len(&header) as u64;
        let fits = |space: u64| {
            let payload = space.checked_sub(overhead)?.min(most);
            (payload > 0 || left == 0).then_some(payload)
        };
        let Some(allowed) = fits(self.budget).filter(|&allowed| aligned.is_none_or(|all| all == allowed))
        else {
            return Ok(Step::End(eor::BYTE_LIMIT, String::new()));
        };
        let payload = match fits(room) {
            // It may be longer than the chunk: what is too much is handed out with the next.
            _ if aligned.is_some() && out.is_empty() => allowed,
            Some(payload) if aligned.is_some() && payload == allowed => allowed,
            Some(payload) if aligned.is_none() && (out.is_empty() || payload >= allowed.min(LEAST_PIECE)) => {
                payload.min(allowed)
            }
            _ => return Ok(Step::ChunkFull),
        };
        let bytes = self.part.read(piece, payload)?;
        if bytes.len() as u64 != payload {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        header.length = payload;
        header.aux = piece.layers_at(piece.at + payload).filter(|_| self.extended);
        header.last = piece.last && payload == left;
        let before = out.len();
        self.writer.write_header(out, &header);
        out.extend(bytes);
        self.budget = self.budget.saturating_sub((out.len() - before) as u64);
        piece.at += payload;
        self.part.note(piece, self.turn.as_ref());
        if piece.at == piece.end {
            self.piece = None;
        }
        Ok(Step::Written)
    }

    /// Goes on to the next codestream that can be served.
    fn next_part(&mut self, now: Duration) -> Step {
        if let Some(pace) = &mut self.pace
            && self.rest.peek().is_some()
            && let Some(pause) = pace.begin(now)
        {
            return Step::Wait(pause);
        }
        self.whole &= self.part.whole;
        for number in self.rest.by_ref() {
            match self.wanted.part(number) {
                Ok(Some(part)) => {
                    self.part = part;
                    return Step::Moved;
                }
                Ok(None) => (),
                Err(error) => tracing::warn!(number, %error, "a codestream cannot be served"),
            }
            self.whole = false;
        }
        let reason = if self.whole { eor::IMAGE_DONE } else { eor::WINDOW_DONE };
        Step::End(reason, String::new())
    }
}
