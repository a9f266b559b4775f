//! The host's handle: what is looked at goes in, what is in the atlas comes out.

use super::finish::{Batch, FinishedPage, Finisher, HostFinisher};
use super::mailbox::{Mailbox, Orders, Standing, WorkshopTotals};
use super::making::{BlockCache, PageMaker};
use super::options::TilesOptions;
use super::page::{PageId, PageKey, PictureId, Priority};
use super::picture::{PictureOptions, TilePicture};
use super::pyramid::Pyramid;
use super::report::FrameReport;
use super::residency::Residency;
use super::selection::{Pyramids, Selection, Selector};
use super::source::{TileSource, Wake, Wish};
use super::view::View;
use super::workshop::Workshop;
use crate::cpu::CpuExecutor;
use crate::decoder::Decoder;
use crate::error::{Error, RequestError, Result};
use crate::image::Image;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wavetile_shaders::page_table::{self, PageEntry};
use wavetile_shaders::virtual_frame::{VirtualFrame, VirtualPicture};

/// Pictures as virtual textures: says which of their pages are wanted, and keeps those that are in an atlas.
///
/// Each frame, [`update`](Self::update) takes what is looked at; then the atlas, a [`HostAtlas`](super::HostAtlas) or on a
/// device a [`VirtualTexture`](super::VirtualTexture), takes the pages that are made. They are made by a thread of the tiles'
/// own ([`start`](Self::start)), or whenever the host calls [`work`](Self::work).
pub struct Tiles {
    options: TilesOptions,
    decoder: Decoder,
    mailbox: Arc<Mailbox>,
    workshop: Arc<Workshop>,
    blocks: Arc<BlockCache>,
    started: bool,
    pictures: Pictures,
    next_picture: u32,
    residency: Residency,
    selector: Selector,
    frame: u64,
    now: Duration,
    views: Vec<View>,
    views_changed: Duration,
    /// What was ordered last.
    ordered: Orders,
    order_again: bool,
    gone: Vec<PageKey>,
    standing: Standing,
    missing_since: HashMap<PageKey, Duration>,
    errors: HashMap<PictureId, Error>,
    replaced: Vec<PictureId>,
    table_changed: bool,
    report: FrameReport,
}

struct Entry {
    tile: Arc<TilePicture>,
    options: PictureOptions,
    image: Image,
}

#[derive(Default)]
struct Pictures(BTreeMap<PictureId, Entry>);

