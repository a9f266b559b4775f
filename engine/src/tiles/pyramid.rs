//! Where the pages of a picture lie.

use super::page::{PageId, PageLayout};
use crate::error::{RequestError, Result};
use crate::geometry::Rect;
use crate::image::Image;
use crate::plan::Target;
use crate::request::DecodeRequest;
use std::ops::RangeInclusive;

/// The levels of a picture and their pages: geometry alone.
///
/// Texel `i` of the level of reduction `d` has its centre at `i * 2^d + 1/2` on the grid of full size, where pixel `j` covers
/// `j` to `j + 1`: a wavelet's low band keeps the samples at even coordinates (T.800 F.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pyramid {
    layout: PageLayout,
    /// Of the picture, on the reference grid.
    area: Rect,
    /// Reference grid over output grid of full size.
    spacing: (u32, u32),
    /// The picture at each reduction.
    levels: Vec<Rect>,
}

/// Texels outside the picture that repeat its edge, on each side of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) right: u32,
    pub(crate) bottom: u32,
}

impl Pyramid {
    /// The pyramid of what `request` makes of `image`, whatever its region and reduction.
    ///
    /// # Errors
    /// A picture that cannot be rendered, components that it does not have, or that have no sample.
    pub fn new(image: &Image, request: &DecodeRequest, layout: PageLayout) -> Result<Self> {
        let (components, area) = (image.components(request, Target::Rendered)?, image.area());
        let has_all = |reduce: u32| {
            components.iter().all(|&component| {
                let size = image.header().size.components[component as usize];
                !area.ceil_div(size.dx.into(), size.dy.into()).ceil_shift(reduce).is_empty()
            })
        };
        let levels: Vec<Rect> = (0..=image.levels())
            // Of a picture that begins far from the origin, a coarse level may hold no texel, or no sample of a component.
            .take_while(|&reduce| has_all(reduce))
            .map(|reduce| image.output_rect(&components, area, reduce))
            .take_while(|level| !level.is_empty())
            .collect();
        if levels.is_empty() {
            return Err(RequestError::NoPixels { region: area, reduce: 0 }.into());
        }
        Ok(Self { layout, area, spacing: image.output_spacing(&components), levels })
    }

    /// The size of its pages.
    #[must_use]
    pub const fn layout(&self) -> PageLayout {
        self.layout
    }

    /// The coarsest reduction.
    #[must_use]
    pub fn coarsest(&self) -> u32 {
        (self.levels.len() - 1) as u32
    }

    /// The picture on the output grid of a reduction; empty beyond the coarsest.
    #[must_use]
    pub fn level(&self, reduce: u32) -> Rect {
        self.levels.get(reduce as usize).copied().unwrap_or_default()
    }

    /// Texels of a page without its border, inside the picture; empty if there is no such page.
    #[must_use]
    pub fn texels(&self, page: PageId) -> Rect {
        let side = u64::from(self.layout.side());
        let span = |at: u32| (clamp(u64::from(at) * side), clamp((u64::from(at) + 1) * side));
        let ((x0, x1), (y0, y1)) = (span(page.x), span(page.y));
        Rect::new(x0, y0, x1, y1).intersect(self.level(page.reduce))
    }

    /// Texels of a page with its border, inside the picture, and how often its edge is repeated on each side to fill a slot.
    /// Right of and below a page that ends early the edge is repeated to the end of the slot.
    #[must_use]
    pub(crate) fn slot(&self, page: PageId) -> (Rect, Repeat) {
        let (side, border) = (i64::from(self.layout.side()), i64::from(self.layout.border()));
        let level = self.level(page.reduce);
        let span = |at: u32, from: u32, to: u32| {
            let (start, end) = (i64::from(at) * side - border, (i64::from(at) + 1) * side + border);
            let (first, last) = (start.max(from.into()), end.min(to.into()));
            (first as u32, last.max(first) as u32, (first - start) as u32, (end - last.max(first)) as u32)
        };
        let (x0, x1, left, right) = span(page.x, level.x0, level.x1);
        let (y0, y1, top, bottom) = span(page.y, level.y0, level.y1);
        (Rect::new(x0, y0, x1, y1), Repeat { left, top, right, bottom })
    }

