//! What a view that stands still ends with.

use crate::rig::{Rig, mandelbrot, page, window};
use wavetile_engine::tiles::{PageLayout, PictureOptions, TilesOptions};
use wavetile_engine::{DecodeRequest, Image, Size};

#[test]
fn settled_pages_are_what_a_decode_gives_borders_included() {
    let image = mandelbrot();
    let mut rig = Rig::new(TilesOptions::new(), 64 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
    let report = rig.settle(&[window(picture, 1000.0, 2000.0, 1.0, Size::new(700, 500))]);
    assert_eq!((report.missing, report.holes, report.coarser), (0, 0, 0));
    assert_eq!((report.visible, report.resident, report.complete), (12, 12, 12));
    for y in 7..=9 {
        for x in 3..=6 {
            rig.check_page(&image, &DecodeRequest::new(), page(picture, 0, x, y));
        }
    }
    // The coarsest level is there, too.
    rig.check_page(&image, &DecodeRequest::new(), page(picture, 7, 0, 0));
}

#[test]
fn pages_at_the_edges_of_odd_pictures_repeat_them() {
    let image = Image::open_file("tests/data/gradient.jp2").unwrap();
    for layout in [PageLayout::default(), PageLayout::new(128, 8).unwrap(), PageLayout::new(512, 1).unwrap()]
    {
        let mut rig = Rig::new(TilesOptions::new().layout(layout), 16 << 20);
        let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
        for reduce in 0..=image.levels() {
            let scale = f64::from(1 << reduce);
            let view = window(picture, 0.0, 0.0, scale, Size::new(96, 64));
            assert_eq!(rig.settle(&[view]).missing, 0);
            rig.check_page(&image, &DecodeRequest::new(), page(picture, reduce, 0, 0));
        }
    }
}

#[test]
fn too_small_an_atlas_is_a_coarser_picture_and_never_a_hole() {
    let image = mandelbrot();
    let slot = 264 * 264 * 4;
    for slots in [1, 2, 4, 9, 30] {
        let mut rig = Rig::new(TilesOptions::new().block_bytes(1 << 20), slots * slot + (slots << 8));
        let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
        for step in 0..20 {
            let view = window(picture, 300.0 * f64::from(step), 2000.0, 1.0, Size::new(1280, 800));
            let report = rig.frame(&[view]);
            assert!(report.used as u64 <= slots);
            assert!(rig.atlas.bytes() <= slots * slot + (slots << 8));
            if step > 1 {
                assert_eq!(report.holes, 0, "{slots} {report:?}");
            }
        }
    }
}

#[test]
fn what_stands_in_gives_way_to_what_it_stands_in_for() {
    let image = mandelbrot();
    for slots in [3, 5, 6, 9, 12] {
        let slot = 264 * 264 * 4;
        let mut rig = Rig::new(TilesOptions::new(), slots * slot + (slots << 8));
        let picture = rig.tiles.add(&image, PictureOptions::default(), None).unwrap();
        // From all of it into a corner, level by level, and back: each time other pages, and pages of before in the way.
        for level in [5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 0, 5] {
            let scale = f64::from(1 << level);
            let view =
                window(picture, 3000.0 - 90.0 * scale, 3000.0 - 90.0 * scale, scale, Size::new(180, 180));
            let report = rig.settle(&[view]);
            assert_eq!((report.missing, report.holes), (0, 0), "{slots} slots, 1/2^{level}: {report:?}");
            assert!(report.visible > 0 && report.used as u64 <= slots);
        }
    }
}
