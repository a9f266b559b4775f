//! Lists of windows, their order, and the bound on memory: client and server on a virtual clock.
#![allow(clippy::unwrap_used)]

mod common;

use common::link::{Link, LinkOptions};
use common::synthetic::Synthetic;
use common::{NAME, ask, channel, pull, server_with};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;
use wavetile_engine::data_bin::{Changes, DataBinCache, DataBinId, DataBins};
use wavetile_engine::tiles::{Priority, Wish};
use wavetile_engine::view_window::{Rounding, ViewWindow};
use wavetile_engine::{DecodeRequest, Limits, Rect, Size};
use wavetile_testing::random::Random;
use wavetile_transport::jpip::client::windows;
use wavetile_transport::jpip::{
    BinPiece, Client, ClientOptions, Event, JournalEntry, MessageEvent, MessageHeader, MessageReader,
    MessageWriter, ServerOptions, eor,
};

const SIZE: Size = Size::new(1000, 800);

fn picture() -> Synthetic {
    Synthetic::sized(SIZE.width, SIZE.height, 512)
}

/// A part of the level that is left without `reduce` levels.
fn part(reduce: u32, x: u32, y: u32, width: u32, height: u32) -> ViewWindow {
    let frame = Size::new(SIZE.width.div_ceil(1 << reduce), SIZE.height.div_ceil(1 << reduce));
    ViewWindow {
        rounding: Rounding::Closest,
        offset: (x, y),
        region: Size::new(width, height),
        ..ViewWindow::whole(frame)
    }
}

fn overview() -> ViewWindow {
    part(3, 0, 0, 125, 100)
}

fn slow() -> LinkOptions {
    LinkOptions { bytes_per_second: 60_000, ..LinkOptions::default() }
}

/// The bins that a window brings, by a session of its own.
fn bins_of(window: &ViewWindow) -> BTreeSet<DataBinId> {
    let mut link = Link::new(picture(), Link::session(), LinkOptions::default());
    link.client.set_window(Some(window.clone()));
    link.run();
    let bins = link.client.bins();
    let bins = bins.read().unwrap();
    bins.ids().map(|(_, id)| id).collect()
}

/// Whether all of `ids` is held, byte for byte.
fn assert_held(cache: &DataBinCache, ids: &BTreeSet<DataBinId>, what: &str) {
    for (id, bytes) in picture().bins().iter().filter(|(id, _)| ids.contains(id)) {
        let held = cache.bin(0, *id).unwrap().unwrap_or_else(|| panic!("{what}: {id:?} is missing"));
        assert!(held.complete && held.bytes[..] == bytes[..], "{what}: {id:?}");
    }
}

#[test]
fn windows_come_one_after_another_in_one_response() {
    let list = [overview(), part(0, 300, 200, 300, 200), part(1, 0, 0, 500, 400), part(0, 0, 0, 200, 200)];
    let needs: Vec<_> = list.iter().map(bins_of).collect();
    for (mode, options, requests) in [("session", Link::session(), 1), ("stateless", Link::stateless(), 4)] {
        let mut link = Link::new(picture(), options, slow());
        let number = link.client.set_wishes(list.to_vec());
        let (mut generation, bins) = (0, link.client.bins());
        while link.step() {
            let bins = bins.read().unwrap();
            let Changes::Bins(changed) = bins.changes_since(generation) else {
                panic!("the log is too short")
            };
            generation = bins.generation();
            for (_, id) in changed {
                // Before the first byte of what only a later window needs, all of those before it is there.
                let first = needs.iter().position(|needed| needed.contains(&id)).unwrap();
                for (window, needed) in needs[..first].iter().enumerate() {
                    let lacks = needed.iter().find(|&&id| !bins.is_complete(0, id));
                    assert_eq!(lacks, None, "{mode}: {id:?} of window {first} before that of {window}");
                }
            }
        }
        assert_eq!(link.requests.len(), requests, "{mode}: {:#?}", link.requests);
        assert_eq!(link.completions(), [(number, Some(eor::WINDOW_DONE))], "{mode}");
        assert!(link.client.is_idle());
        assert_eq!(link.client.progress().duplicate, 0, "{mode}");
        needs.iter().for_each(|needed| assert_held(&bins.read().unwrap(), needed, mode));
    }
}

