//! A frame: compares what is wanted with what is there. Nothing is waited for.

use super::handle::Tiles;
use super::page::{PageId, PageKey, PictureId, Priority};
use super::report::FrameReport;
use super::selection::{Pyramids, Selection};
use super::source::Wish;
use super::view::View;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// So many missing pages appear soon enough by themselves.
const FEW: usize = 8;
/// Levels between a page and what stands in for it until it is there.
const STAND_IN_LEVELS: u32 = 2;

impl Tiles {
    /// Takes what is looked at at time `now` (from any fixed moment), and finds which pages are wanted. Looks nothing up but in
    /// memory, touches no device and waits for nothing.
    pub fn update(&mut self, views: &[View], now: Duration) -> &FrameReport {
        self.frame += 1;
        self.now = now;
        if self.views != views {
            self.views = views.to_vec();
            self.views_changed = now;
            self.report.settled_after = None;
        }
        let slots = self.residency.slots() as usize;
        let pins = self.pins((slots / 4).max(1));
        let room = slots.saturating_sub(pins.len());
        let selection = self.selector.select(&self.pictures, views, room - room / 8, now.as_secs_f64());
        self.want(&pins, &selection);
        &self.report
    }

    /// The pages of the coarsest levels of all pictures, those that are looked at first, as far as they take no more than `most`
    /// slots.
    fn pins(&self, most: usize) -> Vec<PageKey> {
        let mut seen: Vec<PictureId> = Vec::new();
        for picture in self.views.iter().filter_map(View::picture) {
            if !seen.contains(&picture) {
                seen.push(picture);
            }
        }
        let mut pins = Vec::new();
        let looked_at = seen.iter().copied();
        let others = self.pictures.0.keys().copied().filter(|picture| !seen.contains(picture));
        for picture in looked_at.chain(others) {
            let Some(pyramid) = self.pictures.pyramid(picture) else { continue };
            let (reduce, level) = (pyramid.coarsest(), pyramid.level(pyramid.coarsest()));
            if pins.len() as u64 + pyramid.page_count(reduce, level) > most as u64 {
                continue;
            }
            let Some((columns, rows)) = pyramid.pages(reduce, level) else { continue };
            for y in rows {
                pins.extend(columns.clone().map(|x| PageKey { picture, page: PageId { reduce, x, y } }));
            }
        }
        pins
    }

    /// Compares what is wanted with what is there.
    fn want(&mut self, pins: &[PageKey], selection: &Selection) {
        let frame = self.frame;
        let mut report = FrameReport {
            coarser: selection.coarser,
            slots: self.residency.slots() as usize,
            used: self.residency.len(),
            settled_after: self.report.settled_after,
            finished: self.report.finished,
            totals: self.report.totals,
            ..FrameReport::default()
        };
        let mut order: Vec<(u8, f32, PageKey, Priority)> = Vec::new();
        for &key in pins {
            self.residency.want(key, frame);
            order.push((0, 0.0, key, Priority::Visible));
        }
        let mut missing = Vec::new();
        for chosen in &selection.pages {
            let key = chosen.key;
            self.residency.want(key, frame);
            let rank = if chosen.priority == Priority::Visible { 2 } else { 3 };
            order.push((rank, chosen.distance, key, chosen.priority));
            if chosen.priority != Priority::Visible {
                continue;
            }
            report.visible += 1;
            match self.residency.get(key) {
                Some(resident) => {
                    report.resident += 1;
                    report.complete += usize::from(resident.complete);
                }
                None => missing.push(key),
            }
        }
        report.missing = missing.len();
        self.stand_in(&missing, &mut order, &mut report);
        self.age(&missing, &mut report);
        order.sort_unstable_by_key(|&(rank, distance, key, _)| (rank, distance.to_bits(), key));
        // A page that is wanted for two reasons is wanted for the more urgent one.
        let mut pages: Vec<(PageKey, Priority)> = Vec::with_capacity(order.len());
        let mut known = HashSet::with_capacity(order.len());
        for (_, _, key, priority) in order {
            if known.insert(key) {
                pages.push((key, priority));
            }
        }
        report.besides = pages.len() - report.visible;
        let wishes = self.wishes(pins, selection);
        let changed = self.order_again || pages != self.ordered.pages || wishes != self.ordered.wishes;
        if changed {
            self.ordered.version += 1;
            self.ordered.pages = pages;
            self.ordered.wishes = wishes;
        }
        self.order_again = changed;
        let stands = !changed && self.standing.version == self.ordered.version;
        report.queued = if stands { self.standing.pending } else { self.ordered.pages.len() };
        report.settled =
            stands && self.standing.visible_pending == 0 && !self.standing.busy && report.finished == 0;
        if report.settled && report.settled_after.is_none() {
            report.settled_after = Some(self.now.saturating_sub(self.views_changed));
        }
        self.report = report;
    }

