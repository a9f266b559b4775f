//! Which pages views want: geometry alone, nothing is looked up or loaded.

use super::page::{PageId, PageKey, PictureId, Priority};
use super::pyramid::Pyramid;
use super::view::{PlanarView, SurfaceView, View};
use crate::geometry::Rect;
use std::collections::HashMap;

/// The pyramids of pictures, by their number.
pub(crate) trait Pyramids {
    fn pyramid(&self, picture: PictureId) -> Option<&Pyramid>;
}

/// A page that is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) key: PageKey,
    pub(crate) priority: Priority,
    /// From the middle of its view, in pages of its level: what is looked at is in the middle.
    pub(crate) distance: f32,
}

/// A rectangle of a level that a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) picture: PictureId,
    pub(crate) reduce: u32,
    pub(crate) texels: Rect,
    pub(crate) priority: Priority,
}

/// What views want.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Each page once, at its highest priority; in no order.
    pub(crate) pages: Vec<Chosen>,
    /// What is seen, for those who fetch it: visible first.
    pub(crate) shown: Vec<Shown>,
    /// Levels that all views had to be coarser than they would, so that their pages fit.
    pub(crate) coarser: u32,
}

/// What is kept of a view from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Before {
    picture: PictureId,
    reduce: u32,
    middle: [f64; 2],
    time: f64,
}

/// Selects pages, and remembers the levels of the frame before: a level is kept until another is better by half a level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    before: Vec<Option<Before>>,
    found: HashMap<PageKey, Chosen>,
}

/// How far ahead a moving view is followed, in seconds.
const AHEAD: f64 = 0.4;
/// A level is kept until the next coarser one would do by as much.
const HYSTERESIS: f64 = 0.5;

impl Selector {
    /// The pages of `views`, no more than `capacity`: where they were more, all views are drawn coarser. `now`: seconds from any
    /// moment. Pages that may be looked at soon are added as far as they leave a quarter of the capacity free.
    pub(crate) fn select(
        &mut self,
        pictures: &impl Pyramids,
        views: &[View],
        capacity: usize,
        now: f64,
    ) -> Selection {
        self.before.resize(views.len(), None);
        let mut coarser = 0;
        let mut selection = loop {
            match self.visible(pictures, views, capacity, coarser) {
                Some(selection) => break selection,
                None if coarser >= MOST_LEVELS => break self.middles(pictures, views, capacity),
                None => coarser += 1,
            }
        };
        self.prefetch(pictures, views, capacity - capacity / 4, now, &mut selection);
        self.remember(pictures, views, now);
        selection.pages = self.found.drain().map(|(_, chosen)| chosen).collect();
        selection
    }

    /// `None`: they are too many.
    fn visible(
        &mut self,
        pictures: &impl Pyramids,
        views: &[View],
        capacity: usize,
        coarser: u32,
    ) -> Option<Selection> {
        self.found.clear();
        let mut selection = Selection { coarser, ..Selection::default() };
        for (index, view) in views.iter().enumerate() {
            match view {
                View::Planar(planar) => {
                    let Some(pyramid) = pictures.pyramid(planar.picture) else { continue };
                    let Some((reduce, texels)) = self.planar(pyramid, index, planar, coarser) else {
                        continue;
                    };
                    if pyramid.page_count(reduce, pyramid.drawn(reduce, texels)) > capacity as u64 {
                        return None;
                    }
                    self.add(pyramid, planar.picture, reduce, texels, Priority::Visible);
                    let priority = Priority::Visible;
                    selection.shown.push(Shown { picture: planar.picture, reduce, texels, priority });
                }
                View::Surface(surface) => {
                    let Some(pyramid) = pictures.pyramid(surface.picture) else { continue };
                    let mut walk = Walk { pyramid, surface, coarser, capacity, found: Vec::new() };
                    walk.from_the_top()?;
                    self.add_surface(pyramid, surface, &walk.found, &mut selection);
                }
                View::Pages(pages) => {
                    for &key in pages {
                        let Some(pyramid) = pictures.pyramid(key.picture) else { continue };
                        let mut page = key.page;
                        for _ in 0..coarser {
                            page = pyramid.parent(page).unwrap_or(page);
                        }
                        let texels = pyramid.texels(page);
                        if !texels.is_empty() {
                            self.add_page(PageKey { page, ..key }, Priority::Visible, 0.0);
                            let (picture, priority) = (key.picture, Priority::Visible);
                            selection.shown.push(Shown { picture, reduce: page.reduce, texels, priority });
                        }
                    }
                }
            }
            if self.found.len() > capacity {
                return None;
            }
        }
        merge(&mut selection.shown);
        Some(selection)
    }

