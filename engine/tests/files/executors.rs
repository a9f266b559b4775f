//! The GPU and the CPU against each other.
//!
//! Reversible files agree bit for bit. Irreversible ones go through the same `f32` operations, which a GPU
//! may contract: samples may then round to a neighbour, so the bound is 1 at every depth. Measured on a
//! software GPU (llvmpipe) it is 0 at 8, 10, 12 and 16 bits. In a picture of 16 bits a channel, one step of a
//! shallower component is `65535 / (2^depth - 1)`.

use crate::support::shared_or_skip;
use crate::{gpu, open_path};
use wavetile_engine::codestream::header::WaveletTransform;
use wavetile_engine::{DecodeRequest, Decoder, TexelFormat};

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

#[test]
fn the_gpu_agrees_with_the_cpu() {
    let Some(shared) = shared_or_skip("the_gpu_agrees_with_the_cpu") else { return };
    let Some(gpu) = gpu() else { return };
    let cpu = Decoder::cpu();
    let mut worst = std::collections::BTreeMap::<u8, u32>::new();
    let mut failures = Vec::new();
    let mut pictures = 0;
    for name in FILES {
        let (file, image) = open_path(&shared.join("testdata").join(name));
        let request = DecodeRequest::default();
        let parameters = &image.header().tile_parameters.components;
        let exact = parameters.iter().all(|c| c.coding.transform == WaveletTransform::Reversible53);
        let bound = u32::from(!exact);

        let (wanted, on_cpu) = cpu.components(&image, &file, &request).unwrap();
        let (got, on_gpu) = gpu.components(&image, &file, &request).unwrap();
        assert_eq!(on_cpu.coverage, on_gpu.coverage, "{name}");
        assert!(on_gpu.dispatches > 0 && on_gpu.uploaded_bytes > 0, "{name}");
        for (got, wanted) in got.iter().zip(&wanted) {
            assert_eq!((got.rect, got.depth), (wanted.rect, wanted.depth), "{name}");
            let differences = got.samples.iter().zip(&wanted.samples).map(|(a, b)| a.abs_diff(*b));
            let peak = differences.max().unwrap_or(0);
            let worst = worst.entry(wanted.depth).or_default();
            *worst = (*worst).max(peak);
            if peak > bound {
                failures.push(format!("{name} component {}: {peak}", wanted.index));
            }
        }

        let depth = wanted.iter().map(|component| component.depth).min().unwrap();
        for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
            let Ok((wanted, _)) = cpu.render(&image, &file, &request, format) else {
                assert!(gpu.render(&image, &file, &request, format).is_err(), "{name}");
                continue;
            };
            let (got, _) = gpu.render(&image, &file, &request, format).unwrap();
            assert_eq!(got.size, wanted.size, "{name}");
            pictures += 1;
            let peak = if format == TexelFormat::Rgba8 {
                got.bytes.iter().zip(&wanted.bytes).map(|(a, b)| u32::from(a.abs_diff(*b))).max()
            } else {
                let value = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
                let pairs = got.bytes.chunks_exact(2).zip(wanted.bytes.chunks_exact(2));
                pairs.map(|(a, b)| u32::from(value(a).abs_diff(value(b)))).max()
            };
            let full = if format == TexelFormat::Rgba8 { 255 } else { 65_535u32 };
            let allowed = bound * full.div_ceil(((1u32 << depth) - 1).min(full));
            if peak.unwrap() > allowed {
                failures.push(format!("{name} {format:?}: {peak:?}, allowed {allowed}"));
            }
        }
    }
    println!("worst difference by depth: {worst:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(pictures >= 45, "{pictures} pictures compared");
    assert!([8, 12, 16].iter().all(|depth| worst.contains_key(depth)), "{worst:?}");
}
