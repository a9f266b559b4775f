//! Several pictures in one atlas, and other ways to draw one.

use crate::rig::{Rig, mandelbrot, page, window};
use std::collections::HashSet;
use wavetile_engine::tiles::{PictureId, PictureOptions, Shading, TilesOptions, View};
use wavetile_engine::{DecodeRequest, Decoder, Image, ImageOptions, Size, TexelFormat};
use wavetile_testing::shared;

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

#[test]
fn the_codestreams_of_a_file_are_layers_of_an_array() {
    let Some(path) = shared("testdata/jpx/stack4_p1.jpx") else { return };
    let open = |number| ImageOptions::new().codestream(number).open_file(&path).unwrap();
    let images: Vec<Image> = (0..4).map(open).collect();
    let mut rig = Rig::new(TilesOptions::new(), 32 << 20);
    let layers: Vec<_> = images.iter().map(|image| (image.clone(), None)).collect();
    let layers = rig.tiles.add_layers(&layers, &PictureOptions::new()).unwrap();
    let screen = Size::new(320, 240);
    let views: Vec<View> = layers.iter().map(|&layer| window(layer, 0.0, 0.0, 1.0, screen)).collect();
    assert_eq!(rig.settle(&views).missing, 0);
    let mut seen = HashSet::new();
    for (image, &layer) in images.iter().zip(&layers) {
        rig.check_page(image, &DecodeRequest::new(), page(layer, 0, 0, 0));
        rig.check_page(image, &DecodeRequest::new(), page(layer, 0, 1, 0));
        // A shader names a layer by the first one's number and its own.
        let colour = rig.atlas.scene().sample_level(layers[0].number() + layer.number(), [0.5, 0.5], 0);
        assert!(seen.insert(colour.map(f32::to_bits)), "each is another picture");
    }
}

#[test]
fn pages_of_deep_and_signed_pictures_have_their_samples() {
    for name in ["files/16bit.cropped.jp2", "files/9bit.j2k", "conformance/part4/p0_03.j2k"] {
        let Some(path) = shared(&format!("testdata/{name}")) else { return };
        let image = Image::open_file(path).unwrap();
        let component = image.header().size.components[0];
        let request = DecodeRequest::new().components(vec![0]);
        let mut rig = Rig::new(TilesOptions::new().format(TexelFormat::R16), 8 << 20);
        let options = PictureOptions::new().request(request.clone());
        let picture = rig.tiles.add(&image, options, None).unwrap();
        let whole = rig.tiles.pyramid(picture).unwrap().level(0);
        let view = window(picture, 0.0, 0.0, 1.0, whole.size());
        assert_eq!(rig.settle(&[view]).missing, 0, "{name}");
        let (components, _) = Decoder::cpu().components(&image, &request).unwrap();
        let most = f64::from((1u32 << component.depth) - 1);
        let lowest = if component.signed { -(1i32 << (component.depth - 1)) } else { 0 };
        let bytes = rig.atlas.page(page(picture, 0, whole.x0 / 256, whole.y0 / 256)).unwrap();
        let (mut compared, mut values) = (0, HashSet::new());
        for y in whole.y0..whole.y1.min(whole.y0.next_multiple_of(256).max(256)) {
            for x in whole.x0..whole.x1.min(whole.x0.next_multiple_of(256).max(256)) {
                let at = ((y % 256 + 4) * 264 + x % 256 + 4) as usize * 2;
                let texel = f64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
                // What a window and level in the shader, and the value under the pointer, go back to.
                let value = (texel * most / 65_535.0).round() as i32 + lowest;
                let sample = (y - whole.y0) * whole.width() + (x - whole.x0);
                assert_eq!(value, components[0].samples[sample as usize], "{name}: {x}, {y}");
                compared += 1;
                values.insert(value);
            }
        }
        assert!(compared >= 64 * 64 && values.len() > 4, "{name}: {compared} {}", values.len());
    }
}
