//! What a page was made of, and what of it would change.

use crate::data_bin::DataBinId;
use crate::geometry::Rect;
use crate::plan::{BlockKey, BlockOrigin};
use std::cmp::Ordering;

/// What a page was made of: code-blocks with their passes, and the bins that it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageParts {
    /// The page, on the output grid.
    window: Rect,
    /// Ascending by key.
    blocks: Vec<Part>,
    /// Ascending, with their codestream.
    bins: Vec<(u32, DataBinId)>,
    /// Those of them that may bring more, ascending.
    open: Vec<(u32, DataBinId)>,
    /// Some part of the page is to be made again, or is made of more than the parts say.
    lags: bool,
}

/// A code-block of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    key: BlockKey,
    passes: u16,
    /// The texels that depend on it, inside the page or not.
    reach: Rect,
}

impl PageParts {
    /// `blocks`: each once, with the texels that depend on it. `bins`: with whether they may bring more.
    pub(super) fn new(
        window: Rect,
        blocks: impl Iterator<Item = (BlockOrigin, Rect)>,
        bins: Vec<((u32, DataBinId), bool)>,
    ) -> Self {
        let part = |(origin, reach): (BlockOrigin, _)| Part { key: origin.key, passes: origin.passes, reach };
        let mut blocks: Vec<Part> = blocks.map(part).collect();
        blocks.sort_unstable_by_key(|part| part.key);
        let open = sorted(bins.iter().filter(|(_, open)| *open).map(|(bin, _)| *bin));
        let bins = sorted(bins.into_iter().map(|(bin, _)| bin));
        Self { window, blocks, bins, open, lags: false }
    }

    /// Takes note of which bins may bring more now. False: the page depends on bins that it did not depend on before.
    pub(super) fn settle(&mut self, bins: Vec<((u32, DataBinId), bool)>) -> bool {
        let known = bins.iter().all(|(bin, _)| self.bins.binary_search(bin).is_ok());
        self.open = sorted(bins.into_iter().filter(|(_, open)| *open).map(|(bin, _)| bin));
        known
    }

    /// Takes note of whether some part of the page is to be made again.
    pub(super) fn lag(&mut self, lags: bool) {
        self.lags = lags;
    }

    /// The page, on the output grid.
    pub(crate) const fn window(&self) -> Rect {
        self.window
    }

    /// The bins that the page depends on, each with its codestream, ascending.
    pub(crate) fn bins(&self) -> &[(u32, DataBinId)] {
        &self.bins
    }

    /// Whether the page shows all that it ever will.
    pub(crate) fn is_complete(&self) -> bool {
        self.open.is_empty() && !self.lags
    }

    /// Code-blocks that it is made of.
    #[cfg(test)]
    pub(super) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The texels that change if the page is made of `blocks`, which `reach` is known of. `None` if it gets no better: no
    /// block has more passes than before.
    pub(super) fn changed(
        &self,
        mut blocks: Vec<BlockOrigin>,
        mut reach: impl FnMut(BlockKey) -> Rect,
    ) -> Option<Rect> {
        blocks.sort_unstable_by_key(|block| block.key);
        let (mut changed, mut better) = (Rect::default(), false);
        let (mut before, mut now) = (self.blocks.iter().peekable(), blocks.into_iter().peekable());
        loop {
            let order = match (before.peek(), now.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(now)) => before.key.cmp(&now.key),
            };
            let old = if order.is_le() { before.next() } else { None };
            let new = if order.is_ge() { now.next() } else { None };
            let passes = (old.map_or(0, |part| part.passes), new.map_or(0, |block| block.passes));
            if passes.0 != passes.1 {
                better |= passes.1 > passes.0;
                let of_old = old.map(|part| part.reach);
                let texels = of_old.or_else(|| new.map(|block| reach(block.key))).unwrap_or_default();
                changed = changed.union(texels.intersect(self.window));
            }
        }
        (better && !changed.is_empty()).then_some(changed)
    }

    /// What the page is made of after the part that `part` tells of was made again.
    ///
    /// Data may have come since [`PageMaker::stale`](super::PageMaker::stale) told which part that is. A block that colours
    /// more of the page than that part is taken to be as it was: it will be found stale again.
    pub(crate) fn merged(&self, part: &Self) -> Self {
        let within = |block: &Part| part.window.contains(block.reach.intersect(self.window));
        let mut lags = false;
        let mut blocks = Vec::with_capacity(self.blocks.len().max(part.blocks.len()));
        let (mut old, mut new) = (self.blocks.iter().peekable(), part.blocks.iter().peekable());
        while let Some(&next) = new.peek() {
            match old.peek() {
                Some(&held) if held.key < next.key => {
                    blocks.push(*held);
                    old.next();
                    continue;
                }
                Some(&held) if held.key == next.key => {
                    old.next();
                    let known = held.passes == next.passes || within(next);
                    lags |= !known;
                    blocks.push(if known { *next } else { *held });
                }
                _ if within(next) => blocks.push(*next),
                _ => lags = true,
            }
            new.next();
        }
        blocks.extend(old);
        let still_open = |bin: &&_| part.bins.binary_search(bin).is_err();
        let open = sorted(self.open.iter().filter(still_open).chain(&part.open).copied());
        let bins = sorted(self.bins.iter().chain(&part.bins).copied());
        Self { window: self.window, blocks, bins, open, lags }
    }
}

/// Each once, ascending.
fn sorted(bins: impl Iterator<Item = (u32, DataBinId)>) -> Vec<(u32, DataBinId)> {
    let mut bins: Vec<_> = bins.collect();
    bins.sort_unstable();
    bins.dedup();
    bins.shrink_to_fit();
    bins
}
