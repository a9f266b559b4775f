//! A view that moves over a picture that is all there (T1).

use super::blocks::Blocks;
use crate::flight::Camera;
use crate::mosaic_picture::MosaicPicture;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::error::ContainerError;
use wavetile_engine::tiles::{
    FrameBudget, HostAtlas, PageId, PageKey, PictureOptions, PlanarView, Pyramid, Tiles, TilesOptions, View,
};
use wavetile_engine::{Decoder, Image, Rect, Result, Size};
use wavetile_testing::mosaic::Shape;

/// What a pan took, beyond the view that it began with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PanCounts {
    /// Code-blocks decoded.
    pub blocks_decoded: u64,
    /// Code-blocks that the pages made need, and those that were there before did not.
    pub blocks_needed: u64,
    /// Texels written into the atlas, borders included.
    pub texels_written: u64,
    /// Texels of the pages that came into view.
    pub texels_of_pages: u64,
    /// Texels that came onto the screen.
    pub texels_seen: u64,
    /// Pages made.
    pub pages_made: u64,
    /// Pages that came into view.
    pub pages_seen: u64,
    /// Pages that came into the atlas, as far as they were found there.
    pub pages_known: u64,
}

impl PanCounts {
    /// Code-blocks decoded for each that was needed.
    #[must_use]
    pub fn decoded_again(&self) -> f64 {
        self.blocks_decoded as f64 / self.blocks_needed as f64
    }

    /// Texels written for each of a page that came into view.
    #[must_use]
    pub fn written(&self) -> f64 {
        self.texels_written as f64 / self.texels_of_pages as f64
    }
}

/// Pans from `start`, by so many pixels of the screen each frame.
///
/// # Errors
/// The picture cannot be opened or drawn.
pub fn pan(shape: Shape, viewport: Size, start: Camera, step: [f64; 2], frames: u32) -> Result<PanCounts> {
    let image = Image::open_stream(Arc::new(MosaicPicture::new(shape)?))?.image();
    let image = image.ok_or(ContainerError::MissingBox { kind: "jp2c" })?;
    let mut tiles = Tiles::new(&Decoder::cpu(), TilesOptions::new());
    let mut atlas = HostAtlas::new(&mut tiles, 256 << 20);
    let picture = tiles.add(&image, PictureOptions::default(), None)?;
    let blocks = Blocks::of(&image)?;
    let (mut camera, mut counts) = (start, PanCounts::default());
    let (mut made_pages, mut pages, mut seen) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut window = Rect::default();
    for frame in 0..=frames {
        let pixels = camera.pixels(viewport);
        let views = [View::Planar(PlanarView { picture, pixels, viewport })];
        let now = Duration::from_millis(16) * frame;
        loop {
            tiles.update(&views, now);
            atlas.poll(&mut tiles, FrameBudget::pages(64));
            let worked = tiles.work();
            if !worked && tiles.report().settled {
                break;
            }
        }
        let Some(pyramid) = tiles.pyramid(picture) else { break };
        let reduce = camera.reduce().min(pyramid.coarsest());
        let texels = pyramid.texels_under(reduce, pixels);
        let before = (seen.len() as u64, pages.len() as u64, made_pages.len() as u64);
        for page in pages_of(pyramid, reduce, texels) {
            if pages.insert(page) {
                counts.texels_of_pages += pyramid.texels(page).area();
            }
        }
        // Whatever else was made lies around it.
        for reduce in 0..=pyramid.coarsest() {
            for page in pages_of(pyramid, reduce, around(pyramid.texels_under(reduce, pixels), AROUND)) {
                if !made_pages.contains(&page) && atlas.page(PageKey { picture, page }).is_some() {
                    made_pages.insert(page);
                    blocks.add(pyramid, page, &mut seen);
                }
            }
        }
        counts.blocks_needed += seen.len() as u64 - before.0;
        counts.pages_seen += pages.len() as u64 - before.1;
        counts.pages_known += made_pages.len() as u64 - before.2;
        counts.texels_seen += texels.area() - texels.intersect(window).area();
        window = texels;
        let totals = tiles.report().totals;
        let made = (totals.blocks_decoded + totals.blocks_resumed, totals.texels, totals.pages_made);
        if frame == 0 {
            // What the first view took is not counted.
            counts = PanCounts::default();
            counts.start(made);
        } else if frame == frames {
            counts.end(made);
        }
        let scale = camera.zoom.exp2();
        camera.centre[0] += step[0] * scale;
        camera.centre[1] += step[1] * scale;
    }
    Ok(counts)
}

fn pages_of(pyramid: &Pyramid, reduce: u32, texels: Rect) -> impl Iterator<Item = PageId> + use<> {
    pyramid.pages(reduce, texels).into_iter().flat_map(move |(columns, rows)| {
        rows.flat_map(move |y| columns.clone().map(move |x| PageId { reduce, x, y }))
    })
}

fn around(texels: Rect, more: u32) -> Rect {
    let Rect { x0, y0, x1, y1 } = texels;
    Rect::new(
        x0.saturating_sub(more),
        y0.saturating_sub(more),
        x1.saturating_add(more),
        y1.saturating_add(more),
    )
}

/// Texels around what is seen in which pages may be made ahead.
const AROUND: u32 = 1536;

impl PanCounts {
    fn start(&mut self, (blocks, texels, pages): (u64, u64, u64)) {
        (self.blocks_decoded, self.texels_written, self.pages_made) = (blocks, texels, pages);
    }

    fn end(&mut self, (blocks, texels, pages): (u64, u64, u64)) {
        self.blocks_decoded = blocks - self.blocks_decoded;
        self.texels_written = texels - self.texels_written;
        self.pages_made = pages - self.pages_made;
    }
}
