//! The GPU and the CPU against each other.
//!
//! Reversible files agree bit for bit. Irreversible ones go through the same `f32` operations, which a GPU
//! may contract: samples may then round to a neighbour, so the bound is 1 at every depth. Measured on a
//! software GPU (llvmpipe) it is 0 at 8, 10, 12 and 16 bits. In a picture of 16 bits a channel, one step of a
//! shallower component is `65535 / (2^depth - 1)`.

use crate::{gpu, open, open_path};
use wavetile_engine::low_level::codestream::header::WaveletTransform;
use wavetile_engine::{DecodeRequest, Decoder, Image, Picture, Rect, TexelFormat};
use wavetile_testing::compare::{assert_near, difference, pairs};
use wavetile_testing::shared;

const FILES: [&str; 20] = [
    "files/a2_colr.j2c",
    "files/e1_colr.j2c",
    "files/issue411-ycc420.jp2",
    "files/issue458.jp2",
    "files/small_world_non_consecutive_tilepart_tlm.jp2",
    "files/uint16.j2k",
    "files/int16.jp2",
    "files/gtsmall_10_uint16.jp2",
    "files/stefan_full_rgba.jp2",
    "files/tile_size_16.jp2",
    "files/pal-32x24.jp2",
    "files/sycc_420_odd_origin_x_coord.jp2",
    "files/gray-33x29-off31-97.j2k",
    "files/gray-33x29-off35-t17-prec16-pcrl-l3-53.j2k",
    "files/rgb-48x48-cprl-sub3-mp-53.j2k",
    "conformance/part4/p0_06.j2k",
    "conformance/part4/p1_04.j2k",
    "conformance/part4/p1_06.j2k",
    "conformance/jp2/file6.jp2",
    "jpx/stack4_p1.jpx",
];

/// The channels of a picture, one after another.
fn values(picture: &Picture) -> Vec<u16> {
    match picture.format {
        TexelFormat::Rgba8 => picture.bytes.iter().map(|&value| value.into()).collect(),
        _ => picture.bytes.chunks_exact(2).map(|value| u16::from_le_bytes([value[0], value[1]])).collect(),
    }
}

fn is_reversible(image: &Image) -> bool {
    let parameters = &image.header().tile_parameters.components;
    parameters.iter().all(|c| c.coding.transform == WaveletTransform::Reversible53)
}

#[test]
fn the_gpu_agrees_with_the_cpu() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(gpu) = gpu() else { return };
    let cpu = Decoder::cpu();
    let mut worst = std::collections::BTreeMap::<u8, f64>::new();
    let mut failures = Vec::new();
    let mut pictures = 0;
    for name in FILES {
        let image = open_path(&testdata.join(name));
        let request = DecodeRequest::default();
        let bound = u32::from(!is_reversible(&image));

        let (wanted, on_cpu) = cpu.components(&image, &request).unwrap();
        let (got, on_gpu) = gpu.components(&image, &request).unwrap();
        assert_eq!(on_cpu.coverage, on_gpu.coverage, "{name}");
        assert!(on_gpu.dispatches > 0 && on_gpu.uploaded_bytes > 0, "{name}");
        for (got, wanted) in pairs(&got, &wanted) {
            assert_eq!((got.rect, got.depth), (wanted.rect, wanted.depth), "{name}");
            let peak = difference(&got.samples, &wanted.samples).unwrap().peak;
            let worst = worst.entry(wanted.depth).or_default();
            *worst = worst.max(peak);
            if peak > bound.into() {
                failures.push(format!("{name} component {}: {peak}", wanted.index));
            }
        }

        let depth = wanted.iter().map(|component| component.depth).min().unwrap();
        for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
            let Ok((wanted, _)) = cpu.render(&image, &request.clone().format(format)) else {
                assert!(gpu.render(&image, &request.clone().format(format)).is_err(), "{name}");
                continue;
            };
            let (got, _) = gpu.render(&image, &request.clone().format(format)).unwrap();
            assert_eq!(got.size, wanted.size, "{name}");
            pictures += 1;
            let peak = difference(&values(&got), &values(&wanted)).unwrap().peak;
            let full = if format == TexelFormat::Rgba8 { 255 } else { 65_535u32 };
            let allowed = bound * full.div_ceil(((1u32 << depth) - 1).min(full));
            if peak > allowed.into() {
                failures.push(format!("{name} {format:?}: {peak}, allowed {allowed}"));
            }
        }
    }
    println!("worst difference by depth: {worst:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(pictures >= 45, "{pictures} pictures compared");
    assert!([8, 12, 16].iter().all(|depth| worst.contains_key(depth)), "{worst:?}");
}

