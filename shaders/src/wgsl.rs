//! The text of the compute shaders. Each has one entry point, `main`; its header says what it binds.

/// [`dequantise`](crate::dequantise): jobs of [`DequantiseJob`](crate::dequantise::DequantiseJob).
pub const DEQUANTISE: &str = concat!(include_str!("dispatch.wgsl"), include_str!("dequantise.wgsl"));
/// [`idwt`](crate::idwt): jobs of [`IdwtJob`](crate::idwt::IdwtJob). The constants `WITH_53` and `WITH_97` tell which
/// wavelets the jobs have: both, if they are not set.
pub const IDWT: &str = concat!(
    include_str!("dispatch.wgsl"),
    include_str!("idwt.wgsl"),
    include_str!("idwt_53.wgsl"),
    include_str!("idwt_97.wgsl")
);
/// [`component_transform`](crate::component_transform): jobs of
/// [`ComponentTransformJob`](crate::component_transform::ComponentTransformJob).
pub const COMPONENT_TRANSFORM: &str = concat!(
    include_str!("dispatch.wgsl"),
    include_str!("annex_g.wgsl"),
    include_str!("component_transform.wgsl")
);
/// [`pack`](crate::pack): one [`PackParameters`](crate::pack::PackParameters).
pub const PACK: &str =
    concat!(include_str!("annex_g.wgsl"), include_str!("colour.wgsl"), include_str!("pack.wgsl"));

#[cfg(test)]
#[path = "wgsl_tests.rs"]
mod tests;
