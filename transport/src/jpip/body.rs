//! Bodies of responses. They are pulled: what to send is chosen when the connection can take it, so that a
//! newer request of the same channel takes over at once.

use super::client_model::ClientModel;
use super::held::Held;
use super::message::{MessageHeader, MessageWriter, eor};
use super::picture::{BinLength, Picture};
use super::selection::{Item, Selection};
use super::session::{SessionState, Turn};
use std::sync::Arc;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::{Error, Result};

/// A body, pulled chunk by chunk.
pub struct Body {
    /// Bytes that are made, but not handed out.
    pending: Vec<u8>,
    stream: Option<Box<Stream>>,
}

impl Body {
    /// A body that is known beforehand.
    pub(super) fn text(text: &str) -> Self {
        Self { pending: text.as_bytes().to_vec(), stream: None }
    }

    /// Nothing but an end-of-response.
    pub(super) fn end(reason: u8) -> Self {
        let mut pending = Vec::new();
        MessageWriter::new().write_end(&mut pending, reason, &[]);
        Self { pending, stream: None }
    }

    pub(super) fn stream(stream: Stream) -> Self {
        Self { pending: Vec::new(), stream: Some(Box::new(stream)) }
    }

    /// The next bytes: at least one, at most `max` (taken as 1 if 0). `None` = finished. A JPP-stream
    /// always ends with an end-of-response. Reads the picture's file, so it may block.
    pub fn poll_chunk(&mut self, max: usize) -> Option<Vec<u8>> {
        let max = max.max(1);
        if self.pending.is_empty()
            && let Some(stream) = &mut self.stream
        {
            let finished = stream.fill(&mut self.pending, max.max(LEAST_CHUNK));
            if finished {
                self.stream = None;
            }
        }
        if self.pending.is_empty() {
            return None;
        }
        let rest = self.pending.split_off(max.min(self.pending.len()));
        Some(std::mem::replace(&mut self.pending, rest))
    }

    /// Length of the whole body, if it is known: not for a stream whose data is yet to be chosen.
    #[must_use]
    pub fn exact_len(&self) -> Option<u64> {
        if self.stream.is_some() { None } else { Some(self.pending.len() as u64) }
    }
}

/// Chunks are made at least this long; shorter ones are cut from them.
const LEAST_CHUNK: usize = 64;

/// A piece of a data-bin that ends a chunk has at least this many bytes.
const LEAST_PIECE: u64 = 32;

/// What a response knows of the client.
pub(super) enum Knowledge {
    /// What it said itself.
    Request(ClientModel),
    /// What its session says of the picture with this target-id.
    Session { session: Arc<SessionState>, target_id: String },
}

/// A JPP-stream under way.
pub(super) struct Stream {
    pub(super) picture: Arc<dyn Picture>,
    pub(super) selection: Selection,
    pub(super) knowledge: Knowledge,
    pub(super) turn: Option<Turn>,
    /// Bytes of messages that may still be sent.
    pub(super) budget: u64,
    /// Most payload bytes of one message.
    pub(super) most_payload: u64,
    /// The reason to give at the end of the selection.
    pub(super) done: u8,
    pub(super) writer: MessageWriter,
    pub(super) piece: Option<Piece>,
    /// Items looked at since the last piece.
    pub(super) skipped: u64,
    /// Layer of the last packet looked at.
    pub(super) layer: u16,
    /// Some precinct has packets beyond `layer` that the client may lack.
    pub(super) more_layers: bool,
}

/// Bytes of one data-bin that are to be sent.
pub(super) struct Piece {
    id: DataBinId,
    at: u64,
    end: u64,
    /// `end` is the end of the data-bin.
    last: bool,
    /// Where the packets of a precinct end.
    packet_ends: Vec<u64>,
}

/// What a search for more to send found.
enum Found {
    Piece(Piece),
    Nothing,
    /// Nothing yet, though a lot was looked at.
    TooFar,
}

