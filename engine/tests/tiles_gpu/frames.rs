//! What frames bring, and what they cost.

use crate::device_rig::{DeviceRig, Making, decoder};
use crate::rig::{Rig, mandelbrot, page, window};
use wavetile_engine::tiles::{FrameBudget, PictureOptions, TilesOptions};
use wavetile_engine::{Size, TexelFormat};

const BUDGET: u64 = 64 << 20;

#[test]
fn settled_pages_are_those_of_an_atlas_in_host_memory() {
    let Some(decoder) = decoder() else { return };
    let image = mandelbrot();
    for (making, format) in [
        (Making::OnDevice, TexelFormat::Rgba8),
        (Making::OnProcessor, TexelFormat::Rgba8),
        (Making::OnDevice, TexelFormat::R16),
    ] {
        let options = TilesOptions::new().format(format);
        let mut rig = DeviceRig::new(&decoder, making, options.clone(), BUDGET);
        let mut host = Rig::new(options, BUDGET);
        let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
        assert_eq!(host.tiles.add(&image, PictureOptions::default(), None).unwrap(), picture);
        // The middle, and a corner with the picture's edges.
        for (left, top) in [(1000.0, 2000.0), (7700.0, -100.0)] {
            let views = [window(picture, left, top, 1.0, Size::new(600, 500))];
            let report = rig.settle(&views);
            assert_eq!((report.missing, report.holes), (0, 0), "{making:?} {report:?}");
            assert_eq!(report.resident, report.complete);
            host.settle(&views);
        }
        for (x, y) in [(3, 7), (5, 8), (31, 0), (31, 1)] {
            rig.check_page(&host, page(picture, 0, x, y));
        }
        let bytes = rig.texture.device_bytes();
        assert!(bytes.peak() <= BUDGET && bytes.used() > BUDGET / 2, "{bytes:?}");
    }
}

#[test]
fn pages_of_a_frame_share_dispatches() {
    let Some(decoder) = decoder() else { return };
    let mut rig = DeviceRig::new(&decoder, Making::OnDevice, TilesOptions::new(), 256 << 20);
    let picture = rig.tiles.add(&mandelbrot(), PictureOptions::default(), None).unwrap();
    rig.settle(&[window(picture, 0.0, 0.0, 1.0, Size::new(900, 900))]);
    let polled = rig.polled.lock().unwrap();
    let most = polled.iter().max_by_key(|report| report.pages.pages).unwrap();
    assert!(most.pages.pages >= 6, "{polled:?}");
    for report in &*polled {
        // Six pages are made together; the picture has 7 levels.
        let lots = report.pages.pages.div_ceil(6) + 1;
        assert!(report.pages.dispatches <= lots * (7 + 3), "{report:?}");
    }
}

#[test]
fn a_frame_keeps_to_its_budget() {
    let Some(decoder) = decoder() else { return };
    let mut rig = DeviceRig::new(&decoder, Making::OnDevice, TilesOptions::new(), BUDGET);
    let picture = rig.tiles.add(&mandelbrot(), PictureOptions::default(), None).unwrap();
    let views = [window(picture, 3000.0, 3000.0, 1.0, Size::new(1280, 800))];
    let mut pages = 0;
    for _ in 0..60 {
        let (encoder, report) = rig.record(&views, FrameBudget::pages(4));
        rig.context.queue().submit([encoder.finish()]);
        rig.wait();
        // One lot at least, of six at most.
        assert!(report.pages.pages <= 6, "{report:?}");
        pages += report.pages.pages;
    }
    assert!(rig.tiles.report().settled, "{:?}", rig.tiles.report());
    assert!(pages >= rig.tiles.report().visible as u64);
}

#[test]
fn encoders_that_are_dropped_or_wait_for_long_lose_nothing() {
    let Some(decoder) = decoder() else { return };
    let image = mandelbrot();
    let mut rig = DeviceRig::new(&decoder, Making::OnDevice, TilesOptions::new(), BUDGET);
    let mut host = Rig::new(TilesOptions::new(), BUDGET);
    let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
    host.tiles.add(&image, PictureOptions::default(), None).unwrap();
    let views = [window(picture, 1000.0, 2000.0, 1.0, Size::new(600, 500))];
    let mut kept = Vec::new();
    let mut stalled = 0;
    for step in 0..12 {
        let (encoder, report) = rig.record(&views, FrameBudget::default());
        stalled += usize::from(report.stalled);
        match step % 3 {
            0 => drop(encoder),
            1 => drop(encoder.finish()),
            _ => kept.push(encoder.finish()),
        }
    }
    assert!(stalled > 0, "four frames at most are on their way: {:?}", rig.polled);
    rig.context.queue().submit(kept);
    rig.wait();
    let report = rig.settle(&views);
    assert_eq!((report.missing, report.holes), (0, 0));
    host.settle(&views);
    for (x, y) in [(3, 7), (4, 8), (5, 9), (6, 7)] {
        rig.check_page(&host, page(picture, 0, x, y));
    }
    assert!(rig.texture.device_bytes().peak() <= BUDGET);
}

#[test]
fn a_thread_makes_pages_while_frames_are_drawn() {
    let Some(decoder) = decoder() else { return };
    let image = mandelbrot();
    let mut rig = DeviceRig::new(&decoder, Making::OnDevice, TilesOptions::new(), BUDGET);
    let mut host = Rig::new(TilesOptions::new(), BUDGET);
    let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
    host.tiles.add(&image, PictureOptions::default(), None).unwrap();
    let views = [window(picture, 1000.0, 2000.0, 1.0, Size::new(600, 500))];
    host.settle(&views);
    rig.tiles.start().unwrap();
    for _ in 0..2000 {
        rig.now += std::time::Duration::from_millis(10);
        if rig.tiles.update(&views, rig.now).settled {
            break;
        }
        let mut encoder = rig.encoder();
        rig.texture.poll(&mut rig.tiles, &mut encoder, FrameBudget::default()).unwrap();
        rig.context.queue().submit([encoder.finish()]);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(rig.tiles.report().settled, "{:?}", rig.tiles.report());
    for (x, y) in [(3, 7), (5, 8)] {
        rig.check_page(&host, page(picture, 0, x, y));
    }
}