    /// The region of the reference grid that gives exactly `texels` of a reduction, which lie inside its level.
    #[must_use]
    pub fn region(&self, reduce: u32, texels: Rect) -> Rect {
        let edge = |at: u32, step: u32| {
            let edge = (u128::from(at) * u128::from(step)) << reduce.min(32);
            u32::try_from(edge).unwrap_or(u32::MAX)
        };
        let (dx, dy) = self.spacing;
        Rect::new(edge(texels.x0, dx), edge(texels.y0, dy), edge(texels.x1, dx), edge(texels.y1, dy))
            .intersect(self.area)
    }

    /// Columns and rows of the pages of a reduction that `texels` meet. `None` if there are none.
    #[must_use]
    pub fn pages(&self, reduce: u32, texels: Rect) -> Option<(RangeInclusive<u32>, RangeInclusive<u32>)> {
        let texels = texels.intersect(self.level(reduce));
        let side = self.layout.side();
        (!texels.is_empty())
            .then(|| (texels.x0 / side..=(texels.x1 - 1) / side, texels.y0 / side..=(texels.y1 - 1) / side))
    }

    /// How many pages of a reduction `texels` meet.
    #[must_use]
    pub fn page_count(&self, reduce: u32, texels: Rect) -> u64 {
        let count = |range: RangeInclusive<u32>| u64::from(range.end() - range.start()) + 1;
        self.pages(reduce, texels).map_or(0, |(columns, rows)| count(columns).saturating_mul(count(rows)))
    }

    /// The page of the next coarser level that holds the texels at the middle of a page; `None` above the coarsest.
    #[must_use]
    pub fn parent(&self, page: PageId) -> Option<PageId> {
        let parent = page.parent();
        let (columns, rows) = self.pages(parent.reduce, self.level(parent.reduce))?;
        // The first column of a level may have no texel of its own in the next.
        Some(PageId {
            x: parent.x.clamp(*columns.start(), *columns.end()),
            y: parent.y.clamp(*rows.start(), *rows.end()),
            ..parent
        })
    }

    /// The texels of a reduction that filtering reads where a rectangle of the picture is drawn: in pixels of full size from
    /// its top left corner, x0, y0, x1, y1. Inside the level; empty if the rectangle lies outside, or is none.
    #[must_use]
    pub fn texels_under(&self, reduce: u32, pixels: [f64; 4]) -> Rect {
        let (whole, level) = (self.level(0), self.level(reduce));
        let [x0, y0, x1, y1] = pixels;
        let (width, height) = (f64::from(whole.width()), f64::from(whole.height()));
        if !(x0 < x1 && y0 < y1 && x0 < width && y0 < height && x1 > 0.0 && y1 > 0.0) || level.is_empty() {
            return Rect::default();
        }
        let scale = 2f64.powi(-(reduce as i32));
        let span = |from: f64, to: f64, origin: u32, length: f64, first: u32, end: u32| {
            let texel = |pixel: f64| (pixel.clamp(0.0, length) + f64::from(origin) - 0.5) * scale + 0.5;
            // `as` saturates.
            let start = ((texel(from) - 0.5).floor().max(0.0) as u32).clamp(first, end - 1);
            let stop = ((texel(to) + 0.5).ceil() as u32).clamp(start + 1, end);
            (start, stop)
        };
        let (left, right) = span(x0, x1, whole.x0, width, level.x0, level.x1);
        let (top, bottom) = span(y0, y1, whole.y0, height, level.y0, level.y1);
        Rect::new(left, top, right, bottom)
    }

    /// Of the texels that filtering reads, those whose pages are drawn from: a place between two texels is drawn from the page of
    /// the first, whose border has the second.
    #[must_use]
    pub(crate) fn drawn(&self, reduce: u32, read: Rect) -> Rect {
        let level = self.level(reduce);
        let less = |from: u32, to: u32, end: u32| if to < end && to > from + 1 { to - 1 } else { to };
        Rect { x1: less(read.x0, read.x1, level.x1), y1: less(read.y0, read.y1, level.y1), ..read }
    }
}

