//! What a feedback pass wrote, read back.

use crate::device_rig::decoder;
use wavetile_engine::error::DeviceError;
use wavetile_engine::gpu::Context;
use wavetile_engine::tiles::{PageFeedback, PageId, PageKey};
use wavetile_engine::wgpu;
use wavetile_shaders::feedback_virtual::WantedPage;

const SIZE: wgpu::Extent3d = wgpu::Extent3d { width: 40, height: 3, depth_or_array_layers: 1 };

fn texture(context: &Context, format: wgpu::TextureFormat) -> wgpu::Texture {
    context.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: SIZE,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// As if a pass had drawn `want(texel)` into each texel.
fn draw(context: &Context, texture: &wgpu::Texture, want: impl Fn(u32) -> [u32; 2]) {
    let words: Vec<u32> = (0..SIZE.width * SIZE.height).flat_map(want).collect();
    let layout =
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(8 * SIZE.width), rows_per_image: None };
    context.queue().write_texture(texture.as_image_copy(), bytemuck::cast_slice(&words), layout, SIZE);
}

fn wanted(x: u32) -> WantedPage {
    WantedPage { picture: 0, reduce: 2, x, y: 7 }
}

fn names(pages: &[PageKey]) -> Vec<PageId> {
    pages.iter().map(|key| key.page).collect()
}

fn page(x: u32) -> PageId {
    PageId { reduce: 2, x, y: 7 }
}

#[test]
fn pages_come_back_those_that_most_texels_want_first() {
    let Some(decoder) = decoder() else { return };
    let context = decoder.gpu().unwrap();
    let texture = texture(context, PageFeedback::FORMAT);
    let feedback = PageFeedback::new(context);
    let send = |want: &dyn Fn(u32) -> [u32; 2]| {
        draw(context, &texture, want);
        let mut encoder = context.device().create_command_encoder(&Default::default());
        let recorded = feedback.record(&mut encoder, &texture).unwrap();
        context.queue().submit([encoder.finish()]);
        recorded
    };
    let wait = || context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    assert_eq!(feedback.collect(), None);
    // A texel of each of ten pages and nothing between; then a whole row of one.
    let mixed = |texel: u32| match texel {
        80.. => wanted(77).pack(),
        _ if texel.is_multiple_of(8) => wanted(texel / 8).pack(),
        _ => [0; 2],
    };
    assert!(send(&mixed));
    wait();
    let pages = feedback.collect().unwrap();
    assert_eq!(names(&pages)[..3], [page(77), page(0), page(1)]);
    assert_eq!((pages.len(), pages[0].picture.number()), (11, 0));
    assert_eq!(feedback.collect(), None, "it was told");

    // The newest counts; what was drawn before is passed over.
    assert!(send(&|_| wanted(1).pack()) && send(&|_| wanted(2).pack()));
    wait();
    assert_eq!(names(&feedback.collect().unwrap()), [page(2)]);
    assert!(send(&|_| [0; 2]));
    wait();
    assert_eq!(feedback.collect(), Some(Vec::new()));
}

#[test]
fn copies_that_are_not_submitted_do_not_use_up_the_buffers() {
    let Some(decoder) = decoder() else { return };
    let context = decoder.gpu().unwrap();
    let texture = texture(context, PageFeedback::FORMAT);
    let feedback = PageFeedback::new(context);
    let encoder = || context.device().create_command_encoder(&Default::default());
    for _ in 0..4 {
        let mut encoders = [encoder(), encoder(), encoder(), encoder()];
        let recorded = encoders.each_mut().map(|encoder| feedback.record(encoder, &texture).unwrap());
        assert_eq!(recorded, [true, true, true, false]);
        drop(encoders);
    }
    assert_eq!(feedback.collect(), None);
    let mut encoder = encoder();
    assert!(feedback.record(&mut encoder, &texture).unwrap());
    // It may end before what it records.
    drop(feedback);
    context.queue().submit([encoder.finish()]);
    context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
}

#[test]
fn other_textures_are_refused() {
    let Some(decoder) = decoder() else { return };
    let context = decoder.gpu().unwrap();
    let texture = texture(context, wgpu::TextureFormat::Rgba8Unorm);
    let mut encoder = context.device().create_command_encoder(&Default::default());
    let error = PageFeedback::new(context).record(&mut encoder, &texture).unwrap_err();
    assert!(matches!(error, DeviceError::Refused { .. }), "{error}");
}
