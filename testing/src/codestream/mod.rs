//! Codestreams made up for tests (T.800 Annexes A and B), byte by byte and without the code that they test.

mod bits;
mod encoded_block;
mod header;
mod mq_encoder;
mod one_tile;
mod tag_tree;

pub use bits::BitWriter;
pub use encoded_block::{Contexts, EncodedBlock};
pub use header::{Area, Component, Header, size_segment};
pub use mq_encoder::MqEncoder;
pub use one_tile::{OneTile, Pointers};
pub use tag_tree::TagTree;

/// Start of codestream.
pub const SOC: u16 = 0xFF4F;
/// Image and tile size.
pub const SIZ: u16 = 0xFF51;
/// Coding style.
pub const COD: u16 = 0xFF52;
/// Tile-part lengths, in the main header.
pub const TLM: u16 = 0xFF55;
/// Packet lengths, in a tile-part's header.
pub const PLT: u16 = 0xFF58;
/// Quantisation.
pub const QCD: u16 = 0xFF5C;
/// Start of tile-part.
pub const SOT: u16 = 0xFF90;
/// Start of data.
pub const SOD: u16 = 0xFF93;
/// End of codestream.
pub const EOC: u16 = 0xFFD9;

/// A marker segment: marker, length, payload (T.800 A.1).
pub fn segment(marker: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).expect("the payload fits a segment");
    [&marker.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

/// A tile-part from SOT on: part `part` of `parts` of tile `tile`, with the segments of its `header` (T.800 A.4.2).
pub fn tile_part(tile: u16, part: u8, parts: u8, header: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(14 + header.len() + data.len()).expect("the tile-part has a length");
    let sot = [&tile.to_be_bytes()[..], &length.to_be_bytes(), &[part, parts]].concat();
    [&segment(SOT, &sot), header, &SOD.to_be_bytes(), data].concat()
}

/// The packet lengths of a tile-part as PLT segments (T.800 A.7.3).
pub fn packet_lengths(lengths: &[u32]) -> Vec<u8> {
    let segments = (0u8..).zip(lengths.chunks(12_000)).map(|(index, lengths)| {
        let coded = lengths.iter().flat_map(|&length| seven_bits(length));
        segment(PLT, &[index].into_iter().chain(coded).collect::<Vec<_>>())
    });
    segments.flatten().collect()
}

/// A length in groups of seven bits, most significant first; all but the last have the top bit set.
fn seven_bits(length: u32) -> impl Iterator<Item = u8> {
    let groups = (length | 1).ilog2() / 7;
    (0..=groups).rev().map(move |group| (length >> (7 * group) & 0x7F) as u8 | u8::from(group > 0) << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_many_groups_of_seven_bits_as_they_need() {
        let wanted = [0xFF, 0x58, 0, 10, 0, 0x00, 0x7F, 0x81, 0x00, 0x82, 0x80, 0x01];
        assert_eq!(packet_lengths(&[0, 127, 128, 2 << 14 | 1]), wanted);
    }

    #[test]
    fn a_tile_part_says_how_long_it_is() {
        let part = tile_part(3, 1, 2, &[0xFF, 0x64, 0, 2], &[7; 5]);
        assert_eq!(part[..12], [0xFF, 0x90, 0, 10, 0, 3, 0, 0, 0, 23, 1, 2]);
        assert_eq!(part.len(), 23);
        assert_eq!(part[16..18], [0xFF, 0x93]);
    }
}
