//! The text of the compute shaders. Each has one entry point, `main`; its header says what it binds. The constants that a
//! shader shares with Rust are written there (`shared`), and stand before its text.

use crate::colour::ColourParameters;
use crate::component_transform::ComponentTransformJob;
use crate::dequantise::DequantiseJob;
use crate::idwt::IdwtJob;
use crate::pack::{PackChannel, PackFinish, PackParameters};
use crate::shared::join;
use crate::{dispatch, idwt_97};

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
/// [`pack`](crate::pack): one [`PackParameters`].
pub const PACK: &str = join!(
    dispatch::WGSL,
    ComponentTransformJob::WGSL,
    ColourParameters::WGSL,
    PackChannel::WGSL,
    PackFinish::WGSL,
    PackParameters::WGSL,
    include_str!("annex_g.wgsl"),
    include_str!("colour.wgsl"),
    include_str!("pack.wgsl"),
);

#[cfg(test)]
#[path = "wgsl_tests.rs"]
mod tests;
