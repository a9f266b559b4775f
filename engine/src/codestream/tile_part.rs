//! Tile-parts (T.800 A.3, A.4.2): where they lie in a codestream, and what stands in their headers.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::header::{TilePartLength, concatenate_by_index};
use super::marker::{self, MarkerError, MarkerSegments};
use crate::byte_source::ByteSource;

/// One tile-part as its SOT marker segment describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TilePart {
    /// Tile index ("Isot").
    pub tile: u32,
    /// Index among the tile-parts of the tile ("TPsot").
    pub part: u8,
    /// Number of tile-parts of the tile ("TNsot"); 0 = not told here.
    pub parts: u8,
    /// Index among all tile-parts, in the order of the codestream.
    pub ordinal: u32,
    /// Where it lies in the source, from the SOT marker on; cut where the codestream ends.
    pub range: Range<u64>,
    /// Bytes that are missing at its end.
    pub missing: u64,
}

/// All tile-parts of a codestream, as far as they can be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileParts {
    /// Sorted by tile; those of a tile by index.
    parts: Vec<TilePart>,
    /// Why the search for tile-parts ended.
    pub ending: Ending,
}

/// How a codestream ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With EOC.
    #[default]
    EndOfCodestream,
    /// After a whole tile-part, or inside the main header, but without EOC.
    NoEndOfCodestream,
    /// Inside a tile-part.
    CutOff,
    /// With something that is not a tile-part; `offset` counts from the start of the source.
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong, in words.
        reason: String,
    },
}

impl TileParts {
    /// Follows the chain of SOT marker segments. `range` is the codestream in `source` from the first SOT
    /// to its end; `tiles` the number of tiles.
    ///
    /// # Errors
    /// `source` cannot be read.
    pub fn scan(source: &dyn ByteSource, range: Range<u64>, tiles: u32) -> io::Result<Self> {
        let mut parts = Vec::new();
        let mut at = range.start;
        let ending = loop {
            let found = read_up_to::<12>(source, at..range.end)?;
            let Some(sot) = found.get(..2) else {
                break if found.is_empty() { Ending::NoEndOfCodestream } else { Ending::CutOff };
            };
            if sot == marker::EOC.to_be_bytes() {
                break Ending::EndOfCodestream;
            }
            if sot != marker::SOT.to_be_bytes() {
                let reason = format!("{sot:02x?} where a tile-part or EOC was expected");
                break Ending::Damaged { offset: at, reason };
            }
            let &[_, _, l0, l1, i0, i1, p0, p1, p2, p3, part, count] = &found[..] else {
                break Ending::CutOff;
            };
            let tile = u32::from(u16::from_be_bytes([i0, i1]));
            let claimed = u64::from(u32::from_be_bytes([p0, p1, p2, p3]));
            let damaged = |reason: String| Ending::Damaged { offset: at, reason };
            if [l0, l1] != [0, 10] {
                break damaged("the length of SOT is not 10".into());
            }
            let length = match claimed {
                0 => length_to_the_end(source, at..range.end)?,
                // A tile-part without even SOD: 12 is written for an empty one.
                1..=11 => break damaged(format!("Psot is {claimed}")),
                _ => claimed,
            };
            let end = at.saturating_add(length);
            let missing = end.saturating_sub(range.end);
            if tile < tiles {
                let ordinal = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                let range = at..end.min(range.end);
                parts.push(TilePart { tile, part, parts: count, ordinal, range, missing });
            } else if missing > 0 {
                break damaged(format!("there is no tile {tile}"));
            }
            if missing > 0 {
                break Ending::CutOff;
            }
            at = end;
        };
        parts.sort_by_key(|part| (part.tile, part.part));
        Ok(Self { parts, ending })
    }

