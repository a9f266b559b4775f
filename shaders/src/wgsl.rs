//! The text of the shaders. Each compute shader has one entry point, `main`; its header says what it binds. Those that draw
//! are functions for the host's own shaders. The constants that a shader shares with Rust are written there (`shared`), and
//! stand before its text.

use crate::colour::ColourParameters;
use crate::component_transform::ComponentTransformJob;
use crate::dequantise::DequantiseJob;
use crate::feedback_virtual::WantedPage;
use crate::idwt::IdwtJob;
use crate::pack::{PackChannel, PackFinish, PackParameters};
use crate::page_table::PageEntry;
use crate::shared::join;
use crate::virtual_frame::VirtualPicture;
use crate::{dispatch, idwt_97, sample_virtual, texels, virtual_frame};

/// [`dequantise`](crate::dequantise): jobs of [`DequantiseJob`].
pub const DEQUANTISE: &str = join!(
    dispatch::WGSL,
    DequantiseJob::WGSL,
    include_str!("dispatch.wgsl"),
    include_str!("dequantise.wgsl"),
);
/// [`idwt`](crate::idwt): jobs of [`IdwtJob`]. The constants `WITH_53` and `WITH_97` tell which wavelets the jobs have: both,
/// if they are not set.
pub const IDWT: &str = join!(
    dispatch::WGSL,
    IdwtJob::WGSL,
    idwt_97::WGSL,
    include_str!("dispatch.wgsl"),
    include_str!("idwt.wgsl"),
    include_str!("idwt_53.wgsl"),
    include_str!("idwt_97.wgsl"),
);
/// [`component_transform`](crate::component_transform): jobs of [`ComponentTransformJob`].
pub const COMPONENT_TRANSFORM: &str = join!(
    dispatch::WGSL,
    ComponentTransformJob::WGSL,
    include_str!("dispatch.wgsl"),
    include_str!("annex_g.wgsl"),
    include_str!("component_transform.wgsl"),
);
/// [`pack`](crate::pack): jobs of [`PackParameters`].
pub const PACK: &str = join!(
    dispatch::WGSL,
    ComponentTransformJob::WGSL,
    ColourParameters::WGSL,
    PackChannel::WGSL,
    PackFinish::WGSL,
    PackParameters::WGSL,
    texels::WGSL,
    include_str!("annex_g.wgsl"),
    include_str!("colour.wgsl"),
    include_str!("pack.wgsl"),
);

/// How the atlas of a virtual texture is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtlasTexels {
    /// The device filters it: `texture_2d_array<f32>` and a sampler.
    Filtered,
    /// 16-bit integers, which the shader filters: `texture_2d_array<u32>`, no sampler. 65535 is 1.
    Integers,
    /// 32-bit floats, which not every device filters, so the shader does: `texture_2d_array<f32>`, no sampler.
    Floats,
}

/// The functions whose twins are in [`mod@crate::sample_virtual`] and [`mod@crate::feedback_virtual`], to stand before or
/// behind the host's own text. Its names begin with `virtual_`, `Virtual` or `VIRTUAL_`, or end with `_virtual`,
/// `_virtual_at` or `_virtual_level` and the like. `group`: the index of its bind group, which fragment shaders see:
///
/// | binding | what |
/// |---|---|
/// | 0 | uniform buffer: a [`VirtualFrame`](crate::virtual_frame::VirtualFrame) |
/// | 1 | read-only storage buffer: [`VirtualPicture`]s |
/// | 2 | read-only storage buffer: [`PageEntry`]s |
/// | 3 | the atlas, a 2-D array |
/// | 4 | its sampler, linear; only of [`AtlasTexels::Filtered`] |
///
/// ```
/// use wavetile_shaders::wgsl::{self, AtlasTexels};
/// let mine = "
///     @fragment
///     fn draw(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32> {
///         return sample_virtual(0u, uv, dpdx(uv), dpdy(uv));
///     }";
/// let text = wgsl::sample_virtual(1, AtlasTexels::Filtered) + mine;
/// assert!(text.contains("@group(1) @binding(4)"));
/// ```
#[must_use]
pub fn sample_virtual(group: u32, texels: AtlasTexels) -> String {
    match texels {
        AtlasTexels::Filtered => with_group(SAMPLE_FILTERED, group),
        AtlasTexels::Integers => with_group(SAMPLE_LOADED, group).replace("VIRTUAL_CHANNEL", "u32"),
        AtlasTexels::Floats => with_group(SAMPLE_LOADED, group)
            .replace("VIRTUAL_CHANNEL", "f32")
            .replace("VIRTUAL_FULL: f32 = 65535.0", "VIRTUAL_FULL: f32 = 1.0"),
    }
}

/// The functions of [`mod@crate::feedback_virtual`] alone, for a pass that has the bindings 0 and 1 only.
#[must_use]
pub fn feedback_virtual(group: u32) -> String {
    with_group(FEEDBACK, group)
}

fn with_group(text: &str, group: u32) -> String {
    text.replace("VIRTUAL_GROUP", &group.to_string())
}

/// Structs, positions and reductions, and the page that is wanted.
const FEEDBACK: &str = join!(
    virtual_frame::WGSL,
    VirtualPicture::WGSL,
    WantedPage::WGSL,
    include_str!("virtual_frame.wgsl"),
    include_str!("feedback_virtual.wgsl"),
);
const SAMPLE: &str =
    join!(FEEDBACK, PageEntry::WGSL, sample_virtual::WGSL, include_str!("sample_virtual.wgsl"));
const SAMPLE_FILTERED: &str = join!(SAMPLE, include_str!("sample_filtered.wgsl"));
/// Its channels are `VIRTUAL_CHANNEL`, and `VIRTUAL_FULL` at most.
const SAMPLE_LOADED: &str = join!(SAMPLE, include_str!("sample_loaded.wgsl"));

#[cfg(test)]
#[path = "wgsl_tests.rs"]
mod tests;
