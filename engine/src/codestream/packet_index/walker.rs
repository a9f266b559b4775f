//! Finds the packets of a tile one after another, in the order in which they stand.

use std::collections::HashMap;
use std::ops::Range;

use super::{IndexInput, Record};
use crate::byte_source::ByteSource;
use crate::codestream::precinct::Precinct;
use crate::codestream::progression::{PacketId, PacketOrder};
use crate::codestream::tile::Tile;
use crate::error::{CodestreamError, Error, Result};
use crate::limits::Limits;

/// How far the packets of a tile have been found. Every call gets the same input.
pub(super) struct Walker {
    order: PacketOrder,
    /// The packet to look for, if the last attempt failed.
    pending: Option<PacketId>,
    way: Way,
    ended: bool,
    pub(super) found: Found,
}

/// Where the lengths of packets are taken from.
enum Way {
    Lengths(LengthReader),
    Headers(Box<HeaderReader>),
}

/// What was found; the records may be taken out at any time.
#[derive(Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    /// The last record is cut.
    pub(super) cut: bool,
    pub(super) used_lengths: bool,
    pub(super) headers_parsed: u64,
    pub(super) marker_bytes: u64,
    pub(super) damage: Option<CodestreamError>,
    packets: u32,
}

impl Found {
    fn push(&mut self, precinct: (u32, u64), range: Range<u64>, header: Range<u32>) -> Result<()> {
        let length = u32::try_from(range.end - range.start).ok();
        let length = length.filter(|_| self.packets < u32::MAX - 1).ok_or_else(|| {
            CodestreamError::Unsupported { feature: "more than 2^32 packets or bytes of a packet".into() }
        })?;
        self.packets += 1;
        self.records.push(Record { precinct, offset: range.start, length, header });
        Ok(())
    }
}

impl Walker {
    pub(super) fn new(input: &IndexInput<'_>) -> Self {
        let used_lengths = input.packed.is_none() && lengths_add_up(input);
        let way = if used_lengths {
            Way::Lengths(LengthReader::default())
        } else {
            Way::Headers(Box::new(HeaderReader::new(input)))
        };
        Self {
            order: PacketOrder::new(input.tile),
            pending: None,
            way,
            ended: false,
            found: Found { used_lengths, ..Found::default() },
        }
    }

    /// Whether all packets were found that can be.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Finds one more packet, and adds it to the records; `None` at the last one of which there are bytes.
    ///
    /// # Errors
    /// The source cannot be read (another attempt takes up there); the block coder is not supported; the
    /// code-blocks to keep track of exceed the limits. A damaged packet is no error: the walk ends there.
    pub(super) fn step(&mut self, input: &IndexInput<'_>) -> Result<Option<PacketId>> {
        let next = || self.order.next(input.tile, input.components);
        let Some(packet) = self.pending.take().or_else(next).filter(|_| !self.ended) else {
            self.ended = true;
            return Ok(None);
        };
        let outcome = match &mut self.way {
            Way::Lengths(lengths) => lengths.packet(input, packet, &mut self.found),
            Way::Headers(headers) => headers.packet(input, packet, &mut self.found),
        };
        match outcome {
            Ok(Outcome::Whole) => Ok(Some(packet)),
            Ok(Outcome::End) => {
                self.ended = true;
                Ok(None)
            }
            Err(Error::Codestream(error @ CodestreamError::BadPacket { .. })) => {
                self.found.damage = Some(error);
                self.ended = true;
                Ok(None)
            }
            Err(error) => {
                self.pending = Some(packet);
                Err(error)
            }
        }
    }
}

/// What became of a packet.
enum Outcome {
    Whole,
    /// There are no more bytes.
    End,
}

