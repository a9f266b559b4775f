//! Windows of several cells: texels, textures, planes, and what a run costs.

use crate::rig::{block, executor};
use crate::texture;
use wavetile_engine::Rect;
use wavetile_engine::gpu::{Context, TexelFormat, TextureTarget};
use wavetile_engine::low_level::executor::GpuExecutor;
use wavetile_engine::low_level::executor::Statistics;
use wavetile_engine::low_level::plan::{Cell, Plan, PlaneWindow};
use wavetile_shaders::dequantise::DequantiseJob;
use wavetile_shaders::pack::{PackChannel, PackParameters};
use wavetile_testing::skip;

/// The sample at `(x, y)` of the output grid.
fn sample(x: u32, y: u32) -> u32 {
    (x * 7 + y * 13) % 251
}

/// A grey window cut into cells of at most `side`; the plane's rows have a gap of `gap` words.
fn grey_plan(window: Rect, side: u32, gap: u32) -> (Plan, Vec<u32>) {
    let mut plan = Plan { window, ..Plan::default() };
    let mut staging = Vec::new();
    for y0 in (window.y0..window.y1).step_by(side as usize) {
        for x0 in (window.x0..window.x1).step_by(side as usize) {
            let rect = Rect::new(x0, y0, x0 + side, y0 + side).intersect(window);
            let (width, height) = (rect.width(), rect.height());
            let words = width * height;
            plan.blocks.push(block(staging.len(), words as usize));
            staging.extend((rect.y0..rect.y1).flat_map(|y| (rect.x0..rect.x1).map(move |x| sample(x, y))));
            let row = width + gap;
            let grey = PackChannel {
                row,
                x0,
                y0,
                width,
                height,
                x_numerator: 1,
                x_denominator: 1,
                y_numerator: 1,
                y_denominator: 1,
                high: 255,
                table: PackChannel::NO_TABLE,
                ..PackChannel::default()
            };
            let missing = PackChannel { plane: PackChannel::OPAQUE, ..PackChannel::default() };
            plan.cells.push(Cell {
                rect,
                arena_words: row * height,
                blocks: vec![plan.blocks.len() as u32 - 1],
                upload_words: words.into(),
                dequantise: vec![DequantiseJob {
                    source_row: width,
                    width,
                    height,
                    target_row: row,
                    ..DequantiseJob::default()
                }],
                planes: vec![PlaneWindow { component: 0, rect, offset: 0, row }],
                pack: PackParameters {
                    x0,
                    y0,
                    width,
                    height,
                    channels: [grey, missing, missing, missing, missing],
                    ..PackParameters::default()
                },
                ..Cell::default()
            });
        }
    }
    plan.staging_words = staging.len();
    (plan, staging)
}

fn grey_rgba8(window: Rect) -> Vec<u8> {
    (window.y0..window.y1)
        .flat_map(|y| {
            (window.x0..window.x1).flat_map(move |x| [[sample(x, y) as u8; 3].as_slice(), &[255]].concat())
        })
        .collect()
}

#[test]
fn cells_make_one_window_in_every_output() {
    let Some(executor) = executor() else { return };
    let window = Rect::new(1003, 17, 1003 + 150, 17 + 101);
    // More cells than are in flight, with odd sizes at the right and lower edges.
    let (plan, staging) = grey_plan(window, 32, 3);
    let expected = grey_rgba8(window);

    let (texels, statistics) = executor.read_texels(&plan, &staging, TexelFormat::Rgba8).unwrap();
    assert!(texels == expected, "texels differ");
    let cells = plan.cells.len() as u64;
    assert_eq!(cells, 20);
    // Dequantise and pack.
    assert_eq!((statistics.submissions, statistics.dispatches, statistics.cells), (1, 2 * cells, cells));
    assert!(statistics.uploaded_bytes > staging.len() as u64 * 4);

    let (texture, _) = executor.decode_to_texture(&plan, &staging, TexelFormat::Rgba8).unwrap();
    assert_eq!((texture.width(), texture.height()), (150, 101));
    assert!(texture::read(executor.context(), &texture, 4) == expected, "texture differs");
    if executor.context().adapter_info().backend == wgpu::Backend::Gl {
        skip("sRGB views, which OpenGL has not", false);
    } else {
        texture.create_view(&wgpu::TextureViewDescriptor {
            format: Some(wgpu::TextureFormat::Rgba8UnormSrgb),
            ..Default::default()
        });
    }

    let mut planes = 0;
    let take = &mut |cell: &Cell, plane: &PlaneWindow, samples: &[i32]| {
        planes += 1;
        assert_eq!(cell.rect, plane.rect);
        let rect = plane.rect;
        let expected = (rect.y0..rect.y1).flat_map(|y| (rect.x0..rect.x1).map(move |x| sample(x, y) as i32));
        assert!(samples.iter().copied().eq(expected), "{rect:?}");
    };
    let statistics = executor.read_planes(&plan, &staging, take).unwrap();
    assert_eq!(planes, 20);
    assert_eq!(statistics.dispatches, cells);
}

#[test]
fn sixteen_bit_textures_hold_the_packed_texels() {
    let Some(executor) = executor() else { return };
    let (plan, staging) = grey_plan(Rect::new(5, 6, 50, 40), 31, 0);
    for format in [TexelFormat::R16, TexelFormat::Rgba16] {
        let (texels, _) = executor.read_texels(&plan, &staging, format).unwrap();
        let (texture, _) = executor.decode_to_texture(&plan, &staging, format).unwrap();
        assert!(texture::read(executor.context(), &texture, format.bytes()) == texels, "{format:?}");
    }
}

