//! Who may send next, and how much: bandwidth in all and of each client, shared out fairly (start-time fair queueing).
//! No clock: time is passed in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// What a response is worth. Better ones go first by a head start of some bytes, not for ever: nobody who asks for
/// many small windows keeps others from theirs. Only what nobody asked for waits for everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A new session, headers, metadata.
    Opening,
    SmallWindow,
    LargeWindow,
    /// Sent without being asked for.
    Push,
}

impl Class {
    /// Bytes that a client of the best class may be ahead of one of this.
    const fn handicap(self) -> u64 {
        match self {
            Self::Opening => 0,
            Self::SmallWindow => 64 << 10,
            Self::LargeWindow | Self::Push => MOST_BEHIND,
        }
    }
}

/// Shares bandwidth among responses.
pub(super) struct Schedule {
    weights: HashMap<IpAddr, u32>,
    client_rate: Option<u64>,
    state: Mutex<State>,
}

struct State {
    all: Option<Bucket>,
    clients: HashMap<IpAddr, Client>,
    waiting: Vec<Waiting>,
    /// Start tag of what was sent last: a client that comes anew begins there.
    virtual_time: u64,
    next_place: u64,
}

#[derive(Debug)]
struct Client {
    bucket: Option<Bucket>,
    /// Weighted bytes sent, as a tag on the common virtual time.
    finish: u64,
    weight: u64,
    /// Responses under way.
    places: usize,
}

/// A response that was told to wait.
struct Waiting {
    place: u64,
    client: IpAddr,
    class: Class,
    /// It will have asked again by then, or is not counted on any more.
    until: Duration,
    waker: Waker,
}

/// A token bucket, kept as the moment at which what was sent is paid for.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Bytes a second.
    rate: u64,
    paid_at: Duration,
}

/// A response's place in the schedule; given back when dropped.
pub(super) struct QueuePlace {
    schedule: Arc<Schedule>,
    number: u64,
    client: IpAddr,
    class: Class,
}

/// What a response may do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// Send up to so many bytes.
    Bytes(usize),
    /// Ask again after this time, or when woken.
    Wait(Duration),
}

impl Schedule {
    /// `all`, `client`: bytes a second. `weights` of addresses; others have 1.
    pub(super) fn new(all: Option<u64>, client: Option<u64>, weights: &[(IpAddr, u32)]) -> Self {
        let state = State {
            all: all.map(Bucket::new),
            clients: HashMap::new(),
            waiting: Vec::new(),
            virtual_time: 0,
            next_place: 0,
        };
        Self {
            weights: weights.iter().map(|&(peer, weight)| (client_of(peer), weight.max(1))).collect(),
            client_rate: client,
            state: Mutex::new(state),
        }
    }

    /// A place for a response to `peer`; `None` if there is no limit, hence nothing to share out.
    pub(super) fn join(self: &Arc<Self>, peer: IpAddr, class: Class) -> Option<QueuePlace> {
        let mut state = self.lock();
        if state.all.is_none() && self.client_rate.is_none() {
            return None;
        }
        let client = client_of(peer);
        let weight = u64::from(self.weights.get(&client).copied().unwrap_or(1));
        let finish = state.virtual_time;
        let new = || Client { bucket: self.client_rate.map(Bucket::new), finish, weight, places: 0 };
        state.clients.entry(client).or_insert_with(new).places += 1;
        let number = state.next_place;
        state.next_place += 1;
        Some(QueuePlace { schedule: self.clone(), number, client, class })
    }

    /// Forgets clients whose bandwidth is theirs again. Those that just left are kept: coming back must not pay.
    pub(super) fn expire(&self, now: Duration) {
        self.lock().clients.retain(|_, client| {
            client.places > 0 || client.bucket.is_some_and(|bucket| bucket.ready_at() > now)
        });
    }

    /// Clients that are known.
    #[cfg(test)]
    fn clients(&self) -> usize {
        self.lock().clients.len()
    }

    /// Counts stay usable whatever a thread that panicked left behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuePlace {
    /// From now on the response is of this class.
    pub(super) fn set_class(&mut self, class: Class) {
        self.class = class;
    }

    /// Whether up to `most` bytes may be sent now. What was sent is told by [`spend`](Self::spend).
    pub(super) fn ask(&self, most: usize, now: Duration, waker: &Waker) -> Grant {
        let mut state = self.schedule.lock();
        state.waiting.retain(|one| one.place != self.number && one.until.saturating_add(PATIENCE) > now);
        let ready = state.ready_at(self.client);
        let ahead = (ready <= now).then(|| state.first_before(self, now)).flatten();
        let pause = match ahead {
            Some(first) => {
                first.wake();
                PATIENCE
            }
            None if ready > now => ready - now,
            None => {
                let quantum = state.quantum(self.client);
                return Grant::Bytes(most.min(quantum).max(1));
            }
        };
        let until = now.saturating_add(pause);
        let (place, client, class) = (self.number, self.client, self.class);
        state.waiting.push(Waiting { place, client, class, until, waker: waker.clone() });
        Grant::Wait(pause)
    }

