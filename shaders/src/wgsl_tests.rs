//! Every shader is valid within WebGPU's default limits, and agrees with the Rust side on layouts and constants.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::colour::ColourParameters;
use crate::component_transform::ComponentTransformJob;
use crate::dequantise::DequantiseJob;
use crate::dispatch::{self, Dispatch};
use crate::idwt::IdwtJob;
use crate::pack::{PackChannel, PackFinish, PackParameters};
use crate::page_table::PageEntry;
use crate::shading::Shading;
use crate::virtual_frame::{VirtualFrame, VirtualPicture};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::mem::{offset_of, size_of};

const ALL: [(&str, &str); 4] = [
    ("dequantise", DEQUANTISE),
    ("idwt", IDWT),
    ("component_transform", COMPONENT_TRANSFORM),
    ("pack", PACK),
];

/// A host's shader that calls all there is.
const HOST: &str = "
    struct Seen {
        @location(0) colour: vec4<f32>,
        @location(1) wanted: vec2<u32>,
        @location(2) resident: u32,
    }
    @fragment
    fn main(@location(0) uv: vec2<f32>, @location(1) @interpolate(flat) base: vec2<u32>) -> Seen {
        let dx = dpdx(uv);
        let dy = dpdy(uv);
        var colour = sample_virtual(0u, uv, dx, dy) + sample_virtual_at(1u, base, uv, dx, dy);
        colour += sample_virtual_level(2u, uv, 3u) + sample_virtual_level_at(3u, base, uv, 1u);
        let wanted = feedback_virtual(0u, uv, dx, dy) | feedback_virtual_at(1u, base, uv, dx, dy);
        return Seen(colour, wanted, resident_virtual_at(0u, base, uv, dx, dy));
    }";

#[test]
fn what_hosts_paste_is_valid_in_any_group_and_binds_what_it_says() {
    for (texels, bindings) in
        [(AtlasTexels::Filtered, 5), (AtlasTexels::Integers, 4), (AtlasTexels::Floats, 4)]
    {
        for group in [0, 3] {
            let text = sample_virtual(group, texels) + HOST;
            let module = parse(&text);
            Validator::new(ValidationFlags::all(), Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|error| panic!("{texels:?}: {}", error.emit_to_string(&text)));
            let found: Vec<_> = module
                .global_variables
                .iter()
                .map(|(_, variable)| variable.binding.map(|binding| (binding.group, binding.binding)))
                .collect();
            let mut sorted = found.clone();
            sorted.sort();
            assert_eq!(sorted, (0..bindings).map(|binding| Some((group, binding))).collect::<Vec<_>>());
        }
    }
    let text = feedback_virtual(2)
        + "@fragment fn main(@location(0) uv: vec2<f32>) -> @location(0) vec2<u32> {
            return feedback_virtual(0u, uv, dpdx(uv), dpdy(uv));
        }";
    let module = parse(&text);
    Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).unwrap();
    assert_eq!(module.global_variables.len(), 2);
}

#[test]
fn what_hosts_paste_has_no_name_that_a_host_would_think_of() {
    for texels in [AtlasTexels::Filtered, AtlasTexels::Integers, AtlasTexels::Floats] {
        let module = parse(&sample_virtual(0, texels));
        let names = module
            .functions
            .iter()
            .map(|(_, function)| function.name.clone())
            .chain(module.global_variables.iter().map(|(_, variable)| variable.name.clone()))
            .chain(module.constants.iter().map(|(_, constant)| constant.name.clone()))
            .chain(module.types.iter().map(|(_, kind)| kind.name.clone()))
            .flatten();
        let mut count = 0;
        for name in names {
            assert!(name.to_lowercase().contains("virtual"), "{name}");
            count += 1;
        }
        assert!(count > 30, "{count}");
    }
}

fn parse(text: &str) -> naga::Module {
    naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)))
}

fn layouter(module: &naga::Module) -> naga::proc::Layouter {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    layouter
}

/// Name (less the underscore that keeps it from being a reserved word) and offset of each member but the padding;
/// then the distance between two in an array.
fn wgsl_layout(text: &str, name: &str) -> (Vec<(String, usize)>, usize) {
    let module = parse(text);
    let (handle, members) = module
        .types
        .iter()
        .find_map(|(handle, kind)| match &kind.inner {
            naga::TypeInner::Struct { members, .. } if kind.name.as_deref() == Some(name) => {
                Some((handle, members.clone()))
            }
            _ => None,
        })
        .unwrap_or_else(|| panic!("no struct {name}"));
    let members = members
        .iter()
        .map(|member| {
            (member.name.as_deref().unwrap().trim_end_matches('_').to_owned(), member.offset as usize)
        })
        .filter(|(name, _)| !name.starts_with("padding"))
        .collect();
    (members, layouter(&module)[handle].to_stride() as usize)
}

macro_rules! layout {
    ($kind:ty: $($field:ident)*) => {
        (vec![$((stringify!($field).to_owned(), offset_of!($kind, $field))),*], size_of::<$kind>())
    };
}

