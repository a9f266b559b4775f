//! A picture among the tiles.

use super::finish::SlotRect;
use super::making::{PageMaker, PageRequest};
use super::page::PageId;
use super::pyramid::Pyramid;
use super::source::TileSource;
use crate::geometry::Rect;
use crate::request::DecodeRequest;
use std::sync::Arc;
use wavetile_shaders::shading::Shading;

/// How a picture is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PictureOptions {
    /// Components, layers and up-sampling; region, reduction and format are the tiles' own.
    pub request: DecodeRequest,
    /// How texels become colours; `None` = as the format of the atlas has them ([`TexelFormat::shading`](crate::TexelFormat::shading)).
    pub shading: Option<Shading>,
    /// Above twice its size texels are squares.
    pub nearest: bool,
}

impl PictureOptions {
    /// All of the picture, as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::request`](field@Self::request).
    #[must_use]
    pub fn request(mut self, request: DecodeRequest) -> Self {
        self.request = request;
        self
    }

    /// Sets [`Self::shading`](field@Self::shading).
    #[must_use]
    pub fn shading(mut self, shading: impl Into<Option<Shading>>) -> Self {
        self.shading = shading.into();
        self
    }

    /// Sets [`Self::nearest`](field@Self::nearest).
    #[must_use]
    pub const fn nearest(mut self, nearest: bool) -> Self {
        self.nearest = nearest;
        self
    }
}

/// A picture as it is drawn; another choice of components makes another one of these.
pub(crate) struct TilePicture {
    /// What all of its pages are asked with.
    pub(crate) request: DecodeRequest,
    pub(crate) pyramid: Pyramid,
    pub(crate) maker: Arc<PageMaker>,
    pub(crate) source: Option<Arc<dyn TileSource>>,
    /// Counts the pictures that were added: numbers are used again.
    pub(crate) serial: u32,
    /// Counts pictures and choices: no two are alike.
    pub(crate) edition: u64,
}

impl TilePicture {
    /// What is asked for all of a page with its border, and where that goes: the whole slot. `None`: there is no such page.
    pub(crate) fn page(&self, page: PageId) -> Option<(PageRequest, SlotRect)> {
        let pyramid = &self.pyramid;
        if pyramid.texels(page).is_empty() {
            return None;
        }
        let (texels, repeat) = pyramid.slot(page);
        let region = pyramid.region(page.reduce, texels);
        let request = self.request.clone().reduce(page.reduce).region(region);
        let side = pyramid.layout().slot_side();
        Some((PageRequest { request, repeat }, SlotRect { x: 0, y: 0, width: side, height: side }))
    }

    /// The same for some texels of a page, its border included; what of the edge is repeated goes with them.
    pub(crate) fn part(&self, page: PageId, texels: Rect) -> Option<(PageRequest, SlotRect)> {
        let (slot, mut repeat) = self.pyramid.slot(page);
        let texels = texels.intersect(slot);
        if texels.is_empty() {
            return None;
        }
        let side = self.pyramid.layout().slot_side();
        let (mut x, mut y) = (texels.x0 - slot.x0 + repeat.left, texels.y0 - slot.y0 + repeat.top);
        if texels.x0 == slot.x0 {
            x = 0;
        } else {
            repeat.left = 0;
        }
        if texels.y0 == slot.y0 {
            y = 0;
        } else {
            repeat.top = 0;
        }
        if texels.x1 != slot.x1 {
            repeat.right = 0;
        }
        if texels.y1 != slot.y1 {
            repeat.bottom = 0;
        }
        let width = texels.width() + repeat.left + repeat.right;
        let height = texels.height() + repeat.top + repeat.bottom;
        debug_assert!(x + width <= side && y + height <= side);
        let region = self.pyramid.region(page.reduce, texels);
        let request = self.request.clone().reduce(page.reduce).region(region);
        Some((PageRequest { request, repeat }, SlotRect { x, y, width, height }))
    }
}
