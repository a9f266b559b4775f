//! A walk down a pyramid, for a picture on a rectangle in space.

use crate::tiles::page::PageId;
use crate::tiles::pyramid::Pyramid;
use crate::tiles::view::SurfaceView;

/// A walk from the coarsest pages of a picture down to those that a surface needs.
pub(super) struct Walk<'a> {
    pub(super) pyramid: &'a Pyramid,
    pub(super) surface: &'a SurfaceView,
    pub(super) coarser: u32,
    pub(super) capacity: usize,
    /// With the distance from the middle of the screen.
    pub(super) found: Vec<(PageId, f32)>,
}

impl Walk<'_> {
    /// `None`: they are too many.
    pub(super) fn whole(&mut self) -> Option<()> {
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