    /// Takes the word of TLM (T.800 A.7.1) for where they lie: nothing is read. `None` if the lengths do not add up to the
    /// codestream exactly. Each tile-part is to be compared with its SOT ([`Self::agrees`]) when its header is read.
    #[must_use]
    pub fn from_lengths(lengths: &[TilePartLength], range: Range<u64>, tiles: u32) -> Option<Self> {
        let mut parts: Vec<TilePart> = Vec::with_capacity(lengths.len());
        let mut counts: HashMap<u32, u8> = HashMap::new();
        let mut at = range.start;
        for (ordinal, entry) in (0u32..).zip(lengths) {
            let tile = entry.tile.map_or(ordinal, u32::from);
            let end = at.checked_add(entry.length.into())?;
            if tile >= tiles || u64::from(entry.length) < SOT_LENGTH || end > range.end {
                return None;
            }
            let count = counts.entry(tile).or_default();
            parts.push(TilePart { tile, part: *count, parts: 0, ordinal, range: at..end, missing: 0 });
            *count = count.checked_add(1)?;
            at = end;
        }
        if counts.len() as u64 != u64::from(tiles) {
            return None;
        }
        for part in &mut parts {
            part.parts = counts[&part.tile];
        }
        parts.sort_by_key(|part| (part.tile, part.part));
        let ending = match range.end - at {
            0 => Ending::NoEndOfCodestream,
            2 => Ending::EndOfCodestream,
            _ => return None,
        };
        Some(Self { parts, ending })
    }

    /// Whether the SOT marker segment of `part`, which was taken from TLM, says the same.
    ///
    /// # Errors
    /// `source` cannot be read.
    pub fn agrees(source: &dyn ByteSource, part: &TilePart) -> io::Result<bool> {
        let mut sot = [0; SOT_LENGTH as usize];
        source.read_at(part.range.start, &mut sot)?;
        let length = part.range.end - part.range.start;
        let tile = u16::try_from(part.tile).unwrap_or(u16::MAX).to_be_bytes();
        let told = u32::from_be_bytes([sot[6], sot[7], sot[8], sot[9]]);
        Ok(sot[..4] == [0xFF, 0x90, 0, 10]
            && sot[4..6] == tile
            && u64::from(told) == length
            && sot[10] == part.part
            && (sot[11] == 0 || sot[11] == part.parts))
    }

    /// The tile-parts of a tile in their order.
    #[must_use]
    pub fn of_tile(&self, tile: u32) -> &[TilePart] {
        let start = self.parts.partition_point(|part| part.tile < tile);
        let end = self.parts.partition_point(|part| part.tile <= tile);
        &self.parts[start..end]
    }

    /// All tile-parts, sorted by tile, those of a tile by index.
    #[must_use]
    pub fn as_slice(&self) -> &[TilePart] {
        &self.parts
    }

    /// Whether the end of the codestream was reached in good order.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.ending, Ending::EndOfCodestream | Ending::NoEndOfCodestream)
    }

    /// Whether all tile-parts of a tile are there from their first to their last byte.
    #[must_use]
    pub fn is_tile_whole(&self, tile: u32) -> bool {
        let parts = self.of_tile(tile);
        let told = parts.iter().map(|part| usize::from(part.parts)).max().unwrap_or(0);
        parts.iter().all(|part| part.missing == 0)
            && match told {
                0 if parts.is_empty() => self.ending == Ending::EndOfCodestream,
                0 => self.is_whole(),
                _ => parts.len() >= told,
            }
    }
}

/// Length of a tile-part with Psot = 0: to EOC, or to the end where EOC is missing.
fn length_to_the_end(source: &dyn ByteSource, range: Range<u64>) -> io::Result<u64> {
    let length = range.end - range.start;
    if length < 16 {
        return Ok(length);
    }
    let last = read_up_to::<2>(source, range.end - 2..range.end)?;
    Ok(if last == marker::EOC.to_be_bytes() { length - 2 } else { length })
}

/// The first `N` bytes of a range, or all if it has fewer.
fn read_up_to<const N: usize>(source: &dyn ByteSource, range: Range<u64>) -> io::Result<Vec<u8>> {
    let length = range.end.saturating_sub(range.start).min(N as u64);
    let mut bytes = vec![0; length as usize];
    source.read_at(range.start, &mut bytes)?;
    Ok(bytes)
}

/// The header of a tile-part, sorted by use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TilePartHeader {
    /// Marker segments between SOT and SOD, without PLT and PPT: what goes into the tile-header data-bin.
    pub segments: Vec<u8>,
    /// Packet lengths (PLT, T.800 A.7.3) joined in index order; `None` without PLT, or if an index is
    /// missing.
    pub packet_lengths: Option<Vec<u8>>,
    /// Packet headers (PPT, T.800 A.7.5) joined in index order; `None` without PPT.
    pub packed_headers: Option<Vec<u8>>,
    /// Where the packets lie in the source: after SOD, to the end of the tile-part.
    pub data: Range<u64>,
    /// The bytes end, or go wrong, before SOD.
    pub damaged: bool,
}

