//! A thousand sessions over links that delay, reorder, lose and cut, each drawn from its seed: the client ends with
//! exactly the picture, and no payload byte has come twice. Also when an answer breaks off while the next one of the session
//! is under way already and goes on beyond the gap: `beyond` tells what is held there.
#![allow(clippy::unwrap_used)]

mod common;

use common::link::{Link, LinkOptions};
use common::server_with;
use common::synthetic::Synthetic;
use std::time::Duration;
use wavetile_engine::Size;
use wavetile_engine::view_window::ViewWindow;
use wavetile_testing::random::Random;
use wavetile_transport::jpip::ServerOptions;

const RUNS: u64 = 1000;

fn millis(draw: &mut Random, end: u32) -> Duration {
    Duration::from_millis(draw.below(end).into())
}

fn link_options(draw: &mut Random, seed: u64) -> LinkOptions {
    LinkOptions {
        // Not the numbers that these options are drawn by.
        seed: RUNS + seed,
        latency: Duration::from_millis(2) + millis(draw, 150),
        jitter: millis(draw, 300),
        bytes_per_second: [20_000, 60_000, 400_000, 10_000_000][draw.below(4) as usize],
        cuts: [0, 0, 10, 40][draw.below(4) as usize],
        losses: [0, 0, 5, 20][draw.below(4) as usize],
        chunk: 100 + draw.below(3000) as usize,
    }
}

fn window(draw: &mut Random, picture: Size) -> ViewWindow {
    let reduce = draw.below(3);
    let frame = Size::new(picture.width.div_ceil(1 << reduce), picture.height.div_ceil(1 << reduce));
    let offset = (draw.below(frame.width), draw.below(frame.height));
    let region = Size::new(1 + draw.below(80), 1 + draw.below(80));
    let layers = [None, None, Some(1), Some(2)][draw.below(4) as usize];
    ViewWindow { offset, region, layers, ..ViewWindow::whole(frame) }
}

/// What a run went through.
#[derive(Default)]
struct Sum {
    requests: usize,
    broken: u32,
    cuts: u64,
    payload: u64,
    duplicate: u64,
    beyond: usize,
}

fn run(seed: u64, sum: &mut Sum) {
    let draw = &mut Random::new(seed);
    let options = Link::session()
        .sessions(draw.below(3) > 0)
        .length([Some(400), Some(3000), Some(2 << 20), None][draw.below(4) as usize])
        .requests(1 + draw.below(5) as usize)
        .attempts(1000);
    let what = format!("seed {seed}: {options:?}");
    let mut link = Link::with_server(
        server_with(Synthetic::new(), ServerOptions::default()),
        options,
        link_options(draw, seed),
    );
    let mut at = Duration::ZERO;
    for _ in 0..draw.below(12) {
        link.client.set_window(Some(window(draw, Size::new(200, 150))));
        at += millis(draw, 400);
        link.run_until(at);
        if draw.below(8) == 0 {
            link.cut();
            sum.cuts += 1;
        }
    }
    let number = link.client.set_window(Some(ViewWindow::whole(Size::new(200, 150))));
    link.run();
    assert_eq!(link.completions().last().map(|done| done.0), Some(number), "{what}");
    let bins = link.client.bins();
    Synthetic::new().assert_whole(&bins.read().unwrap());
    let progress = link.client.progress();
    assert_eq!(progress.excess, 0, "{what}");
    assert_eq!(progress.duplicate, 0, "{what}");
    sum.requests += link.requests.len();
    sum.broken += link.broken;
    sum.payload += progress.new;
    sum.duplicate += progress.duplicate;
    sum.beyond += link.requests.iter().filter(|request| request.contains("beyond=")).count();
}

#[test]
fn a_thousand_sessions_over_bad_links_end_with_the_picture_and_nothing_twice() {
    let mut sum = Sum::default();
    for seed in 0..RUNS {
        run(seed, &mut sum);
    }
    println!(
        "{RUNS} runs: {} requests, {} answers lost or cut, {} connections cut; {} payload bytes, {} of them twice; {} gaps told",
        sum.requests, sum.broken, sum.cuts, sum.payload, sum.duplicate, sum.beyond
    );
    assert!(sum.broken > 500 && sum.cuts > 300, "the links were too good");
    // Such links leave few gaps: six in these runs.
    assert!(sum.beyond > 3, "few gaps: {}", sum.beyond);
    assert_eq!(sum.duplicate, 0);
}