#[test]
fn a_list_takes_as_long_as_one_window_of_its_bytes() {
    let list: Vec<ViewWindow> = (0..20).map(|x| part(0, 50 * x, 0, 50, 100)).collect();
    let took = |windows: Vec<ViewWindow>| {
        let mut link = Link::new(picture(), Link::session(), slow());
        link.client.set_wishes(windows);
        link.run();
        assert_eq!(link.requests.len(), 1);
        let transfer = link.bytes_pulled as f64 / link.options.bytes_per_second as f64;
        link.now.as_secs_f64() - transfer - 2.0 * link.options.latency.as_secs_f64()
    };
    assert!(took(list) < 0.01);
    assert!(took(vec![part(0, 0, 0, 1000, 100)]) < 0.01);
}

/// Reasons of the ends-of-response of an answer, and the payload bytes before each.
fn ends(bytes: &[u8]) -> Vec<(u8, u64)> {
    let (mut ends, mut sent) = (Vec::new(), 0);
    let mut reader = MessageReader::new();
    let read = reader.push(bytes, |event| match event {
        MessageEvent::Data { bytes, .. } => sent += bytes.len() as u64,
        MessageEvent::EndOfResponse { reason, .. } => ends.push((reason, std::mem::take(&mut sent))),
    });
    read.unwrap();
    assert_eq!(sent, 0, "an answer ends with an end-of-response");
    ends
}

#[test]
fn a_server_sends_the_windows_that_follow_in_sessions_alone() {
    let first = "fsiz=125,100,closest&roff=0,0&rsiz=125,100";
    let then =
        "then=1000,800,closest/0,0/100,100;1000,800,closest/0,0/100,100;1000,800,closest/900,700/100,100";
    let ask_for = |fields: &str| {
        let mut server = server_with(picture(), ServerOptions::default());
        pull(ask(&mut server, &format!("{first}&{fields}")))
    };
    let whole = ends(&ask_for(&format!("cnew=http&{then}")));
    let reasons: Vec<u8> = whole.iter().map(|end| end.0).collect();
    assert_eq!(reasons, [eor::WINDOW_DONE; 4]);
    // What was sent is not sent again.
    assert!(whole[0].1 > 0 && whole[1].1 > 0 && whole[2].1 == 0 && whole[3].1 > 0, "{whole:?}");
    let alone = ends(&ask_for("cnew=http"));
    assert_eq!(alone, [whole[0]]);
    // Without a session, or where a list of bins is asked for, the field counts for nothing.
    assert_eq!(ends(&ask_for(then)), alone);
    assert_eq!(ends(&ask_for(&format!("cnew=http&need=Hm&{then}"))).len(), 1);
    // The limit is one for all of them.
    let cut = ends(&ask_for(&format!("cnew=http&len={}&{then}", whole[0].1 + whole[1].1 / 2)));
    assert_eq!((cut.len(), cut[0], cut[1].0), (2, whole[0], eor::BYTE_LIMIT));
    assert!(cut[1].1 > 0 && cut[1].1 < whole[1].1);
    // Where a response is gathered before it is sent, it ends with the first.
    let mut server = server_with(picture(), ServerOptions::default());
    let mut reply = ask(&mut server, &format!("{first}&cnew=http&{then}"));
    reply.body.do_not_stand();
    assert_eq!(ends(&pull(reply)), alone);
    // Another request of the channel ends them all.
    let mut reply = ask(&mut server, &format!("{first}&cnew=http&{then}"));
    let channel = channel(&reply);
    let mut bytes = reply.body.poll_chunk(300).unwrap();
    drop(ask(&mut server, &format!("cid={channel}&{first}")));
    bytes.extend(pull(reply));
    assert_eq!(ends(&bytes).iter().map(|end| end.0).collect::<Vec<_>>(), [eor::WINDOW_CHANGE]);
}

