//! Bodies of responses. They are pulled: what to send is chosen when the connection can take it, so that a
//! newer request of the same channel takes over at once.

use super::part::{Found, Part, Piece, Wanted};
use super::push::{Standing, TARGET_CHANGED, Watch};
use super::schedule::{Class, Grant, Place};
use super::served_picture::ServedPicture;
use super::session::Turn;
use crate::jpip::wire::message::{MessageHeader, MessageWriter, eor};
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wavetile_engine::Result;
use wavetile_engine::data_bin::DataBinId;

/// What a body has at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// At least one byte.
    Bytes(Vec<u8>),
    /// Nothing yet: ask again after this time, or when the waker that was passed is woken, if that is sooner.
    Wait(Duration),
    /// Nothing more will come.
    End,
}

/// A body, pulled chunk by chunk.
pub struct Body {
    /// Bytes that are made, but not handed out.
    pending: Vec<u8>,
    stream: Option<Box<Stream>>,
    raw: Option<Raw>,
    /// Where bandwidth is shared out.
    place: Option<Place>,
}

/// Bytes of a file as they are.
struct Raw {
    picture: Arc<dyn ServedPicture>,
    left: Range<u64>,
}

impl Body {
    /// A body that is known beforehand.
    pub(super) fn text(text: &str) -> Self {
        Self { pending: text.as_bytes().to_vec(), stream: None, raw: None, place: None }
    }

    /// Nothing but an end-of-response.
    pub(super) fn end(reason: u8) -> Self {
        let mut pending = Vec::new();
        MessageWriter::new().write_end(&mut pending, reason, &[]);
        Self { pending, stream: None, raw: None, place: None }
    }

    /// Bytes of the file itself, all of which are there.
    pub(super) fn raw(picture: Arc<dyn ServedPicture>, range: Range<u64>) -> Self {
        Self { pending: Vec::new(), stream: None, raw: Some(Raw { picture, left: range }), place: None }
    }

    pub(super) fn stream(stream: Stream) -> Self {
        Self { pending: Vec::new(), stream: Some(Box::new(stream)), raw: None, place: None }
    }

    /// The next bytes: at least one, at most `max` (taken as 1 if 0). `None` = finished. A JPP-stream
    /// always ends with an end-of-response. Reads the picture's file, so it may block.
    pub fn poll_chunk(&mut self, max: usize) -> Option<Vec<u8>> {
        match self.poll(max, Duration::ZERO, Waker::noop()) {
            Chunk::Bytes(bytes) => Some(bytes),
            Chunk::Wait(_) | Chunk::End => None,
        }
    }

    /// As [`poll_chunk`](Self::poll_chunk), for bodies that may have to wait. `now` counts from the moment that the
    /// server's times count from; `waker` is woken if there is something to do sooner than was said.
    pub fn poll(&mut self, max: usize, now: Duration, waker: &Waker) -> Chunk {
        let mut max = max.max(1);
        if self.stream.is_none() && self.raw.is_none() && self.pending.is_empty() {
            self.place = None;
            return Chunk::End;
        }
        let standing = self.stream.as_ref().and_then(|stream| stream.standing.as_ref());
        let watching = standing.is_some_and(|standing| standing.watching);
        if let Some(place) =
            self.place.as_mut().filter(|_| standing.is_some_and(|standing| standing.answered))
        {
            place.set_class(Class::Push);
        }
        let turn = self.stream.as_ref().and_then(|stream| stream.turn.as_ref());
        let paced = self.stream.as_ref().is_some_and(|stream| stream.pace.is_some());
        if let Some(turn) = turn.filter(|_| standing.is_some() || paced || self.place.is_some()) {
            // Before anything is looked at, or a request that comes in between would not be heard of.
            turn.listen(waker);
        }
        // The few bytes that tell the end of an old response, or signs of life, are not worth waiting for.
        let in_turn = !watching && turn.is_none_or(Turn::is_newest);
        if let Some(place) = self.place.as_ref().filter(|_| in_turn) {
            match place.ask(max, now, waker) {
                Grant::Bytes(granted) => max = granted,
                Grant::Wait(pause) => return Chunk::Wait(pause),
            }
        }
        let chunk = self.next_bytes(max, now);
        match (&chunk, &self.place) {
            (Chunk::Bytes(bytes), Some(place)) => place.spend(bytes.len(), now),
            (Chunk::End, _) => self.place = None,
            _ => (),
        }
        chunk
    }

