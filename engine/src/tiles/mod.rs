//! Tiles that stay: a picture of any size as a virtual texture, of which the pages that are looked at are kept.
//!
//! # A frame
//!
//! [`Tiles`] know which pages of which pictures are looked at, and make them; an atlas keeps them. Each frame tells what is looked
//! at and lets the atlas take what has been made. Neither waits: what is missing is drawn from coarser pages until it is there.
//!
//! ```
//! use std::time::Duration;
//! use wavetile_engine::tiles::{FrameBudget, HostAtlas, PictureOptions, PlanarView, Tiles, TilesOptions, View};
//! use wavetile_engine::{Decoder, Image, Size};
//!
//! # fn main() -> wavetile_engine::Result<()> {
//! let mut tiles = Tiles::new(&Decoder::cpu(), TilesOptions::new());
//! let mut atlas = HostAtlas::new(&mut tiles, 16 << 20); // never more than 16 MiB
//! let image = Image::open_file("tests/data/gradient.jp2")?;
//! let picture = tiles.add(&image, PictureOptions::new(), None)?;
//!
//! let viewport = Size::new(48, 32); // half of its 96 x 64 pixels
//! let view = View::Planar(PlanarView { picture, pixels: [0.0, 0.0, 96.0, 64.0], viewport });
//! let mut now = Duration::ZERO;
//! while !tiles.update(&[view.clone()], now).settled {
//!     tiles.work(); // or `tiles.start()`, once, for a thread that does
//!     atlas.poll(&mut tiles, FrameBudget::default());
//!     now += Duration::from_millis(16);
//! }
//! let middle = atlas.scene().sample_level(picture.number(), [0.5, 0.5], 1);
//! assert!(middle[3] > 0.99); // opaque
//! # Ok(())
//! # }
//! ```
//!
//! On a device, the atlas is a `VirtualTexture`: `poll` records into the host's encoder, and shaders call `sample_virtual`. The
//! two are used alike; an atlas in host memory samples as shaders do, for reference frames and where there is no device.
//!
//! # Data that arrives
//!
//! A [`TileSource`] is told what is wanted, most urgent first, and tells what has come: a session with a server, ranges of bytes.
//! Pages are shown with what there is, and where more comes, what it changes is decoded and written again, no more.
//!
//! # Budgets
//!
//! Bytes of the atlas and of decoded blocks ([`TilesOptions::block_bytes`](field@TilesOptions::block_bytes)) are never more than was allowed, and can
//! be changed at any time. What does not fit is drawn coarser.
//!
//! # Other ways to draw
//!
//! Atlases keep samples, not colours: window and level of deep pictures, false colours and the choice among up to four components are
//! a [`Shading`], which costs nothing to change ([`Tiles::set_options`]). Other components are other pages, made from blocks that are
//! decoded already where those are the same.

mod bell;
mod finish;
mod frame;
#[cfg(feature = "gpu")]
mod gpu;
mod handle;
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
mod view;
mod workshop;

#[cfg(feature = "gpu")]
pub use gpu::{PageFeedback, PollReport, VirtualTexture, VirtualTextureOptions};
pub use handle::Tiles;
pub use host_atlas::HostAtlas;
pub use options::{FrameBudget, TilesOptions};
pub use page::{PageId, PageKey, PageLayout, PictureId, Priority};
pub use picture::PictureOptions;
pub use pyramid::Pyramid;
pub(crate) use pyramid::Repeat;
pub use report::{FrameReport, TileTotals};
pub use source::{Arrivals, TileSource, Wake, Wish};
pub use view::{PlanarView, SurfaceView, View};
pub use wavetile_shaders::sample_virtual::{TexelAtlas, VirtualScene};
pub use wavetile_shaders::shading::Shading;
pub use wavetile_shaders::wgsl::AtlasTexels;