/// Whether PLT or PLM can be trusted: each tile-part has it, the lengths add up to what the tile-part holds,
/// and there are as many as there are packets. Nothing but the lengths is looked at.
fn lengths_add_up(input: &IndexInput<'_>) -> bool {
    let mut count = 0u64;
    for part in input.parts {
        let Some(mut left) = (part.range.end - part.range.start).checked_add(part.missing) else {
            return false;
        };
        if part.lengths.is_none() && left > 0 {
            return false;
        }
        for length in PacketLengths(part.lengths.as_deref().unwrap_or_default()) {
            match length.filter(|&length| length > 0).and_then(|length| left.checked_sub(length)) {
                Some(rest) => left = rest,
                None => return false,
            }
            count += 1;
        }
        if left > 0 {
            return false;
        }
        if part.missing > 0 {
            return count <= packets(input, count);
        }
    }
    // Fewer lengths than packets: either the lengths are wrong or tile-parts are missing. Reading the
    // headers tells.
    let all = packets(input, count);
    count == all || (input.more && count < all)
}

/// Packets of the whole tile; if they are more than `enough`, some number larger than that.
fn packets(input: &IndexInput<'_>, enough: u64) -> u64 {
    let tile = input.tile;
    if tile.parameters.progression_changes.is_empty() {
        let precincts = tile.components.iter().map(|component| component.precincts);
        return precincts.fold(0, u64::saturating_add).saturating_mul(tile.parameters.style.layers.into());
    }
    // They may leave packets out.
    let mut order = PacketOrder::new(tile);
    let all = std::iter::from_fn(|| order.next(tile, input.components)).zip(0..=enough);
    all.fold(0, |count, _| count + 1)
}

/// Lengths coded in groups of seven bits, most significant first; `None` for one that is cut off or larger
/// than 32 bits.
struct PacketLengths<'a>(&'a [u8]);

impl Iterator for PacketLengths<'_> {
    type Item = Option<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut value = 0u64;
        while let Some((&byte, rest)) = self.0.split_first() {
            self.0 = rest;
            value = value << 7 | u64::from(byte & 0x7F);
            if value > u32::MAX.into() {
                break;
            }
            if byte & 0x80 == 0 {
                return Some(Some(value));
            }
        }
        self.0 = &[];
        Some(None)
    }
}

/// Packets by their lengths, which add up.
#[derive(Default)]
struct LengthReader {
    part: usize,
    /// Bytes of the lengths of the part that were read.
    read: usize,
    /// Bytes of the part before the next packet.
    passed: u64,
}

impl LengthReader {
    fn packet(&mut self, input: &IndexInput<'_>, packet: PacketId, found: &mut Found) -> Result<Outcome> {
        while let Some(part) = input.parts.get(self.part) {
            let lengths = part.lengths.as_deref().unwrap_or_default();
            let mut rest = PacketLengths(lengths.get(self.read..).unwrap_or_default());
            let start = part.range.start + self.passed;
            match rest.next().flatten() {
                // Of the packets that are cut off, the first has some bytes.
                Some(length) if start < part.range.end => {
                    self.read = lengths.len() - rest.0.len();
                    self.passed += length;
                    let end = start + length;
                    found.cut = end > part.range.end;
                    found.push(number(input.tile, packet), start..end.min(part.range.end), 0..0)?;
                    return Ok(if found.cut { Outcome::End } else { Outcome::Whole });
                }
                None if part.missing == 0 => {
                    (self.part, self.read, self.passed) = (self.part + 1, 0, 0);
                }
                _ => break,
            }
        }
        Ok(Outcome::End)
    }
}

/// Number of a precinct in its tile-component.
fn number(tile: &Tile, packet: PacketId) -> (u32, u64) {
    let level = tile.components.get(packet.component as usize);
    let level = level.and_then(|component| component.resolutions.get(packet.resolution as usize));
    let first = level.map_or(0, |level| level.first_precinct);
    (packet.component, first + u64::from(packet.precinct))
}

/// Packets by their headers.
struct HeaderReader {
    /// Precincts that have had a packet that is not empty, until their last layer.
    precincts: HashMap<(u32, u64), Precinct>,
    code_blocks: u64,
    /// Code-blocks that packet headers were about, and the bytes there are to account for it.
    work: u64,
    bytes: u64,
    part: usize,
    /// Next byte of the source.
    at: u64,
    /// Next byte of the packed headers.
    packed_at: usize,
    window: Window,
}