fn clamp(coordinate: u64) -> u32 {
    u32::try_from(coordinate).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::codestream::header::testing::{cod, qcd, soc_siz};
    use crate::data_bin::{DataBinCache, DataBinId};
    use crate::plan::output_grid::output_rect;
    use std::sync::Arc;

    /// The headers of a picture of two components, the second with half the columns.
    fn image(area: Rect, levels: u8) -> Image {
        let header =
            [soc_siz(area, area, &[(7, 1, 1), (7, 2, 1)]), cod(0, 1, levels, (6, 6), 0, &[]), qcd(levels)];
        let mut bins = DataBinCache::new();
        bins.insert(0, DataBinId::MainHeader, 0, &header.concat(), true);
        bins.insert(0, DataBinId::Metadata(0), 0, &[], true);
        Image::open_stream(Arc::new(bins)).unwrap().image().unwrap()
    }

    fn pyramid(area: Rect, levels: u8, component: u32) -> (Image, Pyramid) {
        let image = image(area, levels);
        let request = DecodeRequest::new().components(vec![component]);
        let pyramid = Pyramid::new(&image, &request, PageLayout::new(128, 4).unwrap()).unwrap();
        (image, pyramid)
    }

    #[test]
    fn pages_of_a_level_cover_it_once() {
        let (_, pyramid) = pyramid(Rect::new(1000, 3, 2777, 900), 4, 0);
        assert_eq!(pyramid.coarsest(), 4);
        for reduce in 0..=4 {
            let level = pyramid.level(reduce);
            let (columns, rows) = pyramid.pages(reduce, level).unwrap();
            let pages = rows.flat_map(|y| columns.clone().map(move |x| PageId { reduce, x, y }));
            let (mut area, mut count) = (0, 0);
            for page in pages {
                let texels = pyramid.texels(page);
                assert!(!texels.is_empty() && level.contains(texels));
                area += texels.area();
                count += 1;
                let (slot, repeat) = pyramid.slot(page);
                assert!(slot.contains(texels) && level.contains(slot));
                assert_eq!(slot.width() + repeat.left + repeat.right, 136);
                assert_eq!(slot.height() + repeat.top + repeat.bottom, 136);
                if let Some(parent) = pyramid.parent(page) {
                    assert!(!pyramid.texels(parent).is_empty());
                }
            }
            assert_eq!(area, level.area());
            assert_eq!(pyramid.page_count(reduce, level), count);
        }
        assert_eq!(pyramid.pages(5, Rect::new(0, 0, 10, 10)), None);
    }

    #[test]
    fn a_region_gives_exactly_its_texels() {
        for component in [0, 1] {
            let (image, pyramid) = pyramid(Rect::new(1000, 3, 2777, 900), 4, component);
            for reduce in 0..=4 {
                let level = pyramid.level(reduce);
                let inner = Rect::new(level.x0 + 3, level.y0 + 1, level.x1 - 2, level.y1 - 5);
                for texels in [level, inner, Rect { x1: level.x1, ..inner }, Rect { y0: level.y0, ..inner }] {
                    let region = pyramid.region(reduce, texels);
                    assert_eq!(output_rect(image.header(), &[component], region, reduce), texels);
                }
            }
        }
    }

    #[test]
    fn a_level_has_samples_of_all_components() {
        // At 1/32 the second component has no column.
        let image = image(Rect::new(1, 0, 35, 33), 5);
        let coarsest = |components: &[u32]| {
            let request = DecodeRequest::new().components(components.to_vec());
            Pyramid::new(&image, &request, PageLayout::default()).unwrap().coarsest()
        };
        assert_eq!((coarsest(&[0]), coarsest(&[0, 1])), (5, 4));
    }

    #[test]
    fn texels_under_a_window_are_those_that_filtering_reads() {
        let (_, pyramid) = pyramid(Rect::new(0, 0, 1024, 1024), 4, 0);
        assert_eq!(pyramid.texels_under(0, [10.0, 20.0, 12.0, 21.0]), Rect::new(9, 19, 13, 22));
        // Texel i of 1/4 has its centre at 4 i + 1/2.
        assert_eq!(pyramid.texels_under(2, [8.5, 8.5, 12.5, 12.5]), Rect::new(2, 2, 4, 4));
        assert_eq!(pyramid.texels_under(2, [8.6, 8.4, 12.6, 12.4]), Rect::new(2, 1, 5, 4));
        assert_eq!(pyramid.texels_under(0, [-1e30, -1e30, 1e30, 1e30]), pyramid.level(0));
        for nothing in
            [[0.0, 0.0, 0.0, 5.0], [1024.0, 0.0, 2000.0, 5.0], [-9.0, 0.0, 0.0, 5.0], [f64::NAN; 4]]
        {
            assert!(pyramid.texels_under(1, nothing).is_empty());
        }
    }
}