    /// Keeps what stands in for missing pages. Where much is missing, coarser pages are ordered that show it sooner.
    fn stand_in(
        &mut self,
        missing: &[PageKey],
        order: &mut Vec<(u8, f32, PageKey, Priority)>,
        report: &mut FrameReport,
    ) {
        for &key in missing {
            let Some(pyramid) = self.pictures.pyramid(key.picture) else { continue };
            let mut page = key.page;
            let mut standing = None;
            while let Some(parent) = pyramid.parent(page) {
                page = parent;
                let parent = PageKey { page, ..key };
                if self.residency.get(parent).is_some() {
                    standing = Some(parent);
                    break;
                }
            }
            let gap = page.reduce - key.page.reduce;
            match standing {
                // It gives way to what it stands in for.
                Some(standing) => self.residency.want(standing, self.frame - 1),
                None => report.holes += 1,
            }
            if missing.len() > FEW && gap > STAND_IN_LEVELS {
                let mut page = key.page;
                for _ in 0..STAND_IN_LEVELS {
                    page = pyramid.parent(page).unwrap_or(page);
                }
                let stand_in = PageKey { page, ..key };
                self.residency.want(stand_in, self.frame - 1);
                order.push((1, 0.0, stand_in, Priority::Visible));
            }
        }
    }

    /// For how long pages have been missing.
    fn age(&mut self, missing: &[PageKey], report: &mut FrameReport) {
        let now = self.now;
        let before = std::mem::take(&mut self.missing_since);
        for &key in missing {
            let since = before.get(&key).copied().unwrap_or(now);
            report.oldest = report.oldest.max(now.saturating_sub(since));
            self.missing_since.insert(key, since);
        }
    }

    /// What sources are to bring: the coarsest level of what is looked at, then what is seen.
    fn wishes(&self, pins: &[PageKey], selection: &Selection) -> HashMap<PictureId, Vec<Wish>> {
        let mut wishes: HashMap<PictureId, Vec<Wish>> = HashMap::new();
        let of_source =
            |picture: PictureId| self.pictures.0.get(&picture).filter(|entry| entry.tile.source.is_some());
        for &pin in pins {
            let Some(entry) = of_source(pin.picture) else { continue };
            if self.residency.get(pin).is_some_and(|resident| resident.complete)
                || wishes.contains_key(&pin.picture)
            {
                continue;
            }
            let request = entry.tile.request.clone().reduce(pin.page.reduce).region(entry.image.area());
            wishes.insert(pin.picture, vec![Wish { request, priority: Priority::Visible }]);
        }
        for priority in [Priority::Visible, Priority::Prefetch] {
            for shown in selection.shown.iter().filter(|shown| shown.priority == priority) {
                let Some(entry) = of_source(shown.picture) else { continue };
                let region = entry.tile.pyramid.region(shown.reduce, shown.texels);
                let request = entry.tile.request.clone().reduce(shown.reduce).region(region);
                wishes.entry(shown.picture).or_default().push(Wish { request, priority });
            }
        }
        wishes
    }
}
