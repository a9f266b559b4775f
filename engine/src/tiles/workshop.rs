//! Where pages are made: takes orders, asks sources, prepares pages, finishes them. It runs on a thread of its own, or whenever
//! the host says.

use super::finish::{Batch, FinishedPage, Finisher, SlotRect};
use super::mailbox::{Instructions, Mailbox, Orders, Standing};
use super::making::{PageParts, PageRequest, PreparedPage};
use super::page::{PageKey, PictureId, Priority};
use super::picture::TilePicture;
use super::source::Arrivals;
use crate::data_bin::DataBinId;
use crate::error::{Error, Result};
use crate::plan::Coverage;
use crate::runner::ParallelRunner;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Workshop {
    mailbox: Arc<Mailbox>,
    runner: Arc<dyn ParallelRunner>,
    bench: Mutex<Bench>,
}

/// What is kept from batch to batch.
#[derive(Default)]
struct Bench {
    orders: Arc<Orders>,
    records: HashMap<PageKey, Record>,
    /// Pages by the bins that they depend on.
    readers: HashMap<(PictureId, u32, DataBinId), HashSet<PageKey>>,
    /// What has been seen of the source of each picture, by its serial.
    generations: HashMap<u32, u64>,
    /// Serials of pictures that have become others: nothing is made of them any more.
    replaced: HashSet<u32>,
    finisher: Option<Arc<dyn Finisher>>,
}

/// What was made of a page.
struct Record {
    /// Of the picture, when it was made.
    edition: u64,
    outcome: Outcome,
    parts: PageParts,
    /// Bytes that it depends on have come since.
    stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is in the atlas, or on its way there.
    Made,
    /// There is nothing of its own level yet; a coarser page does as well.
    Waiting,
    /// It cannot be made of what is there.
    Failed,
}

/// A page to be made.
struct Job {
    key: PageKey,
    picture: Arc<TilePicture>,
    request: PageRequest,
    place: SlotRect,
    whole: bool,
}

/// Pages that are made together: few, so that those that are more urgent by then do not wait for long.
const BATCH: usize = 6;

impl Workshop {
    pub(crate) fn new(mailbox: Arc<Mailbox>, runner: Arc<dyn ParallelRunner>) -> Self {
        Self { mailbox, runner, bench: Mutex::default() }
    }

    /// Makes a few pages on this thread and the runner's. False: there is nothing to do, or no room for what would be made.
    pub(crate) fn work(&self) -> bool {
        let mut bench = self.bench.lock().unwrap_or_else(PoisonError::into_inner);
        let instructions = self.mailbox.instructions();
        let edition = instructions.edition;
        bench.take(instructions);
        bench.look_at_sources(&self.mailbox);
        let Some(finisher) = bench.finisher.clone() else { return false };
        let full = self.mailbox.is_full();
        let jobs = if full { Vec::new() } else { bench.choose(&self.mailbox) };
        let worked = !jobs.is_empty();
        if worked {
            let pages = self.prepare(&mut bench, jobs);
            self.finish(&mut bench, edition, &*finisher, pages);
        }
        self.mailbox.stand(bench.standing());
        worked
    }

    /// Prepares pages, those of each picture together.
    fn prepare(&self, bench: &mut Bench, jobs: Vec<Job>) -> Vec<(FinishedPage, PreparedPage)> {
        let mut jobs = VecDeque::from(jobs);
        let mut ready = Vec::new();
        while let Some(picture) = jobs.front().map(|job| Arc::clone(&job.picture)) {
            let (mine, others): (Vec<Job>, Vec<Job>) =
                jobs.into_iter().partition(|job| Arc::ptr_eq(&job.picture, &picture));
            jobs = others.into();
            let requests: Vec<PageRequest> = mine.iter().map(|job| job.request.clone()).collect();
            let prepared = picture.maker.prepare(&requests, &*self.runner);
            for (job, result) in mine.into_iter().zip(prepared) {
                if let Ok(page) = &result {
                    self.mailbox.tell(|news| {
                        news.totals.blocks_decoded += page.decoded;
                        news.totals.blocks_reused += page.reused;
                        news.totals.blocks_resumed += page.resumed;
                        if job.whole {
                            news.totals.pages_made += 1;
                        } else {
                            news.totals.pages_refined += 1;
                        }
                    });
                }
                ready.extend(bench.record(&self.mailbox, job, result));
            }
        }
        ready
    }

    fn finish(
        &self,
        bench: &mut Bench,
        edition: u64,
        finisher: &dyn Finisher,
        pages: Vec<(FinishedPage, PreparedPage)>,
    ) {
        if pages.is_empty() {
            return;
        }
        let (pages, prepared): (Vec<FinishedPage>, Vec<_>) =
            pages.into_iter().map(|(page, prepared)| (page, (page.place, prepared))).unzip();
        match finisher.finish(prepared) {
            Ok(made) => self.mailbox.finish(edition, Batch { pages, made }),
            Err(error) => {
                // The device is at fault; when there is another, all is made anew.
                for page in &pages {
                    bench.forget(page.key);
                    let error = error.clone().into();
                    self.mailbox.tell(|news| news.errors.push((page.key.picture, error)));
                }
                bench.finisher = None;
            }
        }
    }

