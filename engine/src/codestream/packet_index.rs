//! Where the packets of a tile lie in a file: from packet lengths (PLT, PLM; T.800 A.7.2, A.7.3) where
//! they are there and add up, else by reading packet headers one after another.

use std::collections::HashMap;
use std::ops::Range;

use super::header::ComponentSize;
use super::precinct::Precinct;
use super::progression::{PacketId, Packets};
use super::tile::Tile;
use crate::error::{CodestreamError, Error, Result};
use crate::limits::Limits;
use crate::source::ByteSource;

/// The packets of one tile, sorted by precinct. Three flat arrays: 12 bytes for each packet, 20 for each
/// precinct.
#[derive(Clone, Debug, Default)]
pub struct PacketIndex {
    /// (component, number in the tile-component), ascending; only precincts of which there is a packet.
    precincts: Vec<(u32, u64)>,
    /// First packet of each precinct, and one more for the end.
    first: Vec<u32>,
    offsets: Vec<u64>,
    lengths: Vec<u32>,
    /// Packed packet headers (PPM, PPT), and where in them that of each packet lies; else empty.
    packed: Vec<u8>,
    headers: Vec<Range<u32>>,
    layers: u16,
    /// The packet whose bytes are not all there.
    cut: Option<u32>,
    /// How the index came about.
    pub statistics: IndexStatistics,
    /// Why packets are missing, if it is not for want of bytes.
    pub damage: Option<CodestreamError>,
}

/// How an index came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexStatistics {
    /// Packets found.
    pub packets: u64,
    /// The lengths come from PLT or PLM.
    pub used_lengths: bool,
    /// Packet headers that were read.
    pub headers_parsed: u64,
    /// Bytes in packets, packed headers not counted.
    pub packet_bytes: u64,
    /// Bytes of SOP marker segments that are left out because the packet headers stand elsewhere.
    pub marker_bytes: u64,
    /// Bytes of tile-parts that belong to no packet.
    pub bytes_unused: u64,
}

/// The bytes of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketBytes<'a> {
    /// The header, if it does not stand in the file before the body.
    pub packed_header: &'a [u8],
    /// Where the header and the body, or the body alone, lie in the source.
    pub range: Range<u64>,
}

/// The packets of one tile-part.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartData {
    /// Where they lie in the source.
    pub(crate) range: Range<u64>,
    /// Bytes that the codestream ends too early by.
    pub(crate) missing: u64,
    /// Contents of PLT or PLM.
    pub(crate) lengths: Option<Vec<u8>>,
}

/// What an index is built from.
pub(crate) struct IndexInput<'a> {
    pub(crate) source: &'a dyn ByteSource,
    pub(crate) tile: &'a Tile,
    pub(crate) components: &'a [ComponentSize],
    pub(crate) parts: &'a [PartData],
    /// PPM or PPT of all tile-parts.
    pub(crate) packed: Option<Vec<u8>>,
    pub(crate) limits: &'a Limits,
}

impl PacketIndex {
    /// Finds the packets of a tile as far as the bytes go.
    ///
    /// # Errors
    /// The source cannot be read; packet headers must be read but the block coder is not supported; the
    /// code-blocks to keep track of exceed the limits. A damaged packet is no error: the index ends there.
    pub(crate) fn build(input: IndexInput<'_>) -> Result<Self> {
        if input.packed.is_none()
            && let Some(found) = from_lengths(&input)
        {
            return Ok(Self::sort(found, &input, Vec::new()));
        }
        let mut walk = Walk::new(&input);
        walk.run()?;
        let found = walk.found;
        let packed = input.packed.clone().unwrap_or_default();
        Ok(Self::sort(found, &input, packed))
    }

