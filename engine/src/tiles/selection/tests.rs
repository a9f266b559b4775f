#![allow(clippy::unwrap_used)]

use super::*;
use crate::codestream::header::testing::{cod, qcd, soc_siz};
use crate::data_bin::{DataBinCache, DataBinId};
use crate::geometry::Size;
use crate::image::Image;
use crate::request::DecodeRequest;
use crate::tiles::PageLayout;
use std::collections::HashSet;
use std::sync::Arc;

const PICTURE: PictureId = PictureId(0);

struct One(Pyramid);

impl Pyramids for One {
    fn pyramid(&self, picture: PictureId) -> Option<&Pyramid> {
        (picture == PICTURE).then_some(&self.0)
    }
}

fn one(area: Rect, levels: u8) -> One {
    let header = [soc_siz(area, area, &[(7, 1, 1)]), cod(0, 1, levels, (6, 6), 0, &[]), qcd(levels)];
    let mut bins = DataBinCache::new();
    bins.insert(0, DataBinId::MainHeader, 0, &header.concat(), true);
    bins.insert(0, DataBinId::Metadata(0), 0, &[], true);
    let image = Image::open_stream(Arc::new(bins)).unwrap().image().unwrap();
    One(Pyramid::new(&image, &DecodeRequest::new(), PageLayout::default()).unwrap())
}

fn window(left: f64, top: f64, scale: f64, viewport: Size) -> View {
    let size = [f64::from(viewport.width) * scale, f64::from(viewport.height) * scale];
    let pixels = [left, top, left + size[0], top + size[1]];
    View::Planar(PlanarView { picture: PICTURE, pixels, viewport })
}

const SCREEN: Size = Size::new(1280, 800);

fn levels(selection: &Selection, priority: Priority) -> HashSet<u32> {
    let pages = selection.pages.iter().filter(|page| page.priority == priority);
    pages.map(|page| page.key.page.reduce).collect()
}

#[test]
fn the_level_is_the_one_that_shaders_draw_from() {
    let one = one(Rect::new(0, 0, 1 << 20, 1 << 20), 12);
    let mut selector = Selector::default();
    let mut level = |scale: f64| {
        let selection = selector.select(&one, &[window(5000.0, 5000.0, scale, SCREEN)], 400, 0.0);
        let levels = levels(&selection, Priority::Visible);
        assert_eq!(levels.len(), 1);
        levels.into_iter().next().unwrap()
    };
    assert_eq!(level(1.0), 0);
    assert_eq!(level(1.99), 0, "never coarser than the screen");
    assert_eq!(level(2.001), 1, "and what is finer is not drawn");
    assert_eq!(level(3.99), 1);
    assert_eq!(level(2.01), 1);
    assert_eq!(level(1.99), 0, "never coarser than the screen");
    assert_eq!(level(0.01), 0);
    assert_eq!(level(1e6), 12);
}

#[test]
fn views_that_want_more_than_there_is_room_for_are_drawn_coarser() {
    let one = one(Rect::new(0, 0, 1 << 20, 1 << 20), 12);
    for capacity in [1, 2, 5, 24, 100] {
        let mut selector = Selector::default();
        let views = [
            window(100_000.0, 5000.0, 1.0, SCREEN),
            window(500_000.0, 5000.0, 4.0, SCREEN),
            View::Pages(vec![PageKey { picture: PICTURE, page: PageId { reduce: 3, x: 7, y: 9 } }]),
        ];
        let selection = selector.select(&one, &views[..capacity.min(3)], capacity, 0.0);
        assert!(selection.pages.len() <= capacity);
        assert!(!selection.pages.is_empty());
        assert_eq!(selection.coarser > 0, capacity < 100, "{capacity}: {}", selection.coarser);
    }
}

#[test]
fn a_picture_without_levels_shows_its_middle() {
    let one = one(Rect::new(0, 0, u32::MAX, u32::MAX), 0);
    let mut selector = Selector::default();
    let whole = window(0.0, 0.0, f64::from(u32::MAX) / 800.0, SCREEN);
    let selection = selector.select(&one, &[whole], 50, 0.0);
    assert!((40..=50).contains(&selection.pages.len()), "{}", selection.pages.len());
}

