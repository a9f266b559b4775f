//! A client and a server in one process, joined by a link with latency, bandwidth and faults, on a virtual
//! clock. Everything follows from the seed.

use super::synthetic::Synthetic;
use super::{NAME, PEER, server_with};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;
use wavetile_testing::random::Random;
use wavetile_transport::jpip::{Body, Client, ClientOptions, Ending, Event, Outgoing, Server, ServerOptions};

#[derive(Clone, Debug)]
pub struct LinkOptions {
    pub seed: u64,
    /// One way, without the jitter that each request adds.
    pub latency: Duration,
    pub jitter: Duration,
    /// Of each response.
    pub bytes_per_second: u64,
    /// Chance in a hundred that a response breaks off, that a request is lost.
    pub cuts: u64,
    pub losses: u64,
    pub chunk: usize,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            latency: Duration::from_millis(40),
            jitter: Duration::ZERO,
            bytes_per_second: 400_000,
            cuts: 0,
            losses: 0,
            chunk: 1200,
        }
    }
}

pub struct Link {
    pub server: Server,
    pub client: Client,
    pub options: LinkOptions,
    pub now: Duration,
    /// Everything the client reported but progress.
    pub events: Vec<Event>,
    /// Requests in the order in which they were sent.
    pub requests: Vec<String>,
    /// How each answer ended: its id and the reason, if it was whole.
    pub bytes_pulled: u64,
    pub broken: u32,
    random: Random,
    happenings: BTreeMap<u64, What>,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    serial: u64,
}

enum What {
    RequestArrives(Outgoing),
    /// The server's side of the link can take more. `cut` = bytes after which the answer breaks off.
    Pull {
        id: u64,
        body: Box<Body>,
        cut: Option<u64>,
        delay: Duration,
    },
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
        ending: Ending,
    },
    /// The client's own timer.
    Wake,
}

impl Link {
    pub fn new(picture: Synthetic, client: ClientOptions, options: LinkOptions) -> Self {
        Self::with_server(server_with(picture, ServerOptions::default()), client, options)
    }

    pub fn with_server(server: Server, client: ClientOptions, options: LinkOptions) -> Self {
        Self {
            server,
            client: Client::new(client),
            random: Random::new(options.seed),
            options,
            now: Duration::ZERO,
            events: Vec::new(),
            requests: Vec::new(),
            bytes_pulled: 0,
            broken: 0,
            happenings: BTreeMap::new(),
            queue: BinaryHeap::new(),
            serial: 0,
        }
    }

    pub fn session() -> ClientOptions {
        ClientOptions::new(NAME)
    }

    pub fn stateless() -> ClientOptions {
        ClientOptions::new(NAME).sessions(false)
    }

