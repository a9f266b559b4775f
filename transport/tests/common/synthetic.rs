//! A picture made up for tests: a true main header, but packets of arbitrary bytes. Nothing decodes it;
//! what counts is which bytes of which data-bin arrive.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::ops::Range;
use std::sync::Arc;
use wavetile_engine::data_bin::{DataBinCache, DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::{Limits, Result};
use wavetile_testing::codestream::{Component, Header};
use wavetile_transport::jpip::server::served_picture::{BinLength, ServedPicture};

/// Components of every synthetic picture; the last two are halved both ways.
pub const COMPONENTS: u32 = 3;
pub const LAYERS: u16 = 3;
pub const LEVELS: u8 = 3;

pub struct Synthetic {
    pub header: MainHeader,
    pub header_bytes: Vec<u8>,
    pub tiles: Vec<Arc<Tile>>,
    pub metadata: Option<Vec<u8>>,
    /// Tiles whose geometry cannot be had.
    pub damaged: Vec<u32>,
    /// Layers that are left of every precinct.
    pub layers_left: u16,
}

impl Synthetic {
    /// 200 x 150 samples, 4 tiles of 128 x 128.
    pub fn new() -> Self {
        Self::sized(200, 150, 128)
    }

    pub fn sized(width: u32, height: u32, tile: u32) -> Self {
        let header_bytes = main_header(width, height, tile);
        let header = MainHeader::parse(&header_bytes, &Limits::default()).unwrap();
        let tiles = (0..header.tile_count())
            .map(|index| Arc::new(Tile::new(&header, index, header.tile_parameters.clone()).unwrap()))
            .collect();
        let metadata = Some(b"boxes".to_vec());
        Self { header, header_bytes, tiles, metadata, damaged: Vec::new(), layers_left: LAYERS }
    }

    fn small_bin(&self, id: DataBinId) -> Option<Vec<u8>> {
        match id {
            DataBinId::MainHeader => Some(self.header_bytes.clone()),
            DataBinId::TileHeader(tile) => Some(vec![0xff; (tile % 3) as usize * 5]),
            DataBinId::Metadata(0) => self.metadata.clone(),
            _ => None,
        }
    }

    /// Every data-bin with all of its bytes.
    pub fn bins(&self) -> Vec<(DataBinId, Vec<u8>)> {
        let mut bins = vec![
            (DataBinId::Metadata(0), self.metadata.clone().unwrap_or_default()),
            (DataBinId::MainHeader, self.header_bytes.clone()),
        ];
        for tile in &self.tiles {
            let id = DataBinId::TileHeader(tile.index);
            bins.push((id, self.small_bin(id).unwrap()));
            for (component, geometry) in tile.components.iter().enumerate() {
                for precinct in 0..geometry.precincts {
                    let id = PrecinctId { tile: tile.index, component: component as u32, precinct };
                    let end = *self.packet_ends(id).unwrap().last().unwrap();
                    let in_class = id.in_class_id(COMPONENTS, self.header.tile_count()).unwrap();
                    bins.push((DataBinId::Precinct(in_class), precinct_bytes(id, 0..end)));
                }
            }
        }
        bins
    }

    /// Asserts that `cache` holds exactly this picture.
    pub fn assert_whole(&self, cache: &DataBinCache) {
        use wavetile_engine::data_bin::DataBins;
        let bins = self.bins();
        for (id, bytes) in &bins {
            let held = cache.bin(0, *id).unwrap();
            let held = held.unwrap_or_else(|| panic!("{id:?} is missing"));
            assert!(held.complete, "{id:?} is not complete: {} of {} bytes", held.bytes.len(), bytes.len());
            assert_eq!(held.bytes.as_ref(), bytes, "{id:?}");
        }
        assert_eq!(cache.ids().count(), bins.len());
    }

    /// Asserts that what `cache` holds is right, as far as it goes.
    pub fn assert_prefixes(&self, cache: &DataBinCache) {
        use wavetile_engine::data_bin::DataBins;
        let bins = self.bins();
        for (codestream, id) in cache.ids() {
            assert_eq!(codestream, 0);
            let held = cache.bin(0, id).unwrap().unwrap();
            let (_, bytes) = bins.iter().find(|(known, _)| *known == id).unwrap();
            assert_eq!(held.bytes.as_ref(), &bytes[..held.bytes.len()], "{id:?}");
            assert_eq!(cache.contiguous_len(0, id), cache.ranges(0, id).total(), "{id:?} has holes");
            assert!(!held.complete || held.bytes.len() == bytes.len());
        }
    }
}

impl ServedPicture for Synthetic {
    fn header(&self) -> &MainHeader {
        &self.header
    }

    fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        if self.damaged.contains(&tile) {
            let reason = "damaged for a test".to_owned();
            return Err(wavetile_engine::error::CodestreamError::BadTilePart {
                offset: 0,
                tile,
                part: 0,
                reason,
            }
            .into());
        }
        Ok(self.tiles[tile as usize].clone())
    }

    fn bin_len(&self, id: DataBinId) -> Result<Option<BinLength>> {
        Ok(self.small_bin(id).map(|bytes| BinLength { bytes: bytes.len() as u64, complete: true }))
    }

    fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        let DataBinId::Precinct(id) = id else {
            return Ok(self.small_bin(id).unwrap()[range.start as usize..range.end as usize].to_vec());
        };
        let id = PrecinctId::from_in_class_id(id, COMPONENTS, self.header.tile_count()).unwrap();
        Ok(precinct_bytes(id, range))
    }

    fn packet_ends(&self, precinct: PrecinctId) -> Result<Vec<u64>> {
        let mut end = 0;
        Ok((0..self.layers_left)
            .map(|layer| {
                let noise = noise(precinct, 1 << 20 | u64::from(layer));
                // Now and then a packet is empty: its header alone.
                end += if noise.is_multiple_of(5) { 1 } else { 1 + noise % 700 };
                end
            })
            .collect())
    }
}

fn precinct_bytes(precinct: PrecinctId, range: Range<u64>) -> Vec<u8> {
    range.map(|at| noise(precinct, at) as u8).collect()
}

/// SplitMix64 over all of it.
fn noise(precinct: PrecinctId, salt: u64) -> u64 {
    let mut value =
        u64::from(precinct.tile) << 48 ^ u64::from(precinct.component) << 40 ^ precinct.precinct << 24 ^ salt;
    value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// SOC, SIZ, COD and QCD: 5/3, code-blocks of 16 x 16, precincts of 32 x 32.
fn main_header(width: u32, height: u32, tile: u32) -> Vec<u8> {
    Header {
        image: [0, 0, width, height],
        tile: [0, 0, tile, tile],
        components: [1, 2, 2].map(|separation| Component::GREY.separated(separation, separation)).to_vec(),
        layers: LAYERS,
        levels: LEVELS,
        code_block: (4, 4),
        precincts: vec![0x55; 1 + usize::from(LEVELS)],
        ..Header::default()
    }
    .write()
}
