//! The virtual texture on a device: an atlas of pages, the page table, and what brings them there.

mod bindings;
mod building;
mod feedback;
mod finisher;
mod options;
mod recordings;
mod shares;
mod slots;
mod virtual_texture;

pub use feedback::PageFeedback;
pub(crate) use finisher::PageBatch;
pub use options::{PollReport, VirtualTextureOptions};
pub use virtual_texture::VirtualTexture;
