//! One codestream's share of a response: what of its window the client lacks, piece by piece.

use super::client_model::ClientModel;
use super::expansion::Allowance;
use super::held::Held;
use super::selection::{Item, Selection};
use super::served_picture::{BinLength, ServedPicture};
use super::session::{Name, RequestTurn, SessionState};
use crate::jpip::wire::cache_model::CacheModel;
use crate::jpip::wire::metareq::MetadataRequest;
use std::ops::Range;
use std::sync::Arc;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::plan::reach::GridWindow;
use wavetile_engine::view_window::{ResolvedWindow, ViewWindow};
use wavetile_engine::{Error, Result};

/// What a response sends of a file.
pub(super) struct Wanted {
    /// The first codestream; it leads to the others.
    pub(super) file: Arc<dyn ServedPicture>,
    /// `None` = headers and metadata only.
    pub(super) window: Option<ViewWindow>,
    pub(super) source: Source,
    /// No other data-bins than these, of the codestreams that the request is about.
    pub(super) need: Option<CacheModel>,
    /// Boxes that are wanted besides metadata-bin 0.
    pub(super) metadata: Option<MetadataRequest>,
    /// Whole tiles instead of precincts.
    pub(super) tiles: bool,
    /// What the implicit forms of the request may still cost.
    pub(super) allowance: Allowance,
}

/// Where a response learns what the client holds.
pub(super) enum Source {
    /// What it said itself, in this request.
    Request(CacheModel),
    /// What its session says of the picture with this target-id.
    Session { session: Arc<SessionState>, target_id: String },
}

impl Wanted {
    /// The part of codestream `number`; `None` if there is no such.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    pub(super) fn part(&mut self, number: u32) -> Result<Option<Part>> {
        let picture = match number {
            0 => self.file.clone(),
            _ => match self.file.codestream(number)? {
                Some(picture) => picture,
                None => return Ok(None),
            },
        };
        let header = picture.header();
        let mut whole = false;
        let selected = self.window.as_ref().map(|asked| {
            let used = asked.resolve(header);
            whole = is_whole(asked, &used, header.tile_parameters.style.layers);
            let grid =
                GridWindow { region: used.grid_region, reduce: used.reduce, components: used.components };
            (grid, asked.layers.unwrap_or(u16::MAX))
        });
        Ok(Some(self.make(number, picture, selected, whole)))
    }

    /// The metadata of the file alone.
    pub(super) fn metadata(&mut self) -> Part {
        let selection = Selection::metadata(self.file.clone(), self.boxes());
        Part { selection, ..self.make(0, self.file.clone(), None, true) }
    }

    /// Metadata-bins that are wanted besides bin 0.
    fn boxes(&self) -> Vec<u64> {
        let Some(request) = &self.metadata else { return Vec::new() };
        let kinds = (1..).zip(self.file.metadata_kinds());
        kinds.filter(|&(bin, kind)| request.wants(bin, kind)).map(|(bin, _)| bin).collect()
    }

    fn make(
        &mut self,
        number: u32,
        picture: Arc<dyn ServedPicture>,
        selected: Option<(GridWindow, u16)>,
        whole: bool,
    ) -> Part {
        let knowledge = match &self.source {
            Source::Request(said) => {
                let mut model = ClientModel::default();
                if said.has_implicit() {
                    let explicit = said.explicit(picture.as_ref(), number, true, &mut self.allowance);
                    model.apply(&explicit, number, true, true);
                } else {
                    model.apply(said, number, true, true);
                }
                Knowledge::Request(model)
            }
            Source::Session { session, target_id } => {
                Knowledge::Session { session: session.clone(), name: (target_id.clone(), number) }
            }
        };
        let need = self.need.as_ref().map(|need| match need.has_implicit() {
            true => need.explicit_need(picture.as_ref(), number, &mut self.allowance),
            false => need.clone(),
        });
        let selection = match &need {
            Some(need) if self.window.is_none() => Selection::listed(picture.clone(), need, number, true),
            _ => Selection::new(picture.clone(), selected, (number == 0).then(|| self.boxes())),
        };
        Part {
            codestream: number,
            selection: if self.tiles { selection.of_whole_tiles() } else { selection },
            need,
            picture,
            whole,
            knowledge,
            skipped: 0,
            layer: 0,
            more_layers: false,
            behind: None,
        }
    }
}

/// Whether a window asks for everything there is of the codestream.
fn is_whole(asked: &ViewWindow, used: &ResolvedWindow, layers: u16) -> bool {
    used.reduce == 0
        && used.region.size() == used.frame_size
        && used.components.is_none()
        && asked.layers.is_none_or(|asked| asked >= layers)
}

