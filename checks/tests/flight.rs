//! Flights over a made picture, as short as they can be to tell something: bounds of memory, holes, pixels, bytes in vain. By
//! counts alone, which are the same in each run.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;
use wavetile_checks::flight::{Camera, Flight, FlightOptions, Remains, Script};
use wavetile_checks::link::LinkOptions;
use wavetile_checks::measures::{LayerStep, pan, visit};
use wavetile_checks::mosaic_picture::MosaicPicture;
use wavetile_engine::Size;
use wavetile_testing::mosaic::Shape;

const VIEWPORT: Size = Size::new(800, 600);

/// A small screen at few frames a second: what counts is the same.
fn options() -> FlightOptions {
    FlightOptions { viewport: VIEWPORT, frame: Duration::from_millis(50), ..FlightOptions::default() }
}

fn assert_settled(flight: &mut Flight, camera: &Camera) {
    assert!(flight.settle(camera, 2000).unwrap(), "{:?}", flight.report());
    let pages = flight.visible_texels(camera);
    assert_eq!(pages.len(), flight.visible_pages(camera).len());
    assert!(!pages.is_empty());
    for (page, texels) in pages {
        wavetile_testing::compare::assert_same(
            format!("{page:?}"),
            &texels,
            &flight.reference(camera, page).unwrap(),
        );
    }
}

/// T4 and T8, with bounds that are reached soon.
#[test]
fn a_flight_keeps_to_its_bounds_shows_no_hole_and_leaves_nothing() {
    let options = FlightOptions {
        device_bytes: 24 << 20,
        compressed_bytes: 3 << 20,
        block_bytes: 16 << 20,
        ..options()
    };
    let Shape { width, height, .. } = options.shape;
    let mut script = Script::new(5, Size::new(width, height), VIEWPORT);
    let mut flight = Flight::open(options).unwrap();
    for _ in 0..400 {
        flight.frame(&script.advance(options.frame)).unwrap();
    }
    let counts = flight.counts();
    assert_eq!((counts.frames_with_holes, counts.holes), (0, 0), "{counts:?}");
    assert!(counts.blank_frames < 10, "{counts:?}");
    assert!(counts.most_device_bytes <= options.device_bytes, "{counts:?}");
    assert!(counts.most_compressed_bytes <= options.compressed_bytes, "{counts:?}");
    assert!(counts.most_block_bytes <= options.block_bytes, "{counts:?}");
    // They were reached.
    assert!(flight.report().totals.evicted > 0, "{:?}", flight.report());
    assert!(counts.most_compressed_bytes > options.compressed_bytes / 2, "{counts:?}");
    assert!(counts.most_block_bytes > options.block_bytes / 2, "{counts:?}");
    let (fetched, shown) = flight.fetched_and_shown();
    assert!(shown <= fetched && fetched > 1 << 20);
    assert_settled(&mut flight, &script.camera());
    assert_eq!(flight.close().unwrap(), Remains::default());
}

/// T5.
#[test]
fn settled_frames_are_those_of_the_decoded_picture() {
    let mut flight = Flight::open(options()).unwrap();
    let cameras = [
        Camera { centre: [131_072.0, 196_608.0], zoom: 9.0 },
        Camera { centre: [3000.3, 2000.6], zoom: 3.0 },
        Camera { centre: [3000.3, 2000.6], zoom: 0.0 },
        Camera { centre: [200.0, 100.0], zoom: 0.0 },
        Camera { centre: [262_100.0, 393_200.0], zoom: 0.0 },
        Camera { centre: [200_000.0, 300_000.0], zoom: 2.4 },
    ];
    for camera in cameras {
        assert_settled(&mut flight, &camera);
        if camera.zoom.fract() == 0.0 {
            let (most, compared) = flight.frame_difference(&camera, 7).unwrap();
            assert!(most <= 1.0 && compared > 1000, "{camera:?}: {most} of {compared}");
        }
    }
}