#[test]
fn odd_views_want_nothing() {
    let one = one(Rect::new(0, 0, 1000, 1000), 3);
    let mut selector = Selector::default();
    let nan = f64::NAN;
    let planar = |pixels, viewport| View::Planar(PlanarView { picture: PICTURE, pixels, viewport });
    let surface = |matrix, viewport| {
        let pixels = [0.0, 0.0, 1000.0, 1000.0];
        View::Surface(SurfaceView { picture: PICTURE, pixels, matrix, viewport })
    };
    let views = [
        planar([0.0, 0.0, 10.0, 10.0], Size::new(0, 10)),
        planar([0.0, 0.0, 0.0, 10.0], SCREEN),
        planar([nan, 0.0, 10.0, 10.0], SCREEN),
        planar([0.0, 0.0, f64::INFINITY, f64::INFINITY], SCREEN),
        planar([9.0, 9.0, 3.0, 3.0], SCREEN),
        planar([5000.0, 0.0, 5010.0, 10.0], SCREEN),
        surface([[nan; 4]; 4], SCREEN),
        surface([[0.0; 4]; 4], SCREEN),
        surface([[1.0, 0.0, 0.0, 0.0]; 4], Size::new(0, 0)),
        View::Pages(vec![PageKey { picture: PictureId(7), page: PageId { reduce: 0, x: 0, y: 0 } }]),
        View::Pages(vec![PageKey { picture: PICTURE, page: PageId { reduce: 9, x: 0, y: 0 } }]),
        View::Pages(vec![PageKey { picture: PICTURE, page: PageId { reduce: 0, x: u32::MAX, y: 4 } }]),
    ];
    for view in views {
        let selection = selector.select(&one, std::slice::from_ref(&view), 100, 0.0);
        assert!(selection.pages.is_empty(), "{view:?}: {:?}", selection.pages);
    }
}

#[test]
fn a_moving_view_is_followed() {
    let one = one(Rect::new(0, 0, 1 << 16, 1 << 16), 6);
    let mut selector = Selector::default();
    let mut step = |left: f64, now: f64| {
        let selection = selector.select(&one, &[window(left, 5000.0, 1.0, SCREEN)], 400, now);
        let ahead = selection.pages.iter().filter(|page| page.priority == Priority::Prefetch);
        ahead.map(|page| page.key.page.x).collect::<HashSet<u32>>()
    };
    assert!(step(5000.0, 0.0).is_empty());
    let ahead = step(5020.0, 0.02);
    assert!(!ahead.is_empty() && ahead.iter().all(|&x| x > (5020 + 1280) / 256), "{ahead:?}");
    assert!(step(5020.0, 0.04).is_empty(), "it stands");
    assert!(step(50_000.0, 30.0).is_empty(), "it was not looked at meanwhile");
}

#[test]
fn what_leaves_a_view_before_it_comes_is_not_fetched() {
    let one = one(Rect::new(0, 0, 1 << 16, 1 << 16), 6);
    let mut selector = Selector::default();
    let mut shown = |left: f64, scale: f64, now: f64| {
        let selection = selector.select(&one, &[window(left, 5000.0, scale, SCREEN)], 400, now);
        let pages = selection.pages.iter().filter(|page| page.priority == Priority::Visible).count();
        (selection.shown[0].texels, pages)
    };
    let (whole, pages) = shown(5000.0, 1.0, 0.0);
    assert_eq!(shown(5000.0, 1.0, 0.1), (whole, pages), "it stands");
    // 1000 pixels a second to the right.
    let (moving, pages) = shown(5100.0, 1.0, 0.2);
    assert_eq!(moving, Rect { x0: 5249, x1: 5100 + 1281, ..whole });
    assert!(pages >= 6 * 4, "all that is seen is drawn");
    // Into its upper left corner.
    let (zooming, _) = shown(5100.0, 0.9, 0.3);
    assert_eq!((zooming.x0, zooming.y0), (5099, 4999));
    assert!(zooming.x1 < 5100 + 1152 - 150);
    assert_eq!(shown(40_000.0, 0.9, 0.4).0.width(), 1154, "it has jumped");
    assert_eq!(shown(40_000.0, 0.9, 0.5).0.width(), 1154);
}