impl HeaderReader {
    fn new(input: &IndexInput<'_>) -> Self {
        let in_place: u64 = input.parts.iter().map(|part| part.range.end - part.range.start).sum();
        let packed = input.packed.map_or(0, |packed| packed.len() as u64);
        Self {
            precincts: HashMap::new(),
            code_blocks: 0,
            work: 0,
            bytes: in_place + packed,
            part: 0,
            at: input.parts.first().map_or(0, |part| part.range.start),
            packed_at: 0,
            window: Window::default(),
        }
    }

    /// Moves on to the next tile-part that has bytes left; its end, or `None` after the last one.
    fn part_end(&mut self, input: &IndexInput<'_>) -> Option<u64> {
        loop {
            let part = input.parts.get(self.part)?;
            if self.at < part.range.end {
                return Some(part.range.end);
            }
            if part.missing > 0 {
                return None;
            }
            self.part += 1;
            self.at = input.parts.get(self.part)?.range.start;
        }
    }

    fn packet(&mut self, input: &IndexInput<'_>, packet: PacketId, found: &mut Found) -> Result<Outcome> {
        match input.packed {
            Some(packed) => self.packet_with_packed_header(input, packet, packed, found),
            None => self.packet_in_place(input, packet, found),
        }
    }

    fn packet_in_place(
        &mut self,
        input: &IndexInput<'_>,
        packet: PacketId,
        found: &mut Found,
    ) -> Result<Outcome> {
        let Some(end) = self.part_end(input) else { return Ok(Outcome::End) };
        let precinct = number(input.tile, packet);
        let start = self.at;
        let mut wanted = 1 << 10;
        let extent = loop {
            let last = start.saturating_add(wanted).min(end);
            let window = std::mem::take(&mut self.window);
            let window = window.covering(input.source, start..last, end)?;
            let bytes = window.bytes(input.source, start..last);
            let header = self.header(input, packet, bytes, last == end, found);
            self.window = window;
            match header? {
                Some((header, body)) => break Some((start + header as u64).saturating_add(body)),
                None if last == end => break None,
                None => wanted *= 8,
            }
        };
        let packet_end = extent.unwrap_or(u64::MAX);
        self.at = packet_end.min(end);
        found.push(precinct, start..self.at, 0..0)?;
        found.cut = packet_end > end;
        Ok(if found.cut { Outcome::End } else { Outcome::Whole })
    }