#[test]
fn the_hosts_texture_is_written_at_the_place_asked_for_and_nowhere_else() {
    let Some(executor) = executor() else { return };
    let texture = executor.context().device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 64, height: 48, depth_or_array_layers: 2 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8UnormSrgb,
        usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let window = Rect::new(0, 0, 30, 20);
    let (plan, staging) = grey_plan(window, 17, 0);
    let at = |x, y, z| TextureTarget { texture: &texture, mip_level: 0, origin: wgpu::Origin3d { x, y, z } };
    let decode = |target| executor.decode_into_texture(&plan, &staging, TexelFormat::Rgba8, target);
    decode(at(34, 28, 0)).unwrap();
    decode(at(0, 0, 1)).unwrap();
    let found = texture::read(executor.context(), &texture, 4);
    let expected = grey_rgba8(window);
    for y in 0..48 {
        let row = &found[y * 256..][..256];
        assert!(row[..34 * 4].iter().all(|&byte| byte == 0), "row {y}");
        if y < 28 {
            assert!(row.iter().all(|&byte| byte == 0), "row {y}");
        } else {
            assert!(row[34 * 4..] == expected[(y - 28) * 120..][..120], "row {y}");
        }
    }
    for target in [at(35, 28, 0), at(34, 29, 0), at(0, 0, 2), at(u32::MAX, 0, 0)] {
        assert!(decode(target).unwrap_err().to_string().contains("not inside"));
    }
    let wrong = executor.decode_into_texture(&plan, &staging, TexelFormat::R16, at(0, 0, 0)).unwrap_err();
    assert!(wrong.to_string().contains("do not fit"), "{wrong}");
}

#[test]
fn decodes_recorded_into_the_hosts_encoders_are_submitted_in_any_order() {
    let Some(executor) = executor() else { return };
    let (device, queue) = (executor.context().device(), executor.context().queue());
    let texture = || {
        device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: 64, height: 48, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        })
    };
    let windows = [Rect::new(3, 5, 67, 53), Rect::new(100, 200, 164, 248)];
    let textures = [texture(), texture()];
    let mut encoders = [(); 2].map(|()| device.create_command_encoder(&Default::default()));
    for ((window, texture), encoder) in windows.into_iter().zip(&textures).zip(&mut encoders) {
        let (plan, staging) = grey_plan(window, 40, 0);
        let target = TextureTarget { texture, mip_level: 0, origin: wgpu::Origin3d::ZERO };
        let statistics = executor.record(encoder, &plan, &staging, TexelFormat::Rgba8, target).unwrap();
        assert_eq!((statistics.cells, statistics.dispatches, statistics.submissions), (4, 8, 0));
    }
    // Another decode uses the same buffers before any of them runs.
    let (plan, staging) = grey_plan(Rect::new(7, 7, 90, 60), 100, 0);
    executor.read_texels(&plan, &staging, TexelFormat::Rgba8).unwrap();
    let [first, second] = encoders.map(wgpu::CommandEncoder::finish);
    queue.submit([second]);
    queue.submit([first]);
    for (window, texture) in windows.into_iter().zip(&textures) {
        assert!(texture::read(executor.context(), texture, 4) == grey_rgba8(window), "{window:?}");
    }
}

#[test]
fn a_hosts_device_of_the_lowest_limits_will_do() {
    if executor().is_none() {
        return;
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    for required_limits in [wgpu::Limits::default(), wgpu::Limits::downlevel_defaults()] {
        let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
        let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let context = Context::new(device, queue);
        assert_eq!(context.buffer_bytes(), 128 << 20);
        assert_eq!(context.clone().with_buffer_bytes(u64::MAX).buffer_bytes(), 128 << 20);
        let executor = GpuExecutor::new(&context).unwrap();
        let window = Rect::new(0, 0, 61, 47);
        let (plan, staging) = grey_plan(window, 40, 2);
        let (texels, statistics) = executor.read_texels(&plan, &staging, TexelFormat::Rgba8).unwrap();
        assert!(texels == grey_rgba8(window));
        assert_eq!(statistics.submissions, 1);
    }
}

#[test]
fn uploads_and_results_beyond_a_buffer_take_more_submissions() {
    let Some(executor) = executor() else { return };
    let window = Rect::new(0, 0, 320, 64);
    let (plan, staging) = grey_plan(window, 64, 0);
    // A cell: 16 KiB of samples, as much to upload and to read back.
    for (kilobytes, submissions) in [(128, 1), (64, 2), (24, 5)] {
        let context = executor.context().clone().with_buffer_bytes(kilobytes << 10);
        let executor = GpuExecutor::new(&context).unwrap();
        let (texels, statistics) = executor.read_texels(&plan, &staging, TexelFormat::Rgba8).unwrap();
        assert!(texels == grey_rgba8(window));
        assert_eq!((statistics.cells, statistics.submissions), (5, submissions), "{kilobytes} KiB");
    }
    let context = executor.context().clone().with_buffer_bytes(12 << 10);
    let executor = GpuExecutor::new(&context).unwrap();
    let refused = executor.read_texels(&plan, &staging, TexelFormat::Rgba8).unwrap_err();
    assert!(refused.to_string().contains("buffers here are at most 12288"), "{refused}");
}

#[test]
fn an_empty_plan_costs_nothing() {
    let Some(executor) = executor() else { return };
    let (texels, statistics) = executor.read_texels(&Plan::default(), &[], TexelFormat::Rgba8).unwrap();
    assert!(texels.is_empty());
    assert_eq!(statistics, Statistics::default());
}