    /// The level of a view that lies flat, and the texels of it that are seen.
    fn planar(
        &self,
        pyramid: &Pyramid,
        index: usize,
        view: &PlanarView,
        coarser: u32,
    ) -> Option<(u32, Rect)> {
        let exact = exact_level(view)?;
        let before = self.before[index].filter(|before| before.picture == view.picture);
        let kept = before.map(|before| before.reduce).filter(|&reduce| {
            let reduce = f64::from(reduce);
            reduce <= exact && exact < reduce + 1.0 + HYSTERESIS
        });
        // `as` saturates.
        let reduce = kept.unwrap_or(exact.floor() as u32).saturating_add(coarser).min(pyramid.coarsest());
        let texels = pyramid.texels_under(reduce, view.pixels);
        (!texels.is_empty()).then_some((reduce, texels))
    }

    fn add(&mut self, pyramid: &Pyramid, picture: PictureId, reduce: u32, texels: Rect, priority: Priority) {
        let Some((columns, rows)) = pyramid.pages(reduce, pyramid.drawn(reduce, texels)) else { return };
        let middle =
            |range: &std::ops::RangeInclusive<u32>| f32::midpoint(*range.start() as f32, *range.end() as f32);
        let (across, down) = (middle(&columns), middle(&rows));
        for y in rows {
            for x in columns.clone() {
                let distance = (x as f32 - across).hypot(y as f32 - down);
                self.add_page(PageKey { picture, page: PageId { reduce, x, y } }, priority, distance);
            }
        }
    }

    fn add_page(&mut self, key: PageKey, priority: Priority, distance: f32) {
        let found = self.found.entry(key).or_insert(Chosen { key, priority, distance });
        if (priority, distance) < (found.priority, found.distance) {
            *found = Chosen { key, priority, distance };
        }
    }

    /// Each level's pages, and one rectangle around them for those who fetch.
    fn add_surface(
        &mut self,
        pyramid: &Pyramid,
        surface: &SurfaceView,
        pages: &[(PageId, f32)],
        selection: &mut Selection,
    ) {
        let seen = |reduce| pyramid.texels_under(reduce, surface.pixels);
        let mut levels: Vec<(u32, Rect)> = Vec::new();
        for &(page, distance) in pages {
            self.add_page(PageKey { picture: surface.picture, page }, Priority::Visible, distance);
            let texels = pyramid.texels(page).intersect(seen(page.reduce));
            match levels.iter_mut().find(|level| level.0 == page.reduce) {
                Some((_, around)) => *around = around.union(texels),
                None => levels.push((page.reduce, texels)),
            }
        }
        // What is coarse covers more.
        levels.sort_unstable_by_key(|level| std::cmp::Reverse(level.0));
        let shown = |(reduce, texels)| Shown {
            picture: surface.picture,
            reduce,
            texels,
            priority: Priority::Visible,
        };
        selection.shown.extend(levels.into_iter().map(shown));
    }

    /// Adds what may be looked at soon: where views move to, and the next coarser level where they are about to need it.
    fn prefetch(
        &mut self,
        pictures: &impl Pyramids,
        views: &[View],
        most: usize,
        now: f64,
        selection: &mut Selection,
    ) {
        if selection.coarser > 0 {
            return;
        }
        for (index, view) in views.iter().enumerate() {
            let View::Planar(view) = view else { continue };
            let Some(pyramid) = pictures.pyramid(view.picture) else { continue };
            let Some((reduce, _)) = self.planar(pyramid, index, view, 0) else { continue };
            let before = self.before[index].filter(|before| before.picture == view.picture);
            let mut add = |reduce: u32, pixels: [f64; 4]| {
                let texels = pyramid.texels_under(reduce, pixels);
                let more = usize::try_from(pyramid.page_count(reduce, texels)).unwrap_or(usize::MAX);
                if texels.is_empty() || self.found.len().saturating_add(more) > most {
                    return;
                }
                self.add(pyramid, view.picture, reduce, texels, Priority::Prefetch);
                let (picture, priority) = (view.picture, Priority::Prefetch);
                selection.shown.push(Shown { picture, reduce, texels, priority });
            };
            if exact_level(view).is_some_and(|exact| exact > f64::from(reduce) + HYSTERESIS)
                && reduce < pyramid.coarsest()
            {
                add(reduce + 1, view.pixels);
            }
            let Some(before) = before else { continue };
            let (middle, passed) = (middle(view), now - before.time);
            let moved = [middle[0] - before.middle[0], middle[1] - before.middle[1]];
            if passed > 0.0 && passed < 1.0 && moved != [0.0; 2] && before.reduce == reduce {
                let [left, top, right, bottom] = view.pixels;
                // Not further than the view is wide: more is a jump.
                let most = [right - left, bottom - top];
                let ahead: [f64; 2] =
                    std::array::from_fn(|axis| (moved[axis] / passed * AHEAD).clamp(-most[axis], most[axis]));
                add(reduce, [left + ahead[0], top + ahead[1], right + ahead[0], bottom + ahead[1]]);
            }
        }
    }