    /// Runs until nothing is left to happen.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Runs until `until`, which must not have passed.
    pub fn run_until(&mut self, until: Duration) {
        self.send();
        while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= until) {
            self.step();
        }
        self.now = until;
    }

    /// One happening; `false` if there is none.
    pub fn step(&mut self) -> bool {
        self.send();
        let Some(Reverse((at, serial))) = self.queue.pop() else { return false };
        assert!(serial < 200_000, "the client and the server go on for ever");
        self.now = at;
        match self.happenings.remove(&serial).unwrap() {
            What::RequestArrives(outgoing) => self.serve(outgoing),
            What::Pull { id, body, cut, delay } => self.pull(id, body, cut, delay),
            What::Head { id, status, headers } => self.client.handle_head(id, status, &headers),
            What::Data { id, bytes } => self.client.handle_body(id, &bytes),
            What::End { id, ending } => self.client.handle_end(id, ending),
            What::Wake => (),
        }
        self.send();
        true
    }

    /// The connection goes: whatever is on its way, either way, is lost.
    pub fn cut(&mut self) {
        let mut lost: Vec<u64> = Vec::new();
        for (_, what) in std::mem::take(&mut self.happenings) {
            match what {
                What::RequestArrives(outgoing) => lost.push(outgoing.id),
                What::Pull { id, mut body, .. } => {
                    // The server notices only after some more has gone into the void.
                    body.poll_chunk(self.options.chunk);
                    lost.push(id);
                }
                What::Head { id, .. } | What::Data { id, .. } | What::End { id, .. } => lost.push(id),
                What::Wake => (),
            }
        }
        self.queue.clear();
        lost.sort_unstable();
        lost.dedup();
        for id in lost {
            self.broken += 1;
            self.client.handle_end(id, Ending::Broken("the connection was cut".to_owned()));
        }
        self.send();
    }

    pub fn completions(&self) -> Vec<(u64, Option<u8>)> {
        let completion = |event: &Event| match event {
            Event::WindowComplete { window, reason } => Some((*window, *reason)),
            _ => None,
        };
        self.events.iter().filter_map(completion).collect()
    }

    fn send(&mut self) {
        while let Some(outgoing) = self.client.poll_request(self.now) {
            self.requests.push(outgoing.path_and_query.clone());
            let delay = self.delay();
            if self.chance(self.options.losses) {
                let ending = Ending::Broken("lost on the way".to_owned());
                self.at(self.now + delay * 3, What::End { id: outgoing.id, ending });
                self.broken += 1;
            } else {
                self.at(self.now + delay, What::RequestArrives(outgoing));
            }
        }
        while let Some(event) = self.client.poll_event() {
            if !matches!(event, Event::Progress(_)) {
                self.events.push(event);
            }
        }
        if let Some(wake) = self.client.next_wake() {
            self.at(wake, What::Wake);
        }
    }

    fn serve(&mut self, outgoing: Outgoing) {
        let (path, query) = outgoing.path_and_query.split_once('?').unwrap_or((&outgoing.path_and_query, ""));
        let reply = self.server.handle_request(PEER, path, query, self.now);
        let delay = self.delay();
        let headers = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let cut = self.chance(self.options.cuts).then(|| self.random.below(40_000).into());
        let id = outgoing.id;
        self.at(self.now + delay, What::Head { id, status: reply.status, headers });
        self.at(self.now, What::Pull { id, body: Box::new(reply.body), cut, delay });
    }

    fn pull(&mut self, id: u64, mut body: Box<Body>, cut: Option<u64>, delay: Duration) {
        let Some(bytes) = body.poll_chunk(self.options.chunk) else {
            self.at(self.now + delay, What::End { id, ending: Ending::Complete });
            return;
        };
        self.bytes_pulled += bytes.len() as u64;
        let length = bytes.len() as u64;
        let took = Duration::from_nanos(length * 1_000_000_000 / self.options.bytes_per_second);
        let left = match cut {
            Some(cut) if cut < length => {
                // The server notices only after some more has gone into the void.
                let arrived = bytes[..cut as usize].to_vec();
                self.at(self.now + took + delay, What::Data { id, bytes: arrived });
                for _ in 0..3 {
                    body.poll_chunk(self.options.chunk);
                }
                let ending = Ending::Broken("cut".to_owned());
                self.at(self.now + took + delay, What::End { id, ending });
                self.broken += 1;
                return;
            }
            cut => cut.map(|cut| cut - length),
        };
        self.at(self.now + took + delay, What::Data { id, bytes });
        self.at(self.now + took, What::Pull { id, body, cut: left, delay });
    }

    fn at(&mut self, at: Duration, what: What) {
        self.serial += 1;
        self.queue.push(Reverse((at, self.serial)));
        self.happenings.insert(self.serial, what);
    }

    fn delay(&mut self) -> Duration {
        let jitter = self.options.jitter.as_nanos() as u32;
        self.options.latency + Duration::from_nanos(self.random.below(jitter).into())
    }

    fn chance(&mut self, percent: u64) -> bool {
        u64::from(self.random.below(100)) < percent
    }
}