    fn sort(mut found: Found, input: &IndexInput<'_>, packed: Vec<u8>) -> Self {
        let last = found.records.len().wrapping_sub(1);
        let cut = found.cut.then(|| found.records.get(last).map(|record| record.precinct)).flatten();
        let precincts = input.tile.components.iter().map(|component| component.precincts);
        sort_by_precinct(&mut found.records, precincts);
        let mut index = Self { layers: input.tile.parameters.style.layers, packed, ..Self::default() };
        index.offsets.reserve_exact(found.records.len());
        index.lengths.reserve_exact(found.records.len());
        for (at, record) in (0u32..).zip(&found.records) {
            if index.precincts.last() != Some(&record.precinct) {
                index.precincts.push(record.precinct);
                index.first.push(at);
            }
            index.offsets.push(record.offset);
            index.lengths.push(record.length);
            if input.packed.is_some() {
                index.headers.push(record.header.clone());
            }
        }
        index.first.push(found.records.len() as u32);
        index.cut = cut.and_then(|precinct| {
            let at = index.precincts.binary_search(&precinct).ok()?;
            index.first.get(at + 1)?.checked_sub(1)
        });
        let bytes: u64 = input.parts.iter().map(|part| part.range.end - part.range.start).sum();
        let packet_bytes = index.lengths.iter().map(|&length| u64::from(length)).sum();
        index.statistics = IndexStatistics {
            packets: found.records.len() as u64,
            used_lengths: found.used_lengths,
            headers_parsed: found.headers_parsed,
            packet_bytes,
            marker_bytes: found.marker_bytes,
            bytes_unused: bytes.saturating_sub(packet_bytes + found.marker_bytes),
        };
        index.damage = found.damage;
        index
    }

    /// The packets of a precinct, layer after layer; fewer than there are layers if the codestream ends
    /// too early. The last one may be cut.
    pub fn packets(
        &self,
        component: u32,
        precinct: u64,
    ) -> impl ExactSizeIterator<Item = PacketBytes<'_>> + '_ {
        self.range(component, precinct).map(|at| {
            let at = at as usize;
            let header = self.headers.get(at).cloned().unwrap_or(0..0);
            PacketBytes {
                packed_header: self
                    .packed
                    .get(header.start as usize..header.end as usize)
                    .unwrap_or_default(),
                range: self.offsets[at]..self.offsets[at] + u64::from(self.lengths[at]),
            }
        })
    }

    /// How many of the packets of a precinct are there whole.
    #[must_use]
    pub fn whole_packets(&self, component: u32, precinct: u64) -> u16 {
        let range = self.range(component, precinct);
        let cut = self.cut.is_some_and(|cut| range.contains(&cut));
        (range.len() - usize::from(cut)) as u16
    }

    /// Whether all packets of a precinct are there whole.
    #[must_use]
    pub fn is_complete(&self, component: u32, precinct: u64) -> bool {
        self.whole_packets(component, precinct) == self.layers
    }

    /// Whether two indices name the same bytes.
    #[cfg(test)]
    pub(crate) fn same_packets(&self, other: &Self) -> bool {
        let parts = |index: &Self| {
            (
                index.precincts.clone(),
                index.first.clone(),
                index.offsets.clone(),
                index.lengths.clone(),
                index.cut,
            )
        };
        parts(self) == parts(other)
    }

    fn range(&self, component: u32, precinct: u64) -> Range<u32> {
        match self.precincts.binary_search(&(component, precinct)) {
            Ok(at) => self.first[at]..self.first[at + 1],
            Err(_) => 0..0,
        }
    }
}

/// One packet.
#[derive(Clone, Default)]
struct Record {
    precinct: (u32, u64),
    offset: u64,
    length: u32,
    header: Range<u32>,
}

#[derive(Default)]
struct Found {
    records: Vec<Record>,
    /// The last record is cut.
    cut: bool,
    used_lengths: bool,
    headers_parsed: u64,
    marker_bytes: u64,
    damage: Option<CodestreamError>,
}

impl Found {
    fn push(&mut self, precinct: (u32, u64), range: Range<u64>, header: Range<u32>) -> Result<()> {
        let length = u32::try_from(range.end - range.start).ok();
        let length = length.filter(|_| self.records.len() < u32::MAX as usize - 1).ok_or_else(|| {
            CodestreamError::Unsupported { feature: "more than 2^32 packets or bytes of a packet".into() }
        })?;
        self.records.push(Record { precinct, offset: range.start, length, header });
        Ok(())
    }
}

