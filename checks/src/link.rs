//! A client and a server in one process, on a link of a rate and a latency, on a virtual clock: the same in each run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use wavetile_transport::jpip::{
    Body, Chunk, Client, ClientOptions, Ending, Event, MemoryCatalogue, Outgoing, ServedPicture, Server,
    ServerOptions,
};

/// What the link is like.
#[derive(Clone, Copy, Debug)]
pub struct LinkOptions {
    /// From one end to the other; there and back takes twice as long.
    pub latency: Duration,
    /// What all responses together get.
    pub bytes_per_second: u64,
    /// Most bytes that are on their way to the line at a time.
    pub chunk: usize,
}

impl Default for LinkOptions {
    /// 20 Mbit/s, 40 ms there and back.
    fn default() -> Self {
        Self { latency: Duration::from_millis(20), bytes_per_second: 2_500_000, chunk: 1200 }
    }
}

/// A client, a server and what is between them. Nothing happens but in [`run_until`](Self::run_until) and
/// [`run`](Self::run).
pub struct Link {
    client: Client,
    server: Server,
    options: LinkOptions,
    now: Duration,
    events: Vec<(Duration, Event)>,
    requests: u64,
    bytes_sent: u64,
    /// Responses that the server has not sent yet, the oldest first, and their requests.
    bodies: VecDeque<(u64, Body)>,
    /// The line takes the next chunk at an event that is queued already.
    is_pulling: bool,
    happenings: BTreeMap<u64, What>,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    serial: u64,
}

enum What {
    RequestArrives(Outgoing),
    /// The line can take more.
    Pull,
    Head {
        id: u64,
        status: u16,
        headers: Vec<(String, String)>,
    },
    Data {
        id: u64,
        bytes: Vec<u8>,
    },
    End {
        id: u64,
    },
    /// The client's own timer.
    Wake,
}

/// What the picture is called.
const NAME: &str = "picture.j2c";

impl Link {
    /// A server that offers `picture`, and a client of it.
    #[must_use]
    pub fn new(picture: Arc<dyn ServedPicture>, options: LinkOptions) -> Self {
        Self::with_client(picture, options, ClientOptions::new(NAME))
    }

    /// The same with habits of the client.
    #[must_use]
    pub fn with_client(picture: Arc<dyn ServedPicture>, options: LinkOptions, client: ClientOptions) -> Self {
        let catalogue = MemoryCatalogue::new([(NAME.to_owned(), picture)]);
        let mut number = 0_u128;
        let random = move || {
            number += 1;
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        };
        Self {
            client: Client::new(client.target(NAME.to_owned())),
            server: Server::new(catalogue, ServerOptions::default(), Box::new(random)),
            options,
            now: Duration::ZERO,
            events: Vec::new(),
            requests: 0,
            bytes_sent: 0,
            bodies: VecDeque::new(),
            is_pulling: false,
            happenings: BTreeMap::new(),
            queue: BinaryHeap::new(),
            serial: 0,
        }
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// The client, to be asked and told what is wanted.
    pub const fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Requests sent so far.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Bytes of response bodies that went on the line so far.
    #[must_use]
    pub const fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Sessions that the server has open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.server.sessions()
    }

    /// What the client reported since the last call, and when; its progress is not among it.
    pub fn take_events(&mut self) -> Vec<(Duration, Event)> {
        std::mem::take(&mut self.events)
    }

    /// Lets time pass; `until` has not passed yet.
    pub fn run_until(&mut self, until: Duration) {
        self.send();
        while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// Lets time pass until nothing is left to happen.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// The next happening; `false` if there is none.
    pub fn step(&mut self) -> bool {
        self.send();
        let Some(Reverse((at, serial))) = self.queue.pop() else { return false };
        self.now = self.now.max(at);
        let Some(what) = self.happenings.remove(&serial) else { return true };
        match what {
            What::RequestArrives(outgoing) => self.serve(&outgoing),
            What::Pull => {
                self.is_pulling = false;
                self.pull();
            }
            What::Head { id, status, headers } => self.client.handle_head(id, status, &headers),
            What::Data { id, bytes } => self.client.handle_body(id, &bytes),
            What::End { id } => self.client.handle_end(id, Ending::Complete),
            What::Wake => (),
        }
        self.send();
        true
    }

    fn send(&mut self) {
        while let Some(outgoing) = self.client.poll_request(self.now) {
            self.requests += 1;
            self.at(self.now + self.options.latency, What::RequestArrives(outgoing));
        }
        while let Some(event) = self.client.poll_event() {
            if !matches!(event, Event::Progress(_)) {
                self.events.push((self.now, event));
            }
        }
        if let Some(wake) = self.client.next_wake() {
            self.at(wake, What::Wake);
        }
    }

    fn serve(&mut self, outgoing: &Outgoing) {
        let (path, query) = outgoing.path_and_query.split_once('?').unwrap_or((&outgoing.path_and_query, ""));
        let reply = self.server.handle_request(IpAddr::V4(Ipv4Addr::LOCALHOST), path, query, self.now);
        let headers = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let id = outgoing.id;
        self.at(self.now + self.options.latency, What::Head { id, status: reply.status, headers });
        self.bodies.push_back((id, reply.body));
        if !self.is_pulling {
            self.pull();
        }
    }

    /// The line takes a chunk of the oldest response.
    fn pull(&mut self) {
        while let Some((id, body)) = self.bodies.front_mut() {
            let id = *id;
            let pause = match body.poll(self.options.chunk, self.now, Waker::noop()) {
                Chunk::End => {
                    self.bodies.pop_front();
                    self.at(self.now + self.options.latency, What::End { id });
                    continue;
                }
                Chunk::Wait(pause) => pause.max(Duration::from_millis(1)),
                Chunk::Bytes(bytes) => {
                    let length = bytes.len() as u64;
                    self.bytes_sent += length;
                    let took =
                        Duration::from_nanos(length * 1_000_000_000 / self.options.bytes_per_second.max(1));
                    self.at(self.now + took + self.options.latency, What::Data { id, bytes });
                    took
                }
            };
            self.is_pulling = true;
            self.at(self.now + pause, What::Pull);
            return;
        }
    }

    fn at(&mut self, at: Duration, what: What) {
        self.serial += 1;
        self.queue.push(Reverse((at, self.serial)));
        self.happenings.insert(self.serial, what);
    }
}