    /// Works whenever there is something to do, until the mailbox is stopped.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn run(&self) {
        while self.mailbox.bell().wait() {
            while self.work() {}
        }
    }
}

impl Bench {
    fn take(&mut self, instructions: Instructions) {
        let Instructions { orders, gone, start_over, finisher, .. } = instructions;
        if start_over {
            self.records.clear();
            self.readers.clear();
            self.finisher = finisher;
        }
        for key in gone {
            self.forget(key);
        }
        if orders.version != self.orders.version {
            self.take_orders(orders);
        }
    }

    fn take_orders(&mut self, orders: Arc<Orders>) {
        let wanted: HashSet<PageKey> = orders.pages.iter().map(|page| page.0).collect();
        let old: Vec<PageKey> = self
            .records
            .iter()
            .filter(|(key, record)| {
                let picture = orders.pictures.get(&key.picture);
                let changed = picture.is_none_or(|picture| picture.edition != record.edition);
                changed || (record.outcome != Outcome::Made && !wanted.contains(key))
            })
            .map(|(&key, _)| key)
            .collect();
        old.into_iter().for_each(|key| self.forget(key));
        // A number may be another picture's by now.
        let same = |one: &Orders, id: &PictureId, serial: u32| {
            one.pictures.get(id).is_some_and(|picture| picture.serial == serial)
        };
        let wishes = |of: &'_ Orders, id: &PictureId| of.wishes.get(id).cloned().unwrap_or_default();
        for (id, picture) in &orders.pictures {
            let Some(source) = &picture.source else { continue };
            let known = same(&self.orders, id, picture.serial);
            let before = if known { wishes(&self.orders, id) } else { Vec::new() };
            let now = wishes(&orders, id);
            if now != before {
                source.want(&now);
            }
        }
        for (id, picture) in &self.orders.pictures {
            if let Some(source) = picture.source.as_ref().filter(|_| !same(&orders, id, picture.serial)) {
                source.want(&[]);
            }
        }
        let serials: HashSet<u32> = orders.pictures.values().map(|picture| picture.serial).collect();
        self.generations.retain(|serial, _| serials.contains(serial));
        self.replaced.retain(|serial| serials.contains(serial));
        self.orders = orders;
    }

    /// Finds out what has come, and which pages it makes stale.
    fn look_at_sources(&mut self, mailbox: &Mailbox) {
        let orders = Arc::clone(&self.orders);
        for (&id, picture) in &orders.pictures {
            let Some(source) = &picture.source else { continue };
            let generation = source.generation();
            let before = self.generations.insert(picture.serial, generation).unwrap_or(0);
            if generation == before || self.replaced.contains(&picture.serial) {
                continue;
            }
            // Whatever it is may mend what could not be made.
            let failed = self
                .records
                .iter_mut()
                .filter(|(key, record)| key.picture == id && record.outcome == Outcome::Failed);
            failed.for_each(|(_, record)| record.stale = true);
            match source.arrivals(before) {
                Arrivals::Nothing => {}
                Arrivals::Bins(bins) => {
                    for (codestream, bin) in bins {
                        self.arrived(id, codestream, bin);
                    }
                }
                Arrivals::Anything => self.all_stale(id),
                Arrivals::Replaced => {
                    picture.maker.forget();
                    let pages = self.records.keys().copied().filter(|key| key.picture == id);
                    let pages: Vec<PageKey> = pages.collect();
                    pages.into_iter().for_each(|key| self.forget(key));
                    self.replaced.insert(picture.serial);
                    mailbox.tell(|news| news.replaced.push((id, picture.serial)));
                }
            }
        }
    }

    fn arrived(&mut self, picture: PictureId, codestream: u32, bin: DataBinId) {
        if !matches!(bin, DataBinId::Precinct(_) | DataBinId::TileHeader(_)) {
            return;
        }
        for key in self.readers.get(&(picture, codestream, bin)).into_iter().flatten() {
            if let Some(record) = self.records.get_mut(key) {
                record.stale = true;
            }
        }
    }

    fn all_stale(&mut self, picture: PictureId) {
        let records = self.records.iter_mut().filter(|(key, _)| key.picture == picture);
        records.for_each(|(_, record)| record.stale = true);
    }

    fn forget(&mut self, key: PageKey) {
        if let Some(record) = self.records.remove(&key) {
            self.unread(key, &record.parts);
        }
    }

    fn unread(&mut self, key: PageKey, parts: &PageParts) {
        for &(codestream, bin) in parts.bins() {
            let place = (key.picture, codestream, bin);
            if let Some(readers) = self.readers.get_mut(&place) {
                readers.remove(&key);
                if readers.is_empty() {
                    self.readers.remove(&place);
                }
            }
        }
    }