/// Packets in a row that may be looked at in vain: a request for a huge picture that claims to hold all of
/// it must not cost seconds.
const MOST_SKIPPED: u64 = 1 << 21;

/// What became of an attempt to write a message.
enum Step {
    Written,
    /// The chunk has no room for a message that is worth while.
    ChunkFull,
    End(u8, String),
}

impl Stream {
    /// Fills `out` with messages up to `room` bytes; `true` if the stream ended.
    fn fill(&mut self, out: &mut Vec<u8>, room: usize) -> bool {
        loop {
            match self.step(out, room) {
                Ok(Step::Written) => (),
                Ok(Step::ChunkFull) => return false,
                Ok(Step::End(reason, text)) => {
                    self.writer.write_end(out, reason, text.as_bytes());
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, "a response ends early");
                    self.writer.write_end(out, eor::OTHER, b"the picture cannot be read");
                    return true;
                }
            }
        }
    }

    fn step(&mut self, out: &mut Vec<u8>, room: usize) -> Result<Step> {
        if self.turn.as_ref().is_some_and(|turn| !turn.is_newest()) {
            return Ok(Step::End(eor::WINDOW_CHANGE, String::new()));
        }
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None => match self.next_piece()? {
                Found::Piece(piece) => piece,
                Found::Nothing => return Ok(Step::End(self.done, String::new())),
                Found::TooFar => return Ok(Step::End(eor::RESPONSE_LIMIT, String::new())),
            },
        };
        let piece = self.piece.insert(piece);
        let room = room.saturating_sub(out.len()) as u64;
        let left = piece.end - piece.at;
        let most = left.min(self.most_payload);
        let mut header = MessageHeader {
            codestream: 0,
            id: piece.id,
            aux: None,
            offset: piece.at,
            length: most,
            last: false,
        };
        let overhead = self.writer.header_len(&header) as u64;
        let fits = |space: u64| {
            let payload = space.checked_sub(overhead)?.min(most);
            (payload > 0 || left == 0).then_some(payload)
        };
        let Some(allowed) = fits(self.budget) else {
            return Ok(Step::End(eor::BYTE_LIMIT, String::new()));
        };
        let payload = match fits(room) {
            Some(payload) if out.is_empty() || payload >= allowed.min(LEAST_PIECE) => payload.min(allowed),
            _ => return Ok(Step::ChunkFull),
        };
        let bytes = piece.read(self.picture.as_ref(), payload)?;
        if bytes.len() as u64 != payload {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        header.length = payload;
        header.last = piece.last && payload == left;
        let before = out.len();
        self.writer.write_header(out, &header);
        out.extend(bytes);
        self.budget = self.budget.saturating_sub((out.len() - before) as u64);
        piece.at += payload;
        if let Knowledge::Session { session, target_id } = &self.knowledge {
            let follow = absent_after(self.picture.as_ref(), piece.id);
            session.note(target_id, piece.id, follow, piece.held(), self.turn.as_ref());
        }
        if piece.at == piece.end {
            self.piece = None;
        }
        Ok(Step::Written)
    }

    /// The next bytes that the client lacks.
    fn next_piece(&mut self) -> Result<Found> {
        while let Some(item) = self.selection.next() {
            self.skipped += 1;
            if self.skipped > MOST_SKIPPED {
                return Ok(Found::TooFar);
            }
            let piece = match item {
                Item::Whole(id) => self.whole(id),
                Item::Packet { layer, .. } if self.is_beyond(layer) => break,
                Item::Packet { precinct, layer, layers } => self.packet(precinct, layer, layers),
            };
            match piece {
                Ok(Some(piece)) => {
                    self.skipped = 0;
                    return Ok(Found::Piece(piece));
                }
                Ok(None) => (),
                // A damaged part must not keep the client from the rest.
                Err(error @ Error::Io(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "{item:?} cannot be served"),
            }
        }
        Ok(Found::Nothing)
    }

    fn held(&self, id: DataBinId) -> Held {
        match &self.knowledge {
            Knowledge::Request(model) => model.held(id),
            Knowledge::Session { session, target_id } => session.held(target_id, id),
        }
    }

    fn whole(&self, id: DataBinId) -> Result<Option<Piece>> {
        let start = match self.held(id) {
            Held::All => return Ok(None),
            Held::Bytes(bytes) => bytes,
            Held::Nothing | Held::Layers(_) => 0,
        };
        let found = match self.picture.bin_len(id)? {
            None if id == DataBinId::Metadata(0) => Some(BinLength { bytes: 0, complete: true }),
            found => found,
        };
        let Some(BinLength { bytes: end, complete }) = found else { return Ok(None) };
        let piece = Piece { id, at: start.min(end), end, last: complete, packet_ends: Vec::new() };
        Ok(if piece.at < end || complete { Some(piece) } else { None })
    }

    /// Whether no precinct of the window has a packet left to send in `layer`.
    fn is_beyond(&mut self, layer: u16) -> bool {
        if layer == self.layer {
            return false;
        }
        self.layer = layer;
        !std::mem::take(&mut self.more_layers)
    }

    fn packet(&mut self, precinct: PrecinctId, layer: u16, layers: u16) -> Result<Option<Piece>> {
        let header = self.picture.header();
        let components = header.size.components.len() as u32;
        let Some(id) = precinct.in_class_id(components, header.tile_count()) else { return Ok(None) };
        let id = DataBinId::Precinct(id);
        let held = self.held(id);
        if held == Held::All {
            return Ok(None);
        }
        if matches!(held, Held::Layers(held) if held > layer) {
            self.more_layers = true;
            return Ok(None);
        }
        let ends = self.picture.packet_ends(precinct)?;
        let Some(&end) = ends.get(usize::from(layer)) else { return Ok(None) };
        self.more_layers |= ends.len() > usize::from(layer) + 1;
        let end_of = |layers: u16| layers.checked_sub(1).map_or(0, |last| ends[usize::from(last)]);
        let held_bytes = match held {
            Held::Bytes(bytes) => bytes,
            Held::Layers(held) => end_of(held),
            Held::Nothing | Held::All => 0,
        };
        let last = layer + 1 == layers;
        // Lower layers were sent earlier in this response, or were held.
        let at = held_bytes.max(end_of(layer)).min(end);
        // A client that has all bytes, but not the word that they are all, gets that.
        let owed = last && held_bytes >= end;
        let piece = Piece { id, at, end, last, packet_ends: ends };
        Ok(if at < end || owed { Some(piece) } else { None })
    }
}

