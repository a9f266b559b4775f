//! What the server needs of a picture.

use std::ops::Range;
use std::sync::Arc;
use wavetile_engine::Result;
use wavetile_engine::codestream::header::MainHeader;
use wavetile_engine::codestream::tile::Tile;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};

/// A picture that can be served: one codestream, cut into data-bins.
pub trait Picture: Send + Sync {
    /// The main header.
    fn header(&self) -> &MainHeader;

    /// Geometry of one tile.
    ///
    /// # Errors
    /// The tile is damaged, or the file cannot be read.
    fn tile(&self, tile: u32) -> Result<Arc<Tile>>;

    /// All that there is of a header or metadata-bin, and whether that is all it ever had; `None` if
    /// there is no such bin.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    fn small_bin(&self, id: DataBinId) -> Result<Option<(Vec<u8>, bool)>>;

    /// Where the packets of a precinct end, one number for each layer, counted in bytes from the start
    /// of its data-bin. Shorter than the number of layers if the file was cut off.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>>;

    /// Bytes of the data-bin of a precinct.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    fn read_precinct(&self, precinct: PrecinctId, range: Range<u64>) -> Result<Vec<u8>>;
}
