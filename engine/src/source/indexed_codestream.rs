//! One codestream of a file, cut into data-bins (T.808 Annex A) on demand.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::composition::Composition;
use crate::byte_source::ByteSource;
use crate::codestream::header::{MainHeader, main_header_length};
use crate::codestream::marker::{self, MarkerSegments};
use crate::codestream::packet_index::{IndexInput, PacketFinder, PacketIndex, PartData};
use crate::codestream::tile::Tile;
use crate::codestream::tile_part::{TilePartHeader, TileParts};
use crate::data_bin::{BinBytes, BinView, DataBinId, PrecinctId};
use crate::error::{CodestreamError, Error, Result};
use crate::limits::Limits;

/// A codestream in a file. The packets of a tile are looked for when they are first asked for, no further than
/// it takes to find them; each once, whichever thread asks; those of different tiles at the same time.
pub struct IndexedCodestream {
    source: Arc<dyn ByteSource>,
    limits: Limits,
    header: MainHeader,
    /// From the first SOT on.
    range: Range<u64>,
    /// The main-header data-bin.
    main_header_bin: Vec<u8>,
    parts: RwLock<Arc<TileParts>>,
    /// They are where TLM says, and were not compared with SOT yet.
    by_tlm: AtomicBool,
    /// Contents of PLM and PPM for each tile-part.
    packet_lengths: Option<Vec<Range<usize>>>,
    packed_headers: Option<Vec<Range<usize>>>,
    tiles: Mutex<HashMap<u32, Arc<TileEntry>>>,
    /// Resolution levels of the tiles in `tiles`.
    resolutions: AtomicU64,
}

struct TileEntry {
    /// Tile-parts whose headers are read, at most.
    parts: usize,
    head: Slot<TileHead>,
    packets: Mutex<Option<PacketFinder>>,
}

/// A value that is made once. Failures to read are not kept.
struct Slot<T>(Mutex<Option<Result<Arc<T>>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Slot<T> {
    fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut slot = lock(&self.0);
        if let Some(made) = &*slot {
            return made.clone();
        }
        let made = make().map(Arc::new);
        if !matches!(made, Err(Error::Io(_))) {
            *slot = Some(made.clone());
        }
        made
    }
}

/// No value is left half changed where a thread could panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TileEntry {
    fn new(parts: usize) -> Self {
        Self { parts, head: Slot::default(), packets: Mutex::default() }
    }
}

/// The headers of a tile's tile-parts.
struct TileHead {
    /// There are more tile-parts than were read.
    more: bool,
    /// The tile-header data-bin. Of a sparse source, what the first tile-part has for it: that suffices to decode.
    bin: Vec<u8>,
    complete: bool,
    tile: Result<Arc<Tile>>,
    parts: Vec<PartData>,
    /// PPM or PPT.
    packed: Option<Vec<u8>>,
}

impl IndexedCodestream {
    /// Reads the main header and finds the tile-parts of the codestream that lies at `range` in `source`.
    ///
    /// # Errors
    /// The main header is broken or beyond the limits; the source cannot be read.
    pub fn open(source: Arc<dyn ByteSource>, range: Range<u64>, limits: &Limits) -> Result<Self> {
        let range = range.start..range.end.min(source.len());
        let bytes = read_main_header(&*source, range.clone())?;
        let header = MainHeader::parse(&bytes, limits)?;
        let first = range.start.saturating_add(header.length).min(range.end);
        let told = header.tile_part_lengths.as_deref().filter(|_| source.is_sparse());
        let told = told.and_then(|told| TileParts::from_lengths(told, first..range.end, header.tile_count()));
        let by_tlm = AtomicBool::new(told.is_some());
        let parts = match told {
            Some(parts) => parts,
            None => TileParts::scan(&*source, first..range.end, header.tile_count())?,
        };
        Ok(Self {
            main_header_bin: without_pointers(&bytes[..bytes.len().min(header.length as usize)])?,
            packet_lengths: header.packet_lengths.as_deref().map(split::<1>),
            packed_headers: header.packed_headers.as_deref().map(split::<4>),
            header,
            range: first..range.end,
            parts: RwLock::new(Arc::new(parts)),
            by_tlm,
            limits: limits.clone(),
            source,
            tiles: Mutex::default(),
            resolutions: AtomicU64::new(0),
        })
    }

    /// The main header.
    #[must_use]
    pub fn header(&self) -> &MainHeader {
        &self.header
    }

