//! Where the packets of a tile lie in a file: from packet lengths (PLT, PLM; T.800 A.7.2, A.7.3) where
//! they are there and add up, else by reading packet headers one after another.

mod finder;
mod walker;

pub(crate) use finder::PacketFinder;

use std::ops::Range;

use super::header::ComponentSize;
use super::tile::Tile;
use crate::byte_source::ByteSource;
use crate::error::{CodestreamError, Result};
use crate::limits::Limits;
use walker::Walker;

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
    pub(crate) packed: Option<&'a [u8]>,
    /// There are tile-parts behind those of `parts`, which are not known yet.
    pub(crate) more: bool,
    pub(crate) limits: &'a Limits,
}

impl PacketIndex {
    /// Finds the packets of a tile as far as the bytes go.
    ///
    /// # Errors
    /// The source cannot be read; packet headers must be read but the block coder is not supported; the
    /// code-blocks to keep track of exceed the limits. A damaged packet is no error: the index ends there.
    pub(crate) fn build(input: &IndexInput<'_>) -> Result<Self> {
        let mut walker = Walker::new(input);
        while walker.step(input)?.is_some() {}
        let found = walker.found;
        let mut index = Self::sort(found.records, found.cut, input);
        let bytes: u64 = input.parts.iter().map(|part| part.range.end - part.range.start).sum();
        let packet_bytes = index.lengths.iter().map(|&length| u64::from(length)).sum();
        index.statistics = IndexStatistics {
            packets: index.offsets.len() as u64,
            used_lengths: found.used_lengths,
            headers_parsed: found.headers_parsed,
            packet_bytes,
            marker_bytes: found.marker_bytes,
            bytes_unused: bytes.saturating_sub(packet_bytes + found.marker_bytes),
        };
        index.damage = found.damage;
        index.packed = input.packed.unwrap_or_default().to_vec();
        Ok(index)
    }

    /// An index of some packets. `cut`: the last record is.
    fn sort(mut records: Vec<Record>, cut: bool, input: &IndexInput<'_>) -> Self {
        let cut = records.last().filter(|_| cut).map(|record| record.precinct);
        let precincts = input.tile.components.iter().map(|component| component.precincts);
        sort_by_precinct(&mut records, precincts);
        let mut index = Self { layers: input.tile.parameters.style.layers, ..Self::default() };
        index.offsets.reserve_exact(records.len());
        index.lengths.reserve_exact(records.len());
        for (at, record) in (0u32..).zip(&records) {
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
        index.first.push(records.len() as u32);
        index.cut = cut.and_then(|precinct| index.last_packet(precinct));
        index
    }

    /// An index of these packets and of those of `later`, which follow them.
    fn join(&self, later: &Self, input: &IndexInput<'_>) -> Self {
        let records = self.records().chain(later.records()).collect();
        let mut joined = Self::sort(records, false, input);
        let cut = later.precincts.iter().find(|&&precinct| later.last_packet(precinct) == later.cut);
        joined.cut = cut.filter(|_| later.cut.is_some()).and_then(|&precinct| joined.last_packet(precinct));
        joined
    }

    fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let precincts = self.precincts.iter().zip(self.first.windows(2));
        precincts.flat_map(move |(&precinct, range)| {
            (range[0] as usize..range[1] as usize).map(move |at| Record {
                precinct,
                offset: self.offsets[at],
                length: self.lengths[at],
                header: self.headers.get(at).cloned().unwrap_or_default(),
            })
        })
    }

    fn last_packet(&self, precinct: (u32, u64)) -> Option<u32> {
        let at = self.precincts.binary_search(&precinct).ok()?;
        self.first.get(at + 1)?.checked_sub(1)
    }

    /// The packets of a precinct, layer after layer; fewer than there are layers if the codestream ends
    /// too early. The last one may be cut.
    pub fn packets(
        &self,
        component: u32,
        precinct: u64,
    ) -> impl ExactSizeIterator<Item = PacketBytes<'_>> + '_ {
        self.range(component, precinct).map(|at| self.packet(at as usize, &self.packed))
    }

    /// The packet number `at` of the index, with its header if that is in `packed`.
    fn packet<'a>(&self, at: usize, packed: &'a [u8]) -> PacketBytes<'a> {
        let header = self.headers.get(at).cloned().unwrap_or(0..0);
        PacketBytes {
            packed_header: packed.get(header.start as usize..header.end as usize).unwrap_or_default(),
            range: self.offsets[at]..self.offsets[at] + u64::from(self.lengths[at]),
        }
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
