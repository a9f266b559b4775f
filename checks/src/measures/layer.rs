//! A settled view for which one more layer comes (T2).

use crate::flight::Camera;
use crate::mosaic_picture::MosaicPicture;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use wavetile_engine::data_bin::{Changes, DataBinCache, DataBinId, PrecinctId};
use wavetile_engine::error::ContainerError;
use wavetile_engine::low_level::plan::reach::{GridWindow, covered_precincts};
use wavetile_engine::tiles::{
    Arrivals, FrameBudget, HostAtlas, PictureId, PictureOptions, PlanarView, TileSource, Tiles, TilesOptions,
    View, Wake, Wish,
};
use wavetile_engine::{DataBins, Decoder, Image, Rect, Result, Size};
use wavetile_transport::jpip::ServedPicture;

/// What it took to make the view as good as its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCounts {
    /// Code-blocks decoded from their first pass.
    pub decoded: u64,
    /// Code-blocks that went on from where they were.
    pub resumed: u64,
    /// Texels written into the atlas.
    pub texels: u64,
}

/// A view, the data of some layers, and the tiles made of it.
pub struct LayerStep {
    picture: Arc<MosaicPicture>,
    cache: Arc<RwLock<DataBinCache>>,
    /// What the view needs.
    precincts: Vec<PrecinctId>,
    tiles: Tiles,
    atlas: HostAtlas,
    views: [View; 1],
}

/// Bins that come as the measure says.
struct Bins(Arc<RwLock<DataBinCache>>);

impl TileSource for Bins {
    fn want(&self, _wishes: &[Wish]) {}

    fn generation(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).generation()
    }

    fn arrivals(&self, since: u64) -> Arrivals {
        match self.0.read().unwrap_or_else(PoisonError::into_inner).changes_since(since) {
            Changes::Bins(bins) if bins.is_empty() => Arrivals::Nothing,
            Changes::Bins(bins) => Arrivals::Bins(bins),
            _ => Arrivals::Anything,
        }
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn wake_by(&self, _wake: Wake) {}
}

impl LayerStep {
    /// The view of a camera, with the first `layers` layers of what it needs; nothing is made of them yet.
    ///
    /// # Errors
    /// The picture cannot be opened or drawn.
    pub fn new(picture: &Arc<MosaicPicture>, viewport: Size, camera: Camera, layers: u16) -> Result<Self> {
        let cache = Arc::new(RwLock::new(DataBinCache::new()));
        for id in crate::flight::HEADERS {
            if let Some(bin) = picture.bin(0, id)? {
                cache.write().unwrap_or_else(PoisonError::into_inner).insert(0, id, 0, &bin.bytes, true);
            }
        }
        let image =
            Image::open_stream(cache.clone())?.image().ok_or(ContainerError::MissingBox { kind: "jp2c" })?;
        let pixels = camera.pixels(viewport);
        // Whole pages are made.
        let wide = f64::from(1u32 << camera.reduce()) * 300.0;
        let region = Rect::new(
            (pixels[0] - wide).max(0.0) as u32,
            (pixels[1] - wide).max(0.0) as u32,
            (pixels[2] + wide) as u32,
            (pixels[3] + wide) as u32,
        );
        let window =
            GridWindow { region: region.intersect(image.area()), reduce: camera.reduce(), components: None };
        let tile = image.tile(0)?.tile;
        let precincts = covered_precincts(image.header(), &tile, &window)
            .into_iter()
            .map(|precinct| precinct.id)
            .collect();
        let mut tiles = Tiles::new(&Decoder::cpu(), TilesOptions::new());
        let atlas = HostAtlas::new(&mut tiles, 256 << 20);
        let source: Arc<dyn TileSource> = Arc::new(Bins(cache.clone()));
        let id: PictureId = tiles.add(&image, PictureOptions::default(), Some(source))?;
        let views = [View::Planar(PlanarView { picture: id, pixels, viewport })];
        let step = Self { picture: picture.clone(), cache, precincts, tiles, atlas, views };
        step.arrive(layers)?;
        Ok(step)
    }

    /// The data of the first `layers` layers is there.
    ///
    /// # Errors
    /// None: the picture has its packets.
    pub fn arrive(&self, layers: u16) -> Result<()> {
        let components = self.picture.header().size.components.len() as u32;
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        for &precinct in &self.precincts {
            let ends = self.picture.packet_ends(precinct)?;
            let Some(id) = precinct.in_class_id(components, 1).map(DataBinId::Precinct) else { continue };
            let held = cache.contiguous_len(0, id);
            let Some(&end) = usize::from(layers).checked_sub(1).and_then(|last| ends.get(last)) else {
                continue;
            };
            let bytes = self.picture.read_bin(id, held..end)?;
            cache.insert(0, id, held, &bytes, usize::from(layers) == ends.len());
        }
        Ok(())
    }

    /// Makes the view as good as its data.
    pub fn settle(&mut self) -> LayerCounts {
        let before = self.tiles.report().totals;
        loop {
            self.tiles.update(&self.views, Duration::ZERO);
            self.atlas.poll(&mut self.tiles, FrameBudget::pages(64));
            if !self.tiles.work() && self.tiles.report().settled {
                break;
            }
        }
        let totals = self.tiles.report().totals;
        LayerCounts {
            decoded: totals.blocks_decoded - before.blocks_decoded,
            resumed: totals.blocks_resumed - before.blocks_resumed,
            texels: totals.texels - before.texels,
        }
    }
}
