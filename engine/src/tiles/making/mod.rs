//! Makes pages: plans them, and decodes their code-blocks.

use super::Repeat;
use crate::data_bin::DataBinId;
use crate::error::Result;
use crate::geometry::Rect;
use crate::image::Image;
use crate::plan::{CellSize, Coverage, Plan, Target};
use crate::request::DecodeRequest;
use crate::runner::ParallelRunner;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    pub(crate) request: DecodeRequest,
    pub(crate) repeat: Repeat,
}
pub(crate) struct PreparedPage {
    pub(crate) plan: Plan,
    pub(crate) coefficients: Vec<Arc<[u32]>>,
    pub(crate) parts: PageParts,
    pub(crate) coverage: Coverage,
    pub(crate) damaged_blocks: u64,
    pub(crate) decoded: u64,
    pub(crate) reused: u64,
    pub(crate) resumed: u64,
}
#[derive(Clone, Debug, Default)]
pub(crate) struct PageParts;
impl PageParts {
    pub(crate) fn bins(&self) -> &[(u32, DataBinId)] {
        &[]
    }
    pub(crate) fn merged(&self, o: &Self) -> Self {
        o.clone()
    }
    pub(crate) fn is_complete(&self) -> bool {
        true
    }
}
pub(crate) struct BlockCache;
impl BlockCache {
    pub(crate) fn new(_: u64) -> Self {
        Self
    }
    pub(crate) fn set_budget(&self, _: u64) {}
    pub(crate) fn bytes(&self) -> u64 {
        0
    }
    pub(crate) fn most_bytes(&self) -> u64 {
        0
    }
}
pub(crate) struct PageMaker {
    image: Image,
}
impl PageMaker {
    pub(crate) fn new(image: Image, _: u32, _: Arc<BlockCache>) -> Self {
        Self { image }
    }
    pub(crate) fn prepare(
        &self,
        pages: &[PageRequest],
        runner: &dyn ParallelRunner,
    ) -> Vec<Result<PreparedPage>> {
        pages
            .iter()
            .map(|page| {
                let (mut plan, coverage) = self.image.plan(
                    &page.request,
                    Target::Rendered,
                    CellSize { side: u32::MAX, buffer_bytes: 1 << 30 },
                )?;
                let mut words = vec![0; plan.staging_words];
                crate::entropy::decode_plan(&plan, runner, &mut words);
                let coefficients = plan.blocks.iter().map(|b| words[b.staging.clone()].into()).collect();
                let r = page.repeat;
                plan.cells[0].pack.width += r.left + r.right;
                plan.cells[0].pack.height += r.top + r.bottom;
                Ok(PreparedPage {
                    plan,
                    coefficients,
                    parts: PageParts,
                    coverage,
                    damaged_blocks: 0,
                    decoded: 1,
                    reused: 0,
                    resumed: 0,
                })
            })
            .collect()
    }
    pub(crate) fn stale(&self, _: &PageRequest, _: &PageParts) -> Result<Option<Rect>> {
        Ok(None)
    }
    pub(crate) fn forget(&self) {}
}