/// A picture of 2^16 x 2^16 pixels on a square in the plane z = 0, seen from a point above it.
fn surface(eye: [f64; 3], tilt: f64) -> SurfaceView {
    // Looking down along -z, tilted about the x axis; the square is 1 x 1 around the origin.
    let (sin, cos) = tilt.sin_cos();
    let rows = [[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]];
    let (near, far, focal) = (0.000_01, 10.0, 1.0);
    let column = |v: [f64; 3], w: f64| -> [f64; 4] {
        let p: [f64; 3] = std::array::from_fn(|row| {
            (0..3).map(|k| rows[row][k] * (v[k] - if w > 0.0 { eye[k] } else { 0.0 })).sum()
        });
        let depth = far / (near - far);
        [focal * p[0], focal * 1.6 * p[1], depth * p[2] + if w > 0.0 { depth * near } else { 0.0 }, -p[2]]
    };
    let matrix = [
        column([1.0, 0.0, 0.0], 0.0),
        column([0.0, -1.0, 0.0], 0.0),
        [0.0; 4],
        column([-0.5, 0.5, 0.0], 1.0),
    ];
    SurfaceView { picture: PICTURE, pixels: [0.0, 0.0, 65_536.0, 65_536.0], matrix, viewport: SCREEN }
}

#[test]
fn a_surface_gets_a_texel_for_each_pixel_where_it_is_seen() {
    let one = one(Rect::new(0, 0, 1 << 16, 1 << 16), 8);
    for (eye, tilt) in
        [([0.0, 0.0, 1.0], 0.0), ([0.1, 0.2, 0.05], 0.0), ([0.0, -0.3, 0.05], 1.2), ([0.0, -0.51, 0.02], 1.4)]
    {
        let view = surface(eye, tilt);
        let mut selector = Selector::default();
        let selection = selector.select(&one, &[View::Surface(view)], 4000, 0.0);
        assert_eq!(selection.coarser, 0);
        let pages: HashSet<PageId> = selection.pages.iter().map(|chosen| chosen.key.page).collect();
        let (mut seen, mut used) = (0, HashSet::new());
        for y in 0..400 {
            for x in 0..400 {
                let pixel = [f64::from(x) * 163.84 + 81.0, f64::from(y) * 163.84 + 81.0];
                let point = view.project(pixel);
                let [cx, cy, _, w] = point.clip;
                let page = (0..=8).find_map(|reduce| {
                    let side = f64::from(256u32 << reduce);
                    let page = PageId { reduce, x: (pixel[0] / side) as u32, y: (pixel[1] / side) as u32 };
                    pages.contains(&page).then_some(page)
                });
                if w > 0.0 && cx.abs() < w && cy.abs() < w {
                    seen += 1;
                    let page = page.unwrap_or_else(|| panic!("{pixel:?} is seen, and has no page"));
                    used.insert(page);
                    let texel = 2f64.powi(page.reduce as i32);
                    assert!(texel <= point.footprint.max(1.0) * 1.001, "{page:?} {}", point.footprint);
                }
            }
        }
        assert!(seen > 0 && used.len() * 4 >= pages.len() / 4, "{seen} {} of {}", used.len(), pages.len());
    }
}

#[test]
fn a_surface_through_the_eye_fits_its_room() {
    let one = one(Rect::new(0, 0, 1 << 16, 1 << 16), 8);
    for capacity in [1, 4, 30, 200] {
        let mut selector = Selector::default();
        let view = View::Surface(surface([0.0, 0.0, 0.001], 1.55));
        let selection = selector.select(&one, &[view], capacity, 0.0);
        assert!(selection.pages.len() <= capacity);
        assert!(!selection.pages.is_empty());
    }
}