#[test]
fn a_picture_is_seen_after_one_round_trip_and_a_view_after_two() {
    let link_options = LinkOptions {
        latency: Duration::from_millis(20),
        bytes_per_second: 2_500_000,
        ..LinkOptions::default()
    };
    let options = Link::session().overview(Some(Size::new(125, 100)));
    let mut link = Link::new(picture(), options, link_options);
    let round_trip = 2 * link.options.latency;
    let took = |link: &Link| {
        Duration::from_secs_f64(link.bytes_pulled as f64 / link.options.bytes_per_second as f64)
    };
    let image = loop {
        assert!(link.step());
        if let Some(image) = link.client.image(&Limits::default()).unwrap() {
            break image;
        }
    };
    let bins = link.client.bins();
    let first = bins_of(&overview());
    while !first.iter().all(|&id| bins.read().unwrap().is_complete(0, id)) {
        assert!(link.step());
    }
    // All that was sent was for this, to within what the line holds.
    assert!(link.now < round_trip + took(&link) + Duration::from_millis(2), "{:?}", link.now);
    assert_eq!(link.requests.len(), 1);
    let wish = |reduce: u32, region: Rect| Wish {
        request: DecodeRequest::new().reduce(reduce).region(region),
        priority: Priority::Visible,
    };
    let wishes = [wish(3, image.area()), wish(0, Rect::new(300, 200, 700, 500))];
    let began = (link.now, link.bytes_pulled);
    link.client.set_wishes(windows(&image, &wishes));
    link.run();
    assert!(link.client.is_idle() && link.requests.len() == 2);
    let bytes = (link.bytes_pulled - began.1) as f64 / link.options.bytes_per_second as f64;
    let ideal = round_trip + Duration::from_secs_f64(bytes);
    let ratio = (link.now - began.0).as_secs_f64() / ideal.as_secs_f64();
    println!("a view of 400 x 300: {ratio:.4} of a round trip and its bytes");
    assert!(ratio < 1.05, "{ratio}");
    assert_held(&bins.read().unwrap(), &bins_of(&part(0, 300, 200, 400, 300)), "view");
}

#[test]
fn what_is_no_longer_wanted_is_given_up_within_a_round_trip() {
    let link_options = slow();
    let round_trip = 2.0 * link_options.latency.as_secs_f64() * link_options.bytes_per_second as f64;
    let (small, large, other) = (part(0, 0, 0, 60, 60), part(0, 0, 0, 1000, 800), part(0, 900, 700, 60, 60));
    for (before, after) in [
        (vec![large.clone()], vec![]),
        (vec![small.clone(), large.clone()], vec![small.clone()]),
        (vec![large.clone(), small.clone()], vec![small.clone()]),
        (vec![small.clone(), large.clone()], vec![other.clone()]),
        (vec![small.clone(), large], vec![other, small]),
    ] {
        let mut link = Link::new(picture(), Link::session(), link_options.clone());
        link.client.set_wishes(before.clone());
        link.run_until(Duration::from_secs(3));
        let (pulled, new) = (link.bytes_pulled, link.client.progress().new);
        let number = link.client.set_wishes(after.clone());
        link.run();
        // What it costs by itself, headers aside.
        let fresh: u64 = {
            let mut alone = Link::new(picture(), Link::session(), link_options.clone());
            alone.client.set_wishes(after.clone());
            alone.run();
            alone.bytes_pulled
        };
        let spent = link.bytes_pulled - pulled;
        let most = round_trip as u64 + 2 * link.options.chunk as u64 + fresh;
        assert!(spent <= most, "{before:?}, {after:?}: {spent} bytes, at most {most}");
        assert_eq!(link.completions().last().unwrap().0, number);
        assert!(link.client.is_idle());
        let progress = link.client.progress();
        assert!(progress.new >= new && progress.duplicate == 0 && progress.dropped == 0);
        let bins = link.client.bins();
        after.iter().for_each(|window| assert_held(&bins.read().unwrap(), &bins_of(window), "after"));
    }
}

#[test]
fn a_list_that_goes_on_as_it_is_under_way_is_not_asked_for_again() {
    let list = [overview(), part(0, 0, 0, 400, 400), part(0, 400, 0, 400, 400)];
    let mut link = Link::new(picture(), Link::session(), slow());
    link.client.set_wishes(list.to_vec());
    link.run_until(Duration::from_secs(2));
    // The overview is there by now.
    link.client.set_wishes(list[1..].to_vec());
    let number = link.client.set_wishes(list.to_vec());
    assert_eq!(link.client.set_wishes(list.to_vec()), number);
    link.run();
    assert_eq!(link.requests.len(), 1);
    assert_eq!(link.completions().last().unwrap().0, number);
    // Parts of it are there.
    let number = link.client.set_wishes(vec![part(0, 10, 10, 20, 20), part(0, 500, 7, 1, 1), overview()]);
    link.run();
    assert_eq!((link.requests.len(), link.completions().last().unwrap().0), (1, number));
}

