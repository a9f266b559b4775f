//! The made picture is a picture: a file, data-bins and a server give the same of it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;
use wavetile_checks::link::{Link, LinkOptions};
use wavetile_checks::mosaic_picture::MosaicPicture;
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{DataBins, DecodeRequest, Decoder, Image, Limits, Rect, Size};
use wavetile_testing::codestream::{BitWriter, Contexts, EncodedBlock, Header};
use wavetile_testing::mosaic::{Mosaic, Shape};
use wavetile_testing::random::Random;

fn open(bins: Arc<dyn DataBins + Send + Sync>) -> Image {
    Image::open_stream(bins).unwrap().image().unwrap()
}

/// Samples of all components.
fn decode(image: &Image, request: &DecodeRequest) -> Vec<Vec<i32>> {
    let (components, report) = Decoder::cpu().components(image, request).unwrap();
    assert!(report.is_complete() || request.layers.is_some(), "{report:?}");
    assert_eq!((report.damaged_blocks, report.coverage.damaged_precincts), (0, 0));
    components.into_iter().map(|component| component.samples).collect()
}

/// A picture of one code-block: each sample is a coefficient.
#[test]
fn an_encoded_block_decodes_to_what_was_encoded() {
    let mut random = Random::new(7);
    for round in 0..20 {
        let size = 2 + round;
        let wanted: Vec<i32> = (0..64 * 64)
            .map(|_| if random.below(5) == 0 { random.float(size as f32) as i32 } else { 0 })
            .collect();
        let block = EncodedBlock::new(64, Contexts::Vertical, &wanted);
        assert_eq!(block.passes(), 3 * block.planes - 2);
        let header = Header { guard_bits: 2, exponent: 7, ..Header::default() };
        let mut bits = BitWriter::default();
        bits.put(0b11, 2);
        let zeros = 8 - block.planes;
        bits.put(1, zeros + 1);
        bits.put_passes(block.passes());
        let length_bits = 13u32;
        bits.put((1 << (length_bits - 3 + 1)) - 2, length_bits - 2);
        bits.put(block.bytes.len() as u32, length_bits + block.passes().ilog2());
        let packet = [bits.finish(), block.bytes].concat();
        let image = Image::open(header.codestream(&packet)).unwrap();
        let found = decode(&image, &DecodeRequest::new());
        let wanted: Vec<i32> = wanted.iter().map(|value| value + 128).collect();
        wavetile_testing::compare::assert_same(format!("round {round}"), &found[0], &wanted);
    }
}

#[test]
fn a_file_and_data_bins_made_on_demand_give_the_same_picture() {
    let shape = Shape { width: 1024, height: 512, levels: 3, layers: 4, ..Shape::VAST };
    let file = Image::open(Mosaic::new(shape).codestream()).unwrap();
    let bins = open(Arc::new(MosaicPicture::new(shape).unwrap()));
    for request in [DecodeRequest::new(), DecodeRequest::new().reduce(2), DecodeRequest::new().layers(2)] {
        assert_eq!(decode(&file, &request), decode(&bins, &request));
    }
    // There is something to see, and more of it with each layer.
    let all = decode(&bins, &DecodeRequest::new());
    let away = |layers| {
        let found = decode(&bins, &DecodeRequest::new().layers(layers));
        wavetile_testing::compare::difference(&found[0], &all[0]).unwrap().mean_square
    };
    let errors: Vec<f64> = (1..=4).map(away).collect();
    assert!(errors.windows(2).all(|pair| pair[1] < pair[0]) && errors[3] == 0.0, "{errors:?}");
    assert!(errors[0] > 0.5, "{errors:?}");
}

#[test]
fn a_server_sends_a_window_of_a_vast_picture_at_the_rate_of_the_link() {
    let picture = Arc::new(MosaicPicture::new(Shape::VAST).unwrap());
    let mut link = Link::new(picture.clone(), LinkOptions::default());
    let region = Rect::new(100_000, 200_000, 101_000, 200_800);
    link.run();
    let image = link.client().image(&Limits::default()).unwrap().unwrap();
    let start = link.now();
    assert_eq!(start, Duration::from_millis(40) + Duration::from_nanos(link.bytes_sent() * 400));
    let request = DecodeRequest::new().region(region);
    link.client().request(&image, request.clone()).unwrap();
    let before = link.bytes_sent();
    link.run();
    let bytes = link.bytes_sent() - before;
    let least = Duration::from_millis(40) + Duration::from_nanos(bytes * 400);
    let took = link.now() - start;
    assert!(took >= least && took < least.mul_f64(1.05) + Duration::from_millis(80), "{took:?}, {least:?}");
    assert!(
        decode(&image, &request) == decode(&open(picture.clone()), &request),
        "other samples than those of the picture"
    );
    assert!(picture.precincts_made() < 5000, "{}", picture.precincts_made());
    assert_eq!(ViewWindow::whole(Size::new(1 << 18, 3 << 17)).region, image.area().size());
}