impl TilePartHeader {
    /// Reads the header of `part`. A header that is cut off or broken gives what stands before the break, and
    /// no data.
    ///
    /// # Errors
    /// `source` cannot be read.
    pub fn read(source: &dyn ByteSource, part: &TilePart) -> io::Result<Self> {
        let start = part.range.start.saturating_add(SOT_LENGTH).min(part.range.end);
        let whole = part.range.end - start;
        if whole == 0 {
            // Psot = 12.
            return Ok(Self { data: start..start, damaged: part.missing > 0, ..Self::default() });
        }
        let mut length = whole.min(4096);
        loop {
            let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?];
            source.read_at(start, &mut bytes)?;
            match Self::parse(&bytes, start) {
                (header, Stop::CutOff) if length == whole => {
                    return Ok(Self { damaged: true, data: part.range.end..part.range.end, ..header });
                }
                (_, Stop::CutOff) => length = whole.min(length.saturating_mul(4)),
                (header, Stop::Bad) => {
                    return Ok(Self { damaged: true, data: part.range.end..part.range.end, ..header });
                }
                (header, Stop::Data(offset)) => {
                    return Ok(Self { data: offset..part.range.end, ..header });
                }
            }
        }
    }

    /// Reads from the marker after SOT's segment on.
    fn parse(bytes: &[u8], offset: u64) -> (Self, Stop) {
        let mut segments = MarkerSegments::new(bytes, offset);
        let (mut kept, mut plt, mut ppt) = (Vec::new(), Vec::new(), Vec::new());
        let stop = loop {
            let start = bytes.len() - segments.rest().len();
            match segments.read() {
                Ok(Some(segment)) => match segment.marker {
                    marker::SOD => break Stop::Data(segments.offset()),
                    marker::PLT => plt.push(segment.payload),
                    marker::PPT => ppt.push(segment.payload),
                    marker::SOC | marker::SOT | marker::EOC => break Stop::Bad,
                    _ => kept.extend_from_slice(&bytes[start..bytes.len() - segments.rest().len()]),
                },
                Ok(None) | Err(MarkerError::CutOff { .. }) => break Stop::CutOff,
                Err(MarkerError::Bad(_)) => break Stop::Bad,
            }
        };
        // Some encoders number PPT through all tile-parts of the tile, so only the order counts.
        ppt.sort_by_key(|payload| payload.first().copied());
        let packed: Vec<u8> =
            ppt.iter().flat_map(|payload| payload.get(1..).unwrap_or_default()).copied().collect();
        let header = Self {
            segments: kept,
            packet_lengths: concatenate_by_index(&plt),
            packed_headers: (!ppt.is_empty()).then_some(packed),
            ..Self::default()
        };
        (header, stop)
    }
}

const SOT_LENGTH: u64 = 12;

enum Stop {
    /// At SOD; the packets start at this offset.
    Data(u64),
    /// The bytes end first.
    CutOff,
    /// There is something that cannot stand here.
    Bad,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codestream::header::testing::segment;

    fn part(tile: u16, part: u8, parts: u8, length: Option<u32>, header: &[u8], data: &[u8]) -> Vec<u8> {
        let body = [header, &marker::SOD.to_be_bytes(), data].concat();
        let length = length.unwrap_or(12 + body.len() as u32);
        let sot = [&tile.to_be_bytes()[..], &length.to_be_bytes(), &[part, parts]].concat();
        [segment(marker::SOT, &sot), body].concat()
    }

    fn scan(bytes: &[u8]) -> TileParts {
        TileParts::scan(&bytes.to_vec(), 0..bytes.len() as u64, 4).unwrap()
    }

    fn summary(parts: &TileParts) -> Vec<(u32, u8, u32, Range<u64>, u64)> {
        let all = parts.as_slice().iter();
        all.map(|p| (p.tile, p.part, p.ordinal, p.range.clone(), p.missing)).collect()
    }

    const EOC: [u8; 2] = [0xFF, 0xD9];

