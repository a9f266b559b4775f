//! A picture among the tiles.

use super::making::PageMaker;
use super::page::PageId;
use super::pyramid::{Pyramid, Repeat};
use super::source::TileSource;
use crate::error::Result;
use crate::geometry::Rect;
use crate::image::Image;
use crate::request::DecodeRequest;
use std::sync::Arc;
use wavetile_shaders::shading::Shading;

/// How a picture is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PictureOptions {
    /// Components, layers and up-sampling; region, reduction and format are the tiles' own.
    pub request: DecodeRequest,
    /// How texels become colours.
    pub shading: Shading,
    /// Above twice its size texels are squares.
    pub nearest: bool,
}

/// A picture as it is drawn; another choice of components makes another one of these.
pub(crate) struct TilePicture {
    /// What all of its pages are asked with.
    pub(crate) request: DecodeRequest,
    pub(crate) pyramid: Pyramid,
    pub(crate) maker: Arc<PageMaker>,
    pub(crate) source: Option<Arc<dyn TileSource>>,
    /// Counts the choices.
    pub(crate) edition: u64,
}
