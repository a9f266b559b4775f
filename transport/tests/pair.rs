//! Client and server against each other on a virtual clock: latency, bandwidth, cuts, loss, reordering.
#![allow(clippy::unwrap_used)]

mod common;

use common::link::{Link, LinkOptions};
use common::server_with;
use common::synthetic::Synthetic;
use std::time::Duration;
use wavetile_engine::Size;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::view_window::ViewWindow;
use wavetile_transport::jpip::{ClientError, ClientOptions, Event, ServerOptions, eor};

const WHOLE: ViewWindow = ViewWindow::whole(Size::new(200, 150));

fn region(x: u32, y: u32, width: u32, height: u32) -> ViewWindow {
    ViewWindow { offset: (x, y), region: Size::new(width, height), ..WHOLE }
}

fn both() -> [(&'static str, ClientOptions); 2] {
    [("session", Link::session()), ("stateless", Link::stateless())]
}

fn assert_whole(link: &Link, picture: &Synthetic) {
    picture.assert_whole(&link.client.bins().read().unwrap());
}

#[test]
fn the_whole_picture_arrives_in_one_round_trip_with_no_byte_twice() {
    for (mode, options) in both() {
        let mut link = Link::new(Synthetic::new(), options, LinkOptions::default());
        let window = link.client.set_window(Some(WHOLE));
        link.run();
        assert_whole(&link, &Synthetic::new());
        assert_eq!(link.completions(), [(window, Some(eor::IMAGE_DONE))], "{mode}");
        assert_eq!(link.requests.len(), 1);
        let progress = link.client.progress();
        assert_eq!((progress.duplicate, progress.excess), (0, 0), "{mode}");
        assert_eq!(
            progress.new,
            Synthetic::new().bins().iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>()
        );
        assert!(matches!(&link.events[0], Event::Opened { session, .. } if *session == (mode == "session")));
    }
}

#[test]
fn windows_one_after_another_add_up_to_the_picture_with_no_byte_twice() {
    let small = ViewWindow::whole(Size::new(50, 38));
    let few = ViewWindow { layers: Some(1), ..region(20, 30, 90, 60) };
    let grey = ViewWindow { components: Some(vec![0]), ..region(0, 0, 150, 150) };
    for (mode, options) in both() {
        let mut link = Link::new(Synthetic::new(), options, LinkOptions::default());
        for window in [None, Some(small.clone()), Some(few.clone()), Some(grey.clone()), Some(WHOLE)] {
            let number = link.client.set_window(window);
            link.run();
            assert_eq!(link.completions().last().unwrap().0, number, "{mode}");
            Synthetic::new().assert_prefixes(&link.client.bins().read().unwrap());
        }
        assert_whole(&link, &Synthetic::new());
        assert_eq!(link.client.progress().duplicate, 0, "{mode}");
    }
}

#[test]
fn responses_that_break_off_are_resumed_at_the_byte() {
    let mut broken = 0;
    for (mode, options) in both() {
        for seed in 0..60 {
            let link_options = LinkOptions { seed, cuts: 60, losses: 10, ..LinkOptions::default() };
            let options = options.clone().length(Some(30_000)).attempts(50);
            let mut link = Link::new(Synthetic::new(), options, link_options);
            link.client.set_window(Some(WHOLE));
            link.run();
            assert_whole(&link, &Synthetic::new());
            assert_eq!(link.client.progress().duplicate, 0, "{mode}, seed {seed}");
            broken += link.broken;
        }
    }
    assert!(broken > 100, "only {broken} responses broke off");
}

#[test]
fn a_byte_limit_is_followed_by_the_rest() {
    for (mode, options) in both() {
        let options = options.length(Some(1000));
        let mut link = Link::new(Synthetic::new(), options, LinkOptions::default());
        link.client.set_window(Some(WHOLE));
        link.run();
        assert_whole(&link, &Synthetic::new());
        assert!(link.requests.len() > 20, "{mode}: {}", link.requests.len());
        assert_eq!(link.client.progress().duplicate, 0, "{mode}");
    }
}

#[test]
fn a_new_window_takes_over_while_a_response_is_under_way() {
    let slow = LinkOptions { bytes_per_second: 20_000, ..LinkOptions::default() };
    for (mode, options) in both() {
        let mut link = Link::new(Synthetic::sized(2000, 1500, 512), options, slow.clone());
        link.client.set_window(Some(ViewWindow::whole(Size::new(2000, 1500))));
        link.run_until(Duration::from_secs(2));
        let before = link.bytes_pulled;
        let small = ViewWindow { region: Size::new(40, 40), ..ViewWindow::whole(Size::new(500, 375)) };
        let number = link.client.set_window(Some(small));
        link.run_until(Duration::from_secs(12));
        assert_eq!(
            link.completions().iter().map(|(window, _)| *window).collect::<Vec<_>>(),
            [number],
            "{mode}"
        );
        assert_eq!(link.requests.len(), 2, "{mode}");
        assert_eq!(link.client.progress().duplicate, 0, "{mode}");
        if mode == "session" {
            // What was pulled before the new request came to the server, and the new window.
            assert!(link.bytes_pulled - before < 20_000, "{}", link.bytes_pulled - before);
            link.run();
            assert_eq!(link.completions().len(), 1);
        } else {
            assert!(link.events.contains(&Event::Abort { id: 0 }));
        }
    }
}

#[test]
fn windows_that_change_all_the_time_leave_no_hole_whatever_the_order_of_arrival() {
    for (mode, options) in both() {
        for seed in 0..40 {
            let link_options = LinkOptions {
                seed,
                jitter: Duration::from_millis(300),
                cuts: seed % 3 * 20,
                bytes_per_second: 60_000,
                ..LinkOptions::default()
            };
            let mut link = Link::new(Synthetic::new(), options.clone().attempts(50), link_options);
            let mut at = Duration::ZERO;
            for step in 0..30 {
                let x = (seed as u32 * 31 + step * 17) % 150;
                link.client.set_window(Some(region(x, x / 2, 40, 30)));
                at += Duration::from_millis(70);
                link.run_until(at);
            }
            let number = link.client.set_window(Some(WHOLE));
            link.run();
            assert_eq!(link.completions().last().unwrap().0, number, "{mode}, seed {seed}");
            assert_whole(&link, &Synthetic::new());
            if mode == "session" && link.broken == 0 {
                assert_eq!(link.client.progress().duplicate, 0, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_session_that_has_expired_is_opened_again_and_nothing_is_sent_twice() {
    let mut link = Link::new(Synthetic::new(), Link::session(), LinkOptions::default());
    link.client.set_window(Some(region(0, 0, 60, 60)));
    link.run();
    assert_eq!(link.server.sessions(), 1);
    link.now += Duration::from_secs(121);
    link.server.expire(link.now);
    assert_eq!((link.server.sessions(), link.server.channels()), (0, 0));
    link.client.set_window(Some(WHOLE));
    link.run();
    assert_whole(&link, &Synthetic::new());
    assert_eq!(link.client.progress().duplicate, 0);
    assert_eq!(link.server.sessions(), 1);
    let opened = link.events.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
    assert_eq!((opened, link.requests.len()), (2, 3));
}

#[test]
fn a_server_that_forgets_sends_again_what_the_client_has_and_still_gets_done() {
    // Room for about ten runs of identifiers.
    let options = ServerOptions::default().model_memory(512);
    let server = server_with(Synthetic::new(), options);
    let mut link = Link::with_server(server, Link::session(), LinkOptions::default());
    for x in [0, 50, 100, 150] {
        link.client.set_window(Some(region(x, 0, 30, 30)));
        link.run();
        assert!(link.server.model_memory() <= 512);
    }
    link.client.set_window(Some(WHOLE));
    link.run();
    assert_whole(&link, &Synthetic::new());
    assert!(link.client.progress().duplicate > 0, "nothing was forgotten");
}

#[test]
fn a_refused_session_is_replaced_by_stateless_requests() {
    let options = ServerOptions::default().sessions(0);
    let mut link =
        Link::with_server(server_with(Synthetic::new(), options), Link::session(), LinkOptions::default());
    link.client.set_window(Some(WHOLE));
    link.run();
    assert_whole(&link, &Synthetic::new());
    assert_eq!(link.events[0], Event::Opened { target_id: target_id(&link), session: false });
}

fn target_id(link: &Link) -> Option<String> {
    link.events.iter().find_map(|event| match event {
        Event::Opened { target_id, .. } => Some(target_id.clone()),
        _ => None,
    })?
}

#[test]
fn without_room_for_a_model_the_stateless_client_asks_for_more_at_a_time() {
    let options = Link::stateless().model_length(20).length(Some(500));
    let mut link = Link::new(Synthetic::new(), options, LinkOptions::default());
    link.client.set_window(Some(WHOLE));
    link.run();
    assert_whole(&link, &Synthetic::new());
    assert!(link.client.progress().duplicate > 0);
}

#[test]
fn a_target_that_does_not_exist_is_an_error_at_once() {
    for (_, options) in both() {
        let options = options.target("another.jp2".to_owned());
        let mut link = Link::new(Synthetic::new(), options, LinkOptions::default());
        link.run();
        assert_eq!(link.events, [Event::Failed(ClientError::Refused(404))]);
        assert_eq!(link.requests.len(), 1);
    }
}

#[test]
fn a_link_that_always_breaks_ends_in_an_error_and_a_retry_goes_on() {
    let options = LinkOptions { losses: 100, ..LinkOptions::default() };
    let mut link = Link::new(Synthetic::new(), Link::session(), options);
    link.client.set_window(Some(WHOLE));
    link.run();
    assert!(matches!(&link.events[..], [Event::Failed(ClientError::Broken(_))]), "{:?}", link.events);
    assert_eq!(link.requests.len(), 6);
    assert!(link.now > Duration::from_millis(250 * (1 + 2 + 4 + 8 + 16)));
    link.options.losses = 0;
    link.client.retry();
    link.run();
    assert_whole(&link, &Synthetic::new());
}

#[test]
fn a_picture_that_changes_is_fetched_anew() {
    for (mode, options) in both() {
        let mut link = Link::new(Synthetic::new(), options, LinkOptions::default());
        link.client.set_window(Some(region(0, 0, 60, 60)));
        link.run();
        let other = || Synthetic::sized(90, 70, 64);
        link.server = server_with(other(), ServerOptions::default());
        link.client.set_window(Some(ViewWindow::whole(Size::new(90, 70))));
        link.run();
        assert!(link.events.contains(&Event::Reset), "{mode}");
        assert_whole(&link, &other());
    }
}

#[test]
fn closing_ends_the_session_at_the_server() {
    let mut link = Link::new(Synthetic::new(), Link::session(), LinkOptions::default());
    link.run();
    assert_eq!((link.server.sessions(), link.server.channels()), (1, 1));
    link.client.close();
    link.run();
    assert_eq!((link.server.sessions(), link.server.channels()), (0, 0));
    assert_eq!(link.events.last(), Some(&Event::Closed));
}

#[test]
fn a_damaged_tile_does_not_keep_the_others_away() {
    let picture = Synthetic { damaged: vec![1], ..Synthetic::new() };
    let mut link = Link::new(picture, Link::session(), LinkOptions::default());
    link.client.set_window(Some(WHOLE));
    link.run();
    assert_eq!(link.completions().len(), 1);
    let bins = link.client.bins();
    let bins = bins.read().unwrap();
    Synthetic::new().assert_prefixes(&bins);
    let missing: Vec<_> =
        Synthetic::new().bins().into_iter().filter(|(id, _)| !bins.is_complete(0, *id)).collect();
    assert!(!missing.is_empty());
    assert!(
        missing.iter().all(|(id, _)| matches!(id, DataBinId::Precinct(id) if id % 4 == 1)),
        "{missing:?}"
    );
}

#[test]
fn a_file_that_was_cut_off_is_served_as_far_as_it_goes() {
    let picture = Synthetic { layers_left: 2, ..Synthetic::new() };
    let whole = picture.bins();
    let mut link = Link::new(picture, Link::session(), LinkOptions::default());
    link.client.set_window(Some(WHOLE));
    link.run();
    assert_eq!(link.completions().len(), 1);
    let bins = link.client.bins();
    let bins = bins.read().unwrap();
    for (id, bytes) in whole {
        assert_eq!(bins.contiguous_len(0, id), bytes.len() as u64, "{id:?}");
        assert_eq!(bins.is_complete(0, id), !matches!(id, DataBinId::Precinct(_)), "{id:?}");
    }
}
