//! Tiles that stay: T1, T2, T3 and T7 of docs/speed-tiles.md. Counts are the same in each run; times are this machine's.

use crate::support::Bench;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wavetile::engine::Size;
use wavetile_checks::flight::{Camera, FlightOptions};
use wavetile_checks::measures::{Arrival, LayerStep, Leg, pan, visit};
use wavetile_checks::mosaic_picture::MosaicPicture;
use wavetile_testing::mosaic::Shape;

const VIEWPORT: Size = Size::new(1920, 1080);

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("tiles") {
        return;
    }
    panning(bench);
    one_more_layer(bench);
    arriving(bench);
    visiting(bench);
}

fn panning(bench: &mut Bench) {
    let frames = if bench.is_measuring() { 300 } else { 10 };
    for (name, step) in [("across", [24.0, 0.0]), ("aslant", [20.0, 12.0])] {
        let camera = Camera { centre: [20_000.0, 30_000.0], zoom: 0.0 };
        let counts = pan(Shape::VAST, VIEWPORT, camera, step, frames).expect("the picture is whole");
        bench.note(format!(
            "tiles T1, {name}: {} code-blocks decoded / {} newly needed = {:.2}; {} texels written / {} of the {} pages that \
             came into view = {:.2}, / {} that came onto the screen = {:.2}; {} pages made",
            counts.blocks_decoded,
            counts.blocks_needed,
            counts.decoded_again(),
            counts.texels_written,
            counts.texels_of_pages,
            counts.pages_seen,
            counts.written(),
            counts.texels_seen,
            counts.texels_written as f64 / counts.texels_seen as f64,
            counts.pages_made,
        ));
    }
}

fn one_more_layer(bench: &mut Bench) {
    let picture = Arc::new(MosaicPicture::new(Shape::VAST).expect("the shape is one"));
    let camera = Camera { centre: [50_000.0, 60_000.0], zoom: 0.0 };
    let layers = Shape::VAST.layers;
    let step = |layers| LayerStep::new(&picture, VIEWPORT, camera, layers).expect("the picture is whole");
    for before in [layers - 2, layers - 1] {
        let (mut more, mut whole) = (None, None);
        let (refined, decoded) = bench.medians_of(
            || {
                let mut step = step(before);
                step.settle();
                step.arrive(before + 1).expect("the picture is whole");
                let start = Instant::now();
                more = Some(step.settle());
                start.elapsed()
            },
            || {
                let mut step = step(before + 1);
                let start = Instant::now();
                whole = Some(step.settle());
                start.elapsed()
            },
        );
        let (Some(more), Some(whole)) = (more, whole) else { return };
        let share = (more.decoded + more.resumed) as f64 / whole.decoded as f64;
        let (refined, decoded) = (refined.as_secs_f64() * 1e3, decoded.as_secs_f64() * 1e3);
        bench.note(format!(
            "tiles T2, layer {} of {layers}: {refined:.1} ms / {decoded:.1} ms for all = {:.2}; {} resumed and {} new of {} \
             code-blocks = {share:.2}; goal {:.1} ms; {} of {} texels written",
            before + 1,
            refined / decoded,
            more.resumed,
            more.decoded,
            whole.decoded,
            1.2 * share * decoded + 0.5,
            more.texels,
            whole.texels,
        ));
    }
}

fn arriving(bench: &mut Bench) {
    let frames = if bench.is_measuring() { 2000 } else { 20 };
    let mut arrival = Arrival::new(200).expect("the picture is whole");
    let (mut times, mut pages) = (Vec::new(), 0);
    for _ in 0..frames {
        let mut written = 0;
        times.push(super::support::time(&mut || written = arrival.frame()));
        pages += written;
        arrival.work();
    }
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let [half, most, nearly_all, all] = [0.5, 0.99, 0.999, 1.0].map(|part| at(part).as_secs_f64() * 1e6);
    bench.note(format!(
        "tiles T3, update and poll into host memory: half {half:.0} us, 99 % {most:.0} us, 99.9 % {nearly_all:.0} us, all {all:.0} us \
         (goal 500 us for 99.9 %); {:.0} pages a second in {frames} frames at 60 a second",
        pages as f64 * 60.0 / f64::from(frames)
    ));
}

fn visiting(bench: &mut Bench) {
    let options =
        FlightOptions { viewport: VIEWPORT, frame: Duration::from_millis(4), ..FlightOptions::default() };
    let visit = visit(options).expect("the picture is whole");
    let leg = |name: &str, leg: Leg| {
        format!(
            "tiles T7, {name}: {:.1} ms, {} bytes in {} requests; a round trip and the bytes take {:.1} ms; ratio {:.2}",
            leg.took.as_secs_f64() * 1e3,
            leg.bytes,
            leg.requests,
            leg.least.as_secs_f64() * 1e3,
            leg.ratio()
        )
    };
    bench.note(leg("first picture over 20 Mbit/s and 40 ms", visit.first));
    bench.note(leg("1920 x 1080 at full size settled", visit.settled));
}
