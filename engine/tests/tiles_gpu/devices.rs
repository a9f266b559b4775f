//! Budgets that change, and devices that go.

use crate::device_rig::{DeviceRig, Making, decoder};
use crate::rig::{Rig, mandelbrot, page, window};
use wavetile_engine::error::DeviceError;
use wavetile_engine::gpu::Context;
use wavetile_engine::tiles::{
    FrameBudget, PageLayout, PictureOptions, Tiles, TilesOptions, VirtualTexture, VirtualTextureOptions,
};
use wavetile_engine::{Decoder, Size, TexelFormat};

#[test]
fn the_least_budget_is_enough_and_less_is_refused() {
    let Some(decoder) = decoder() else { return };
    let context = decoder.gpu().unwrap();
    for format in [TexelFormat::Rgba8, TexelFormat::R16, TexelFormat::Rgba16] {
        let mut tiles = Tiles::new(&decoder, TilesOptions::new().format(format));
        let least = VirtualTexture::least_bytes(PageLayout::default(), format);
        let options = VirtualTextureOptions::new().device_bytes(least);
        let texture = VirtualTexture::new(context, &mut tiles, options).unwrap();
        assert!(texture.slots() >= 16);
        assert!(texture.device_bytes().used() <= least);
        let error = VirtualTexture::new(context, &mut tiles, options.device_bytes(least / 4)).unwrap_err();
        assert!(matches!(error, DeviceError::Refused { .. }), "{error}");
    }
}

#[test]
fn a_budget_changes_while_pages_are_drawn() {
    let Some(decoder) = decoder() else { return };
    let image = mandelbrot();
    let mut rig = DeviceRig::new(&decoder, Making::OnDevice, TilesOptions::new(), 64 << 20);
    let mut host = Rig::new(TilesOptions::new(), 64 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
    host.tiles.add(&image, PictureOptions::default(), None).unwrap();
    let views = [window(picture, 1000.0, 2000.0, 1.0, Size::new(600, 500))];
    host.settle(&views);
    rig.settle(&views);
    let decoded = rig.tiles.report().totals.blocks_decoded;
    let least = VirtualTexture::least_bytes(PageLayout::default(), TexelFormat::Rgba8);
    assert!(rig.texture.set_device_bytes(least / 4).is_err());
    for bytes in [128 << 20, 40 << 20, 64 << 20] {
        rig.texture.set_device_bytes(bytes).unwrap();
        // Frames of before are still on their way.
        let mut limit = rig.texture.device_bytes().limit();
        while limit != bytes {
            let (encoder, report) = rig.record(&views, FrameBudget::default());
            limit = rig.texture.device_bytes().limit();
            assert!(report.device_bytes <= limit);
            rig.context.queue().submit([encoder.finish()]);
            // Something is always drawn, if only the coarsest page.
            assert!(rig.texture.bind_group().is_some());
            assert!(rig.texture.place(page(picture, 7, 0, 0)).is_some(), "{report:?}");
        }
        rig.settle(&views);
        assert!(rig.texture.device_bytes().used() <= bytes);
        for (x, y) in [(3, 7), (5, 8)] {
            rig.check_page(&host, page(picture, 0, x, y));
        }
    }
    assert_eq!(rig.tiles.report().totals.blocks_decoded, decoded, "blocks are kept");
}

#[test]
fn a_lost_device_is_an_error_and_another_one_shows_the_same() {
    if decoder().is_none() {
        return;
    }
    let image = mandelbrot();
    let mut host = Rig::new(TilesOptions::new(), 64 << 20);
    let picture = host.tiles.add(&image, PictureOptions::default(), None).unwrap();
    let views = [window(picture, 1000.0, 2000.0, 1.0, Size::new(600, 500))];
    host.settle(&views);
    // One that reports its loss, and one of a host that does not tell us.
    for told in [true, false] {
        let own = Context::request_blocking().unwrap();
        let context = if told { own } else { Context::new(own.device().clone(), own.queue().clone()) };
        let decoder = Decoder::with_gpu(context).unwrap();
        let mut rig = DeviceRig::new(&decoder, Making::OnDevice, TilesOptions::new(), 64 << 20);
        rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
        let (encoder, _) = rig.record(&views, FrameBudget::default());
        let (another, _) = rig.record(&views, FrameBudget::pages(1));
        rig.context.queue().submit([encoder.finish()]);
        rig.context.device().destroy();
        rig.context.queue().submit([another.finish()]);
        // What is lost is noticed within some frames.
        let lost = (0..10).any(|_| {
            rig.now += std::time::Duration::from_millis(10);
            rig.tiles.update(&views, rig.now);
            while rig.tiles.work() {}
            let mut encoder = rig.encoder();
            let polled = rig.texture.poll(&mut rig.tiles, &mut encoder, FrameBudget::default());
            rig.context.queue().submit([encoder.finish()]);
            polled.is_err()
        });
        assert!(lost);
        let fresh = Context::request_blocking().unwrap();
        rig.texture.replace_device(&fresh, &mut rig.tiles).unwrap();
        rig.context = fresh;
        let report = rig.settle(&views);
        assert_eq!((report.missing, report.holes), (0, 0));
        for (x, y) in [(3, 7), (5, 8)] {
            rig.check_page(&host, page(picture, 0, x, y));
        }
    }
}
