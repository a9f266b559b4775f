//! Which pages views want: geometry alone, nothing is looked up or loaded.

mod walk;

use super::page::{PageId, PageKey, PictureId, Priority};
use super::pyramid::Pyramid;
use super::view::{PlanarView, SurfaceView, View};
use crate::geometry::Rect;
use std::collections::HashMap;
use walk::Walk;

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
    pixels: [f64; 4],
    time: f64,
}

/// Selects pages, and remembers the frame before: where views move to is selected, too, and the next coarser level half a level
/// before it is drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    before: Vec<Option<Before>>,
    found: HashMap<PageKey, Chosen>,
}

/// How far ahead a moving view is followed, in seconds.
const AHEAD: f64 = 0.4;
/// What is asked for takes so long to come, in seconds: about a round trip, and what is under way already.
const ON_ITS_WAY: f64 = 0.15;
/// The next coarser level is wanted so much of a level before it is drawn.
const BEFORE: f64 = 0.5;

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
            match self.visible(pictures, views, capacity, coarser, now) {
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
        now: f64,
    ) -> Option<Selection> {
        self.found.clear();
        let mut selection = Selection { coarser, ..Selection::default() };
        for (index, view) in views.iter().enumerate() {
            match view {
                View::Planar(planar) => {
                    let Some(pyramid) = pictures.pyramid(planar.picture) else { continue };
                    let Some((reduce, texels)) = Self::planar(pyramid, planar, coarser) else {
                        continue;
                    };
                    if pyramid.page_count(reduce, pyramid.drawn(reduce, texels)) > capacity as u64 {
                        return None;
                    }
                    self.add(pyramid, planar.picture, reduce, texels, Priority::Visible);
                    let staying = pyramid.texels_under(reduce, self.staying(index, planar, now));
                    let (texels, priority) = (texels.intersect(staying), Priority::Visible);
                    selection.shown.push(Shown { picture: planar.picture, reduce, texels, priority });
                }
                View::Surface(surface) => {
                    let Some(pyramid) = pictures.pyramid(surface.picture) else { continue };
                    let mut walk = Walk { pyramid, surface, coarser, capacity, found: Vec::new() };
                    walk.whole()?;
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
                        if self.found.len() > capacity {
                            return None;
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

    /// The part of a view that it still shows when what is asked for now has come: what leaves it until then would be fetched
    /// in vain. In pixels; all of it if it stands, or has jumped.
    fn staying(&self, index: usize, view: &PlanarView, now: f64) -> [f64; 4] {
        let here = view.pixels;
        let Some(before) = self.before[index].filter(|before| before.picture == view.picture) else {
            return here;
        };
        let passed = now - before.time;
        if passed <= 0.0 || passed >= 1.0 {
            return here;
        }
        let then: [f64; 4] =
            std::array::from_fn(|edge| here[edge] + (here[edge] - before.pixels[edge]) / passed * ON_ITS_WAY);
        let both = [here[0].max(then[0]), here[1].max(then[1]), here[2].min(then[2]), here[3].min(then[3])];
        let area = |[left, top, right, bottom]: [f64; 4]| (right - left).max(0.0) * (bottom - top).max(0.0);
        if area(both) * 4.0 < area(here) { here } else { both }
    }

    /// The level of a view that lies flat, and the texels of it that are seen: the level that shaders draw from, since what is
    /// finer would be fetched and made in vain. Pages of the level before are still there if the view goes back.
    fn planar(pyramid: &Pyramid, view: &PlanarView, coarser: u32) -> Option<(u32, Rect)> {
        // `as` saturates.
        let reduce = (exact_level(view)?.floor() as u32).saturating_add(coarser).min(pyramid.coarsest());
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
            let Some((reduce, _)) = Self::planar(pyramid, view, 0) else { continue };
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
            if exact_level(view).is_some_and(|exact| exact > f64::from(reduce + 1) - BEFORE)
                && reduce < pyramid.coarsest()
            {
                add(reduce + 1, view.pixels);
            }
            let Some(before) = before else { continue };
            let (from, to, passed) = (middle(before.pixels), middle(view.pixels), now - before.time);
            let moved = [to[0] - from[0], to[1] - from[1]];
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
                .and_then(|pyramid| Self::planar(pyramid, view, 0))
                .map(|(reduce, _)| reduce);
            // Where pages were too many, the level that was wanted is what is kept.
            self.before[index] =
                level.map(|reduce| Before { picture: view.picture, reduce, pixels: view.pixels, time: now });
        }
    }
}

/// More than any picture has.
const MOST_LEVELS: u32 = 33;

fn middle([left, top, right, bottom]: [f64; 4]) -> [f64; 2] {
    [f64::midpoint(left, right), f64::midpoint(top, bottom)]
}

/// The level of which a texel is a pixel of the screen. `None` for a window that shows nothing.
fn exact_level(view: &PlanarView) -> Option<f64> {
    let [left, top, right, bottom] = view.pixels;
    let across = (right - left) / f64::from(view.viewport.width);
    let down = (bottom - top) / f64::from(view.viewport.height);
    let sound = |scale: f64| scale.is_finite() && scale > 0.0;
    // The sharper axis counts.
    (sound(across) && sound(down)).then(|| across.min(down).max(1.0).log2())
}

/// Of one level of one picture at one priority, rectangles that touch become one, and more than a few become fewer: the cost
/// is in proportion to the rectangles, and who fetches gets no long lists.
fn merge(shown: &mut Vec<Shown>) {
    let mut groups: Vec<Vec<Shown>> = Vec::new();
    let mut places = HashMap::new();
    for next in shown.drain(..) {
        let place = *places.entry((next.picture, next.reduce, next.priority)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        let group = &mut groups[place];
        let growth = |held: &Shown| {
            held.texels.union(next.texels).area().saturating_sub(held.texels.area() + next.texels.area())
        };
        let best = group.iter().enumerate().map(|(index, held)| (growth(held), index)).min();
        match best {
            Some((growth, index)) if growth == 0 || group.len() >= MOST_RECTANGLES => {
                group[index].texels = group[index].texels.union(next.texels);
            }
            _ => group.push(next),
        }
    }
    shown.extend(groups.into_iter().flatten());
}

/// Rectangles of one level of one picture that are fetched apart.
const MOST_RECTANGLES: usize = 8;

#[cfg(test)]
mod tests;