    fn packet_with_packed_header(
        &mut self,
        input: &IndexInput<'_>,
        packet: PacketId,
        packed: &[u8],
        found: &mut Found,
    ) -> Result<Outcome> {
        let rest = packed.get(self.packed_at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Outcome::End);
        }
        let Some((header, body)) = self.header(input, packet, rest, true, found)? else {
            return Ok(Outcome::End);
        };
        let precinct = number(input.tile, packet);
        let header = self.packed_at..self.packed_at + header;
        self.packed_at = header.end;
        let header = header.start as u32..header.end as u32;
        let sop = input.tile.parameters.style.sop;
        if body == 0 && !sop {
            found.push(precinct, self.at..self.at, header)?;
            return Ok(Outcome::Whole);
        }
        let end = match self.part_end(input) {
            Some(end) => end,
            None if body == 0 => self.at,
            None => return Ok(Outcome::End),
        };
        if sop {
            // In a body, which code-blocks' bytes fill, no marker can stand.
            let mut start = vec![0; (end - self.at).min(6) as usize];
            input.source.read_at(self.at, &mut start)?;
            let known = start.len().min(SOP.len());
            if known > 0 && start[..known] == SOP[..known] {
                self.at += start.len() as u64;
                found.marker_bytes += start.len() as u64;
            }
        }
        let packet_end = self.at.saturating_add(body);
        found.push(precinct, self.at..packet_end.min(end), header)?;
        self.at = packet_end.min(end);
        found.cut = packet_end > end;
        Ok(if found.cut { Outcome::End } else { Outcome::Whole })
    }

    /// Reads the header at the start of `bytes`: its length and that of the body. `None`: `bytes` end first.
    fn header(
        &mut self,
        input: &IndexInput<'_>,
        packet: PacketId,
        bytes: &[u8],
        complete: bool,
        found: &mut Found,
    ) -> Result<Option<(usize, u64)>> {
        let style = &input.tile.parameters.style;
        let key = number(input.tile, packet);
        let last_layer = packet.layer + 1 == style.layers;
        // Most precincts of a large picture have nothing in most layers: no need to keep track of them.
        if !self.precincts.contains_key(&key) {
            if let Some(length) = empty_packet(bytes, style.eph) {
                found.headers_parsed += 1;
                return Ok(Some((length, 0)));
            }
            let limits = input.limits;
            let mut precinct =
                Precinct::new(input.tile, packet.component, packet.resolution, packet.precinct, limits)?;
            self.code_blocks += code_blocks(&precinct);
            Limits::check("the code-blocks to index a tile", self.code_blocks, limits.max_code_blocks)?;
            self.work += precinct.work();
            precinct.pass_empty_layers(packet.layer);
            self.precincts.insert(key, precinct);
        }
        let Some(precinct) = self.precincts.get_mut(&key) else { return Ok(None) };
        let before = precinct.work();
        let header = precinct.read_packet_header(bytes, complete);
        self.work += precinct.work() - before;
        input.limits.check_work(self.work, self.bytes)?;
        let Some(header) = header? else { return Ok(None) };
        found.headers_parsed += 1;
        if last_layer {
            self.code_blocks -= code_blocks(precinct);
            self.precincts.remove(&key);
        }
        Ok(Some((header.header_length, header.body_length)))
    }
}

fn code_blocks(precinct: &Precinct) -> u64 {
    precinct.bands.iter().map(|band| band.grid.len()).sum()
}

/// Length of an empty packet: a header whose first bit is 0, between the markers that may be there. `None`
/// if the packet is not empty, or the bytes may not suffice to tell where it ends.
fn empty_packet(bytes: &[u8], eph: bool) -> Option<usize> {
    let sop = if bytes.starts_with(&SOP) { 6 } else { 0 };
    let rest = bytes.get(sop..)?;
    let first = *rest.first()?;
    if first & 0x80 != 0 {
        return None;
    }
    if eph {
        // Where EPH should be but is not, let the reader decide.
        return (rest.get(1..3)? == [0xFF, 0x92]).then_some(sop + 3);
    }
    Some(sop + 1)
}

/// A piece of the source in memory, for sources that are not.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// A window that holds `range`; `end` bounds what may be read ahead.
    fn covering(mut self, source: &dyn ByteSource, range: Range<u64>, end: u64) -> Result<Self> {
        let held = self.start..self.start + self.bytes.len() as u64;
        if source.as_slice().is_some() || (held.start <= range.start && range.end <= held.end) {
            return Ok(self);
        }
        let ahead = range.end.max(range.start.saturating_add(READ_AHEAD)).min(end);
        let length = usize::try_from(ahead - range.start).map_err(|_| std::io::ErrorKind::OutOfMemory);
        self.bytes.resize(length.map_err(std::io::Error::from)?, 0);
        self.start = range.start;
        source.read_at(range.start, &mut self.bytes)?;
        Ok(self)
    }

    fn bytes<'a>(&'a self, source: &'a dyn ByteSource, range: Range<u64>) -> &'a [u8] {
        let (bytes, start) = match source.as_slice() {
            Some(bytes) => (bytes, 0),
            None => (&self.bytes[..], self.start),
        };
        let at = |offset: u64| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
        bytes.get(at(range.start)..at(range.end)).unwrap_or_default()
    }
}

/// Marker and length of SOP; two bytes of packet number follow.
const SOP: [u8; 4] = [0xFF, 0x91, 0, 4];
const READ_AHEAD: u64 = 1 << 16;