/// Sorts packets by precinct; those of a precinct stay in the order of their layers. `counts`: the precincts of
/// each tile-component.
fn sort_by_precinct(records: &mut Vec<Record>, counts: impl Iterator<Item = u64>) {
    let mut precincts = 0u64;
    let mut firsts = Vec::new();
    for count in counts {
        firsts.push(precincts);
        precincts = precincts.saturating_add(count);
    }
    // Where most of the precincts have a packet, counting is quicker than comparing.
    if precincts > 2 * records.len() as u64 {
        records.sort_by_key(|record| record.precinct);
        return;
    }
    let place = |record: &Record| (firsts[record.precinct.0 as usize] + record.precinct.1) as usize;
    let mut next = vec![0u32; precincts as usize + 1];
    for record in &*records {
        next[place(record) + 1] += 1;
    }
    for at in 1..next.len() {
        next[at] += next[at - 1];
    }
    let mut sorted = vec![Record::default(); records.len()];
    for record in records.drain(..) {
        let slot = &mut next[place(&record)];
        let at = *slot as usize;
        *slot += 1;
        sorted[at] = record;
    }
    *records = sorted;
}

/// Number of a precinct in its tile-component.
fn number(tile: &Tile, packet: PacketId) -> (u32, u64) {
    let level = tile.components.get(packet.component as usize);
    let level = level.and_then(|component| component.resolutions.get(packet.resolution as usize));
    let first = level.map_or(0, |level| level.first_precinct);
    (packet.component, first + u64::from(packet.precinct))
}

/// Trusts PLT or PLM if each tile-part has it, the lengths add up to what the tile-part holds, and there are
/// as many as there are packets; else `None`.
fn from_lengths(input: &IndexInput<'_>) -> Option<Found> {
    let mut found = Found { used_lengths: true, ..Found::default() };
    let mut packets = Packets::new(input.tile, input.components);
    let mut cut_off = false;
    for part in input.parts {
        let claimed = (part.range.end - part.range.start).checked_add(part.missing)?;
        if part.lengths.is_none() && claimed > 0 {
            return None;
        }
        let mut at = part.range.start;
        let mut left = claimed;
        for length in PacketLengths(part.lengths.as_deref().unwrap_or_default()) {
            let length = length.filter(|&length| length > 0 && length <= left)?;
            left -= length;
            let precinct = number(input.tile, packets.next()?);
            let end = at + length;
            if at < part.range.end {
                cut_off |= end > part.range.end;
                found.push(precinct, at..end.min(part.range.end), 0..0).ok()?;
            }
            at = end;
        }
        if left > 0 {
            return None;
        }
        if part.missing > 0 {
            found.cut = cut_off;
            return Some(found);
        }
    }
    // Fewer lengths than packets: either the lengths are wrong or tile-parts are missing. Reading the
    // headers tells.
    packets.next().is_none().then_some(found)
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

/// Reading of packet headers one after another.
struct Walk<'a> {
    input: &'a IndexInput<'a>,
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
    found: Found,
}

/// What became of a packet.
enum Outcome {
    Whole,
    /// There are no more bytes.
    End,
}

impl<'a> Walk<'a> {
    fn new(input: &'a IndexInput<'a>) -> Self {
        let in_place: u64 = input.parts.iter().map(|part| part.range.end - part.range.start).sum();
        let packed = input.packed.as_ref().map_or(0, |packed| packed.len() as u64);
        Self {
            input,
            precincts: HashMap::new(),
            code_blocks: 0,
            work: 0,
            bytes: in_place + packed,
            part: 0,
            at: input.parts.first().map_or(0, |part| part.range.start),
            packed_at: 0,
            window: Window::default(),
            found: Found::default(),
        }
    }

