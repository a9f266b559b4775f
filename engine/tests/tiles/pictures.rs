//! Several pictures in one atlas, and other ways to draw one.

use crate::rig::{Rig, mandelbrot, page, window};
use wavetile_engine::tiles::{PictureId, PictureOptions, Shading, TilesOptions, View};
use wavetile_engine::{DecodeRequest, Image, Size, TexelFormat};

fn gradient() -> Image {
    Image::open_file("tests/data/gradient.jp2").unwrap()
}

#[test]
fn pictures_share_an_atlas_and_leave_it_when_they_are_removed() {
    let (large, small) = (mandelbrot(), gradient());
    let mut rig = Rig::new(TilesOptions::new(), 64 << 20);
    let first = rig.tiles.add(&large, PictureOptions::default(), None).unwrap();
    let others: Vec<PictureId> =
        (0..5).map(|_| rig.tiles.add(&small, PictureOptions::default(), None).unwrap()).collect();
    let screen = Size::new(300, 200);
    let mut views: Vec<View> = others.iter().map(|&other| window(other, 0.0, 0.0, 1.0, screen)).collect();
    views.push(window(first, 4000.0, 4000.0, 1.0, screen));
    let report = rig.settle(&views);
    assert_eq!(report.missing, 0);
    for &other in &others {
        rig.check_page(&small, &DecodeRequest::new(), page(other, 0, 0, 0));
    }
    rig.check_page(&large, &DecodeRequest::new(), page(first, 0, 15, 15));

    let used = report.used;
    rig.tiles.remove(others[2]);
    let report = rig.settle(&views);
    assert!(report.used < used);
    assert!(rig.atlas.page(page(others[2], 0, 0, 0)).is_none());
    assert_eq!(
        rig.tiles.add(&small, PictureOptions::default(), None).unwrap(),
        others[2],
        "its number is free"
    );
    assert_eq!(rig.settle(&views).missing, 0);
    rig.tiles.remove(first);
    others.iter().for_each(|&other| rig.tiles.remove(other));
    let report = rig.frame(&[]);
    assert_eq!((report.used, report.totals.block_bytes), (0, 0), "nothing is kept of what is removed");
}

#[test]
fn other_components_take_no_block_twice() {
    let image = mandelbrot();
    let options = TilesOptions::new().format(TexelFormat::R16);
    let mut rig = Rig::new(options, 64 << 20);
    let of = |component: u32| {
        let request = DecodeRequest::new().components(vec![component]);
        PictureOptions::new().request(request).shading(Shading::grey())
    };
    let picture = rig.tiles.add(&image, of(0), None).unwrap();
    let views = [window(picture, 2000.0, 2000.0, 1.0, Size::new(500, 400))];
    let before = rig.settle(&views).totals;
    let place = page(picture, 0, 8, 8);
    rig.check_page(&image, &of(0).request, place);

    // The component transform needs all three, whichever is shown.
    rig.tiles.set_options(picture, of(2)).unwrap();
    let after = rig.settle(&views).totals;
    rig.check_page(&image, &of(2).request, place);
    assert!(after.pages_made > before.pages_made);
    assert_eq!(after.blocks_decoded, before.blocks_decoded);

    let window = Shading::grey().window(10.0, 90.0, 8, false);
    rig.tiles.set_options(picture, of(2).shading(window)).unwrap();
    let shaded = rig.settle(&views).totals;
    assert_eq!((shaded.pages_made, shaded.texels), (after.pages_made, after.texels));
    assert!(rig.tiles.set_options(picture, of(99)).is_err());
    assert_eq!(rig.settle(&views).totals.pages_made, after.pages_made, "it is drawn as before");
}

#[test]
fn layers_of_an_array_are_pictures_one_after_another() {
    let mut rig = Rig::new(TilesOptions::new(), 16 << 20);
    let alone = rig.tiles.add(&gradient(), PictureOptions::default(), None).unwrap();
    let gap = rig.tiles.add(&gradient(), PictureOptions::default(), None).unwrap();
    let last = rig.tiles.add(&gradient(), PictureOptions::default(), None).unwrap();
    rig.tiles.remove(gap);
    let layers: Vec<_> = (0..3).map(|_| (gradient(), None)).collect();
    let layers = rig.tiles.add_layers(&layers, &PictureOptions::default()).unwrap();
    let numbers: Vec<u32> = layers.iter().map(|layer| layer.number()).collect();
    assert_eq!(numbers, [3, 4, 5], "{alone:?} and {last:?} are in the way");
    let too_many: Vec<_> = (0..2000).map(|_| (gradient(), None)).collect();
    assert!(rig.tiles.add_layers(&too_many, &PictureOptions::default()).is_err());
    assert_eq!(rig.tiles.add(&gradient(), PictureOptions::default(), None).unwrap(), gap);
}