#[test]
fn every_shader_is_valid_without_optional_capabilities() {
    for (name, text) in ALL {
        let module = parse(text);
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(text)));
        assert_eq!(module.entry_points.len(), 1, "{name}");
        let main = &module.entry_points[0];
        assert_eq!(main.name, "main", "{name}");
        assert_eq!(main.workgroup_size, [dispatch::WORKGROUP_SIZE, 1, 1], "{name}");
    }
}

#[test]
fn workgroup_memory_and_bindings_stay_within_the_default_limits() {
    for (name, text) in ALL {
        let module = parse(text);
        let layouter = layouter(&module);
        let workgroup: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .map(|(_, variable)| layouter[variable.ty].size)
            .sum();
        assert!(workgroup <= 16 * 1024, "{name}: {workgroup} bytes of workgroup memory");
        let storage = module
            .global_variables
            .iter()
            .filter(|(_, variable)| matches!(variable.space, naga::AddressSpace::Storage { .. }))
            .count();
        assert!(storage <= 8, "{name}: {storage} storage buffers");
    }
}

#[test]
fn structs_are_laid_out_as_in_rust() {
    for (_, text) in &ALL {
        assert_eq!(wgsl_layout(text, "Dispatch"), layout!(Dispatch: job_count workgroup_count));
    }
    assert_eq!(
        wgsl_layout(DEQUANTISE, "DequantiseJob"),
        layout!(DequantiseJob: source source_row source_x source_y width height target target_row flags step)
    );
    assert_eq!(
        wgsl_layout(IDWT, "IdwtJob"),
        layout!(IdwtJob: x0 y0 x1 y1 out_x0 out_y0 out_x1 out_y1 ll hl lh hh out out_row flags)
    );
    assert_eq!(
        wgsl_layout(COMPONENT_TRANSFORM, "ComponentTransformJob"),
        layout!(ComponentTransformJob: source source_row target target_row shift low high width height count flags)
    );
    assert_eq!(
        wgsl_layout(PACK, "PackChannel"),
        layout!(PackChannel: plane row x0 y0 width height x_numerator x_denominator y_numerator y_denominator low
            high table table_length x_offset y_offset)
    );
    assert_eq!(wgsl_layout(PACK, "PackFinish"), layout!(PackFinish: planes flags slot shift low high));
    assert_eq!(
        wgsl_layout(PACK, "ColourParameters"),
        layout!(ColourParameters: steps curves curve_length encoding encoding_length lattice lattice_side
            lattice_dimensions affine matrix)
    );
    assert_eq!(
        wgsl_layout(PACK, "PackParameters"),
        layout!(PackParameters: x0 y0 width height row format up_sampling out start left top right bottom
            colour channels finishes)
    );
}

#[test]
fn structs_of_virtual_textures_are_laid_out_as_in_rust() {
    let text = sample_virtual(0, AtlasTexels::Filtered);
    assert_eq!(
        wgsl_layout(&text, "VirtualFrame"),
        layout!(VirtualFrame: now_ms fade_ms side border slots_across slots_layer table_mask picture_count)
    );
    assert_eq!(wgsl_layout(&text, "VirtualShading"), layout!(Shading: matrix offset));
    assert_eq!(
        wgsl_layout(&text, "VirtualPicture"),
        layout!(VirtualPicture: x0 y0 width height levels flags finest shading)
    );
    assert_eq!(wgsl_layout(&text, "VirtualPage"), layout!(PageEntry: x y tag slot since));
}

#[test]
fn a_moved_field_fails_the_layout_comparison() {
    let text = DEQUANTISE.replace("source_x: u32,\n    source_y: u32,", "source_y: u32,\n    source_x: u32,");
    assert_ne!(text, DEQUANTISE);
    assert_ne!(wgsl_layout(&text, "DequantiseJob"), wgsl_layout(DEQUANTISE, "DequantiseJob"));
    let text = DEQUANTISE.replace("padding: array<u32, 2>", "padding: array<u32, 3>");
    assert_ne!(wgsl_layout(&text, "DequantiseJob").1, size_of::<DequantiseJob>());
}

/// The value of a module constant, as the bits of its literal.
fn constant(text: &str, name: &str) -> u32 {
    let module = parse(text);
    let (_, constant) = module
        .constants
        .iter()
        .find(|(_, constant)| constant.name.as_deref() == Some(name))
        .unwrap_or_else(|| panic!("no constant {name}"));
    match module.global_expressions[constant.init] {
        naga::Expression::Literal(naga::Literal::U32(value)) => value,
        naga::Expression::Literal(naga::Literal::F32(value)) => value.to_bits(),
        ref other => panic!("{name} is {other:?}"),
    }
}

/// Written once, but read by two compilers.
#[test]
fn the_factors_of_the_wavelet_are_rounded_alike() {
    for (name, expected) in [
        ("ALPHA", idwt_97::ALPHA),
        ("BETA", idwt_97::BETA),
        ("GAMMA", idwt_97::GAMMA),
        ("DELTA", idwt_97::DELTA),
        ("K", idwt_97::K),
        ("INVERSE_K", idwt_97::INVERSE_K),
    ] {
        assert_eq!(constant(IDWT, name), expected.to_bits(), "{name}");
    }
    assert_eq!(constant(PACK, "OPAQUE"), PackChannel::OPAQUE);
}
