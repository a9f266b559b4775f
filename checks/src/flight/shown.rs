//! How many of the bytes that came were on the screen.

use super::HEADERS;
use std::collections::HashMap;
use std::sync::Arc;
use wavetile_engine::data_bin::{DataBinCache, DataBinId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::low_level::plan::reach::{GridWindow, covered_precincts};
use wavetile_engine::{Image, Rect, Result};

/// The bins that were looked at, of a picture in one tile.
pub struct Shown {
    header: MainHeader,
    tile: Arc<Tile>,
    /// As much of each bin as was held while it was looked at.
    lengths: HashMap<DataBinId, u64>,
    /// Of bins that were dropped since.
    before: u64,
    /// What was looked at last, and the bins that it needs.
    view: (Rect, u32),
    bins: Vec<DataBinId>,
}

impl Shown {
    /// Nothing yet.
    ///
    /// # Errors
    /// The tile's header is broken.
    pub fn new(image: &Image) -> Result<Self> {
        let tile = image.tile(0)?.tile;
        let (header, lengths) = (image.header().clone(), HashMap::new());
        Ok(Self { header, tile, lengths, before: 0, view: (Rect::default(), 0), bins: Vec::new() })
    }

    /// A region of the reference grid is on the screen at a reduction.
    pub fn see(&mut self, held: &DataBinCache, region: Rect, reduce: u32) {
        if self.view != (region, reduce) {
            self.view = (region, reduce);
            let window = GridWindow { region, reduce, components: None };
            let (components, tiles) = (self.header.size.components.len() as u32, self.header.tile_count());
            let precincts = covered_precincts(&self.header, &self.tile, &window).into_iter();
            let precincts = precincts.filter_map(|precinct| precinct.id.in_class_id(components, tiles));
            self.bins = HEADERS.into_iter().chain(precincts.map(DataBinId::Precinct)).collect();
        }
        for &id in &self.bins {
            self.lengths.insert(id, held.contiguous_len(0, id));
        }
    }

    /// Bins were dropped, which may come again.
    pub fn note_dropped(&mut self, held: &DataBinCache) {
        self.lengths.retain(|&id, length| {
            let is_held = held.contiguous_len(0, id) >= *length;
            self.before += if is_held { 0 } else { *length };
            is_held
        });
    }

    /// Bytes that were on the screen; those of bins that came again counted again.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.before + self.lengths.values().sum::<u64>()
    }
}
