//! Clumsy hosts and hostile sources: budgets hold, nothing hangs, and cost stays in proportion.

use crate::arrival::Trickle;
use crate::rig::{Rig, mandelbrot, page, window};
use std::path::Path;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::tiles::{PictureOptions, SurfaceView, TilesOptions, View};
use wavetile_engine::{DecodeRequest, Image, Size, TexelFormat};

fn gradient() -> Image {
    Image::open_file("tests/data/gradient.jp2").unwrap()
}

#[test]
fn no_memory_at_all_is_no_picture_and_no_error() {
    let image = mandelbrot();
    for (blocks, atlas) in [(0, 0), (0, 8 << 20), (1, 4 << 20), (1 << 30, 0)] {
        let mut rig = Rig::new(TilesOptions::new().block_bytes(blocks), atlas);
        let picture = rig.tiles.add(&image, PictureOptions::new(), None).unwrap();
        for step in 0..4 {
            let view = window(picture, 500.0 * f64::from(step), 0.0, 1.0, Size::new(1000, 700));
            let report = rig.frame(&[view]);
            assert!(rig.atlas.bytes() <= atlas && report.totals.most_block_bytes <= blocks, "{report:?}");
            assert_eq!(report.slots == 0, atlas == 0);
            assert!(atlas == 0 || step == 0 || report.holes == 0, "{report:?}");
        }
    }
}

#[test]
fn ten_thousand_views_and_page_names_cost_what_fits_the_atlas() {
    let image = mandelbrot();
    let mut rig = Rig::new(TilesOptions::new(), 16 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::new(), None).unwrap();
    let gone = rig.tiles.add(&gradient(), PictureOptions::new(), None).unwrap();
    rig.tiles.remove(gone);
    let scattered = (0..100_000u32).map(|n| page(picture, n % 9, n * 7919 % 40, n * 10_007 % 40));
    let mut views = vec![View::Pages(scattered.chain([page(gone, 0, 0, 0)]).collect())];
    for n in 0..10_000 {
        let at = f64::from(n * 37 % 9000);
        views.push(window(picture, at, 9000.0 - at, 0.001 * f64::from(n + 1), Size::new(n % 50, 40)));
    }
    views.push(window(gone, 0.0, 0.0, 1.0, Size::new(100, 100)));
    let report = rig.frame(&views);
    assert!(report.visible <= report.slots && report.coarser > 0, "{report:?}");
    let report = rig.frame(&views);
    assert_eq!(report.holes, 0, "{report:?}");
    assert!(rig.atlas.bytes() <= 16 << 20);
}

#[test]
fn matrices_of_any_numbers_are_views() {
    let image = mandelbrot();
    let mut rig = Rig::new(TilesOptions::new(), 8 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::new(), None).unwrap();
    let odd = [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e300, -1e300, 1e-300];
    let mut views = Vec::new();
    for (n, &a) in odd.iter().enumerate() {
        for &b in &odd {
            let matrix = [[a, b, 0.0, 0.0], [b, a, 0.0, b], [0.0; 4], [a, b, 0.5, b]];
            let pixels = [a, b, 8192.0 * b, odd[(n + 3) % odd.len()]];
            views.push(View::Surface(SurfaceView { picture, pixels, matrix, viewport: Size::new(800, 600) }));
        }
    }
    for view in &views {
        assert!(rig.frame(std::slice::from_ref(view)).visible <= 30);
    }
    rig.frame(&views);
}

#[test]
fn as_many_pictures_as_there_can_be_share_a_small_atlas() {
    let image = gradient();
    let mut rig = Rig::new(TilesOptions::new().format(TexelFormat::R8), 2 << 20);
    let layers: Vec<_> = (0..1024).map(|_| (image.clone(), None)).collect();
    let pictures = rig.tiles.add_layers(&layers, &PictureOptions::new()).unwrap();
    assert!(rig.tiles.add(&image, PictureOptions::new(), None).is_err());
    let views: Vec<View> =
        pictures.iter().map(|&picture| window(picture, 0.0, 0.0, 1.0, Size::new(96, 64))).collect();
    let report = rig.frame(&views);
    assert!(report.used <= report.slots && report.visible <= report.slots, "{report:?}");
    assert!(rig.atlas.bytes() <= 2 << 20);
    // Those that are looked at have room.
    let report = rig.settle(&views[500..510]);
    assert_eq!((report.missing, report.holes), (0, 0));
    rig.check_page(&image, &DecodeRequest::new(), page(pictures[505], 0, 0, 0));
    assert!(rig.tiles.set_options(pictures[3], PictureOptions::new()).is_ok());
}

#[test]
fn a_source_that_says_too_much_and_never_ends_is_no_hang() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let source = Trickle::new(&path);
    let image = source.image();
    let mut rig = Rig::new(TilesOptions::new(), 8 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::new(), Some(source.clone())).unwrap();
    let views = [window(picture, 0.0, 0.0, 1.0, Size::new(96, 64))];
    source.bring(DataBinId::TileHeader(0), 1.0);
    let precincts = source.precincts();
    precincts.iter().for_each(|&id| source.bring(id, 0.5));
    rig.frame(&views);
    let before = rig.tiles.report().totals;
    // The same word again and again, and of bins that nobody has heard of.
    for n in 0..3000u64 {
        source.bring(precincts[n as usize % precincts.len()], 0.5);
        source.claim(DataBinId::Precinct(1 << 40 | n));
        source.claim(DataBinId::TileHeader(n as u32));
    }
    let report = rig.frame(&views);
    assert!(!report.settled, "it has not ended");
    assert_eq!(report.totals.pages_made, before.pages_made);
    assert_eq!(report.totals.texels, before.texels, "nothing has changed");
}

#[test]
fn a_number_that_is_used_again_has_nothing_of_the_picture_before() {
    let (large, small) = (mandelbrot(), gradient());
    let mut rig = Rig::new(TilesOptions::new(), 16 << 20);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    for round in 0..3 {
        let picture = rig.tiles.add(&large, PictureOptions::new(), None).unwrap();
        let view = [window(picture, 0.0, 0.0, 1.0, Size::new(90, 60))];
        rig.settle(&view);
        rig.check_page(&large, &DecodeRequest::new(), page(picture, 0, 0, 0));
        // In the same frame, another one of the same number, whose wishes are alike.
        rig.tiles.remove(picture);
        let sources = [Trickle::new(&path), Trickle::new(&path)];
        for source in &sources {
            let again = rig.tiles.add(&source.image(), PictureOptions::new(), Some(source.clone())).unwrap();
            assert_eq!(again, picture, "{round}");
            rig.frame(&view);
            assert!(!source.wishes.lock().unwrap().is_empty(), "it is asked");
            rig.tiles.remove(again);
        }
        assert!(rig.tiles.add(&small, PictureOptions::new(), None).unwrap() == picture);
        rig.settle(&view);
        assert!(sources.iter().all(|source| source.wishes.lock().unwrap().is_empty()), "and let go");
        rig.check_page(&small, &DecodeRequest::new(), page(picture, 0, 0, 0));
        rig.tiles.remove(picture);
    }
}