/// A walk with zooms: a window on the screen, what stands in for it, and what may come next.
fn walk(seed: u64, steps: usize) -> Vec<Vec<ViewWindow>> {
    let mut random = Random::new(seed);
    let (mut reduce, mut x, mut y) = (0, 400, 300);
    (0..steps)
        .map(|_| {
            match random.below(6) {
                0 => reduce = (reduce + 1) % 4,
                1 => reduce = (reduce + 3) % 4,
                _ => {}
            }
            let frame = overview().frame_size;
            let frame = Size::new(frame.width << (3 - reduce), frame.height << (3 - reduce));
            let region = Size::new(frame.width.min(120), frame.height.min(90));
            x = (x + random.below(161)).saturating_sub(80).min(1000 - (region.width << reduce));
            y = (y + random.below(121)).saturating_sub(60).min(800 - (region.height << reduce));
            let view = part(reduce, x >> reduce, y >> reduce, region.width, region.height);
            let ahead = (x >> reduce).saturating_add(60).min(frame.width - region.width);
            vec![overview(), view, part(reduce, ahead, y >> reduce, region.width, region.height)]
        })
        .collect()
}

#[test]
fn no_byte_comes_twice_however_the_view_moves() {
    for seed in 0..12 {
        let options = LinkOptions { seed, jitter: Duration::from_millis(20 * (seed % 3)), ..slow() };
        let mut link = Link::new(picture(), Link::session(), options);
        let mut at = Duration::ZERO;
        for wishes in walk(seed, 60) {
            link.client.set_wishes(wishes);
            at += Duration::from_millis(50 + 40 * (seed % 5));
            link.run_until(at);
        }
        let number = link.client.set_wishes(vec![part(0, 0, 0, 1000, 800)]);
        link.run();
        assert_eq!(link.completions().last().unwrap().0, number, "seed {seed}");
        picture().assert_whole(&link.client.bins().read().unwrap());
        assert_eq!(link.client.progress().duplicate, 0, "seed {seed}");
    }
}

#[test]
fn wishes_stand_while_the_connection_is_lost_and_the_session_forgotten() {
    for expires in [false, true] {
        let options = Link::session().attempts(2);
        let mut link = Link::new(picture(), options, slow());
        let list = vec![overview(), part(0, 100, 100, 500, 400)];
        let number = link.client.set_wishes(list.clone());
        link.run_until(Duration::from_secs(2));
        link.cut();
        link.options.losses = 100;
        // More failures than attempts.
        link.run_until(Duration::from_secs(60));
        assert!(link.requests.len() > 5 && !link.client.is_idle());
        assert!(!link.events.iter().any(|event| matches!(event, Event::Failed(_))));
        assert!(matches!(link.events.last(), Some(Event::Interrupted(_))), "{:?}", link.events);
        link.options.losses = 0;
        if expires {
            link.server.expire(link.now + Duration::from_secs(1000));
            assert_eq!(link.server.sessions(), 0);
        }
        link.run();
        assert_eq!(link.completions(), [(number, Some(eor::WINDOW_DONE))]);
        assert_eq!(link.client.progress().duplicate, 0);
        let bins = link.client.bins();
        list.iter().for_each(|window| assert_held(&bins.read().unwrap(), &bins_of(window), "at last"));
    }
}

/// Runs to the end; no step exceeds the bound.
fn run_within(link: &mut Link, bound: u64) {
    let bins = link.client.bins();
    loop {
        let held = bins.read().unwrap().memory();
        assert!(held <= bound, "{held} bytes of {bound}");
        if !link.step() {
            break;
        }
    }
}

