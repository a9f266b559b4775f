//! The virtual texture on a device: an atlas of pages, the page table, and what brings them there.

mod bindings;
mod feedback;
mod finisher;
mod recordings;
mod shares;
mod slots;
mod virtual_texture;

pub use feedback::PageFeedback;
pub(crate) use finisher::PageBatch;
pub use virtual_texture::{PollReport, VirtualTexture, VirtualTextureOptions};