    /// Notes that so many bytes were sent, and wakes whoever is next.
    pub(super) fn spend(&self, bytes: usize, now: Duration) {
        let bytes = bytes as u64;
        let mut state = self.schedule.lock();
        let virtual_time = state.virtual_time;
        if let Some(bucket) = &mut state.all {
            bucket.spend(bytes, now);
        }
        if let Some(client) = state.clients.get_mut(&self.client) {
            if let Some(bucket) = &mut client.bucket {
                bucket.spend(bytes, now);
            }
            let start = client.start(virtual_time);
            client.finish = start.saturating_add(bytes.saturating_mul(SCALE) / client.weight);
            if self.class != Class::Push {
                state.virtual_time = state.virtual_time.max(start);
            }
        }
        state.wake_next();
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        let mut state = self.schedule.lock();
        state.waiting.retain(|one| one.place != self.number);
        if let Some(client) = state.clients.get_mut(&self.client) {
            client.places -= 1;
            if client.places == 0 && client.bucket.is_none() {
                // Without a limit of its own it may come back at the others' time.
                state.clients.remove(&self.client);
            }
        }
        state.wake_next();
    }
}

impl State {
    /// When `client` may send, were it alone.
    fn ready_at(&self, client: IpAddr) -> Duration {
        let own = self.clients.get(&client).and_then(|client| client.bucket.as_ref());
        [self.all.as_ref(), own].into_iter().flatten().map(Bucket::ready_at).max().unwrap_or_default()
    }

    /// Lower goes first.
    fn rank(&self, client: IpAddr, class: Class, place: u64) -> (bool, u64, Class, u64) {
        let client = self.clients.get(&client);
        let start = client.map_or(self.virtual_time, |client| client.start(self.virtual_time));
        let start = start.saturating_add(class.handicap() * SCALE);
        (class == Class::Push, start, class, place)
    }

    /// Who waits for the same bytes as `place`, could have them now, and goes before it.
    fn first_before(&self, place: &QueuePlace, now: Duration) -> Option<Waker> {
        let rivals =
            self.waiting.iter().filter(|one| self.all.is_some() || one.client == place.client).filter(
                |one| {
                    let own = self.clients.get(&one.client).and_then(|client| client.bucket.as_ref());
                    own.is_none_or(|bucket| bucket.ready_at() <= now)
                },
            );
        let rank = self.rank(place.client, place.class, place.number);
        let first =
            rivals.map(|one| (self.rank(one.client, one.class, one.place), one)).min_by_key(|one| one.0);
        first.filter(|first| first.0 < rank).map(|first| first.1.waker.clone())
    }

    /// Has the first of those that wait ask for its time.
    fn wake_next(&self) {
        let first = self.waiting.iter().min_by_key(|one| self.rank(one.client, one.class, one.place));
        if let Some(first) = first {
            first.waker.wake_by_ref();
        }
    }

    /// Most bytes to send at a time: a tenth of a second's, so that the next in turn does not wait for long.
    fn quantum(&self, client: IpAddr) -> usize {
        let own = self.clients.get(&client).and_then(|client| client.bucket.as_ref());
        let rate = [self.all.as_ref(), own].into_iter().flatten().map(|bucket| bucket.rate).min();
        rate.map_or(usize::MAX, |rate| usize::try_from(rate / 10).unwrap_or(usize::MAX).max(LEAST_QUANTUM))
    }
}

impl Client {
    /// Tag of its next bytes. What it could have had and did not ask for is not made up for, up to what may be due to
    /// it for waiting behind better classes.
    fn start(&self, virtual_time: u64) -> u64 {
        self.finish.max(virtual_time.saturating_sub(MOST_BEHIND * SCALE))
    }
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid_at: Duration::ZERO }
    }

    /// When more may be sent: a quarter of a second's bytes may be sent ahead.
    fn ready_at(&self) -> Duration {
        self.paid_at.saturating_sub(BURST)
    }

    fn spend(&mut self, bytes: u64, now: Duration) {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.paid_at = self.paid_at.max(now).saturating_add(takes);
    }
}

/// Whoever holds an IPv6 address holds the 2^64 beside it.
fn client_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// A response whose turn it is and that does not ask loses it after this time: its connection is stuck.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bandwidth of this time may be used at once after a pause.
const BURST: Duration = Duration::from_millis(250);

/// Bytes that the worst class may be behind the best.
const MOST_BEHIND: u64 = 512 << 10;

/// However slow a client is to be, messages are to fit.
const LEAST_QUANTUM: usize = 1 << 10;

/// Tags count in parts of a byte, so that weights divide them.
const SCALE: u64 = 256;

#[cfg(test)]
mod tests;
