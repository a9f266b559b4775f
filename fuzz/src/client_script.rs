//! What a client is told, as bytes: a byte of options, then steps of a kind, a length of two bytes and a payload.

use std::sync::PoisonError;
use std::time::Duration;
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{Limits, Size};
use wavetile_transport::jpip::wire::fields::NumberRange;
use wavetile_transport::jpip::{Client, ClientOptions, Ending, Event, StreamKind};

/// What happens to a client.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Another window: four bytes for the size of the frame, four for the place of the region.
    Window(&'a [u8]),
    /// The head of an answer to the oldest request: its status, and lines of header fields.
    Head(&'a [u8]),
    /// Bytes of its body.
    Body(&'a [u8]),
    /// It ends as it should.
    End,
    /// It breaks off.
    Break,
    /// So many tenths of a second go by.
    Time(u8),
    /// Other codestreams.
    Codestreams(u8),
    /// The client is to try again.
    Retry,
    /// The client is to close its session.
    Close,
}

/// A client's options and what happens to it.
pub struct ClientScript<'a> {
    options: u8,
    steps: Vec<Step<'a>>,
}

/// Steps and requests beyond these say nothing new.
const STEPS: usize = 200;
const REQUESTS: usize = 16;

impl<'a> ClientScript<'a> {
    /// Reads any bytes; `None` if there is no step.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&options, mut rest) = bytes.split_first()?;
        let mut steps = Vec::new();
        while steps.len() < STEPS
            && let Some((&[kind, high, low], after)) = rest.split_first_chunk()
        {
            let (payload, after) =
                after.split_at(usize::from(u16::from_be_bytes([high, low])).min(after.len()));
            rest = after;
            steps.push(match kind % 9 {
                0 => Step::Window(payload),
                1 => Step::Head(payload),
                2 => Step::Body(payload),
                3 => Step::End,
                4 => Step::Break,
                5 => Step::Time(payload.first().copied().unwrap_or(10)),
                6 => Step::Codestreams(payload.first().copied().unwrap_or(0)),
                7 => Step::Retry,
                _ => Step::Close,
            });
        }
        (!steps.is_empty()).then_some(Self { options, steps })
    }

    /// Writes a script so that [`parse`](Self::parse) reads it again.
    pub fn write(options: u8, steps: &[Step<'_>]) -> Vec<u8> {
        let mut bytes = vec![options];
        for step in steps {
            let (kind, payload) = match *step {
                Step::Window(payload) => (0, payload.to_vec()),
                Step::Head(payload) => (1, payload.to_vec()),
                Step::Body(payload) => (2, payload.to_vec()),
                Step::End => (3, Vec::new()),
                Step::Break => (4, Vec::new()),
                Step::Time(tenths) => (5, vec![tenths]),
                Step::Codestreams(number) => (6, vec![number]),
                Step::Retry => (7, Vec::new()),
                Step::Close => (8, Vec::new()),
            };
            bytes.push(kind);
            bytes.extend((payload.len() as u16).to_be_bytes());
            bytes.extend(payload);
        }
        bytes
    }

    /// The stream that the options ask for, as [`write`](Self::write) takes them.
    pub const TILES: u8 = 2;

    fn options(&self) -> ClientOptions {
        let stream = match self.options & 3 {
            0 => StreamKind::Precincts,
            1 => StreamKind::ExtendedPrecincts,
            _ => StreamKind::Tiles,
        };
        ClientOptions::new("picture.jp2")
            .stream(stream)
            .sessions(self.options & 4 == 0)
            .push((self.options & 8 != 0).then_some(1 << 20))
            .length((self.options & 16 != 0).then_some(1000))
    }

    /// Tells the client, and checks that it does not run away and counts right; gives it back.
    pub fn run(&self) -> Client {
        let mut client = Client::new(self.options());
        client.keep_journal();
        let mut now = Duration::ZERO;
        let mut open: Vec<u64> = Vec::new();
        self.poll(&mut client, now, &mut open);
        for step in &self.steps {
            let oldest = open.first().copied();
            match (step, oldest) {
                (Step::Window(payload), _) => drop(client.set_window(window(payload))),
                (Step::Head(payload), Some(id)) => {
                    let (status, headers) = head(payload);
                    client.handle_head(id, status, &headers);
                }
                (Step::Body(payload), Some(id)) => client.handle_body(id, payload),
                (Step::End, Some(id)) => client.handle_end(id, Ending::Complete),
                (Step::Break, Some(id)) => {
                    client.handle_end(id, Ending::Broken("the line is cut".to_owned()))
                }
                (Step::Time(tenths), _) => now += Duration::from_millis(100) * u32::from(*tenths),
                (&Step::Codestreams(number), _) => {
                    client.set_codestreams(vec![NumberRange::one(u64::from(number) % 4)]);
                }
                (Step::Retry, _) => client.retry(),
                (Step::Close, _) => client.close(),
                (_, None) => {}
            }
            if matches!(step, Step::End | Step::Break) && oldest.is_some() {
                open.remove(0);
            }
            self.poll(&mut client, now, &mut open);
        }
        client
    }

    /// Takes requests and events, until there are none.
    fn poll(&self, client: &mut Client, now: Duration, open: &mut Vec<u64>) {
        let mut polled = 0;
        while let Some(request) = client.poll_request(now) {
            assert!(
                request.path_and_query.starts_with('/') && request.path_and_query.is_ascii(),
                "{request:?}"
            );
            assert!(!open.contains(&request.id), "{request:?}");
            open.push(request.id);
            polled += 1;
            assert!(polled < REQUESTS, "requests without end: {request:?}");
        }
        while let Some(event) = client.poll_event() {
            if let Event::Abort { id } = event {
                open.retain(|&open| open != id);
            }
            polled += 1;
            assert!(polled < 10_000, "events without end: {event:?}");
        }
        let progress = client.progress();
        assert!(progress.new + progress.duplicate + progress.excess <= progress.received, "{progress:?}");
        let bins = client.bins();
        let bins = bins.read().unwrap_or_else(PoisonError::into_inner);
        let held: u64 = bins.ids().map(|(codestream, id)| bins.ranges(codestream, id).total()).sum();
        assert!(held <= progress.new, "{held} bytes are held, {progress:?}");
    }
}

fn window(payload: &[u8]) -> Option<ViewWindow> {
    let (&[a, b, c, d, x, y, width, height], _) = payload.split_first_chunk()?;
    let frame = Size::new(u16::from_be_bytes([a, b]).into(), u16::from_be_bytes([c, d]).into());
    Some(ViewWindow {
        offset: (u32::from(x) * 4, u32::from(y) * 4),
        region: Size::new(u32::from(width) * 4, u32::from(height) * 4),
        ..ViewWindow::whole(frame)
    })
}

/// The status, 200 if there is none, and the header fields.
fn head(payload: &[u8]) -> (u16, Vec<(String, String)>) {
    let text = String::from_utf8_lossy(payload);
    let mut lines = text.lines();
    let status = lines.next().and_then(|line| line.split(' ').find_map(|word| word.parse().ok()));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    (status.unwrap_or(200), headers)
}

/// Limits under which what a client holds is decoded.
pub fn limits() -> Limits {
    Limits::strict().max_bytes(32 << 20).max_code_blocks(1 << 16)
}