/// Requests of parts: a window, fewer resolutions, both; one layer; no component transform.
fn parts(image: &Image) -> Vec<DecodeRequest> {
    let area = image.area();
    let third = |begin: u32, end: u32| (begin + (end - begin) / 3, end - (end - begin) / 4);
    let ((x0, x1), (y0, y1)) = (third(area.x0, area.x1), third(area.y0, area.y1));
    let window = Some(Rect::new(x0, y0, x1, y1));
    let reduce = image.levels().min(2);
    let whole = DecodeRequest::default();
    vec![
        whole.clone(),
        whole.clone().region(window),
        whole.clone().reduce(reduce),
        whole.clone().region(window).reduce(reduce.min(1)),
        whole.layers(1).without_component_transform(true),
    ]
}

#[cfg(feature = "gpu")]
#[test]
fn parts_and_pieces_of_files_agree_on_both_in_memory_used_before() {
    use wavetile_engine::gpu::Context;

    let Some(testdata) = shared("testdata") else { return };
    let Some(gpu) = gpu() else { return };
    // Several cells, and several submissions.
    let small = Context::request_blocking().unwrap().with_buffer_bytes(128 << 10);
    let cpu = Decoder::cpu();
    let (mut compared, mut incomplete, mut cut) = (0, 0, 0);
    for gpu in [gpu, Decoder::with_gpu(small).unwrap()] {
        for name in [
            "files/stefan_full_rgba.jp2",
            "files/gray-33x29-off31-97.j2k",
            "files/rgb-48x48-cprl-sub3-mp-53.j2k",
            "files/pal-32x24.jp2",
            "files/ht_tiles_offsets_rev.j2c",
            "files/ht_tileparts_rc_rgb_rev.j2c",
            "conformance/part4/p0_06.j2k",
        ] {
            let bytes = std::fs::read(testdata.join(name)).unwrap();
            for share in [4, 2] {
                let Ok(image) = open(bytes[..bytes.len() * share / 4].to_vec()) else { continue };
                for request in parts(&image) {
                    let Ok((wanted, report)) = cpu.components(&image, &request) else {
                        assert!(gpu.components(&image, &request).is_err(), "{name}");
                        continue;
                    };
                    let (got, on_gpu) = gpu.components(&image, &request).unwrap();
                    assert_eq!(report.coverage, on_gpu.coverage, "{name}");
                    compared += 1;
                    incomplete += u32::from(!report.is_complete());
                    cut += u32::from(on_gpu.submissions > 1);
                    let what = format!("{name} {share}/4 {request:?}");
                    for (got, wanted) in pairs(&got, &wanted) {
                        assert_eq!(got.rect, wanted.rect, "{what}");
                        let allowed = if is_reversible(&image) { 0.0 } else { 1.0 };
                        assert_near(&what, &got.samples, &wanted.samples, allowed);
                    }
                    let Ok((wanted, _)) = cpu.render(&image, &request) else {
                        continue;
                    };
                    let (got, _) = gpu.render(&image, &request).unwrap();
                    assert_eq!(got.size, wanted.size, "{what}");
                    assert_near(&what, &got.bytes, &wanted.bytes, 1.0);
                }
            }
        }
    }
    println!("{compared} decodes compared, {incomplete} of incomplete files, {cut} of several submissions");
    assert!(compared > 100 && incomplete > 40 && cut > 10, "{compared}, {incomplete}, {cut}");
}
