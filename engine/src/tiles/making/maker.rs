//! Makes pages of a picture, up to their coefficients.

use super::block_cache::{BlockCache, CacheStatistics, DecodedBlock};
use super::decoding::{Decoded, Job, decode};
use super::parts::PageParts;
use super::planning::{Blocks, Planning, Source};
use super::prepared::{PageRequest, PreparedPage};
use crate::codestream::code_block::BlockCoder;
use crate::codestream::tile::Tile;
use crate::error::{LimitError, Result};
use crate::geometry::Rect;
use crate::image::Image;
use crate::plan::{BlockKey, CellSize, Coverage, Memory, Plan, PlanRequest, Target, influence};
use crate::runner::ParallelRunner;
use crate::tiles::Repeat;
use std::cell::RefCell;
use std::sync::Arc;

/// Makes the pages of one picture. What it decodes it keeps, in a cache that pictures share.
pub(crate) struct PageMaker {
    image: Image,
    picture: u32,
    cache: Arc<BlockCache>,
}

/// A page that is planned.
struct Draft {
    plan: Plan,
    coverage: Coverage,
    parts: PageParts,
    /// Where the coefficients of each of the plan's blocks come from.
    sources: Vec<Source>,
    /// Blocks that no job of this page makes.
    reused: u64,
}

/// A block that is to be decoded: of which draft, and which of its blocks.
struct Task {
    draft: usize,
    block: usize,
}

impl PageMaker {
    /// For `image`, which `picture` stands for in `cache`.
    pub(crate) const fn new(image: Image, picture: u32, cache: Arc<BlockCache>) -> Self {
        Self { image, picture, cache }
    }

    /// Prepares pages with all the data that has come. Blocks that several of them need are decoded once, and none that the
    /// cache has; decoding runs on `runner`. What has not come costs nothing.
    ///
    /// # Errors
    /// Of each page: a request that the picture cannot meet, broken headers, unsupported data, or a limit. Missing data and
    /// broken packets are none.
    pub(crate) fn prepare(
        &self,
        pages: &[PageRequest],
        runner: &dyn ParallelRunner,
    ) -> Vec<Result<PreparedPage>> {
        let (blocks, mut tasks) = (RefCell::default(), Vec::new());
        let mut drafts = Vec::with_capacity(pages.len());
        for page in pages {
            drafts.push(self.draft(page, &blocks, drafts.len(), &mut tasks));
        }
        let mut jobs = Vec::with_capacity(tasks.len());
        for task in &tasks {
            if let Some(Ok(draft)) = drafts.get(task.draft) {
                jobs.push(self.job(&draft.plan, task.block));
            }
        }
        let mut decoded = decode(&jobs, runner);
        self.keep(&jobs, &mut decoded);
        drop(jobs);
        let mut counts = vec![(0, 0); drafts.len()];
        let mut all = CacheStatistics::default();
        for (task, Decoded { done, .. }) in tasks.iter().zip(&decoded) {
            let (from_start, resumed) = &mut counts[task.draft];
            *(if done.resumed_passes == 0 { from_start } else { resumed }) += 1;
            all.passes_before += u64::from(done.resumed_passes);
            all.passes += u64::from(done.outcome.passes_decoded.saturating_sub(done.resumed_passes));
        }
        let finish = |(draft, counts): (Result<Draft>, _)| Ok(draft?.finish(&decoded, counts));
        let prepared: Vec<Result<PreparedPage>> = drafts.into_iter().zip(counts).map(finish).collect();
        for page in prepared.iter().flatten() {
            all.decoded += page.decoded;
            all.resumed += page.resumed;
            all.reused += page.reused;
        }
        self.cache.count(all);
        prepared
    }

