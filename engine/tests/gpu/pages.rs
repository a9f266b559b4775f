//! Pages that are recorded together against decodes one by one: the same texels, few dispatches, bounded memory.

use crate::rig::executor;
use crate::texture;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wavetile_engine::gpu::{Context, DeviceBytes, TextureTarget};
use wavetile_engine::low_level::entropy::decode_plan;
use wavetile_engine::low_level::executor::{
    Filled, GpuExecutor, PageBounds, PageSource, PageStatistics, PageTexels, PageUpload, UploadRing,
    Workspace,
};
use wavetile_engine::low_level::plan::{CellSize, Plan, Target};
use wavetile_engine::runner::Serial;
use wavetile_engine::{Backend, DecodeRequest, Decoder, Image, Rect, Size, TexelFormat, wgpu};
use wavetile_testing::shared;

const BOUNDS: PageBounds = PageBounds { arena: 16 << 20, upload: 4 << 20, texels: 4 << 20 };

/// A page: its plan, the coefficients of its blocks, and the texels of the reference decode.
struct Page {
    plan: Plan,
    staging: Vec<u32>,
    expected: Vec<u8>,
    size: Size,
    exact: bool,
}

impl Page {
    fn source(&self) -> PageSource<'_> {
        PageSource { plan: &self.plan, coefficients: (&self.staging).into() }
    }
}

fn page(path: &Path, region: Option<Rect>, reduce: u32, format: TexelFormat) -> Page {
    let image = Image::open_file(path).unwrap();
    let request = DecodeRequest::new().region(region).reduce(reduce).format(format);
    let cells = CellSize { side: u32::MAX, buffer_bytes: 128 << 20 };
    let (plan, _) = image.plan(&request, Target::Rendered, cells).unwrap();
    let mut staging = vec![0; plan.staging_words];
    assert_eq!(decode_plan(&plan, &Serial, &mut staging), 0);
    let (picture, _) = Decoder::new(Backend::Cpu).unwrap().render(&image, &request).unwrap();
    let exact = plan.cells[0].levels.iter().flatten().all(|job| !job.is_irreversible());
    Page { plan, staging, expected: picture.bytes, size: picture.size, exact }
}

/// Pages of different pictures, levels and sizes: both wavelets, three components and one, tiles, a palette, sub-sampling.
fn pages(folder: &Path, format: TexelFormat) -> Vec<Page> {
    let file = |name| folder.join("files").join(name);
    vec![
        page(&file("goodstuff.j2k"), Some(Rect::new(100, 100, 364, 364)), 0, format),
        page(&file("goodstuff.j2k"), Some(Rect::new(0, 400, 480, 800)), 1, format),
        page(&file("goodstuff.j2k"), None, 3, format),
        page(&file("stefan_full_rgba.jp2"), None, 0, format),
        page(&file("relax.jp2"), Some(Rect::new(13, 17, 201, 131)), 0, format),
        page(&file("pal-32x24.jp2"), None, 0, format),
        page(&file("issue411-ycc420.jp2"), None, 0, format),
        page(&file("tile_size_16.jp2"), Some(Rect::new(5, 5, 133, 133)), 0, format),
        page(&file("gray-33x29-off31-97.j2k"), None, 0, format),
    ]
}

/// Buffers for pages, and textures for each of them.
struct Stage {
    bytes: DeviceBytes,
    ring: UploadRing,
    workspace: Workspace,
    textures: Vec<wgpu::Texture>,
}

impl Stage {
    fn new(context: &Context, buffers: usize, pages: &[Page], format: TexelFormat) -> Self {
        let bytes = DeviceBytes::new(Workspace::bytes(BOUNDS) + buffers as u64 * BOUNDS.upload);
        let texture = |page: &Page| {
            context.device().create_texture(&wgpu::TextureDescriptor {
                label: None,
                size: wgpu::Extent3d {
                    width: page.size.width,
                    height: page.size.height,
                    depth_or_array_layers: 1,
                },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: format.texture_format(),
                usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
                view_formats: &[],
            })
        };
        Self {
            ring: UploadRing::new(context, BOUNDS.upload, buffers, &bytes, None),
            workspace: Workspace::new(context, BOUNDS, &bytes).unwrap().unwrap(),
            textures: pages.iter().map(texture).collect(),
            bytes,
        }
    }