    fn keep(&mut self, key: PageKey, record: Record) {
        if let Some(old) = self.records.remove(&key) {
            self.unread(key, &old.parts);
        }
        for &(codestream, bin) in record.parts.bins() {
            self.readers.entry((key.picture, codestream, bin)).or_default().insert(key);
        }
        self.records.insert(key, record);
    }

    /// The next pages to make: the most urgent of those that are not there, or not with all that has come.
    fn choose(&mut self, mailbox: &Mailbox) -> Vec<Job> {
        let orders = Arc::clone(&self.orders);
        let mut jobs: Vec<Job> = Vec::new();
        for &(key, _) in &orders.pages {
            if jobs.len() >= BATCH {
                break;
            }
            let Some(picture) = orders.pictures.get(&key.picture) else { continue };
            if self.replaced.contains(&picture.serial) {
                continue;
            }
            let mut key = key;
            // Where a page has nothing of its own yet, the coarser one does.
            loop {
                if jobs.iter().any(|job| job.key == key) {
                    break;
                }
                if let Some(job) = self.job(mailbox, picture, key) {
                    jobs.push(job);
                    break;
                }
                let waiting = self.records.get(&key).is_some_and(|record| record.outcome == Outcome::Waiting);
                match picture.pyramid.parent(key.page).filter(|_| waiting) {
                    Some(parent) => key.page = parent,
                    None => break,
                }
            }
        }
        jobs
    }

    /// What is to be done for a page, if anything.
    fn job(&mut self, mailbox: &Mailbox, picture: &Arc<TilePicture>, key: PageKey) -> Option<Job> {
        let whole = picture.page(key.page)?;
        let job =
            |request, place, whole| Some(Job { key, picture: Arc::clone(picture), request, place, whole });
        let Some(record) = self.records.get_mut(&key) else { return job(whole.0, whole.1, true) };
        if !std::mem::take(&mut record.stale) {
            return None;
        }
        if record.outcome != Outcome::Made {
            return job(whole.0, whole.1, true);
        }
        match picture.maker.stale(&whole.0, &mut record.parts) {
            Ok(None) => None,
            Ok(Some(texels)) => {
                let (request, place) = picture.part(key.page, texels)?;
                job(request, place, false)
            }
            Err(error) => {
                mailbox.tell(|news| news.errors.push((key.picture, error)));
                None
            }
        }
    }

    /// Notes what came of a job; the page, if it is to be shown.
    fn record(
        &mut self,
        mailbox: &Mailbox,
        job: Job,
        result: Result<PreparedPage>,
    ) -> Option<(FinishedPage, PreparedPage)> {
        let Job { key, picture, place, whole, .. } = job;
        let edition = picture.edition;
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                self.failed(mailbox, key, edition, whole, error);
                return None;
            }
        };
        let mut parts = page.parts.clone();
        if let Some(before) = self.records.get(&key).filter(|_| !whole) {
            parts = before.parts.merged(&parts);
        }
        let coarsest = key.page.reduce == picture.pyramid.coarsest();
        let empty = has_nothing_of_its_own(&page.coverage, coarsest);
        let outcome =
            if whole && picture.source.is_some() && empty { Outcome::Waiting } else { Outcome::Made };
        let complete = parts.is_complete();
        self.keep(key, Record { edition, outcome, parts, stale: false });
        let finished = FinishedPage { key, edition, place, whole, complete };
        (outcome == Outcome::Made).then_some((finished, page))
    }

    fn failed(&mut self, mailbox: &Mailbox, key: PageKey, edition: u64, whole: bool, error: Error) {
        mailbox.tell(|news| news.errors.push((key.picture, error)));
        if whole {
            let parts = PageParts::default();
            self.keep(key, Record { edition, outcome: Outcome::Failed, parts, stale: false });
        }
    }

    fn standing(&self) -> Standing {
        let mut standing = Standing { version: self.orders.version, ..Standing::default() };
        for &(key, priority) in &self.orders.pages {
            let picture = self.orders.pictures.get(&key.picture);
            if picture.is_none_or(|picture| self.replaced.contains(&picture.serial)) {
                continue;
            }
            if self.records.get(&key).is_none_or(|record| record.stale) {
                standing.pending += 1;
                standing.visible_pending += usize::from(priority == Priority::Visible);
            }
        }
        standing.busy = self.orders.pictures.iter().any(|(id, picture)| {
            let wanted = self.orders.wishes.contains_key(id);
            picture.source.as_ref().is_some_and(|source| wanted && !source.is_idle())
        });
        standing
    }
}

/// Whether a page would show no more than the one above it does.
fn has_nothing_of_its_own(coverage: &Coverage, coarsest: bool) -> bool {
    let finest = coverage.resolutions.last();
    // At the coarsest level there are packets of the lowest resolution alone.
    let present = finest.map_or(0, |resolution| resolution.present);
    let needed = finest.map_or(0, |resolution| resolution.needed);
    needed > 0 && present == 0 && (!coarsest || coverage.holes > 0)
}