#[test]
fn what_was_dropped_comes_again_when_it_is_wanted_again() {
    // Room for a little more than one of them.
    let views = [part(0, 0, 0, 250, 200), part(0, 600, 500, 250, 200), part(0, 600, 0, 250, 200)];
    let needs: Vec<_> = views.iter().map(bins_of).collect();
    let bound = 400_000;
    for (mode, options) in [("session", Link::session()), ("stateless", Link::stateless())] {
        let mut link = Link::new(picture(), options, LinkOptions::default());
        link.client.set_memory(Some(bound));
        for round in 0..3 {
            for (view, needed) in views.iter().zip(&needs) {
                let number = link.client.set_wishes(vec![overview(), view.clone()]);
                run_within(&mut link, bound);
                assert_eq!(link.completions().last().unwrap().0, number, "{mode}, round {round}");
                assert_held(&link.client.bins().read().unwrap(), needed, mode);
            }
        }
        let progress = link.client.progress();
        assert!(progress.evicted > 0 && progress.dropped == 0, "{mode}: {progress:?}");
        assert!(!link.events.iter().any(|event| matches!(event, Event::Full { .. })));
        // What was sent again is what was dropped: nothing of it was held.
        assert_eq!(progress.duplicate, 0, "{mode}");
    }
}

#[test]
fn what_is_dropped_while_a_list_is_under_way_comes_before_the_list_is_called_complete() {
    let (first, far) = (part(0, 0, 0, 250, 200), part(0, 560, 560, 200, 150));
    // It sticks out of the first: that it is nearly all there is not known.
    let corner = part(0, 215, 170, 40, 40);
    let alone = {
        let mut link = Link::new(picture(), Link::session(), LinkOptions::default());
        link.client.set_wishes(vec![first.clone()]);
        link.run();
        link.client.bins().read().unwrap().memory()
    };
    let bound = alone * 13 / 10;
    let mut link = Link::new(picture(), Link::session(), slow());
    link.client.set_memory(Some(bound));
    link.client.set_wishes(vec![first.clone()]);
    run_within(&mut link, bound);
    // All of the corner is held, but there is not room for that, too, while the far view comes: the server takes it for held.
    let number = link.client.set_wishes(vec![far.clone(), corner.clone()]);
    run_within(&mut link, bound);
    assert!(link.client.progress().evicted > 0);
    assert_eq!(link.completions().last().unwrap().0, number);
    let bins = link.client.bins();
    for window in [far, corner] {
        assert_held(&bins.read().unwrap(), &bins_of(&window), "list");
    }
    assert_eq!(link.client.progress().duplicate, 0);
    // What was on its way while it was given up, and dropped, is not taken for there.
    let other = part(0, 600, 0, 250, 200);
    for pause in [500, 1500, 2500, 3500] {
        link.client.set_wishes(vec![first.clone()]);
        let until = link.now + Duration::from_millis(pause);
        while link.now < until && link.step() {}
        link.client.set_wishes(vec![other.clone()]);
        run_within(&mut link, bound);
        let number = link.client.set_wishes(vec![first.clone()]);
        run_within(&mut link, bound);
        assert_eq!(link.completions().last().unwrap().0, number);
        assert_held(&bins.read().unwrap(), &bins_of(&first), "given up");
    }
}

/// What a client receives, kept beside it.
#[derive(Default)]
struct Disk {
    bins: DataBinCache,
    /// Bytes that were read again.
    read: u64,
    /// It is broken: what was written is gone.
    broken: bool,
}

impl Disk {
    /// Writes and reads what the client wants; whether there was anything to read.
    fn serve(&mut self, client: &mut Client) -> bool {
        for entry in client.take_journal() {
            match entry {
                JournalEntry::Piece(BinPiece { codestream, id, offset, bytes, last }) => {
                    self.bins.insert(codestream, id, offset, &bytes, last);
                }
                JournalEntry::Target(_) => {}
            }
        }
        let Some(recall) = client.poll_recall() else { return false };
        let mut room = true;
        for &(codestream, id) in recall.bins.iter().filter(|_| !self.broken) {
            let Some(found) = self.bins.bin(codestream, id).unwrap().filter(|_| room) else { continue };
            self.read += found.bytes.len() as u64;
            let (bytes, last) = (found.bytes.to_vec(), found.complete);
            room = client.handle_recalled(
                recall.id,
                &[BinPiece { codestream, id, offset: 0, bytes, last }],
                false,
            );
        }
        client.handle_recalled(recall.id, &[], true);
        true
    }
}

