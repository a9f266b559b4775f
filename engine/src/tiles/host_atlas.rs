//! An atlas in host memory: for hosts without a device, for reference frames, and for tests.

use super::finish::{FinishedPage, Made};
use super::tiles::Tiles;
use crate::plan::TexelFormat;
use wavetile_shaders::page_table::PageEntry;
use wavetile_shaders::pack;
use wavetile_shaders::sample_virtual::{TexelAtlas, VirtualScene};
use wavetile_shaders::virtual_frame::{VirtualFrame, VirtualPicture};

/// Pages in host memory, and all that drawing from them takes.
pub struct HostAtlas {
    format: TexelFormat,
    slot_side: u32,
    slots: Vec<Vec<u8>>,
    table: Vec<PageEntry>,
    pictures: Vec<VirtualPicture>,
    frame: VirtualFrame,
}
