//! Tiles that stay: a picture of any size as a virtual texture, of which the pages that are looked at are kept.

mod finish;
mod frame;
#[cfg(feature = "gpu")]
mod gpu;
mod host_atlas;
mod mailbox;
pub(crate) mod making;
mod options;
mod page;
mod picture;
mod pyramid;
mod report;
mod residency;
mod selection;
mod source;
mod supply;
mod tiles;
mod view;
mod workshop;

#[cfg(feature = "gpu")]
pub use gpu::{PageFeedback, PollReport, VirtualTexture, VirtualTextureOptions};
pub use host_atlas::HostAtlas;
pub use options::{FrameBudget, TilesOptions};
pub use page::{PageId, PageKey, PageLayout, PictureId, Priority};
pub use picture::PictureOptions;
pub use pyramid::Pyramid;
pub(crate) use pyramid::Repeat;
pub use report::{FrameReport, TileTotals};
pub use source::{Arrivals, TileSource, Wake, Wish};
pub use tiles::Tiles;
pub use view::{PlanarView, SurfaceView, View};
pub use wavetile_shaders::sample_virtual::{TexelAtlas, VirtualScene};
pub use wavetile_shaders::shading::Shading;
pub use wavetile_shaders::wgsl::AtlasTexels;
