//! A [`Mosaic`] as a picture: for the decoder as data-bins, for the server as what it serves.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wavetile_engine::data_bin::{BinBytes, BinView, DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::{DataBins, Limits, Result};
use wavetile_testing::mosaic::{Mosaic, Packets, Shape};
use wavetile_transport::jpip::ServedPicture;
use wavetile_transport::jpip::server::served_picture::BinLength;

/// A picture whose precincts are made when they are asked for.
pub struct MosaicPicture {
    mosaic: Mosaic,
    header: MainHeader,
    header_bytes: Arc<Vec<u8>>,
    tile: Arc<Tile>,
    /// The precincts made last: a server asks for each several times in a row.
    recent: Mutex<HashMap<PrecinctId, Arc<Made>>>,
    made: AtomicU64,
}

/// A precinct's data-bin.
struct Made {
    bytes: Arc<Vec<u8>>,
    ends: Vec<u64>,
}

/// Precincts that are kept, of a few kilobytes each.
const MOST_RECENT: usize = 1024;

impl MosaicPicture {
    /// The picture of a shape.
    ///
    /// # Errors
    /// None for shapes that [`Mosaic::new`] takes.
    pub fn new(shape: Shape) -> Result<Self> {
        let mosaic = Mosaic::new(shape);
        let header_bytes = Arc::new(mosaic.main_header());
        let header = MainHeader::parse(&header_bytes, &Limits::default())?;
        let tile = Arc::new(Tile::new(&header, 0, header.tile_parameters.clone())?);
        Ok(Self { mosaic, header, header_bytes, tile, recent: Mutex::default(), made: AtomicU64::new(0) })
    }

    /// What it is made of.
    #[must_use]
    pub const fn mosaic(&self) -> &Mosaic {
        &self.mosaic
    }

    /// How often a precinct was made so far.
    #[must_use]
    pub fn precincts_made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    fn precinct(&self, id: PrecinctId) -> Option<Arc<Made>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = recent.get(&id) {
            return Some(made.clone());
        }
        let Packets { bytes, ends } =
            self.mosaic.packets(id.component, id.precinct).filter(|_| id.tile == 0)?;
        self.made.fetch_add(1, Ordering::Relaxed);
        if recent.len() >= MOST_RECENT {
            recent.clear();
        }
        let made = Arc::new(Made { bytes: Arc::new(bytes), ends });
        recent.insert(id, made.clone());
        Some(made)
    }

    fn bytes(&self, id: DataBinId) -> Option<Arc<Vec<u8>>> {
        match id {
            DataBinId::MainHeader => Some(self.header_bytes.clone()),
            DataBinId::TileHeader(0) | DataBinId::Metadata(0) => Some(Arc::default()),
            DataBinId::Precinct(id) => {
                let id = PrecinctId::from_in_class_id(id, self.mosaic.shape().components.into(), 1)?;
                Some(self.precinct(id)?.bytes.clone())
            }
            _ => None,
        }
    }
}

impl DataBins for MosaicPicture {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        let bytes = self.bytes(id).filter(|_| codestream == 0 || matches!(id, DataBinId::Metadata(_)));
        Ok(bytes.map(|bytes| BinView { bytes: BinBytes::Shared(bytes), complete: true }))
    }
}

impl ServedPicture for MosaicPicture {
    fn header(&self) -> &MainHeader {
        &self.header
    }

    fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        if tile == 0 {
            Ok(self.tile.clone())
        } else {
            Tile::new(&self.header, tile, self.header.tile_parameters.clone()).map(Arc::new)
        }
    }

    fn bin_len(&self, id: DataBinId) -> Result<Option<BinLength>> {
        Ok(self.bytes(id).map(|bytes| BinLength { bytes: bytes.len() as u64, complete: true }))
    }

    fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        let bytes = self.bytes(id).unwrap_or_default();
        let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[at(range.start)..at(range.end.max(range.start))].to_vec())
    }

    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>> {
        Ok(self.precinct(precinct).map(|made| made.ends.clone()).unwrap_or_default())
    }
}