/// How many identifiers after a precinct's name none: where components or tiles differ in size. They are
/// noted along with it, so that what is held stays a few long runs.
fn absent_after(picture: &dyn Picture, id: DataBinId) -> u64 {
    let DataBinId::Precinct(id) = id else { return 0 };
    let header = picture.header();
    let (components, tiles) = (header.size.components.len() as u32, header.tile_count());
    let is_absent = |id: u64| {
        let next = PrecinctId::from_in_class_id(id, components, tiles)?;
        let tile = picture.tile(next.tile).ok()?;
        (tile.components.get(next.component as usize)?.precincts <= next.precinct).then_some(())
    };
    let following = (1..=MOST_ABSENT).take_while(|&step| id.checked_add(step).and_then(is_absent).is_some());
    following.count() as u64
}

/// Longest gap that is bridged.
const MOST_ABSENT: u64 = 256;

impl Piece {
    fn read(&self, picture: &dyn Picture, length: u64) -> Result<Vec<u8>> {
        if length == 0 { Ok(Vec::new()) } else { picture.read_bin(self.id, self.at..self.at + length) }
    }

    /// What the client holds once everything up to `at` has reached it.
    fn held(&self) -> Held {
        if self.at == self.end && self.last {
            return Held::All;
        }
        if let Some(layers) = self.packet_ends.iter().rposition(|&end| end == self.at) {
            return Held::Layers(layers as u16 + 1);
        }
        Held::Bytes(self.at)
    }
}
