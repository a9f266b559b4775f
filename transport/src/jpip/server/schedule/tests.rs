//! The schedule on a virtual clock: shares, classes, limits, and that nobody starves or blocks others.
#![allow(clippy::unwrap_used)]

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

const MS: Duration = Duration::from_millis(1);

fn peer(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A response of `left` bytes, in chunks of up to 16 KiB.
struct Sender {
    place: QueuePlace,
    left: usize,
    sent: usize,
    done_at: Option<Duration>,
    ask_at: Duration,
    flag: Arc<Flag>,
}

fn sender(schedule: &Arc<Schedule>, client: u8, class: Class, left: usize) -> Sender {
    let place = schedule.join(peer(client), class).unwrap();
    Sender { place, left, sent: 0, done_at: None, ask_at: Duration::ZERO, flag: Arc::default() }
}

/// Lets all of them send as soon as they may, up to `end`.
fn run(senders: &mut [Sender], from: Duration, end: Duration) {
    let mut now = from;
    while now < end {
        for sender in senders.iter_mut().filter(|sender| sender.left > 0) {
            if !sender.flag.0.swap(false, Ordering::Relaxed) && sender.ask_at > now {
                continue;
            }
            match sender.place.ask(sender.left.min(16 << 10), now, &Waker::from(sender.flag.clone())) {
                Grant::Bytes(bytes) => {
                    sender.place.spend(bytes, now);
                    sender.left -= bytes;
                    sender.sent += bytes;
                    sender.ask_at = now;
                    sender.done_at = (sender.left == 0).then_some(now);
                }
                Grant::Wait(pause) => sender.ask_at = now + pause,
            }
        }
        now += MS;
    }
}

fn about(value: usize, expected: usize, percent: usize) -> bool {
    value.abs_diff(expected) * 100 <= expected * percent
}

#[test]
fn without_limits_there_is_nothing_to_wait_for() {
    assert!(Arc::new(Schedule::new(None, None, &[])).join(peer(1), Class::LargeWindow).is_none());
}

#[test]
fn bandwidth_in_all_is_kept_and_clients_share_it_whatever_they_ask_for() {
    let schedule = Arc::new(Schedule::new(Some(1_000_000), None, &[]));
    // One client with eight responses, one with one.
    let mut senders: Vec<Sender> =
        (0..8).map(|_| sender(&schedule, 1, Class::LargeWindow, usize::MAX)).collect();
    senders.push(sender(&schedule, 2, Class::LargeWindow, usize::MAX));
    run(&mut senders, Duration::ZERO, 20_000 * MS);
    let second = senders[8].sent;
    let first: usize = senders[..8].iter().map(|sender| sender.sent).sum();
    assert!(about(first + second, 20_250_000, 1), "{first} + {second}");
    assert!(about(second, first, 3), "{first} and {second}");
}

#[test]
fn weights_are_shares() {
    let schedule = Arc::new(Schedule::new(Some(1_000_000), None, &[(peer(2), 3)]));
    let mut senders = [1, 2].map(|client| sender(&schedule, client, Class::LargeWindow, usize::MAX));
    run(&mut senders, Duration::ZERO, 20_000 * MS);
    let [one, three] = [senders[0].sent, senders[1].sent];
    assert!(about(three, 3 * one, 2), "{one} and {three}");
}

#[test]
fn a_client_keeps_to_its_own_limit_and_leaves_the_rest_to_others() {
    let schedule = Arc::new(Schedule::new(Some(1_000_000), Some(100_000), &[]));
    let mut senders = vec![
        sender(&schedule, 1, Class::LargeWindow, usize::MAX),
        sender(&schedule, 1, Class::LargeWindow, usize::MAX),
        sender(&schedule, 2, Class::LargeWindow, usize::MAX),
    ];
    run(&mut senders, Duration::ZERO, 10_000 * MS);
    let first = senders[0].sent + senders[1].sent;
    assert!(about(first, 1_025_000, 3), "{first}");
    assert!(about(senders[2].sent, 1_025_000, 3), "{}", senders[2].sent);
    // To leave and to come back does not fill the bucket.
    drop(senders);
    schedule.expire(10_000 * MS);
    assert_eq!(schedule.clients(), 2);
    let mut again = [sender(&schedule, 1, Class::Opening, usize::MAX)];
    run(&mut again, 10_000 * MS, 10_100 * MS);
    assert!(again[0].sent < 30_000, "{}", again[0].sent);
    drop(again);
    schedule.expire(12_000 * MS);
    assert_eq!(schedule.clients(), 0, "idle clients cost nothing");
}

#[test]
fn openings_go_first_then_small_windows() {
    let schedule = Arc::new(Schedule::new(Some(200_000), None, &[]));
    let mut senders = vec![
        sender(&schedule, 1, Class::LargeWindow, 400_000),
        sender(&schedule, 2, Class::SmallWindow, 40_000),
        sender(&schedule, 3, Class::Opening, 40_000),
    ];
    // The large one has been alone for a while.
    run(&mut senders[..1], Duration::ZERO, 500 * MS);
    for late in &mut senders[1..] {
        late.ask_at = 500 * MS;
    }
    run(&mut senders, 500 * MS, 5_000 * MS);
    let [large, small, opening] = [0, 1, 2].map(|index| senders[index].done_at.unwrap());
    assert!(opening < small && small < large, "{opening:?} {small:?} {large:?}");
    // 40 kB take 200 ms, and a chunk may have been under way.
    assert!(opening < 900 * MS && small < 1_200 * MS, "{opening:?} {small:?}");
}

#[test]
fn a_flood_of_small_windows_delays_a_large_one_but_does_not_stop_it() {
    let schedule = Arc::new(Schedule::new(Some(1_000_000), None, &[]));
    let mut senders = vec![sender(&schedule, 1, Class::LargeWindow, usize::MAX)];
    senders.extend((0..20).map(|_| sender(&schedule, 2, Class::SmallWindow, usize::MAX)));
    run(&mut senders, Duration::ZERO, 10_000 * MS);
    // Half of everything but the head start.
    assert!(senders[0].sent > 4_500_000, "{}", senders[0].sent);
}

#[test]
fn what_is_pushed_waits_for_everything_else() {
    let schedule = Arc::new(Schedule::new(Some(100_000), None, &[]));
    let mut senders = vec![
        sender(&schedule, 1, Class::Push, usize::MAX),
        sender(&schedule, 2, Class::LargeWindow, 500_000),
    ];
    run(&mut senders, Duration::ZERO, 4_000 * MS);
    assert!(senders[0].sent <= 20_000, "{}", senders[0].sent);
    run(&mut senders, 4_000 * MS, 10_000 * MS);
    assert_eq!(senders[1].left, 0);
    assert!(senders[0].sent > 400_000, "{}", senders[0].sent);
}

#[test]
fn a_response_that_is_stuck_holds_nobody_up() {
    let schedule = Arc::new(Schedule::new(Some(100_000), None, &[]));
    let mut senders = vec![
        sender(&schedule, 1, Class::Opening, usize::MAX),
        sender(&schedule, 2, Class::LargeWindow, usize::MAX),
    ];
    run(&mut senders, Duration::ZERO, 1_000 * MS);
    // It waits for its turn, and then its connection takes nothing any more.
    let before = senders[1].sent;
    run(&mut senders[1..], 1_000 * MS, 2_000 * MS);
    assert!(senders[1].sent - before > 80_000, "{}", senders[1].sent - before);
}

#[test]
fn addresses_of_one_ipv6_network_are_one_client() {
    let schedule = Arc::new(Schedule::new(None, Some(1000), &[]));
    let places: Vec<_> =
        ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "::ffff:10.0.0.1", "10.0.0.1"]
            .map(|peer| schedule.join(peer.parse().unwrap(), Class::Opening))
            .into();
    assert_eq!(schedule.clients(), 3);
    drop(places);
}

#[test]
fn however_often_they_ask_those_who_wait_take_the_memory_of_one_entry_each() {
    let schedule = Arc::new(Schedule::new(Some(1), None, &[]));
    let places: Vec<QueuePlace> =
        (0..40).map(|number| schedule.join(peer(number % 4), Class::LargeWindow).unwrap()).collect();
    places[0].spend(1000, Duration::ZERO);
    for round in 0..50 {
        for place in &places {
            assert!(matches!(place.ask(1000, round * MS, Waker::noop()), Grant::Wait(_)));
        }
        assert!(schedule.lock().waiting.len() <= places.len());
    }
    drop(places);
    let state = schedule.lock();
    assert_eq!((state.waiting.len(), state.clients.len()), (0, 0));
}