    /// Lets the response end with the window: it is to be gathered before it is sent.
    pub fn do_not_stand(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.standing = None;
        }
    }

    /// The same body, which sends when `place` lets it.
    pub(super) fn in_turn(self, place: Option<Place>) -> Self {
        Self { place, ..self }
    }

    fn next_bytes(&mut self, max: usize, now: Duration) -> Chunk {
        if let Some(Raw { picture, left }) = &mut self.raw {
            let end = left.end.min(left.start.saturating_add(max as u64));
            let bytes = picture.read_raw(left.start..end).inspect_err(|error| {
                tracing::warn!(%error, "a response ends early");
            });
            left.start = end;
            return bytes.ok().filter(|bytes| !bytes.is_empty()).map_or(Chunk::End, Chunk::Bytes);
        }
        if self.pending.is_empty()
            && let Some(stream) = &mut self.stream
        {
            match stream.fill(&mut self.pending, max.max(LEAST_CHUNK), now) {
                Filled::Full => (),
                Filled::Finished => self.stream = None,
                Filled::Waits(pause) if self.pending.is_empty() => return Chunk::Wait(pause),
                Filled::Waits(_) => (),
            }
        }
        if self.pending.is_empty() {
            return Chunk::End;
        }
        let rest = self.pending.split_off(max.min(self.pending.len()));
        Chunk::Bytes(std::mem::replace(&mut self.pending, rest))
    }

    /// Length of the whole body, if it is known: not for a stream whose data is yet to be chosen.
    #[must_use]
    pub fn exact_len(&self) -> Option<u64> {
        match (&self.stream, &self.raw) {
            (Some(_), _) => None,
            (None, Some(Raw { left, .. })) => Some(left.end.saturating_sub(left.start)),
            (None, None) => Some(self.pending.len() as u64),
        }
    }
}

/// Chunks are made at least this long; shorter ones are cut from them.
const LEAST_CHUNK: usize = 64;

/// Longer messages than this are cut inside packets, whatever the client asks for: each is held in memory.
const MOST_ALIGNED: u64 = 1 << 20;

/// A piece of a data-bin that ends a chunk has at least this many bytes.
const LEAST_PIECE: u64 = 32;

/// A JPP-stream under way.
pub(super) struct Stream {
    pub(super) wanted: Wanted,
    /// The codestream that is sent.
    pub(super) part: Part,
    /// Numbers of those after it.
    pub(super) rest: Peekable<Box<dyn Iterator<Item = u32> + Send>>,
    /// Every codestream of the file is sent, and so far all of each.
    pub(super) whole: bool,
    pub(super) turn: Option<Turn>,
    /// Bytes of messages that may still be sent.
    pub(super) budget: u64,
    /// Most payload bytes of one message.
    pub(super) most_payload: u64,
    /// Messages end where packets do, as far as they are not longer than [`MOST_ALIGNED`].
    pub(super) align: bool,
    /// Messages of precincts tell the layers that they complete.
    pub(super) extended: bool,
    pub(super) writer: MessageWriter,
    pub(super) piece: Option<Piece>,
    /// The response goes on after the window.
    pub(super) standing: Option<Standing>,
    /// Codestreams follow one another no faster than this.
    pub(super) pace: Option<Pace>,
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
enum Filled {
    Full,
    Finished,
    Waits(Duration),
}

impl Stream {
    /// Fills `out` with messages up to `room` bytes.
    fn fill(&mut self, out: &mut Vec<u8>, room: usize, now: Duration) -> Filled {
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
        let Some(standing) = &mut self.standing else { return false };
        let done = matches!(reason, eor::IMAGE_DONE | eor::WINDOW_DONE);
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
                self.wanted.window = Some(window);
                // Headers and metadata have been sent with the window: this is at once at its end.
                self.part = self.wanted.metadata();
                self.whole = false;
            }
            None => standing.watching = true,
        }
        true
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
        answered && self.turn.as_ref().is_some_and(Turn::is_stopping)
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