    /// Of pictures whose coarsest levels alone are more than fits: the middles of the views.
    fn middles(&mut self, pictures: &impl Pyramids, views: &[View], capacity: usize) -> Selection {
        self.found.clear();
        let mut selection = Selection { coarser: MOST_LEVELS, ..Selection::default() };
        let side = (capacity / views.len().max(1)).isqrt() as u32;
        for view in views {
            let (picture, pixels) = match view {
                View::Planar(view) => (view.picture, view.pixels),
                View::Surface(view) => (view.picture, view.pixels),
                View::Pages(_) => continue,
            };
            let Some(pyramid) = pictures.pyramid(picture).filter(|_| side > 0) else { continue };
            let reduce = pyramid.coarsest();
            let texels = pyramid.texels_under(reduce, pixels);
            let most = (side * pyramid.layout().side()).saturating_sub(pyramid.layout().side() - 1);
            let cut = |from: u32, to: u32| {
                let more = (to - from).saturating_sub(most);
                (from + more / 2, to - more.div_ceil(2))
            };
            let ((x0, x1), (y0, y1)) = (cut(texels.x0, texels.x1), cut(texels.y0, texels.y1));
            let texels = Rect::new(x0, y0, x1, y1);
            self.add(pyramid, picture, reduce, texels, Priority::Visible);
            selection.shown.push(Shown { picture, reduce, texels, priority: Priority::Visible });
        }
        selection
    }

    fn remember(&mut self, pictures: &impl Pyramids, views: &[View], now: f64) {
        for (index, view) in views.iter().enumerate() {
            let View::Planar(view) = view else {
                self.before[index] = None;
                continue;
            };
            let level = pictures
                .pyramid(view.picture)
                .and_then(|pyramid| self.planar(pyramid, index, view, 0))
                .map(|(reduce, _)| reduce);
            // Where pages were too many, the level that was wanted is what is kept.
            self.before[index] =
                level.map(|reduce| Before { picture: view.picture, reduce, middle: middle(view), time: now });
        }
    }
}

/// More than any picture has.
const MOST_LEVELS: u32 = 33;

fn middle(view: &PlanarView) -> [f64; 2] {
    let [left, top, right, bottom] = view.pixels;
    [f64::midpoint(left, right), f64::midpoint(top, bottom)]
}

/// The level of which a texel is a pixel of the screen. `None` for a window that shows nothing.
fn exact_level(view: &PlanarView) -> Option<f64> {
    let [left, top, right, bottom] = view.pixels;
    let across = (right - left) / f64::from(view.viewport.width);
    let down = (bottom - top) / f64::from(view.viewport.height);
    // The sharper axis counts.
    let scale = across.min(down);
    (scale.is_finite() && scale > 0.0).then(|| scale.max(1.0).log2())
}

/// What is seen of one level of one picture at one priority is one rectangle if the rectangles touch.
fn merge(shown: &mut Vec<Shown>) {
    let mut merged: Vec<Shown> = Vec::new();
    for next in shown.drain(..) {
        let alike = |held: &&mut Shown| {
            (held.picture, held.reduce, held.priority) == (next.picture, next.reduce, next.priority)
                && touch(held.texels, next.texels)
        };
        match merged.iter_mut().find(alike) {
            Some(held) => held.texels = held.texels.union(next.texels),
            None => merged.push(next),
        }
    }
    *shown = merged;
}

/// Whether the rectangle around both is not much more than both.
fn touch(one: Rect, other: Rect) -> bool {
    one.union(other).area() <= one.area().saturating_add(other.area())
}

/// A walk from the coarsest pages of a picture down to those that a surface needs.
struct Walk<'a> {
    pyramid: &'a Pyramid,
    surface: &'a SurfaceView,
    coarser: u32,
    capacity: usize,
    /// With the distance from the middle of the screen.
    found: Vec<(PageId, f32)>,
}

