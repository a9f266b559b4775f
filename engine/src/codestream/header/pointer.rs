//! Pointer marker segments and packed packet headers of the main header: TLM, PLM, PPM (T.800 A.7).

use crate::codestream::marker::MarkerSegment;
use crate::codestream::reader::Reader;

/// One entry of TLM (T.800 A.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TilePartLength {
    /// Tile index ("Ttlm"); `None` when tile-parts stand in tile order, one for each tile.
    pub tile: Option<u16>,
    /// Bytes of the tile-part from its SOT marker on ("Ptlm").
    pub length: u32,
}

/// Puts the payloads of marker segments that belong together (PPM, PLM, PPT, PLT) in the order of the
/// index that is their first byte, and joins what follows it. `None` if an index is missing or repeated,
/// or there is no payload at all.
#[must_use]
pub fn concatenate_by_index(payloads: &[&[u8]]) -> Option<Vec<u8>> {
    let mut indexed = payloads.iter().map(|payload| payload.split_first()).collect::<Option<Vec<_>>>()?;
    indexed.sort_by_key(|(index, _)| **index);
    let contiguous =
        indexed.iter().enumerate().all(|(expected, (index, _))| expected == usize::from(**index));
    if indexed.is_empty() || !contiguous {
        return None;
    }
    Some(indexed.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect())
}

/// Entries of all TLM marker segments in the order of their indices. It is only a hint, so `None`, not an
/// error, if any of them is malformed.
pub(super) fn read_tlm(segments: &[MarkerSegment<'_>]) -> Option<Vec<TilePartLength>> {
    let mut ordered: Vec<_> = segments.iter().map(|segment| segment.payload).collect();
    ordered.sort_by_key(|payload| payload.first().copied());
    let mut entries = Vec::new();
    for payload in ordered {
        let mut reader = Reader::new(payload.get(1..)?);
        let sizes = reader.u8()?;
        let tile_bytes = (sizes >> 4) & 3;
        let long = (sizes >> 6) & 1 == 1;
        while !reader.is_empty() {
            let tile = match tile_bytes {
                0 => None,
                1 => Some(reader.u8()?.into()),
                2 => Some(reader.u16()?),
                _ => return None,
            };
            let length = if long { reader.u32()? } else { reader.u16()?.into() };
            entries.push(TilePartLength { tile, length });
        }
    }
    (!entries.is_empty()).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codestream::marker::TLM;

    #[test]
    fn payloads_join_in_index_order_and_gaps_show() {
        assert_eq!(concatenate_by_index(&[&[1, 30], &[0, 10, 20]]), Some(vec![10, 20, 30]));
        assert_eq!(concatenate_by_index(&[&[1, 30]]), None);
        assert_eq!(concatenate_by_index(&[&[0, 1], &[0, 2]]), None);
        assert_eq!(concatenate_by_index(&[&[]]), None);
    }

    #[test]
    fn tlm_entries_of_all_widths() {
        let segment = |payload| MarkerSegment { marker: TLM, offset: 0, payload };
        let wide = segment(&[1, 0x60, 0, 3, 0, 0, 1, 0]);
        let narrow = segment(&[0, 0x10, 2, 0, 9]);
        assert_eq!(
            read_tlm(&[wide, narrow]),
            Some(vec![
                TilePartLength { tile: Some(2), length: 9 },
                TilePartLength { tile: Some(3), length: 256 }
            ])
        );
        assert_eq!(read_tlm(&[segment(&[0, 0, 0, 7])]), Some(vec![TilePartLength { tile: None, length: 7 }]));
        assert_eq!(read_tlm(&[segment(&[0, 0x60, 0, 3, 0])]), None);
    }
}
