//! What the server needs of a picture.

use std::ops::Range;
use std::sync::Arc;
use wavetile_engine::Result;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::source::{IndexedCodestream, IndexedFile};

/// A picture that can be served: one codestream, cut into data-bins; and the way to the others of its file.
pub trait ServedPicture: Send + Sync {
    /// The main header.
    fn header(&self) -> &MainHeader;

    /// Geometry of one tile.
    ///
    /// # Errors
    /// The tile is damaged, or the file cannot be read.
    fn tile(&self, tile: u32) -> Result<Arc<Tile>>;

    /// How much there is of a data-bin; `None` if there is no such bin. It is asked for headers and
    /// metadata only.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    fn bin_len(&self, id: DataBinId) -> Result<Option<BinLength>>;

    /// Bytes of a data-bin, all of which are there.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>>;

    /// Where the packets of a precinct end, one number for each layer, counted in bytes from the start
    /// of its data-bin. Shorter than the number of layers if the file was cut off.
    ///
    /// # Errors
    /// The codestream is damaged, or the file cannot be read.
    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>>;

    /// Where the tile-parts of a tile end, counted in bytes from the start of its tile data-bin. Empty if that is not
    /// known.
    fn tile_part_ends(&self, tile: u32) -> Vec<u64> {
        let _ = tile;
        Vec::new()
    }

    /// The boxes of the file whose contents are metadata-bins 1, 2 and so on, by type.
    fn metadata_kinds(&self) -> Vec<[u8; 4]> {
        Vec::new()
    }

    /// Bytes of the whole file, to be read with [`read_raw`](Self::read_raw); `None` if it cannot be had so.
    fn raw_len(&self) -> Option<u64> {
        None
    }

    /// Bytes of the file, all of which are there.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read_raw(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let _ = range;
        Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
    }

    /// Codestreams of the file, this one included.
    fn codestream_count(&self) -> u32 {
        1
    }

    /// Compositing layers of the file.
    fn layer_count(&self) -> u32 {
        self.codestream_count()
    }

    /// Numbers of the codestreams that compositing layer `layer` shows.
    fn layer_codestreams(&self, layer: u32) -> Vec<u32> {
        vec![layer]
    }

    /// Another codestream of the file, which has no metadata of its own; `None` if there are fewer. It is not
    /// asked for number 0, which is this one.
    ///
    /// # Errors
    /// That codestream is damaged, or the file cannot be read.
    fn codestream(&self, number: u32) -> Result<Option<Arc<dyn ServedPicture>>> {
        let _ = number;
        Ok(None)
    }
}

/// How much there is of a data-bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinLength {
    /// Bytes.
    pub bytes: u64,
    /// That is all it ever had: the file was not cut off here.
    pub complete: bool,
}

impl ServedPicture for IndexedFile {
    fn header(&self) -> &MainHeader {
        self.header()
    }

    fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        self.tile(tile)
    }

    fn bin_len(&self, id: DataBinId) -> Result<Option<BinLength>> {
        let Some(bytes) = self.bin_len(id)? else { return Ok(None) };
        let complete = match (id, self.codestream(0)?) {
            (DataBinId::Metadata(_), _) | (_, None) => true,
            (_, Some(codestream)) => codestream.is_bin_complete(id)?.unwrap_or(false),
        };
        Ok(Some(BinLength { bytes, complete }))
    }

    fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        self.read_bin(id, range)
    }

    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>> {
        self.packet_ends(precinct)
    }

    fn tile_part_ends(&self, tile: u32) -> Vec<u64> {
        let first = self.codestream(0).ok().flatten();
        first.map(|first| first.tile_part_ends(tile)).unwrap_or_default()
    }

    fn metadata_kinds(&self) -> Vec<[u8; 4]> {
        self.metadata_bins().iter().map(|bin| bin.kind).collect()
    }

    fn raw_len(&self) -> Option<u64> {
        Some(self.source().len())
    }

    fn read_raw(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let length = usize::try_from(range.end.saturating_sub(range.start));
        let mut bytes = vec![0; length.map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?];
        self.source().read_at(range.start, &mut bytes)?;
        Ok(bytes)
    }

    fn codestream_count(&self) -> u32 {
        self.codestream_count()
    }

    fn layer_count(&self) -> u32 {
        let layers = u32::try_from(self.container().layer_headers.len()).unwrap_or(u32::MAX);
        if layers == 0 { self.codestream_count() } else { layers }
    }

    fn layer_codestreams(&self, layer: u32) -> Vec<u32> {
        let header = self.container().layer_headers.get(layer as usize);
        match header.filter(|header| !header.codestreams.is_empty()) {
            Some(header) => header.codestreams.iter().copied().map(u32::from).collect(),
            // Without registration, the codestream of the layer's own number.
            None => vec![layer],
        }
    }

    fn codestream(&self, number: u32) -> Result<Option<Arc<dyn ServedPicture>>> {
        Ok(self.codestream(number)?.map(|codestream| codestream as Arc<dyn ServedPicture>))
    }
}

impl ServedPicture for IndexedCodestream {
    fn header(&self) -> &MainHeader {
        self.header()
    }

    fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        self.tile(tile)
    }

    fn bin_len(&self, id: DataBinId) -> Result<Option<BinLength>> {
        let Some(bytes) = self.bin_len(id)? else { return Ok(None) };
        Ok(Some(BinLength { bytes, complete: self.is_bin_complete(id)?.unwrap_or(false) }))
    }

    fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        self.read_bin(id, range)
    }

    fn tile_part_ends(&self, tile: u32) -> Vec<u64> {
        let parts = self.tile_parts();
        let lengths = parts.of_tile(tile).iter().map(|part| part.range.end - part.range.start);
        let sums = lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        sums.collect()
    }

    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>> {
        self.packet_ends(precinct)
    }
}