    /// The tile-parts found.
    #[must_use]
    pub fn tile_parts(&self) -> Arc<TileParts> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tile-parts found; if by TLM, the first `most` of `tile` compared with their SOT. Where they differ, the chain of
    /// SOT counts.
    fn tile_parts_of(&self, tile: u32, most: usize) -> Result<Arc<TileParts>> {
        let parts = self.tile_parts();
        if !self.by_tlm.load(Ordering::Acquire) {
            return Ok(parts);
        }
        // All are looked at before the first failure is told: what they lack is fetched at once.
        let looks: Vec<_> = parts
            .of_tile(tile)
            .iter()
            .take(most)
            .map(|part| TileParts::agrees(&*self.source, part))
            .collect();
        for look in looks {
            if !look? {
                let scanned = TileParts::scan(&*self.source, self.range.clone(), self.header.tile_count())?;
                let scanned = Arc::new(scanned);
                *self.parts.write().unwrap_or_else(PoisonError::into_inner) = scanned.clone();
                self.by_tlm.store(false, Ordering::Release);
                // What was read of other tiles is where TLM said, too.
                lock(&self.tiles).clear();
                return Ok(scanned);
            }
        }
        Ok(parts)
    }

    /// The geometry of a tile.
    ///
    /// # Errors
    /// There is no such tile, its headers contradict themselves, or the source cannot be read.
    pub fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        self.head(tile)?.tile.clone()
    }

    /// Where all packets of a tile lie. Made anew by each call: data-bins need but a part of it.
    ///
    /// # Errors
    /// As for [`tile`](Self::tile); or packet headers must be read, but use a block coder that is not
    /// supported or exceed the limits.
    pub fn packet_index(&self, tile: u32) -> Result<PacketIndex> {
        let head = self.read_head(tile, usize::MAX)?;
        let geometry = head.tile.clone()?;
        PacketIndex::build(&self.input(&head, &geometry))
    }

    /// The same index, but made without PLT and PLM.
    #[cfg(test)]
    pub(crate) fn packet_index_from_headers(&self, tile: u32) -> Result<PacketIndex> {
        let head = self.head(tile)?;
        let geometry = head.tile.clone()?;
        let mut parts = head.parts.clone();
        parts.iter_mut().for_each(|part| part.lengths = None);
        PacketIndex::build(&IndexInput { parts: &parts, ..self.input(&head, &geometry) })
    }

    fn input<'a>(&'a self, head: &'a TileHead, tile: &'a Tile) -> IndexInput<'a> {
        IndexInput {
            source: &*self.source,
            tile,
            components: &self.header.size.components,
            parts: &head.parts,
            packed: head.packed.as_deref(),
            more: head.more,
            limits: &self.limits,
        }
    }

    /// Shows the packets found so far, those of a precinct among them, to `look`; and PPM or PPT.
    fn with_packets<T>(&self, id: PrecinctId, look: impl FnOnce(&PacketFinder, &[u8]) -> T) -> Result<T> {
        loop {
            let entry = self.entry(id.tile)?;
            let head = self.head_of(id.tile, &entry)?;
            let tile = head.tile.clone()?;
            let input = self.input(&head, &tile);
            let mut packets = lock(&entry.packets);
            let finder = packets.get_or_insert_with(|| PacketFinder::new(&input));
            finder.find(&input, id.component, id.precinct)?;
            if !head.more || finder.is_complete(id.component, id.precinct) {
                return Ok(look(finder, head.packed.as_deref().unwrap_or_default()));
            }
            drop(packets);
            let mut tiles = lock(&self.tiles);
            if tiles.get(&id.tile).is_some_and(|known| Arc::ptr_eq(known, &entry)) {
                tiles.insert(id.tile, Arc::new(TileEntry::new(entry.parts + 1)));
            }
        }
    }

    /// Why packets of a tile are missing, if it is not for want of bytes, as far as they were looked for.
    #[must_use]
    pub fn damage(&self, tile: u32) -> Option<CodestreamError> {
        let entry = self.entry(tile).ok()?;
        lock(&entry.packets).as_ref()?.damage().cloned()
    }

    /// Packets of a tile that were looked for.
    #[cfg(test)]
    pub(crate) fn packets_found(&self, tile: u32) -> usize {
        lock(&self.entry(tile).expect("a tile").packets).as_ref().map_or(0, PacketFinder::found)
    }

    /// Number of bytes of a data-bin that the file has; `None` if the codestream has no such bin.
    ///
    /// # Errors
    /// As for [`packet_index`](Self::packet_index).
    pub fn bin_len(&self, id: DataBinId) -> Result<Option<u64>> {
        self.with_bin(id, |bin, _| Ok(bin.len()))
    }

    /// Whether the file has all bytes of a data-bin; `None` if the codestream has no such bin.
    ///
    /// # Errors
    /// As for [`packet_index`](Self::packet_index).
    pub fn is_bin_complete(&self, id: DataBinId) -> Result<Option<bool>> {
        self.with_bin(id, |_, complete| Ok(complete))
    }

    /// Bytes `range` of a data-bin, cut to what there is.
    ///
    /// # Errors
    /// As for [`packet_index`](Self::packet_index).
    pub fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        Ok(self.with_bin(id, |bin, _| bin.read(&*self.source, range))?.unwrap_or_default())
    }

    /// A whole data-bin; `None` if the codestream has no such bin.
    ///
    /// # Errors
    /// As for [`packet_index`](Self::packet_index).
    pub fn bin(&self, id: DataBinId) -> Result<Option<BinView<'_>>> {
        if id == DataBinId::MainHeader {
            return Ok(Some(BinView { bytes: BinBytes::Borrowed(&self.main_header_bin), complete: true }));
        }
        self.with_bin(id, |bin, complete| Ok(BinView { bytes: bin.view(&*self.source)?.into(), complete }))
    }

    /// Bytes of a data-bin, and whether they are all; `None` if the codestream has no such bin. Reads none of them.
    ///
    /// # Errors
    /// As for [`packet_index`](Self::packet_index).
    pub fn extent(&self, id: DataBinId) -> Result<Option<(u64, bool)>> {
        if id == DataBinId::MainHeader {
            return Ok(Some((self.main_header_bin.len() as u64, true)));
        }
        self.with_bin(id, |bin, complete| Ok((bin.len(), complete)))
    }

    /// Where the packets of a precinct end, counted in bytes from the start of its data-bin: one number for
    /// each layer whose packet is there whole.
    ///
    /// # Errors
    /// As for [`packet_index`](Self::packet_index).
    pub fn packet_ends(&self, id: PrecinctId) -> Result<Vec<u64>> {
        self.with_packets(id, |finder, packed| {
            let whole = finder.whole_packets(id.component, id.precinct);
            let mut end = 0;
            let packets = finder.packets(packed, id.component, id.precinct).take(whole.into());
            packets
                .map(|packet| {
                    end += packet.packed_header.len() as u64 + (packet.range.end - packet.range.start);
                    end
                })
                .collect()
        })
    }

    /// Shows a data-bin and whether it is complete to `look`.
    fn with_bin<T>(
        &self,
        id: DataBinId,
        look: impl FnOnce(&Composition<'_>, bool) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut bin = Composition::default();
        match id {
            DataBinId::MainHeader => {
                bin.push_bytes(&self.main_header_bin);
                look(&bin, true).map(Some)
            }
            DataBinId::TileHeader(tile) => {
                if tile >= self.header.tile_count() {
                    return Ok(None);
                }
                let head = self.head(tile)?;
                bin.push_bytes(&head.bin);
                look(&bin, head.complete).map(Some)
            }
            DataBinId::Precinct(id) => {
                let components = self.header.size.components.len() as u32;
                let Some(id) = PrecinctId::from_in_class_id(id, components, self.header.tile_count()) else {
                    return Ok(None);
                };
                let tile = self.tile(id.tile)?;
                let precincts = tile.components.get(id.component as usize).map_or(0, |c| c.precincts);
                if id.precinct >= precincts {
                    return Ok(None);
                }
                let complete = self.with_packets(id, |finder, packed| {
                    for packet in finder.packets(packed, id.component, id.precinct) {
                        bin.push_bytes(packet.packed_header.to_vec());
                        bin.push_file(packet.range);
                    }
                    finder.is_complete(id.component, id.precinct)
                })?;
                look(&bin, complete).map(Some)
            }
            DataBinId::Tile(tile) => {
                if tile >= self.header.tile_count() {
                    return Ok(None);
                }
                let found = self.tile_parts_of(tile, usize::MAX)?;
                let parts = found.of_tile(tile);
                for part in parts {
                    bin.push_file(part.range.clone());
                }
                let whole = found.is_tile_whole(tile) && parts.iter().all(|part| part.missing == 0);
                look(&bin, whole).map(Some)
            }
            DataBinId::Metadata(_) => Ok(None),
        }
    }

    /// Forgets all other tiles if, with the resolution levels that `tile` adds, they would be too many. Whoever works
    /// with one of them keeps it, and it is made again when it is asked for.
    fn make_room(&self, tile: u32, added: u64) {
        let held = self.resolutions.fetch_add(added, Ordering::Relaxed);
        if held > 0 && held.saturating_add(added) > self.limits.max_code_blocks / 2 {
            lock(&self.tiles).retain(|&other, _| other == tile);
            self.resolutions.store(added, Ordering::Relaxed);
        }
    }

    fn entry(&self, tile: u32) -> Result<Arc<TileEntry>> {
        let count = self.header.tile_count();
        if tile >= count {
            let reason = format!("there are only {count} tiles");
            return Err(CodestreamError::BadTilePart { offset: 0, tile, part: 0, reason }.into());
        }
        // What is costly to read is read when it is needed.
        let parts = if self.source.is_sparse() { 1 } else { usize::MAX };
        let new = || Arc::new(TileEntry::new(parts));
        Ok(lock(&self.tiles).entry(tile).or_insert_with(new).clone())
    }

    fn head(&self, tile: u32) -> Result<Arc<TileHead>> {
        let entry = self.entry(tile)?;
        self.head_of(tile, &entry)
    }

    fn head_of(&self, tile: u32, entry: &TileEntry) -> Result<Arc<TileHead>> {
        entry.head.get(|| self.read_head(tile, entry.parts))
    }

    /// Reads the headers of the first `most` tile-parts.
    fn read_head(&self, tile: u32, most: usize) -> Result<TileHead> {
        let (mut bin, mut segments, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let mut packed = None::<Vec<u8>>;
        let found = self.tile_parts_of(tile, most)?;
        let all = found.of_tile(tile);
        let sparse = self.source.is_sparse();
        let (all, more) = (&all[..most.min(all.len())], most < all.len());
        // The first header has all parameters. What a later one that is cut off or missing would add (POC)
        // concerns the order of packets that are missing too.
        let mut complete = match all.first() {
            Some(first) => first.part == 0,
            None => found.is_tile_whole(tile),
        };
        // As above: all, before the first failure.
        let headers: Vec<_> = all.iter().map(|part| TilePartHeader::read(&*self.source, part)).collect();
        for (part, header) in all.iter().zip(headers) {
            let header = header?;
            if !sparse || part.part == 0 {
                bin.extend_from_slice(&header.segments);
            }
            segments.extend_from_slice(&header.segments);
            complete &= !header.damaged || part.part > 0;
            let of_main = |all: &Option<Vec<u8>>, ranges: &Option<Vec<Range<usize>>>| {
                let range = ranges.as_ref()?.get(part.ordinal as usize)?.clone();
                Some(all.as_ref()?.get(range)?.to_vec())
            };
            let from_ppm = of_main(&self.header.packed_headers, &self.packed_headers);
            if let Some(headers) = header.packed_headers.or(from_ppm) {
                packed.get_or_insert_default().extend_from_slice(&headers);
            }
            let from_plm = || of_main(&self.header.packet_lengths, &self.packet_lengths);
            parts.push(PartData {
                range: header.data,
                missing: part.missing,
                lengths: header.packet_lengths.or_else(from_plm),
            });
        }
        let parameters = self.header.tile_parameters(tile, &segments);
        let geometry = parameters.and_then(|parameters| {
            parameters.check_limits(&self.limits)?;
            Tile::new(&self.header, tile, parameters)
        });
        self.make_room(tile, geometry.as_ref().map_or(0, Tile::resolution_count));
        Ok(TileHead { more, bin, complete, tile: geometry.map(Arc::new), parts, packed })
    }
}

/// The bytes up to the first SOT, or all where there is none.
fn read_main_header(source: &dyn ByteSource, range: Range<u64>) -> Result<Vec<u8>> {
    let whole = range.end.saturating_sub(range.start);
    let mut length = whole.min(1 << 14);
    loop {
        let size =
            usize::try_from(length).map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        let mut bytes = vec![0; size];
        source.read_at(range.start, &mut bytes)?;
        // A broken header is for the parser to tell about.
        match main_header_length(&bytes) {
            Ok(None) if length < whole => length = whole.min(length.saturating_mul(4)),
            Ok(Some(end)) => {
                bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
                return Ok(bytes);
            }
            Ok(None) | Err(_) => return Ok(bytes),
        }
    }
}

/// The main header as it goes into its data-bin: without TLM, PLM and PPM, which point into the file.
fn without_pointers(main_header: &[u8]) -> Result<Vec<u8>> {
    let mut segments = MarkerSegments::new(main_header, 0);
    let mut kept = Vec::with_capacity(main_header.len());
    loop {
        let start = main_header.len() - segments.rest().len();
        let Some(segment) = segments.read().map_err(CodestreamError::from)? else { return Ok(kept) };
        if !matches!(segment.marker, marker::TLM | marker::PLM | marker::PPM) {
            kept.extend_from_slice(&main_header[start..main_header.len() - segments.rest().len()]);
        }
    }
}

/// Where the contents for each tile-part lie in a joined PLM or PPM: a length of `N` bytes, then as many bytes.
fn split<const N: usize>(joined: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0usize;
    while let Some(length) = joined.get(at..).and_then(|rest| rest.first_chunk::<N>()) {
        let length = length.iter().fold(0usize, |length, &byte| length << 8 | usize::from(byte));
        let start = at + N;
        let end = start.saturating_add(length).min(joined.len());
        ranges.push(start..end);
        at = end;
    }
    ranges
}