impl Pyramids for Pictures {
    fn pyramid(&self, picture: PictureId) -> Option<&Pyramid> {
        self.0.get(&picture).map(|entry| &entry.tile.pyramid)
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tiles")
            .field("options", &self.options)
            .field("pictures", &self.pictures.0.len())
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Tiles {
    /// No picture yet, and no atlas. `decoder` decodes: on its threads, and what follows the entropy decoding where it does.
    #[must_use]
    pub fn new(decoder: &Decoder, options: TilesOptions) -> Self {
        let mailbox = Arc::new(Mailbox::new(options.wake.clone()));
        let workshop = Arc::new(Workshop::new(Arc::clone(&mailbox), decoder.runner().clone()));
        Self {
            blocks: Arc::new(BlockCache::new(options.block_bytes)),
            options,
            decoder: decoder.clone(),
            mailbox,
            workshop,
            started: false,
            pictures: Pictures::default(),
            next_picture: 0,
            residency: Residency::default(),
            selector: Selector::default(),
            frame: 0,
            now: Duration::ZERO,
            views: Vec::new(),
            views_changed: Duration::ZERO,
            ordered: Orders::default(),
            order_again: false,
            gone: Vec::new(),
            standing: Standing::default(),
            missing_since: HashMap::new(),
            errors: HashMap::new(),
            replaced: Vec::new(),
            table_changed: true,
            report: FrameReport::default(),
        }
    }

    /// How it works.
    #[must_use]
    pub const fn options(&self) -> &TilesOptions {
        &self.options
    }

    /// What decodes.
    #[must_use]
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Makes pages on a thread of its own from now on, until this is dropped. Without it, [`work`](Self::work) does.
    ///
    /// # Errors
    /// The system gives no thread.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn start(&mut self) -> Result<()> {
        if !self.started {
            let workshop = Arc::clone(&self.workshop);
            std::thread::Builder::new().name("wavetile tiles".to_owned()).spawn(move || workshop.run())?;
            self.started = true;
        }
        Ok(())
    }

    /// Makes a few pages on this thread and the decoder's. False: there was nothing to do, or the atlas has not taken what was
    /// made before. For hosts that bring their own threads, and for tests that want the same each time.
    pub fn work(&self) -> bool {
        self.workshop.work()
    }

    /// Adds a picture. `source` is asked for the data of `image` as it is wanted; pictures that are all there need none.
    /// A file with several codestreams is several pictures: pictures that are added one after another have numbers one after
    /// another, so shaders take them as the layers of an array.
    ///
    /// # Errors
    /// A picture that cannot be rendered, or components that it does not have; [`RequestError::Unmet`] for more than
    /// [`Self::MOST_PICTURES`] at a time.
    pub fn add(
        &mut self,
        image: &Image,
        options: PictureOptions,
        source: Option<Arc<dyn TileSource>>,
    ) -> Result<PictureId> {
        if self.pictures.0.len() >= Self::MOST_PICTURES {
            let reason = format!("more than {} pictures at a time", Self::MOST_PICTURES);
            return Err(RequestError::Unmet(reason).into());
        }
        let id = PictureId(self.next_picture);
        let tile = self.picture(image, id, &options, source.clone(), 0, None)?;
        if let Some(source) = source {
            let mailbox = Arc::downgrade(&self.mailbox);
            let wake: Wake = Arc::new(move || {
                if let Some(mailbox) = mailbox.upgrade() {
                    mailbox.poke();
                }
            });
            source.wake_by(wake);
        }
        self.next_picture = (0..).find(|&n| n > id.0 || !self.has(n)).unwrap_or(id.0 + 1);
        self.pictures.0.insert(id, Entry { tile, options, image: image.clone() });
        self.next_picture = (0..).find(|&n| !self.has(n)).unwrap_or(0);
        self.order_again = true;
        self.table_changed = true;
        Ok(id)
    }

    /// Pictures at a time at most: shaders tell no more apart.
    pub const MOST_PICTURES: usize = 1024;

    fn has(&self, number: u32) -> bool {
        self.pictures.0.contains_key(&PictureId(number))
    }

    fn picture(
        &self,
        image: &Image,
        id: PictureId,
        options: &PictureOptions,
        source: Option<Arc<dyn TileSource>>,
        edition: u64,
        maker: Option<Arc<PageMaker>>,
    ) -> Result<Arc<TilePicture>> {
        let request = options.request.clone().format(self.options.format).region(None).reduce(0);
        let pyramid = Pyramid::new(image, &request, self.options.layout)?;
        if pyramid.level(0).is_empty() {
            return Err(RequestError::NoPixels { region: image.area(), reduce: 0 }.into());
        }
        let maker = maker.unwrap_or_else(|| {
            Arc::new(PageMaker::new(image.clone(), id.0, Arc::clone(&self.blocks)))
        });
        Ok(Arc::new(TilePicture { request, pyramid, maker, source, edition }))
    }

    /// Takes a picture out: its pages and decoded blocks go. Its number may be another's then.
    pub fn remove(&mut self, picture: PictureId) {
        if let Some(entry) = self.pictures.0.remove(&picture) {
            entry.tile.maker.forget();
            self.drop_pages(picture);
            self.errors.remove(&picture);
            self.next_picture = (0..).find(|&n| !self.has(n)).unwrap_or(0);
        }
    }

    fn drop_pages(&mut self, picture: PictureId) {
        let pages = self.residency.iter().map(|(key, _)| key).filter(|key| key.picture == picture);
        self.gone.extend(pages);
        self.residency.remove_picture(picture);
        self.missing_since.retain(|key, _| key.picture != picture);
        self.order_again = true;
        self.table_changed = true;
    }

    /// Draws a picture with other colours; nothing is decoded or made again.
    ///
    /// # Errors
    /// [`RequestError::Unmet`] if there is no such picture.
    pub fn set_shading(&mut self, picture: PictureId, change: impl FnOnce(&mut PictureOptions)) -> Result<()> {
        let entry = self.pictures.0.get_mut(&picture).ok_or_else(no_such_picture)?;
        let before = entry.options.clone();
        change(&mut entry.options);
        let wanted = std::mem::replace(&mut entry.options.request, before.request.clone());
        self.table_changed = true;
        if wanted == before.request { Ok(()) } else { self.set_request(picture, wanted) }
    }

    /// Draws other components of a picture, or fewer layers: its pages are made again, from blocks that are decoded already where
    /// they are the same.
    ///
    /// # Errors
    /// As [`add`](Self::add); and [`RequestError::Unmet`] if there is no such picture.
    pub fn set_request(&mut self, picture: PictureId, request: crate::DecodeRequest) -> Result<()> {
        let entry = self.pictures.0.get(&picture).ok_or_else(no_such_picture)?;
        let options = PictureOptions { request, ..entry.options.clone() };
        let (old, image) = (Arc::clone(&entry.tile), entry.image.clone());
        let maker = Some(Arc::clone(&old.maker));
        let tile = self.picture(&image, picture, &options, old.source.clone(), old.edition + 1, maker)?;
        if tile.pyramid != old.pyramid {
            self.drop_pages(picture);
        }
        self.pictures.0.insert(picture, Entry { tile, options, image });
        self.order_again = true;
        self.table_changed = true;
        Ok(())
    }

    /// How a picture is drawn.
    #[must_use]
    pub fn picture_options(&self, picture: PictureId) -> Option<&PictureOptions> {
        self.pictures.0.get(&picture).map(|entry| &entry.options)
    }

    /// The levels and pages of a picture.
    #[must_use]
    pub fn pyramid(&self, picture: PictureId) -> Option<&Pyramid> {
        self.pictures.pyramid(picture)
    }

    /// Bytes of decoded blocks that are kept from now on.
    pub fn set_block_bytes(&mut self, bytes: u64) {
        self.options.block_bytes = bytes;
        self.blocks.set_budget(bytes);
    }

    /// What went wrong with a picture last: its pages are not made, or not with all that has come.
    #[must_use]
    pub fn error(&self, picture: PictureId) -> Option<&Error> {
        self.errors.get(&picture)
    }

    /// Pictures that have become others where they come from. Their pages are gone: open them anew, and
    /// [`remove`](Self::remove) these.
    pub fn take_replaced(&mut self) -> Vec<PictureId> {
        std::mem::take(&mut self.replaced)
    }

    /// What the last frame found.
    #[must_use]
    pub const fn report(&self) -> &FrameReport {
        &self.report
    }

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
        let pins = self.pins(slots / 4);
        let room = slots.saturating_sub(pins.len());
        let selection = self.selector.select(&self.pictures, views, room - room / 8, now.as_secs_f64());
        self.want(&pins, &selection);
        &self.report
    }