/// Loses the atlas at some moments of a flight: the same pixels come back, and nothing from the network.
fn assert_rebuilt(mut flight: Flight, moments: u32) {
    let options = *flight.options();
    let mut script = Script::new(9, Size::new(options.shape.width, options.shape.height), options.viewport);
    for moment in 0..moments {
        for _ in 0..10 + 3 * moment {
            flight.frame(&script.advance(options.frame)).unwrap();
        }
        let camera = script.camera();
        assert_settled(&mut flight, &camera);
        let (before, fetched) = (flight.visible_texels(&camera), flight.fetched_and_shown().0);
        flight.lose_atlas().unwrap();
        assert!(flight.settle(&camera, 2000).unwrap());
        assert_eq!(flight.fetched_and_shown().0, fetched);
        assert!(flight.visible_texels(&camera) == before, "moment {moment}");
    }
    let counts = flight.counts();
    assert_eq!(counts.holes, 0);
    assert!(counts.most_device_bytes <= options.device_bytes, "{counts:?}");
    assert_eq!(flight.close().unwrap(), Remains::default());
}

/// T6.
#[test]
fn a_lost_atlas_is_made_again_without_a_byte_from_the_network() {
    assert_rebuilt(Flight::open(options()).unwrap(), 6);
}

/// T6, and T5 on a device.
#[cfg(feature = "gpu")]
#[test]
fn a_lost_device_is_made_good_without_a_byte_from_the_network() {
    use wavetile_engine::error::DeviceError;
    use wavetile_engine::gpu::Context;
    let context = match Context::request_blocking() {
        Ok(context) => context,
        Err(DeviceError::NoAdapter { reason }) => return wavetile_testing::skip_adapter(reason),
        Err(error) => panic!("{error}"),
    };
    let options = FlightOptions { viewport: Size::new(500, 400), ..options() };
    assert_rebuilt(Flight::open_on(options, &context).unwrap(), 3);
}

/// T1.
#[test]
fn a_pan_decodes_each_block_once_and_writes_each_page_once() {
    let camera = Camera { centre: [20_000.0, 30_000.0], zoom: 1.0 };
    let shape = Shape { components: 1, ..Shape::VAST };
    let counts = pan(shape, VIEWPORT, camera, [40.0, 16.0], 60).unwrap();
    assert!(counts.pages_seen > 20 && counts.blocks_needed > 500, "{counts:?}");
    assert_eq!(counts.pages_made, counts.pages_known);
    assert_eq!(counts.blocks_decoded, counts.blocks_needed, "{counts:?}: {}", counts.decoded_again());
}

/// T2: what is decoded, and what is written.
#[test]
fn one_more_layer_is_decoded_on() {
    let picture = Arc::new(MosaicPicture::new(Shape { components: 1, ..Shape::VAST }).unwrap());
    let camera = Camera { centre: [50_000.0, 60_000.0], zoom: 0.0 };
    let mut step = LayerStep::new(&picture, VIEWPORT, camera, 5).unwrap();
    let first = step.settle();
    step.arrive(6).unwrap();
    let second = step.settle();
    let whole = LayerStep::new(&picture, VIEWPORT, camera, 6).unwrap().settle();
    assert_eq!(first.resumed, 0);
    assert!(second.resumed > 0);
    // Those that had nothing before are decoded from their first pass.
    assert_eq!(first.decoded + second.decoded, whole.decoded);
    assert!(second.texels <= whole.texels);
}

/// T7.
#[test]
fn a_visit_takes_round_trips_and_bytes_and_little_else() {
    let options =
        FlightOptions { frame: Duration::from_millis(4), link: LinkOptions::default(), ..options() };
    let visit = visit(options).unwrap();
    assert!(visit.first.ratio() <= 1.10, "{visit:?}: {}", visit.first.ratio());
    assert!(visit.settled.ratio() <= 1.10, "{visit:?}: {}", visit.settled.ratio());
}