    /// What of a page that is made of `parts` would change now: the smallest rectangle on the output grid that holds it.
    /// `None`: it would get no better. Decodes nothing. When the rectangle is made, [`PageParts::merged`] tells what the page
    /// is made of then.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub(crate) fn stale(&self, page: &PageRequest, parts: &mut PageParts) -> Result<Option<Rect>> {
        let planning = self.planning(None);
        let plan = self.image.needed_blocks(&page.request, Target::Rendered, &planning)?;
        let known = parts.settle(planning.bins.take());
        let stale = if parts.window() == plan.window && known {
            let request = self.image.plan_request(&page.request, Target::Rendered, CELL)?;
            let blocks = plan.blocks.iter().map(|block| block.origin).collect();
            let mut influences = self.influences(&planning, &request);
            parts.changed(blocks, |key| influences.of(key))
        } else {
            Some(plan.window)
        };
        parts.lag(stale.is_some());
        Ok(stale)
    }

    /// Forgets all that was kept of the picture.
    pub(crate) fn forget(&self) {
        self.cache.forget(self.picture);
    }

    fn planning<'a>(&'a self, blocks: Option<&'a RefCell<Blocks>>) -> Planning<'a> {
        let (cache, picture, codestream) = (&*self.cache, self.picture, self.image.codestream());
        Planning { cache, picture, codestream, blocks, bins: RefCell::default() }
    }

    /// Plans a page, number `draft` of those that are prepared together, and adds the blocks to `tasks` that no page before
    /// it brings.
    fn draft(
        &self,
        page: &PageRequest,
        blocks: &RefCell<Blocks>,
        draft: usize,
        tasks: &mut Vec<Task>,
    ) -> Result<Draft> {
        let planning = self.planning(Some(blocks));
        let memory: &dyn Memory = &planning;
        let (mut plan, coverage) =
            self.image.plan_remembering(&page.request, Target::Rendered, CELL, Some(memory))?;
        let (what, wanted, limit) = ("cells of a page", plan.cells.len() as u64, 1);
        if wanted != limit {
            return Err(LimitError { what, wanted, limit }.into());
        }
        let Repeat { left, top, right, bottom } = page.repeat;
        for cell in &mut plan.cells {
            // A repeat is never longer than a page.
            cell.pack = cell.pack.repeating(left, top, right, bottom).unwrap_or(cell.pack);
        }
        let request = self.image.plan_request(&page.request, Target::Rendered, CELL)?;
        let bins = planning.bins.take();
        let mut influences = self.influences(&planning, &request);
        let blocks_with_reach =
            plan.blocks.iter().map(|block| (block.origin, influences.of(block.origin.key)));
        let parts = PageParts::new(plan.window, blocks_with_reach, bins);

        let (mut blocks, before) = (blocks.borrow_mut(), tasks.len());
        let mut sources = Vec::with_capacity(plan.blocks.len());
        for (index, block) in plan.blocks.iter().enumerate() {
            let held = blocks.source(block.origin).filter(|_| block.segments.is_empty()).cloned();
            sources.push(held.unwrap_or_else(|| {
                let source = Source::Job(tasks.len());
                tasks.push(Task { draft, block: index });
                blocks.insert(block.origin, source.clone());
                source
            }));
        }
        let reused = (sources.len() - (tasks.len() - before)) as u64;
        Ok(Draft { plan, coverage, parts, sources, reused })
    }

    fn influences<'a>(&'a self, planning: &'a Planning<'a>, request: &'a PlanRequest) -> Influences<'a> {
        Influences { image: &self.image, planning, request, tile: None }
    }

    fn job<'a>(&self, plan: &'a Plan, block: usize) -> Job<'a> {
        let block = &plan.blocks[block];
        let from = match block.coder {
            BlockCoder::BitPlane => self.cache.checkpoint(self.picture, block.origin.key),
            BlockCoder::HighThroughput => None,
        };
        Job { block, segments: &plan.segments, data: &plan.data, from }
    }

    /// Keeps what was decoded.
    fn keep(&self, jobs: &[Job<'_>], decoded: &mut [Decoded]) {
        for (job, Decoded { words, done }) in jobs.iter().zip(decoded) {
            let origin = job.block.origin;
            let block = DecodedBlock {
                words: Arc::clone(words),
                passes: origin.passes,
                damaged: done.outcome.damaged,
            };
            self.cache.keep_block(self.picture, origin.key, block, done.checkpoint.take());
            if !origin.grows {
                self.cache.drop_checkpoint(self.picture, origin.key);
            }
        }
    }
}

impl Draft {
    /// With the coefficients. `counts`: blocks that its jobs decoded from the start, and those decoded on.
    fn finish(self, decoded: &[Decoded], (from_start, resumed): (u64, u64)) -> PreparedPage {
        let Self { mut plan, coverage, parts, sources, reused } = self;
        let mut damaged_blocks = 0;
        let coefficients = sources.into_iter().map(|source| {
            let (words, damaged) = match source {
                Source::Ready(block) => (block.words, block.damaged),
                Source::Job(job) => (Arc::clone(&decoded[job].words), decoded[job].done.outcome.damaged),
            };
            damaged_blocks += u64::from(damaged);
            words
        });
        let coefficients = coefficients.collect();
        plan.blocks.iter_mut().for_each(|block| block.segments = 0..0);
        (plan.segments, plan.data) = (Vec::new(), Vec::new());
        PreparedPage {
            plan,
            coefficients,
            parts,
            coverage,
            damaged_blocks,
            decoded: from_start,
            reused,
            resumed,
        }
    }
}

/// Finds the texels that depend on blocks.
struct Influences<'a> {
    image: &'a Image,
    planning: &'a Planning<'a>,
    request: &'a PlanRequest,
    /// That of the block before: most are of the same.
    tile: Option<(u32, Option<Arc<Tile>>)>,
}

impl Influences<'_> {
    fn of(&mut self, key: BlockKey) -> Rect {
        if self.tile.as_ref().is_none_or(|(index, _)| *index != key.tile) {
            let found = self.planning.tile(key.tile, &|index| self.image.tile(index));
            self.tile = Some((key.tile, found.ok().map(|planned| planned.tile)));
        }
        let tile = self.tile.as_ref().and_then(|(_, tile)| tile.as_ref());
        tile.map_or(Rect::default(), |tile| influence(self.image.header(), self.request, tile, key))
    }
}

/// A page is one cell. Its samples are within what WebGPU binds at least.
const CELL: CellSize = CellSize { side: u32::MAX, ..CellSize::CPU };