impl Walk<'_> {
    /// `None`: they are too many.
    fn from_the_top(&mut self) -> Option<()> {
        let viewport = self.surface.viewport;
        let [left, top, right, bottom] = self.surface.pixels;
        let sound = self.surface.matrix.iter().flatten().all(|number| number.is_finite());
        if viewport.area() == 0 || !sound || !(left < right && top < bottom) {
            return Some(());
        }
        let coarsest = self.pyramid.coarsest();
        let texels = self.pyramid.texels_under(coarsest, self.surface.pixels);
        if self.pyramid.page_count(coarsest, texels) > MOST_AT_THE_TOP {
            return None;
        }
        let Some((columns, rows)) = self.pyramid.pages(coarsest, texels) else { return Some(()) };
        for y in rows {
            for x in columns.clone() {
                self.visit(PageId { reduce: coarsest, x, y })?;
            }
        }
        Some(())
    }

    fn visit(&mut self, page: PageId) -> Option<()> {
        let (pyramid, surface) = (self.pyramid, self.surface);
        let seen = pyramid.texels(page).intersect(pyramid.texels_under(page.reduce, surface.pixels));
        if seen.is_empty() {
            return Some(());
        }
        // In pixels of full size from the picture's corner, and inside the surface.
        let scale = 2f64.powi(page.reduce as i32);
        let whole = pyramid.level(0);
        let [left, top, right, bottom] = surface.pixels;
        let pixel = |texel: u32, origin: u32, from: f64, to: f64| {
            (f64::from(texel) * scale - f64::from(origin)).clamp(from, to)
        };
        let (x0, x1) = (pixel(seen.x0, whole.x0, left, right), pixel(seen.x1, whole.x0, left, right));
        let (y0, y1) = (pixel(seen.y0, whole.y0, top, bottom), pixel(seen.y1, whole.y0, top, bottom));
        let corners = [[x0, y0], [x1, y0], [x0, y1], [x1, y1]].map(|corner| surface.project(corner));
        let middle = surface.project([f64::midpoint(x0, x1), f64::midpoint(y0, y1)]);
        // Outside one side of the frustum with all corners. Clip coordinates are linear: that is exact.
        let outside = |side: &dyn Fn([f64; 4]) -> bool| corners.iter().all(|corner| side(corner.clip));
        if outside(&|[_, _, _, w]| w <= 0.0)
            || outside(&|[x, _, _, w]| x < -w)
            || outside(&|[x, _, _, w]| x > w)
            || outside(&|[_, y, _, w]| y < -w)
            || outside(&|[_, y, _, w]| y > w)
            || outside(&|[_, _, z, _]| z < 0.0)
            || outside(&|[_, _, z, w]| z > w)
        {
            return Some(());
        }
        // The sharpest place counts. Where it reaches behind the eye, that is not known yet.
        let behind = corners.iter().any(|corner| corner.footprint.is_infinite());
        let footprints = corners.iter().chain([&middle]).map(|point| point.footprint);
        let footprint = footprints.fold(f64::INFINITY, f64::min);
        let texel = scale * 2f64.powi(-(self.coarser as i32));
        if page.reduce > self.coarser && (behind || footprint < texel) {
            return self.visit_finer(page);
        }
        let [x, y, _, w] = middle.clip;
        let distance = if w > 0.0 { (x / w).hypot(y / w) } else { 1.0 };
        self.found.push((page, distance as f32));
        (self.found.len() <= self.capacity).then_some(())
    }

    fn visit_finer(&mut self, page: PageId) -> Option<()> {
        let reduce = page.reduce - 1;
        let pages = self.pyramid.pages(reduce, self.pyramid.level(reduce));
        let Some((columns, rows)) = pages else { return Some(()) };
        let children = |at: u32, all: &std::ops::RangeInclusive<u32>| {
            // A first column that has no texel in the coarser level belongs to the next.
            let first = at.saturating_mul(2);
            let first = if first == all.start() + 1 { first - 1 } else { first };
            first.max(*all.start())..=at.saturating_mul(2).saturating_add(1).min(*all.end())
        };
        for y in children(page.y, &rows) {
            for x in children(page.x, &columns) {
                self.visit(PageId { reduce, x, y })?;
            }
        }
        Some(())
    }
}

/// A picture whose coarsest level has more pages is too large for a surface of it to be walked.
const MOST_AT_THE_TOP: u64 = 1 << 16;

#[cfg(test)]
mod tests {
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
    fn a_level_is_kept_until_another_is_better_by_half() {
        let one = one(Rect::new(0, 0, 1 << 20, 1 << 20), 12);
        let mut selector = Selector::default();
        let mut level = |scale: f64| {
            let selection = selector.select(&one, &[window(5000.0, 5000.0, scale, SCREEN)], 400, 0.0);
            let levels = levels(&selection, Priority::Visible);
            assert_eq!(levels.len(), 1);
            levels.into_iter().next().unwrap()
        };
        assert_eq!(level(1.0), 0);
        assert_eq!(level(2.5), 0, "half a level more is kept");
        assert_eq!(level(2.9), 1);
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
        for (eye, tilt) in [
            ([0.0, 0.0, 1.0], 0.0),
            ([0.1, 0.2, 0.05], 0.0),
            ([0.0, -0.3, 0.05], 1.2),
            ([0.0, -0.51, 0.02], 1.4),
        ] {
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
                        let page =
                            PageId { reduce, x: (pixel[0] / side) as u32, y: (pixel[1] / side) as u32 };
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
            assert!(
                seen > 0 && used.len() * 4 >= pages.len() / 4,
                "{seen} {} of {}",
                used.len(),
                pages.len()
            );
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
}