    /// All of `pages` in as many uploads as it takes; the statistics of each.
    fn record(
        &self,
        executor: &GpuExecutor,
        encoder: &mut wgpu::CommandEncoder,
        pages: &[Page],
        format: TexelFormat,
    ) -> Vec<PageStatistics> {
        let sources: Vec<_> = pages.iter().map(Page::source).collect();
        let mut done = 0;
        let mut statistics = Vec::new();
        while done < pages.len() {
            let upload =
                PageUpload::of_cells(&self.ring, executor.context(), BOUNDS, &sources[done..], format);
            let Filled::Ready(mut upload, count) = upload.unwrap() else { panic!("pages are small") };
            assert!(upload.embark(&self.ring).unwrap(), "a buffer is free");
            let targets: Vec<_> = self.textures[done..done + count]
                .iter()
                .map(|texture| Some(TextureTarget::new(texture)))
                .collect();
            statistics.push(executor.record_pages(encoder, upload, Some(&self.workspace), &targets).unwrap());
            done += count;
        }
        statistics
    }

    fn check(&self, context: &Context, pages: &[Page], format: TexelFormat) {
        for (number, (page, texture)) in pages.iter().zip(&self.textures).enumerate() {
            let texels = texture::read(context, texture, format.bytes());
            assert_eq!(texels.len(), page.expected.len());
            let worst = texels.iter().zip(&page.expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            let allowed = if page.exact { 0 } else { 1 };
            assert!(worst <= allowed, "page {number}: {worst} off");
        }
    }
}

fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device().create_command_encoder(&Default::default())
}

fn wait(context: &Context) {
    context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
}

#[test]
fn pages_recorded_together_are_those_of_the_reference_decode_in_few_dispatches() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(executor) = executor() else { return };
    let format = TexelFormat::Rgba8;
    let pages = pages(&testdata, format);
    let stage = Stage::new(executor.context(), 1, &pages, format);
    let mut encoder = encoder(executor.context());
    let statistics = stage.record(executor, &mut encoder, &pages, format);
    executor.context().queue().submit([encoder.finish()]);
    stage.check(executor.context(), &pages, format);

    let [statistics] = statistics[..] else { panic!("one upload: {statistics:?}") };
    let levels = pages.iter().map(|page| page.plan.cells[0].levels.len() as u64).max().unwrap();
    assert!(statistics.dispatches <= levels + 3, "{statistics:?}");
    assert_eq!((statistics.pages, statistics.copies), (9, 10));
    let area: u64 = pages.iter().map(|page| page.size.area()).sum();
    assert_eq!(statistics.texels, area);
    assert!(stage.bytes.peak() <= stage.bytes.limit());
}

#[test]
fn what_does_not_fit_one_upload_is_more_of_them() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(executor) = executor() else { return };
    let format = TexelFormat::Rgba16;
    let region = |n: u32| Rect::new(n, 3 * n, n + 264, 3 * n + 264);
    let file = testdata.join("files/goodstuff.j2k");
    let pages: Vec<_> = (0..12).map(|n| page(&file, Some(region(n)), 0, format)).collect();
    let stage = Stage::new(executor.context(), 4, &pages, format);
    let mut encoder = encoder(executor.context());
    let statistics = stage.record(executor, &mut encoder, &pages, format);
    assert!((2..=4).contains(&statistics.len()), "{statistics:?}");
    executor.context().queue().submit([encoder.finish()]);
    stage.check(executor.context(), &pages, format);
}

#[test]
fn a_page_larger_than_the_bounds_is_told() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(executor) = executor() else { return };
    let format = TexelFormat::Rgba8;
    let page = page(&testdata.join("files/goodstuff.j2k"), None, 0, format);
    let bytes = DeviceBytes::new(1 << 20);
    let ring = UploadRing::new(executor.context(), 1 << 20, 1, &bytes, None);
    for bounds in [
        PageBounds { arena: 1 << 20, ..BOUNDS },
        PageBounds { texels: 1 << 20, ..BOUNDS },
        PageBounds { upload: 1 << 10, ..BOUNDS },
    ] {
        let sources = [page.source()];
        let filled = PageUpload::of_cells(&ring, executor.context(), bounds, &sources, format).unwrap();
        assert!(matches!(filled, Filled::TooLarge), "{bounds:?}");
    }
    let texels = PageTexels { size: page.size, bytes: &page.expected };
    assert!(matches!(PageUpload::of_texels(&ring, &[texels], format).unwrap(), Filled::TooLarge));
    let contradiction = PageTexels { size: Size::new(1, 1), bytes: &[0; 3] };
    assert!(PageUpload::of_texels(&ring, &[contradiction], format).is_err());
    assert_eq!(bytes.used(), 0, "nothing was made");
}

