//! The same picture without its code-blocks.

use super::Picture;
use wavetile::engine::data_bin::{DataBinId, DataBins};
use wavetile::engine::low_level::codestream::marker;

/// The codestream of a picture in one tile, in which every packet is empty.
pub(crate) fn empty_packets(picture: &Picture) -> Vec<u8> {
    let image = picture.open();
    assert_eq!(image.header().tile_count(), 1, "{} has one tile", picture.name);
    let header =
        image.bins().bin(0, DataBinId::MainHeader).expect("it was read").expect("every file has one");
    let tile = image.tile(0).expect("it was read").tile;
    let precincts: u64 = tile.components.iter().map(|component| component.precincts).sum();
    let packets = precincts * u64::from(tile.parameters.style.layers);
    let mut out = header.bytes.into_owned();
    out.extend(marker::SOT.to_be_bytes());
    out.extend([0, 10, 0, 0]);
    out.extend((14 + packets as u32).to_be_bytes());
    out.extend([0, 1]);
    out.extend(marker::SOD.to_be_bytes());
    out.resize(out.len() + packets as usize, 0);
    out.extend(marker::EOC.to_be_bytes());
    out
}