    /// The pages of the coarsest levels of all pictures, those that are looked at first, as far as they take no more than `most`
    /// slots.
    fn pins(&self, most: usize) -> Vec<PageKey> {
        let seen: Vec<PictureId> = self.views.iter().filter_map(View::picture).collect();
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
        pins.dedup();
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
        order.sort_unstable_by(|a, b| {
            (a.0, a.1.to_bits(), a.2).cmp(&(b.0, b.1.to_bits(), b.2))
        });
        // A page that is wanted for two reasons is wanted for the more urgent one.
        let mut pages: Vec<(PageKey, Priority)> = Vec::with_capacity(order.len());
        let mut known = std::collections::HashSet::with_capacity(order.len());
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
                Some(standing) => self.residency.want(standing, self.frame),
                None => report.holes += 1,
            }
            if missing.len() > FEW && gap > STAND_IN_LEVELS {
                let mut page = key.page;
                for _ in 0..STAND_IN_LEVELS {
                    page = pyramid.parent(page).unwrap_or(page);
                }
                let stand_in = PageKey { page, ..key };
                self.residency.want(stand_in, self.frame);
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
        let of_source = |picture: PictureId| {
            self.pictures.0.get(&picture).filter(|entry| entry.tile.source.is_some())
        };
        for &pin in pins {
            let Some(entry) = of_source(pin.picture) else { continue };
            if self.residency.get(pin).is_some_and(|resident| resident.complete) || wishes.contains_key(&pin.picture) {
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

    // What atlases use.

    /// Tells the workshop what is wanted, and learns how far it is.
    pub(crate) fn exchange(&mut self) {
        if self.order_again {
            self.ordered.pictures =
                self.pictures.0.iter().map(|(&id, entry)| (id, Arc::clone(&entry.tile))).collect();
            self.mailbox.order(self.ordered.clone());
            self.order_again = false;
        }
        self.mailbox.tell_gone(&mut self.gone);
        let news = self.mailbox.take_news();
        self.standing = news.standing;
        self.report.finished = news.waiting;
        let WorkshopTotals { blocks_decoded, blocks_resumed, blocks_reused, pages_made, pages_refined } =
            news.totals;
        let totals = &mut self.report.totals;
        (totals.blocks_decoded, totals.blocks_resumed, totals.blocks_reused) =
            (blocks_decoded, blocks_resumed, blocks_reused);
        (totals.pages_made, totals.pages_refined) = (pages_made, pages_refined);
        (totals.block_bytes, totals.most_block_bytes) = (self.blocks.bytes(), self.blocks.most_bytes());
        for (picture, error) in news.errors {
            if self.pictures.0.contains_key(&picture) {
                self.errors.insert(picture, error);
            }
        }
        for picture in news.replaced {
            if self.pictures.0.contains_key(&picture) {
                self.drop_pages(picture);
                self.replaced.push(picture);
            }
        }
    }

    /// Pages that are made, to be put into the atlas.
    pub(crate) fn next_batch(&mut self) -> Option<Batch> {
        self.mailbox.take_finished()
    }

    /// The slot that a page goes to. `None`: it is not wanted any more, or a part of a page that has gone.
    pub(crate) fn place(&mut self, page: &FinishedPage) -> Option<u32> {
        let key = page.key;
        let current = self.pictures.0.get(&key.picture).is_some_and(|entry| entry.tile.edition == page.edition);
        let slot = match self.residency.get(key) {
            Some(resident) if current => Some(resident.slot),
            None if current && page.whole => self.place_new(key),
            _ => None,
        };
        match slot {
            Some(_) => self.residency.set_complete(key, page.complete),
            None => {
                self.report.totals.dropped += 1;
                if self.residency.get(key).is_none() {
                    self.gone.push(key);
                }
            }
        }
        slot
    }

    fn place_new(&mut self, key: PageKey) -> Option<u32> {
        let wanted = self.ordered.pages.iter().any(|page| page.0 == key);
        // What is not wanted any more takes no slot of what was wanted later.
        let frame = if wanted { self.frame } else { self.frame.saturating_sub(1) };
        let since = self.now.as_millis() as u32;
        let (slot, evicted) = self.residency.place(key, frame, since)?;
        if let Some(evicted) = evicted {
            self.gone.push(evicted);
            self.report.totals.evicted += 1;
        }
        self.table_changed = true;
        Some(slot)
    }

    /// Another atlas, of `slots` slots, with nothing in it: all pages are made again, for `finisher`.
    pub(crate) fn start_over(&mut self, slots: u32, finisher: Arc<dyn Finisher>) {
        self.residency.reset(slots);
        self.gone.clear();
        self.mailbox.start_over(finisher);
        self.order_again = true;
        self.table_changed = true;
    }

    /// What makes texels in host memory.
    pub(crate) fn host_finisher(&self) -> Arc<dyn Finisher> {
        let runner = self.decoder.runner().clone();
        Arc::new(HostFinisher { executor: CpuExecutor::new(runner.clone()), runner, format: self.options.format })
    }

    /// Counts what an atlas did.
    pub(crate) fn count(&mut self, texels: u64, uploaded_bytes: u64, dispatches: u64) {
        let totals = &mut self.report.totals;
        totals.texels += texels;
        totals.uploaded_bytes += uploaded_bytes;
        totals.dispatches += dispatches;
    }

    /// The page table, if it has changed since the last call. Its length is that for all slots.
    pub(crate) fn take_table(&mut self) -> Option<Vec<PageEntry>> {
        if !std::mem::take(&mut self.table_changed) {
            return None;
        }
        let length = page_table::length_for(self.residency.slots()) as usize;
        let mut table = vec![PageEntry::default(); length];
        for (PageKey { picture, page }, resident) in self.residency.iter() {
            let entry = PageEntry {
                x: page.x,
                y: page.y,
                tag: PageEntry::tag(picture.0, page.reduce),
                slot: resident.slot,
                since: resident.since,
                ..PageEntry::default()
            };
            // One that finds no place is drawn by a coarser one.
            page_table::insert(&mut table, entry);
        }
        Some(table)
    }

    /// All pictures as shaders take them, by number.
    pub(crate) fn virtual_pictures(&self) -> Vec<VirtualPicture> {
        let count = self.pictures.0.last_key_value().map_or(0, |(id, _)| id.0 as usize + 1);
        let mut pictures = vec![VirtualPicture::default(); count];
        for (id, entry) in &self.pictures.0 {
            let whole = entry.tile.pyramid.level(0);
            let nearest = if entry.options.nearest { VirtualPicture::NEAREST } else { 0 };
            pictures[id.0 as usize] = VirtualPicture {
                x0: whole.x0,
                y0: whole.y0,
                width: whole.width(),
                height: whole.height(),
                levels: entry.tile.pyramid.coarsest(),
                flags: VirtualPicture::PRESENT | nearest,
                finest: 0,
                padding: 0,
                shading: entry.options.shading,
            };
        }
        pictures
    }

    /// What all pictures share in this frame, for an atlas of so many slots a row and a layer.
    pub(crate) fn virtual_frame(&self, slots_across: u32, slots_layer: u32) -> VirtualFrame {
        let layout = self.options.layout;
        let count = self.pictures.0.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        VirtualFrame {
            now_ms: self.now.as_millis() as u32,
            fade_ms: u32::try_from(self.options.fade.as_millis()).unwrap_or(u32::MAX),
            side: layout.side(),
            border: layout.border(),
            slots_across,
            slots_layer,
            table_mask: page_table::length_for(self.residency.slots()) - 1,
            picture_count: count,
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        self.mailbox.stop();
        for entry in self.pictures.0.values() {
            if let Some(source) = &entry.tile.source {
                source.want(&[]);
            }
        }
    }
}

/// So many missing pages appear soon enough by themselves.
const FEW: usize = 8;
/// Levels between a page and what stands in for it until it is there.
const STAND_IN_LEVELS: u32 = 2;

fn no_such_picture() -> Error {
    RequestError::Unmet("there is no such picture among the tiles".to_owned()).into()
}