    fn run(&mut self) -> Result<()> {
        for packet in Packets::new(self.input.tile, self.input.components) {
            match self.packet(packet) {
                Ok(Outcome::Whole) => {}
                Ok(Outcome::End) => break,
                Err(Error::Codestream(error @ CodestreamError::BadPacket { .. })) => {
                    self.found.damage = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves on to the next tile-part that has bytes left; its end, or `None` after the last one.
    fn part_end(&mut self) -> Option<u64> {
        loop {
            let part = self.input.parts.get(self.part)?;
            if self.at < part.range.end {
                return Some(part.range.end);
            }
            if part.missing > 0 {
                return None;
            }
            self.part += 1;
            self.at = self.input.parts.get(self.part)?.range.start;
        }
    }

    fn packet(&mut self, packet: PacketId) -> Result<Outcome> {
        match &self.input.packed {
            Some(packed) => self.packet_with_packed_header(packet, packed),
            None => self.packet_in_place(packet),
        }
    }

    fn packet_in_place(&mut self, packet: PacketId) -> Result<Outcome> {
        let Some(end) = self.part_end() else { return Ok(Outcome::End) };
        let precinct = number(self.input.tile, packet);
        let start = self.at;
        let mut wanted = 1 << 10;
        let extent = loop {
            let last = start.saturating_add(wanted).min(end);
            let window = std::mem::take(&mut self.window);
            let window = window.covering(self.input.source, start..last, end)?;
            let bytes = window.bytes(self.input.source, start..last);
            let header = self.header(packet, bytes, last == end);
            self.window = window;
            match header? {
                Some((header, body)) => break Some((start + header as u64).saturating_add(body)),
                None if last == end => break None,
                None => wanted *= 8,
            }
        };
        let packet_end = extent.unwrap_or(u64::MAX);
        self.at = packet_end.min(end);
        self.found.push(precinct, start..self.at, 0..0)?;
        self.found.cut = packet_end > end;
        Ok(if self.found.cut { Outcome::End } else { Outcome::Whole })
    }

    fn packet_with_packed_header(&mut self, packet: PacketId, packed: &[u8]) -> Result<Outcome> {
        let rest = packed.get(self.packed_at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Outcome::End);
        }
        let Some((header, body)) = self.header(packet, rest, true)? else { return Ok(Outcome::End) };
        let precinct = number(self.input.tile, packet);
        let header = self.packed_at..self.packed_at + header;
        self.packed_at = header.end;
        let header = header.start as u32..header.end as u32;
        let sop = self.input.tile.parameters.style.sop;
        if body == 0 && !sop {
            self.found.push(precinct, self.at..self.at, header)?;
            return Ok(Outcome::Whole);
        }
        let end = match self.part_end() {
            Some(end) => end,
            None if body == 0 => self.at,
            None => return Ok(Outcome::End),
        };
        if sop {
            // In a body, which code-blocks' bytes fill, no marker can stand.
            let mut start = vec![0; (end - self.at).min(6) as usize];
            self.input.source.read_at(self.at, &mut start)?;
            let known = start.len().min(SOP.len());
            if known > 0 && start[..known] == SOP[..known] {
                self.at += start.len() as u64;
                self.found.marker_bytes += start.len() as u64;
            }
        }
        let packet_end = self.at.saturating_add(body);
        self.found.push(precinct, self.at..packet_end.min(end), header)?;
        self.at = packet_end.min(end);
        self.found.cut = packet_end > end;
        Ok(if self.found.cut { Outcome::End } else { Outcome::Whole })
    }

    /// Reads the header at the start of `bytes`: its length and that of the body. `None`: `bytes` end first.
    fn header(&mut self, packet: PacketId, bytes: &[u8], complete: bool) -> Result<Option<(usize, u64)>> {
        let style = &self.input.tile.parameters.style;
        let key = number(self.input.tile, packet);
        let last_layer = packet.layer + 1 == style.layers;
        // Most precincts of a large picture have nothing in most layers: no need to keep track of them.
        if !self.precincts.contains_key(&key) {
            if let Some(length) = empty_packet(bytes, style.eph) {
                self.found.headers_parsed += 1;
                return Ok(Some((length, 0)));
            }
            let limits = self.input.limits;
            let mut precinct =
                Precinct::new(self.input.tile, packet.component, packet.resolution, packet.precinct, limits)?;
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
        self.input.limits.check_work(self.work, self.bytes)?;
        let Some(header) = header? else { return Ok(None) };
        self.found.headers_parsed += 1;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counting_and_comparing_sort_packets_alike(
            places in prop::collection::vec((0u32..3, 0u64..4), 0..40),
        ) {
            // Offsets tell packets of one precinct apart.
            let records = places.iter().zip(0u64..);
            let mut records: Vec<Record> = records
                .map(|(&precinct, offset)| Record { precinct, offset, ..Record::default() })
                .collect();
            let mut expected: Vec<_> = places.iter().copied().zip(0u64..).collect();
            expected.sort();
            sort_by_precinct(&mut records, [4, 4, 4].into_iter());
            let sorted: Vec<_> = records.iter().map(|record| (record.precinct, record.offset)).collect();
            prop_assert_eq!(sorted, expected);
        }
    }
}