#[test]
fn what_was_dropped_and_kept_elsewhere_is_not_sent_again() {
    let views = [part(0, 0, 0, 250, 200), part(0, 600, 500, 250, 200), part(0, 600, 0, 250, 200)];
    let bound = 400_000;
    for (mode, options) in [("session", Link::session()), ("stateless", Link::stateless())] {
        let mut link = Link::new(picture(), options, LinkOptions::default());
        let mut disk = Disk::default();
        link.client.keep_journal();
        link.client.recall_dropped(true);
        link.client.set_memory(Some(bound));
        let bins = link.client.bins();
        let mut first_round = 0;
        for round in 0..4 {
            disk.broken = round == 3;
            for view in &views {
                let number = link.client.set_wishes(vec![overview(), view.clone()]);
                while disk.serve(&mut link.client) || link.step() {
                    assert!(bins.read().unwrap().memory() <= bound);
                }
                assert_eq!(link.completions().last().unwrap().0, number, "{mode}, round {round}");
                assert_held(&bins.read().unwrap(), &bins_of(view), mode);
            }
            let progress = link.client.progress();
            match round {
                0 => first_round = progress.new,
                3 => assert!(progress.new > first_round, "{mode}: it was sent again"),
                _ => assert_eq!(progress.new, first_round, "{mode}, round {round}"),
            }
            assert_eq!(progress.duplicate, 0, "{mode}, round {round}");
        }
        let recalled = link.client.progress().recalled;
        assert!(recalled > 0 && recalled <= disk.read, "{mode}: {recalled} of {}", disk.read);
    }
}