/// What a response knows of the client.
enum Knowledge {
    Request(ClientModel),
    Session { session: Arc<SessionState>, name: Name },
}

/// One codestream, as far as a response sends it.
pub(super) struct Part {
    pub(super) codestream: u32,
    picture: Arc<dyn ServedPicture>,
    selection: Selection,
    /// The window is all of the codestream.
    pub(super) whole: bool,
    knowledge: Knowledge,
    need: Option<CacheModel>,
    /// Items looked at since the last piece.
    skipped: u64,
    /// Layer of the last packet looked at.
    layer: u16,
    /// Some precinct has packets beyond `layer` that the client may lack.
    more_layers: bool,
    /// What is left of a piece behind bytes that the client holds.
    behind: Option<UnsentPiece>,
}

/// Bytes of one data-bin that are to be sent.
#[derive(Clone)]
pub(super) struct UnsentPiece {
    pub(super) id: DataBinId,
    pub(super) at: u64,
    pub(super) end: u64,
    /// `end` is the end of the data-bin.
    pub(super) last: bool,
    /// Where the packets of a precinct end.
    packet_ends: Vec<u64>,
}

/// What a search for more to send found.
pub(super) enum Found {
    Piece(UnsentPiece),
    Nothing,
    /// Nothing yet, though a lot was looked at.
    TooFar,
}

/// Packets in a row that may be looked at in vain: a request for a huge picture that claims to hold all of
/// it must not cost seconds.
const MOST_SKIPPED: u64 = 1 << 21;

