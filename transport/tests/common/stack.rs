//! A file of several codestreams.

use super::synthetic::Synthetic;
use std::ops::Range;
use std::sync::Arc;
use wavetile_engine::Result;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_transport::jpip::ServedPicture;
use wavetile_transport::jpip::server::served_picture::BinLength;

/// Synthetic pictures, one after another; the file is that of the first.
pub struct Stack(Vec<Arc<Synthetic>>);

impl Stack {
    /// One for each width, 150 rows high, in tiles of 128 x 128.
    pub fn of_widths(widths: impl IntoIterator<Item = u32>) -> Self {
        Self(widths.into_iter().map(|width| Arc::new(Synthetic::sized(width, 150, 128))).collect())
    }
}

impl ServedPicture for Stack {
    fn header(&self) -> &MainHeader {
        self.0[0].header()
    }

    fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        self.0[0].tile(tile)
    }

    fn bin_len(&self, id: DataBinId) -> Result<Option<BinLength>> {
        self.0[0].bin_len(id)
    }

    fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        self.0[0].read_bin(id, range)
    }

    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>> {
        self.0[0].packet_ends(precinct)
    }

    fn codestream_count(&self) -> u32 {
        self.0.len() as u32
    }

    fn codestream(&self, number: u32) -> Result<Option<Arc<dyn ServedPicture>>> {
        Ok(self.0.get(number as usize).map(|picture| picture.clone() as Arc<dyn ServedPicture>))
    }
}