#[test]
fn where_everything_is_wanted_the_rest_is_not_asked_for_and_the_coarse_is_there() {
    let bound = 150_000;
    let mut link = Link::new(picture(), Link::session(), LinkOptions::default());
    link.client.set_memory(Some(bound));
    let number = link.client.set_wishes(vec![overview(), part(0, 0, 0, 1000, 800), part(1, 0, 0, 500, 400)]);
    run_within(&mut link, bound);
    assert!(link.client.is_full() && link.client.is_idle());
    assert_eq!(link.events.iter().filter(|event| **event == Event::Full { window: number }).count(), 1);
    assert!(link.completions().is_empty());
    let bins = link.client.bins();
    assert_held(&bins.read().unwrap(), &bins_of(&overview()), "full");
    picture().assert_prefixes(&bins.read().unwrap());
    let asked = link.requests.len();
    link.run();
    assert_eq!(link.requests.len(), asked);
    // Little was sent in vain.
    let progress = link.client.progress();
    assert!(progress.dropped * 10 < progress.new, "{progress:?}");
    // Less is wanted: there is room for that.
    let number = link.client.set_wishes(vec![overview(), part(0, 10, 10, 60, 60)]);
    run_within(&mut link, bound);
    assert_eq!(link.completions().last().unwrap().0, number);
    assert_held(&bins.read().unwrap(), &bins_of(&part(0, 10, 10, 60, 60)), "less");
    // More room: all of it comes.
    let number = link.client.set_wishes(vec![part(0, 0, 0, 1000, 800)]);
    run_within(&mut link, bound);
    assert!(link.client.is_full());
    link.client.set_memory(None);
    link.run();
    assert_eq!(link.completions().last().unwrap().0, number);
    picture().assert_whole(&bins.read().unwrap());
    // And less again.
    link.client.set_memory(Some(100_000));
    run_within(&mut link, 100_000);
    link.client.set_memory(Some(0));
    run_within(&mut link, 0);
    assert!(bins.read().unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is looked at, in whatever room, over whatever link: the bound holds at each step, what is held is right, and
    /// what is wanted is there in the end or there is no room for it.
    #[test]
    fn the_bound_holds_at_every_step(
        seed in 0u64..1000,
        bound in prop_oneof![0u64..3_000, 3_000u64..60_000, 60_000u64..600_000],
        sessions in any::<bool>(),
        cuts in prop_oneof![Just(0u64), Just(15u64)],
        length in prop_oneof![Just(Some(2u64 << 20)), Just(Some(3_000)), Just(None)],
        hurry in any::<bool>(),
    ) {
        let options = ClientOptions::new(NAME).sessions(sessions).length(length).attempts(1000);
        let link_options = LinkOptions { seed, cuts, bytes_per_second: 2_000_000, ..LinkOptions::default() };
        let mut link = Link::new(picture(), options, link_options);
        link.client.set_memory(Some(bound));
        let bins = link.client.bins();
        for wishes in walk(seed, 12) {
            let number = link.client.set_wishes(wishes.clone());
            if hurry && seed % 3 > 0 {
                let until = link.now + Duration::from_millis(60);
                while link.now < until && link.step() {
                    prop_assert!(bins.read().unwrap().memory() <= bound);
                }
                continue;
            }
            run_within(&mut link, bound);
            prop_assert!(link.client.is_idle());
            picture().assert_prefixes(&bins.read().unwrap());
            if !link.client.is_full() {
                prop_assert_eq!(link.completions().last().unwrap().0, number);
                for window in wishes {
                    assert_held(&bins.read().unwrap(), &bins_of(&window), "wanted");
                }
            }
        }
    }
}

#[test]
fn bins_that_nobody_asked_for_stay_within_the_bound() {
    let mut client = Client::new(Link::session());
    let bound = 100_000;
    client.set_memory(Some(bound));
    client.set_wishes(vec![overview()]);
    let request = client.poll_request(Duration::ZERO).unwrap();
    let cnew = ("JPIP-cnew".to_owned(), "cid=7,path=jpip,transport=http".to_owned());
    client.handle_head(request.id, 200, &[cnew]);
    let bins = client.bins();
    let mut random = Random::new(5);
    let mut writer = MessageWriter::new();
    let mut sent = 0;
    for number in 0..20_000_u64 {
        let id = match random.below(5) {
            0 => DataBinId::Metadata(number),
            1 => DataBinId::TileHeader(number as u32),
            2 => DataBinId::MainHeader,
            3 => DataBinId::Precinct(random.below(3).into()),
            _ => DataBinId::Precinct(number),
        };
        // Some in order, some behind gaps, some that fill many of them.
        let offset = u64::from(random.below(2000)) * u64::from(random.below(2));
        let length = [1, 1, 40, 3000][random.below(4) as usize];
        let mut message = Vec::new();
        let header = MessageHeader {
            codestream: random.below(2) * random.below(300),
            id,
            aux: None,
            offset,
            length,
            last: false,
        };
        writer.write_header(&mut message, &header);
        message.extend(vec![number as u8; length as usize]);
        sent += length;
        client.handle_body(request.id, &message);
        let held = bins.read().unwrap().memory();
        assert!(held <= bound, "{held} bytes");
    }
    let progress = client.progress();
    let (held, told) =
        (bins.read().unwrap().bytes_held(), progress.new + progress.duplicate + progress.dropped);
    assert!(progress.dropped + progress.evicted > 0);
    // Each byte is accounted for; those that were held and went with their bin count twice.
    assert!(told >= sent && progress.new >= held, "{progress:?}, {sent} sent, {held} held");
}

#[test]
fn ten_thousand_windows_are_asked_for_in_few_requests() {
    let cells = || (0..100).flat_map(|y| (0..100).map(move |x| part(0, 10 * x, 8 * y, 10, 8)));
    let options = LinkOptions { bytes_per_second: 100_000_000, chunk: 64 << 10, ..LinkOptions::default() };
    let mut link =
        Link::with_server(server_with(picture(), ServerOptions::default()), Link::session(), options);
    let number = link.client.set_wishes(cells().collect());
    link.run();
    assert_eq!(link.completions(), [(number, Some(eor::WINDOW_DONE))]);
    assert!(link.requests.len() <= 10_000 / 33 + 1, "{}", link.requests.len());
    picture().assert_whole(&link.client.bins().read().unwrap());
    assert_eq!(link.client.progress().duplicate, 0);
}

#[test]
fn a_picture_that_changes_while_wishes_stand_is_told_and_fetched_anew() {
    let mut link = Link::new(picture(), Link::session(), slow());
    link.client.set_wishes(vec![overview(), part(0, 0, 0, 300, 300)]);
    link.run();
    let other = || Synthetic::sized(90, 70, 64);
    link.server = server_with(other(), ServerOptions::default());
    link.client.set_wishes(vec![overview(), part(0, 300, 0, 300, 300)]);
    link.run();
    assert!(link.events.contains(&Event::Reset));
    other().assert_prefixes(&link.client.bins().read().unwrap());
    assert!(link.client.is_idle());
}
