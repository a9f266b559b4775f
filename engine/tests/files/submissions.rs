//! What a decode on the GPU costs: dispatches, submissions, bytes uploaded.

use crate::{gpu, open_path};
use wavetile_engine::gpu::Context;
use wavetile_engine::low_level::plan::{CellSize, Target};
use wavetile_engine::{DecodeRequest, Decoder, Image, Report, TexelFormat};
use wavetile_testing::shared;

/// Red, green and blue; grey; tiles; four components; 16 bits; both wavelets; palette; HT; sub-sampled.
const FILES: [&str; 13] = [
    "files/goodstuff.j2k",
    "files/relax.jp2",
    "files/513x513.jp2",
    "files/byte.jp2",
    "files/small_world_non_consecutive_tilepart_tlm.jp2",
    "files/tile_size_16.jp2",
    "files/stefan_full_rgba.jp2",
    "files/uint16.j2k",
    "files/gtsmall_10_uint16.jp2",
    "files/gray-32x32-97.j2k",
    "files/pal-32x24.jp2",
    "files/byte.jph",
    "files/issue411-ycc420.jp2",
];

/// Decomposition levels of the component that has most.
fn levels(image: &Image) -> u64 {
    let components = &image.header().tile_parameters.components;
    components.iter().map(|component| u64::from(component.coding.levels)).max().unwrap()
}

/// The reports of a decode to a texture and of one to components.
fn reports(gpu: &Decoder, image: &Image, format: TexelFormat) -> [Report; 2] {
    let request = DecodeRequest::default();
    let (_, to_texture) = gpu.texture(image, &request.clone().format(format)).unwrap();
    let (_, to_components) = gpu.components(image, &request).unwrap();
    [to_texture, to_components]
}

#[test]
fn a_whole_decode_is_one_submission_of_few_dispatches() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(gpu) = gpu() else { return };
    for name in FILES {
        let image = open_path(&testdata.join(name));
        for report in reports(&gpu, &image, TexelFormat::Rgba8) {
            assert_eq!((report.cells, report.submissions), (1, 1), "{name}");
            let most = levels(&image) + 2;
            assert!(report.dispatches <= most, "{name}: {} dispatches, {most} allowed", report.dispatches);
        }
    }
}

#[test]
fn small_buffers_cut_a_decode_into_cells_and_submissions_with_the_same_result() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(gpu) = gpu() else { return };
    let request = DecodeRequest::default();
    // 800 x 800 in three components: 2 MiB of coefficients, 18 MiB of samples.
    let image = open_path(&testdata.join("files/goodstuff.j2k"));
    let (whole, _) = gpu.components(&image, &request).unwrap();
    let (picture, report) = gpu.render(&image, &request).unwrap();
    assert_eq!((report.cells, report.submissions), (1, 1));

    let small = |bytes| {
        let context = Context::request_blocking().unwrap().with_buffer_bytes(bytes);
        assert_eq!(context.buffer_bytes(), bytes);
        Decoder::with_gpu(context).unwrap()
    };
    // The samples need four cells, but the uploads of all fit one submission.
    let (texels, report) = small(12 << 20).render(&image, &request).unwrap();
    assert!(report.cells > 1, "{report:?}");
    assert_eq!(report.submissions, 1, "{report:?}");
    assert_eq!(texels, picture);
    // Neither do the uploads.
    let smaller = small(1 << 20);
    let (texels, report) = smaller.render(&image, &request).unwrap();
    assert!(report.submissions > 1 && report.submissions < report.cells, "{report:?}");
    assert!(report.submissions <= report.uploaded_bytes.div_ceil(512 << 10), "{report:?}");
    assert_eq!(texels, picture);
    let (components, report) = smaller.components(&image, &request).unwrap();
    // Results are bounded like uploads.
    assert!(report.submissions >= 4, "{report:?}");
    assert_eq!(components, whole);
}

#[test]
fn coefficients_are_uploaded_in_16_bits_and_empty_blocks_never() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(gpu) = gpu() else { return };
    let mut empty = 0;
    for (name, fits_16) in [
        ("files/goodstuff.j2k", true),
        ("files/stefan_full_rgba.jp2", true),
        ("files/gray-32x32-97.j2k", true),
        ("files/ht_gray64_d3_irv_multiblock.j2c", true),
        ("files/ht_rgb24_rev.j2c", true),
        ("files/byte.jph", true),
        ("files/gray-32x32-u16-53.j2k", false),
    ] {
        let image = open_path(&testdata.join(name));
        let request = DecodeRequest::default();
        let cells = CellSize { side: u32::MAX, buffer_bytes: 128 << 20 };
        let (plan, coverage) = image.plan(&request, Target::Components, cells).unwrap();
        assert_eq!(plan.blocks.len() as u64, coverage.blocks_coded, "{name}");
        empty += coverage.blocks_needed - coverage.blocks_coded;
        assert_eq!(plan.blocks.iter().all(|block| block.packed_16), fits_16, "{name}");
        let bytes = |block: &wavetile_engine::low_level::plan::PlannedBlock| match block.packed_16 {
            true => u64::from(block.size.width.next_multiple_of(2) * block.size.height) * 2,
            false => u64::from(block.size.width * block.size.height) * 4,
        };
        let coefficients: u64 = plan.blocks.iter().map(bytes).sum();
        let (_, report) = gpu.components(&image, &request).unwrap();
        assert_eq!(report.coefficient_bytes, coefficients, "{name}");
        // A job of 12 words for each block, and its first workgroup; little for the other steps.
        let tables = plan.blocks.len() as u64 * 52 + 16 * 1024;
        assert!((coefficients..=coefficients + tables).contains(&report.uploaded_bytes), "{name} {report:?}");
    }
    assert!(empty > 0, "no file has an empty block");
}