#[test]
fn texels_of_the_processor_ride_along() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(executor) = executor() else { return };
    for format in [TexelFormat::Rgba8, TexelFormat::R16] {
        let pages = pages(&testdata, format);
        let stage = Stage::new(executor.context(), 1, &pages, format);
        let texels: Vec<_> =
            pages.iter().map(|page| PageTexels { size: page.size, bytes: &page.expected }).collect();
        let filled = PageUpload::of_texels(&stage.ring, &texels, format).unwrap();
        let Filled::Ready(mut upload, count) = filled else { panic!("they fit") };
        assert!(upload.embark(&stage.ring).unwrap());
        assert_eq!(count, pages.len());
        let targets: Vec<_> =
            stage.textures.iter().map(|texture| Some(TextureTarget::new(texture))).collect();
        let mut encoder = encoder(executor.context());
        let statistics =
            executor.record_pages(&mut encoder, upload, Some(&stage.workspace), &targets).unwrap();
        assert_eq!((statistics.dispatches, statistics.copies), (0, pages.len() as u64));
        executor.context().queue().submit([encoder.finish()]);
        stage.check(executor.context(), &pages, format);
    }
}

#[test]
fn commands_that_are_never_submitted_leave_the_ring_whole() {
    let Some(testdata) = shared("testdata") else { return };
    let Some(executor) = executor() else { return };
    let (context, format) = (executor.context(), TexelFormat::Rgba8);
    let pages = vec![page(&testdata.join("files/relax.jp2"), Some(Rect::new(0, 0, 100, 100)), 0, format)];
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let mut stage = Stage::new(context, 2, &pages, format);
    let wake = Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    stage.ring = UploadRing::new(context, BOUNDS.upload, 2, &stage.bytes, Some(wake));
    for round in 0..10 {
        let mut encoders = [encoder(context), encoder(context)];
        for encoder in &mut encoders {
            stage.record(executor, encoder, &pages, format);
        }
        assert_eq!(stage.ring.in_flight(), 2);
        // What comes now waits in host memory.
        let upload = PageUpload::of_cells(&stage.ring, context, BOUNDS, &[pages[0].source()], format);
        let Filled::Ready(mut waiting, _) = upload.unwrap() else { panic!("it fits") };
        assert!(!waiting.embark(&stage.ring).unwrap());
        let before = woken.load(Ordering::Relaxed);
        let [first, second] = encoders;
        match round % 3 {
            0 => drop((first, second)),
            // Finished, and dropped.
            1 => drop((first.finish(), second.finish())),
            _ => {
                context.queue().submit([first.finish()]);
                drop(second);
            }
        }
        wait(context);
        stage.ring.collect();
        wait(context);
        assert_eq!(stage.ring.in_flight(), 0, "round {round}");
        assert!(woken.load(Ordering::Relaxed) > before);
        assert!(waiting.embark(&stage.ring).unwrap());
        assert!(stage.bytes.used() <= stage.bytes.limit());
    }
    // The ring ends before what it lent does.
    let mut encoder = encoder(context);
    stage.record(executor, &mut encoder, &pages, format);
    let (bytes, ring) = (stage.bytes.clone(), stage.ring.clone());
    stage.check(context, &[], format);
    drop((stage, ring));
    assert_eq!(bytes.used(), 0);
    context.queue().submit([encoder.finish()]);
    wait(context);
}

#[test]
fn a_lost_device_is_an_error_of_whoever_uses_it() {
    let Some(testdata) = shared("testdata") else { return };
    if executor().is_none() {
        return;
    }
    let context = Context::request_blocking().unwrap();
    let executor = GpuExecutor::new(&context).unwrap();
    let format = TexelFormat::Rgba8;
    let pages = vec![page(&testdata.join("files/relax.jp2"), Some(Rect::new(0, 0, 100, 100)), 0, format)];
    let stage = Stage::new(&context, 2, &pages, format);
    stage.ring.fill_up().unwrap();
    let fill = || PageUpload::of_cells(&stage.ring, &context, BOUNDS, &[pages[0].source()], format);
    let Ok(Filled::Ready(upload, _)) = fill() else { panic!("it fits") };
    let [mut encoder, mut late] = [encoder(&context), encoder(&context)];
    stage.record(&executor, &mut late, &pages, format);
    context.device().destroy();
    context.queue().submit([late.finish()]);
    drop(context.device().poll(wgpu::PollType::Poll));
    assert!(stage.ring.is_broken(), "a host that is not told finds out");
    let Ok(Filled::Ready(mut late, _)) = fill() else { panic!("it waits in host memory") };
    assert!(late.embark(&stage.ring).is_err());
    let target = Some(TextureTarget::new(&stage.textures[0]));
    assert!(executor.record_pages(&mut encoder, upload, Some(&stage.workspace), &[target]).is_err());
    drop(encoder);
    stage.ring.collect();
}
