//! A picture among tiles, an atlas in host memory, and a clock that the test moves.

use std::path::Path;
use std::time::Duration;
use wavetile_engine::tiles::{
    FrameBudget, FrameReport, HostAtlas, PageId, PageKey, PictureId, PlanarView, Tiles, TilesOptions, View,
};
use wavetile_engine::{DecodeRequest, Decoder, Image, Size};

/// 8192 x 8192 pixels, high throughput, 7 levels.
pub(crate) fn mandelbrot() -> Image {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../program/assets/mandelbrot.jp2");
    Image::open_file(path).unwrap()
}

pub(crate) struct Rig {
    pub(crate) tiles: Tiles,
    pub(crate) atlas: HostAtlas,
    pub(crate) now: Duration,
}

impl Rig {
    pub(crate) fn new(options: TilesOptions, atlas_bytes: u64) -> Self {
        let mut tiles = Tiles::new(&Decoder::cpu(), options);
        let atlas = HostAtlas::new(&mut tiles, atlas_bytes);
        Self { tiles, atlas, now: Duration::ZERO }
    }

    /// One frame, 10 ms after the one before.
    pub(crate) fn frame(&mut self, views: &[View]) -> FrameReport {
        self.now += Duration::from_millis(10);
        self.tiles.update(views, self.now);
        self.atlas.poll(&mut self.tiles, FrameBudget::default());
        while self.tiles.work() {
            self.atlas.poll(&mut self.tiles, FrameBudget::default());
        }
        *self.tiles.report()
    }

    /// Frames until all is settled.
    pub(crate) fn settle(&mut self, views: &[View]) -> FrameReport {
        for _ in 0..20 {
            let report = self.frame(views);
            if report.settled {
                return report;
            }
        }
        panic!("it does not settle: {:?}", self.tiles.report());
    }

    /// A resident page is what a decode of its texels gives, and its border is its neighbours'.
    pub(crate) fn check_page(&self, image: &Image, request: &DecodeRequest, key: PageKey) {
        let layout = self.tiles.options().layout;
        let format = self.tiles.options().format;
        let pyramid = self.tiles.pyramid(key.picture).unwrap();
        let level = pyramid.level(key.page.reduce);
        let page = self.atlas.page(key).unwrap_or_else(|| panic!("{key:?} is not resident"));
        let request = request.clone().reduce(key.page.reduce).format(format);
        let (side, border) = (i64::from(layout.slot_side()), i64::from(layout.border()));
        let texel = format.bytes() as usize;
        // The window that has all of the page's texels, and the place of the page in it.
        let (x0, y0) = (
            i64::from(key.page.x) * i64::from(layout.side()) - border,
            i64::from(key.page.y) * i64::from(layout.side()) - border,
        );
        let clip = |at: i64, from: u32, to: u32| at.clamp(from.into(), i64::from(to) - 1);
        let window = wavetile_engine::Rect::new(
            clip(x0, level.x0, level.x1) as u32,
            clip(y0, level.y0, level.y1) as u32,
            clip(x0 + side - 1, level.x0, level.x1) as u32 + 1,
            clip(y0 + side - 1, level.y0, level.y1) as u32 + 1,
        );
        let region = pyramid.region(key.page.reduce, window);
        let (picture, _) = Decoder::cpu().render(image, &request.region(region)).unwrap();
        assert_eq!(picture.size, window.size());
        for y in 0..side {
            for x in 0..side {
                let sx = clip(x0 + x, window.x0, window.x1) - i64::from(window.x0);
                let sy = clip(y0 + y, window.y0, window.y1) - i64::from(window.y0);
                let expected = (sy * i64::from(window.width()) + sx) as usize * texel;
                let got = (y * side + x) as usize * texel;
                assert_eq!(
                    page[got..got + texel],
                    picture.bytes[expected..expected + texel],
                    "texel {x}, {y} of {key:?}"
                );
            }
        }
    }
}

/// A window with its upper left corner at a pixel, `scale` pixels of the picture for one of the screen.
pub(crate) fn window(picture: PictureId, left: f64, top: f64, scale: f64, viewport: Size) -> View {
    let (width, height) = (f64::from(viewport.width) * scale, f64::from(viewport.height) * scale);
    View::Planar(PlanarView { picture, pixels: [left, top, left + width, top + height], viewport })
}

pub(crate) fn page(picture: PictureId, reduce: u32, x: u32, y: u32) -> PageKey {
    PageKey { picture, page: PageId { reduce, x, y } }
}
