//! Tiles that stay: a picture of any size as a virtual texture, of which the pages that are looked at are kept.

mod page;
mod pyramid;
mod residency;
mod selection;
mod source;
mod view;

pub use page::{PageId, PageKey, PageLayout, PictureId, Priority};
pub use pyramid::Pyramid;
pub(crate) use pyramid::Repeat;
pub use source::{Arrivals, TileSource, Wake, Wish};
pub use view::{PlanarView, SurfaceView, View};