impl Part {
    /// The next bytes that the client lacks.
    pub(super) fn next_piece(&mut self) -> Result<Found> {
        if let Some(piece) = self.behind.take().and_then(|piece| self.up_to_island(piece)) {
            return Ok(Found::Piece(piece));
        }
        while let Some(item) = self.selection.next() {
            self.skipped += 1;
            if self.skipped > MOST_SKIPPED {
                return Ok(Found::TooFar);
            }
            if !self.is_needed(item) {
                continue;
            }
            let piece = match item {
                Item::Whole(id) => self.whole(id),
                Item::Precinct(precinct) => self.precinct(precinct),
                Item::Packet { layer, .. } if self.is_beyond(layer) => break,
                Item::Packet { precinct, layer, layers } => self.packet(precinct, layer, layers),
            };
            match piece {
                Ok(Some(piece)) => {
                    if let Some(piece) = self.up_to_island(piece) {
                        self.skipped = 0;
                        return Ok(Found::Piece(piece));
                    }
                }
                Ok(None) => (),
                // A damaged part must not keep the client from the rest.
                Err(error @ Error::Io(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "{item:?} cannot be served"),
            }
        }
        Ok(Found::Nothing)
    }

    /// The beginning of `piece`, up to bytes that the client holds behind a gap; what follows them is next. `None` if nothing
    /// is left of it.
    fn up_to_island(&mut self, mut piece: UnsentPiece) -> Option<UnsentPiece> {
        let start = piece.at;
        while let Some(island) = self.island(&piece) {
            if island.start > piece.at {
                let end = island.start;
                self.behind = Some(UnsentPiece { at: end, ..piece.clone() });
                return Some(UnsentPiece { end, last: false, ..piece });
            }
            piece.at = island.end.min(piece.end);
            if piece.at == piece.end {
                break;
            }
        }
        // That these are all is still to be said.
        (piece.at == start || piece.at < piece.end || piece.last).then_some(piece)
    }

    fn island(&self, piece: &UnsentPiece) -> Option<Range<u64>> {
        let next = match &self.knowledge {
            Knowledge::Request(model) => model.island(piece.id, piece.at),
            Knowledge::Session { session, name } => session.island(name, piece.id, piece.at),
        };
        next.filter(|island| island.start < piece.end)
    }

    fn held(&self, id: DataBinId) -> Held {
        match &self.knowledge {
            Knowledge::Request(model) => model.held(id),
            Knowledge::Session { session, name } => session.held(name, id),
        }
    }

    fn whole(&self, id: DataBinId) -> Result<Option<UnsentPiece>> {
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
        let piece = UnsentPiece { id, at: start.min(end), end, last: complete, packet_ends: Vec::new() };
        Ok(if piece.at < end || complete { Some(piece) } else { None })
    }

    /// Whether the request does not leave the item out.
    fn is_needed(&self, item: Item) -> bool {
        let Some(need) = &self.need else { return true };
        let header = self.picture.header();
        let id = match item {
            Item::Whole(id) => id,
            Item::Precinct(precinct) | Item::Packet { precinct, .. } => {
                let components = header.size.components.len() as u32;
                match precinct.in_class_id(components, header.tile_count()) {
                    Some(id) => DataBinId::Precinct(id),
                    None => return false,
                }
            }
        };
        let mut about = need.statements.iter().filter(|one| one.is_about(self.codestream.into(), true));
        about.any(|statement| statement.bins.holds(id))
    }

    /// All that the client lacks of a precinct.
    fn precinct(&self, precinct: PrecinctId) -> Result<Option<UnsentPiece>> {
        let header = self.picture.header();
        let components = header.size.components.len() as u32;
        let exists = self.picture.tile(precinct.tile).is_ok_and(|tile| {
            let component = tile.components.get(precinct.component as usize);
            component.is_some_and(|component| precinct.precinct < component.precincts)
        });
        let id = precinct.in_class_id(components, header.tile_count()).filter(|_| exists);
        let Some(id) = id.map(DataBinId::Precinct) else { return Ok(None) };
        let ends = self.picture.packet_ends(precinct)?;
        let end = ends.last().copied().unwrap_or(0);
        let held = match self.held(id) {
            Held::All => return Ok(None),
            Held::Bytes(bytes) => bytes,
            Held::Layers(0) | Held::Nothing => 0,
            Held::Layers(layers) => ends.get(usize::from(layers) - 1).copied().unwrap_or(end),
        };
        let layers = self.picture.tile(precinct.tile)?.parameters.style.layers;
        let last = ends.len() == usize::from(layers);
        let piece = UnsentPiece { id, at: held.min(end), end, last, packet_ends: ends };
        Ok(if piece.at < end || last { Some(piece) } else { None })
    }

    /// Whether no precinct of the window has a packet left to send in `layer`.
    fn is_beyond(&mut self, layer: u16) -> bool {
        if layer == self.layer {
            return false;
        }
        self.layer = layer;
        !std::mem::take(&mut self.more_layers)
    }

    fn packet(&mut self, precinct: PrecinctId, layer: u16, layers: u16) -> Result<Option<UnsentPiece>> {
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
        let piece = UnsentPiece { id, at, end, last, packet_ends: ends };
        Ok(if at < end || owed { Some(piece) } else { None })
    }

    /// The main header.
    pub(super) fn header(&self) -> &MainHeader {
        self.picture.header()
    }

    /// Bytes of a piece.
    pub(super) fn read(&self, piece: &UnsentPiece, length: u64) -> Result<Vec<u8>> {
        piece.read(self.picture.as_ref(), length)
    }

    /// Notes that everything up to `piece.at` was handed out.
    pub(super) fn note(&self, piece: &UnsentPiece, turn: Option<&RequestTurn>) {
        if let Knowledge::Session { session, name } = &self.knowledge {
            let follow = absent_after(self.picture.as_ref(), piece.id);
            session.note(name, piece.id, follow, piece.held(), turn);
        }
    }
}

/// How many identifiers after a precinct's name none: where components or tiles differ in size. They are
/// noted along with it, so that what is held stays a few long runs.
fn absent_after(picture: &dyn ServedPicture, id: DataBinId) -> u64 {
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

impl UnsentPiece {
    fn read(&self, picture: &dyn ServedPicture, length: u64) -> Result<Vec<u8>> {
        if length == 0 { Ok(Vec::new()) } else { picture.read_bin(self.id, self.at..self.at + length) }
    }

    /// Layers that are complete once the bytes up to `end` have arrived; `None` if it is no precinct.
    pub(super) fn layers_at(&self, end: u64) -> Option<u64> {
        let is_precinct = matches!(self.id, DataBinId::Precinct(_));
        is_precinct.then(|| self.packet_ends.partition_point(|&packet| packet <= end) as u64)
    }

    /// Bytes up to the end of the last packet, or of the piece, that `most` bytes reach to; the least that
    /// can be sent where messages are not to end inside a packet, if `most` is too few.
    pub(super) fn aligned(&self, most: u64) -> u64 {
        let left = self.end - self.at;
        if most >= left {
            return left;
        }
        let ends = &self.packet_ends[self.packet_ends.partition_point(|&end| end <= self.at)..];
        let reach = ends.partition_point(|&end| end <= self.at + most);
        let end = reach.checked_sub(1).map_or(ends.first(), |last| ends.get(last));
        end.map_or(left, |&end| (end - self.at).min(left))
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
