//! What a client keeps of its channel (T.808 Annex B) and of each request under way.

use super::events::{ClientError, Ending};
use crate::jpip::wire::message::eor;
use crate::jpip::wire::message_reader::MessageReader;
use crate::jpip::wire::response;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::view_window::ViewWindow;

#[derive(Clone, Debug)]
pub(super) struct ChannelOfClient {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) next_request: u64,
    /// Count of the responses that broke off, so that the server believes more than has arrived...
    pub(super) broken: u64,
    /// ... and of those of them that it has been told of.
    pub(super) corrected: u64,
}

impl ChannelOfClient {
    pub(super) fn owes_correction(&self) -> bool {
        self.corrected < self.broken
    }
}

#[derive(Debug)]
pub(super) struct Sent {
    /// Channel it belongs to.
    pub(super) channel: Option<String>,
    pub(super) opens_channel: bool,
    /// `broken` at the time, if the request tells what is held.
    pub(super) corrects: Option<u64>,
    pub(super) has_model: bool,
    /// The answer is a JPP-stream that is of use.
    pub(super) accepted: bool,
    pub(super) reader: MessageReader,
    pub(super) new_bytes: u64,
    /// Payload bytes that were held before.
    pub(super) old_bytes: u64,
    pub(super) end: Option<u8>,
    /// It may stand: the first end-of-response is not its last.
    pub(super) stands: bool,
    /// How the window ended of a response that stands.
    pub(super) answered: Option<u8>,
    /// Number of the windows that it is of.
    pub(super) window: u64,
    /// Those that it asks for and that have not come yet; `None`: headers.
    pub(super) windows: VecDeque<Option<ViewWindow>>,
    /// How many there were.
    pub(super) asked: usize,
    /// How often bins had been dropped when it was sent.
    pub(super) drops: u64,
    /// There was no room for something that came.
    pub(super) lossy: bool,
    /// Bins that it says are lost, until the server has taken note.
    pub(super) lost: BTreeSet<(u32, DataBinId)>,
    /// The request only closes the session.
    pub(super) closes: bool,
    /// It names the boxes that it wants.
    pub(super) names_boxes: bool,
    /// It names boxes that are wanted besides.
    pub(super) names_metadata: bool,
    pub(super) failure: Option<Failure>,
}

impl Sent {
    /// A request without a channel, for window `window`, as it is sent.
    pub(super) fn new(window: u64) -> Self {
        Self {
            channel: None,
            opens_channel: false,
            corrects: None,
            has_model: false,
            accepted: false,
            reader: MessageReader::new(),
            new_bytes: 0,
            old_bytes: 0,
            end: None,
            stands: false,
            answered: None,
            window,
            windows: VecDeque::new(),
            asked: 0,
            drops: 0,
            lossy: false,
            lost: BTreeSet::new(),
            closes: false,
            names_boxes: false,
            names_metadata: false,
            failure: None,
        }
    }

    /// What an answer that ended came to.
    pub(super) fn outcome(&self, ending: Ending) -> Outcome {
        match (&self.failure, self.end, ending) {
            (Some(failure), ..) => Outcome::Failed(failure.clone()),
            (
                None,
                Some(eor::WINDOW_CHANGE | eor::BYTE_LIMIT | eor::RESPONSE_LIMIT | eor::SESSION_LIMIT),
                _,
            ) => Outcome::More,
            (None, Some(reason), _) => Outcome::Done(Some(reason)),
            (None, None, Ending::Complete)
                if self.answered.is_some() && self.reader.is_between_messages() =>
            {
                Outcome::Done(self.answered)
            }
            (None, None, Ending::Broken(why)) => {
                Outcome::Failed(Failure::Later(ClientError::Broken(why), None))
            }
            (None, None, Ending::Complete) if !self.accepted => Outcome::Failed(Failure::Later(
                ClientError::Broken("an answer without a head".to_owned()),
                None,
            )),
            (None, None, Ending::Complete) if !self.reader.is_between_messages() => {
                let why = "the answer ends inside a message".to_owned();
                Outcome::Failed(Failure::Later(ClientError::Broken(why), None))
            }
            // Some servers send no end-of-response: ask until nothing new comes.
            (None, None, Ending::Complete) if self.new_bytes > 0 => Outcome::More,
            (None, None, Ending::Complete) => Outcome::Done(None),
        }
    }

    /// Whether a window is done, and the next has not begun.
    pub(super) const fn is_between_windows(&self) -> bool {
        matches!(self.end, Some(eor::IMAGE_DONE | eor::WINDOW_DONE))
    }

    /// Whether what follows must wait for the head of the answer: it names the channel, or the server has to learn
    /// what was lost before it chooses anything else, in whatever order requests reach it.
    pub(super) fn goes_alone(&self) -> bool {
        self.opens_channel || self.corrects.is_some() || !self.lost.is_empty()
    }
}

/// What an answer came to.
pub(super) enum Outcome {
    Done(Option<u8>),
    More,
    Failed(Failure),
}

/// Why an answer is of no use, and what helps.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Ask again at once, in another way.
    AskAgain,
    /// Ask again after a pause.
    Later(ClientError, Option<Duration>),
    Final(ClientError),
}

/// Longest pause that a server can ask for.
const LONGEST_PAUSE: u64 = 60;

pub(super) fn refusal(sent: &Sent, status: u16, headers: &[(String, String)]) -> Failure {
    match status {
        404 if sent.channel.is_some() => Failure::AskAgain,
        414 | 431 if sent.has_model => Failure::AskAgain,
        503 if sent.opens_channel => Failure::AskAgain,
        429 | 503 => {
            let pause =
                response::retry_after(headers).map(|seconds| Duration::from_secs(seconds.min(LONGEST_PAUSE)));
            Failure::Later(ClientError::Refused(status), pause)
        }
        500..=599 => Failure::Later(ClientError::Refused(status), None),
        _ => Failure::Final(ClientError::Refused(status)),
    }
}