    #[test]
    fn interleaved_tile_parts_are_sorted_and_remember_their_place() {
        let bytes = [
            part(1, 0, 0, None, &[], b"ab"),
            part(0, 0, 2, None, &[], b"c"),
            part(1, 1, 2, None, &[], b""),
            part(0, 1, 0, None, &[], b"def"),
            EOC.to_vec(),
        ]
        .concat();
        let parts = scan(&bytes);
        assert_eq!(
            summary(&parts),
            [(0, 0, 1, 16..31, 0), (0, 1, 3, 45..62, 0), (1, 0, 0, 0..16, 0), (1, 1, 2, 31..45, 0)]
        );
        assert_eq!(parts.ending, Ending::EndOfCodestream);
        assert!(parts.is_tile_whole(0) && parts.is_tile_whole(1));
        assert!(parts.of_tile(2).is_empty());
        let header = TilePartHeader::read(&bytes, &parts.of_tile(0)[1]).unwrap();
        assert_eq!(header.data, 59..62);
    }

    #[test]
    fn the_last_tile_part_may_leave_its_length_open() {
        for (tail, ending) in [(&EOC[..], Ending::EndOfCodestream), (&[], Ending::NoEndOfCodestream)] {
            let bytes = [part(2, 0, 1, Some(0), &[], b"abcd"), tail.to_vec()].concat();
            let parts = scan(&bytes);
            assert_eq!(summary(&parts), [(2, 0, 0, 0..18, 0)]);
            assert_eq!(parts.ending, ending);
        }
    }

    #[test]
    fn every_cut_keeps_what_is_there() {
        let bytes =
            [part(0, 0, 1, None, &[], b"abcd"), part(1, 0, 1, None, &[], b"efg"), EOC.to_vec()].concat();
        for length in 0..bytes.len() {
            let parts = scan(&bytes[..length]);
            let held: u64 = parts.as_slice().iter().map(|p| p.range.end - p.range.start).sum();
            // Less than a SOT marker segment is no tile-part.
            let expected = match length {
                0..12 => 0,
                18..30 => 18,
                36 => 35,
                _ => length as u64,
            };
            assert_eq!(held, expected, "{length}");
            assert_eq!(parts.is_tile_whole(0), length >= 18);
            assert_eq!(parts.is_whole(), length == 0 || length == 18 || length == 35);
        }
    }

    #[test]
    fn garbage_ends_the_search_and_unknown_tiles_are_passed_over() {
        let good = part(3, 0, 1, None, &[], b"abcd");
        let parts = scan(&[part(9, 0, 1, None, &[], b"zz"), good.clone(), b"garbage".to_vec()].concat());
        assert_eq!(summary(&parts), [(3, 0, 0, 16..34, 0)]);
        assert!(matches!(parts.ending, Ending::Damaged { offset: 34, .. }));
        let parts = scan(&[good.clone(), EOC.to_vec(), b"garbage".to_vec()].concat());
        assert_eq!(parts.ending, Ending::EndOfCodestream);
        let parts = scan(&[good, part(0, 0, 1, Some(5), &[], b"")].concat());
        assert_eq!(parts.as_slice().len(), 1);
        assert!(matches!(parts.ending, Ending::Damaged { offset: 18, .. }));
    }

    #[test]
    fn headers_are_sorted_by_use() {
        let comment = segment(marker::COM, b"\0\x01hi");
        let long = segment(marker::COM, &[7; 9000]);
        let header = [
            segment(marker::PLT, &[1, 30]),
            comment.clone(),
            segment(marker::PPT, &[4, b'y']),
            segment(marker::PLT, &[0, 10]),
            segment(marker::PPT, &[3, b'x']),
            long.clone(),
        ]
        .concat();
        let bytes = part(0, 0, 1, None, &header, b"data");
        let read = |bytes: &Vec<u8>| TilePartHeader::read(bytes, &scan(bytes).as_slice()[0]).unwrap();
        let found = read(&bytes);
        assert_eq!(found.segments, [comment.clone(), long].concat());
        assert_eq!(found.packet_lengths, Some(vec![10, 30]));
        assert_eq!(found.packed_headers, Some(b"xy".to_vec()));
        assert_eq!(found.data, bytes.len() as u64 - 4..bytes.len() as u64);
        let cut = read(&bytes[..1000].to_vec());
        assert!(cut.damaged && cut.data.is_empty());
        assert_eq!(cut.segments, comment);
        let broken = read(&part(0, 0, 1, None, &[0, 0, 0, 0], b"data"));
        assert!(broken.damaged && broken.data.is_empty());
    }
}
