//! The bodies of a server's replies: what they begin with, what they know of the client, and what follows.

use super::{Refusal, Reply, Server, put_request_id};
use crate::jpip::server::body::Body;
use crate::jpip::server::catalogue::OfferedPicture;
use crate::jpip::server::client_model::ClientModel;
use crate::jpip::server::expansion::Allowance;
use crate::jpip::server::message_stream::{MessageStream, Pace, Then};
use crate::jpip::server::part::{Source, Wanted};
use crate::jpip::server::push::StandingResponse;
use crate::jpip::server::schedule::Class;
use crate::jpip::server::session::RequestTurn;
use crate::jpip::wire::cache_model::CacheModel;
use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::message::{MessageWriter, eor};
use crate::jpip::wire::request::{Request, StreamType};
use crate::jpip::wire::response::ResponseHead;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

impl Server {
    /// The file, or the part of it that is asked for.
    pub(super) fn raw(
        &self,
        request: &Request,
        offered: &OfferedPicture,
        peer: IpAddr,
        mut head: ResponseHead,
    ) -> Result<Reply, Refusal> {
        let length = offered.picture.raw_len();
        let length = length.ok_or_else(|| Refusal::new(501, "the target cannot be had as raw"))?;
        let part = request.sub_target.unwrap_or(NumberRange::ALL);
        let end = part.to.map_or(length, |last| last.saturating_add(1).min(length));
        let start = part.from.min(end);
        if request.sub_target.is_some_and(|part| part.to != Some(end.saturating_sub(1))) {
            head.put("JPIP-subtarget", format!("{start}-{}", end.saturating_sub(1)));
        }
        head.put("JPIP-tid", offered.target_id.clone());
        put_request_id(&mut head, request);
        let end = request.length.map_or(end, |most| end.min(start.saturating_add(most)));
        let body = Body::raw(offered.picture.clone(), start..end);
        Ok(Reply::new(head, body.in_turn(self.schedule.join(peer, Class::LargeWindow))))
    }

    pub(super) fn body(
        &mut self,
        request: &Request,
        kind: StreamType,
        channel: Option<&str>,
        offered: &Arc<OfferedPicture>,
        head: &mut ResponseHead,
    ) -> Body {
        // What a client says of another state of the picture is of no use.
        let same = request.target_id.as_ref().is_none_or(|id| id == "0" || *id == offered.target_id);
        let count = offered.picture.codestream_count();
        let (turn, source) = match channel.and_then(|channel| self.take_turn(channel, request, offered, same))
        {
            Some((turn, source)) => (Some(turn), source),
            None => {
                let said = if same { request.model.clone() } else { CacheModel::default() };
                (None, Source::Request(said))
            }
        };
        let standing = self.standing(request, kind, offered).filter(|_| turn.is_some());
        // Without a session nobody would know what of them was sent with those before.
        let may_follow = turn.is_some() && request.window.is_some() && request.need.is_none();
        let asked = Request { streams: request.streams.clone(), ..Request::default() };
        let then = Then {
            windows: if may_follow { request.then.clone().into() } else { VecDeque::new() },
            begun: false,
            codestreams: Box::new(move || Box::new(asked.codestreams(count))),
        };
        let mut wanted = Wanted {
            file: offered.picture.clone(),
            window: request.window.clone(),
            source,
            need: request.need.clone(),
            metadata: request.metadata.clone(),
            tiles: kind == StreamType::Tiles,
            allowance: Allowance::default(),
        };
        let rest: Box<dyn Iterator<Item = u32> + Send> = Box::new(request.codestreams(count));
        let mut rest = rest.peekable();
        // A broken codestream must not keep the client from those after it.
        let first = rest.peek().and_then(|&number| wanted.part(number).ok().flatten());
        if let (Some(first), Some(asked)) = (&first, &request.window) {
            let header = first.header();
            head.put_window(asked, &asked.resolve(header), header.tile_parameters.style.layers);
        }
        let first = rest.next_if_eq(&0).and(first);
        let pace = request.delivery_rate.map(|rate| Pace::new(rate, first.is_none()));
        let part = match first {
            Some(part) => part,
            None => wanted.metadata(),
        };
        if request.length == Some(0) {
            return Body::end(eor::BYTE_LIMIT);
        }
        let whole = request.need.is_none() && (0..count).all(|number| request.wants_codestream(number));
        Body::messages(MessageStream {
            wanted,
            part,
            rest,
            whole,
            turn,
            budget: request.length.unwrap_or(self.options.default_length),
            most_payload: self.options.message_payload.max(1),
            align: request.align,
            extended: kind == StreamType::Precincts { extended: true },
            writer: MessageWriter::new(),
            piece: None,
            then,
            standing,
            pace,
        })
    }

    /// What is to follow the window, if that is asked for. Without a session nobody would know what was sent.
    fn standing(
        &self,
        request: &Request,
        kind: StreamType,
        offered: &Arc<OfferedPicture>,
    ) -> Option<StandingResponse> {
        let precincts = matches!(kind, StreamType::Precincts { .. });
        let (window, budget) = (request.window.as_ref()?, request.push?);
        if !precincts || request.need.is_some() || request.wait {
            return None;
        }
        let (asked, count) = (request.clone(), offered.picture.codestream_count());
        Some(StandingResponse::new(
            window,
            offered.picture.header(),
            Box::new(move || Box::new(asked.codestreams(count))),
            budget.min(self.options.push_budget),
            offered.clone(),
            self.options.push_keep_alive,
        ))
    }

    /// Makes the request the newest of its channel, unless its `qid` (T.808 C.3) tells that it is late, and applies
    /// its cache model.
    fn take_turn(
        &mut self,
        channel: &str,
        request: &Request,
        offered: &OfferedPicture,
        same: bool,
    ) -> Option<(RequestTurn, Source)> {
        let channel = self.channels.get_mut(channel)?;
        let session = self.sessions.get(&channel.session)?.state.clone();
        let late = request.request_id.is_some_and(|id| channel.newest_id.is_some_and(|newest| id < newest));
        let number = if late {
            u64::MAX
        } else if request.wait {
            // The response before this one goes on.
            channel.newest_id = request.request_id.or(channel.newest_id);
            channel.state.newest()
        } else {
            channel.newest_id = request.request_id.or(channel.newest_id);
            channel.state.advance()
        };
        // Only after the turn: no older response may note anything behind this.
        if same && !request.model.is_empty() {
            match request.modelled_codestreams(offered.picture.codestream_count()) {
                Some(numbers) => {
                    let mut allowance = Allowance::default();
                    for number in numbers {
                        let asked = request.wants_codestream(number);
                        let explicit = explicit(&request.model, offered, number, asked, &mut allowance);
                        let change = |model: &mut ClientModel| model.apply(&explicit, number, asked, !late);
                        session.change(&(offered.target_id.clone(), number), change);
                    }
                }
                // What it says is lost, but it may have said that it lacks something.
                None => session.forget(),
            }
        }
        let turn = RequestTurn { channel: channel.state.clone(), number };
        Some((turn, Source::Session { session, target_id: offered.target_id.clone() }))
    }
}

/// What a model says of one codestream, without implicit forms. Of a codestream that cannot be served nothing
/// can be held.
fn explicit<'a>(
    model: &'a CacheModel,
    offered: &OfferedPicture,
    number: u32,
    asked: bool,
    allowance: &mut Allowance,
) -> Cow<'a, CacheModel> {
    if !model.has_implicit() {
        return Cow::Borrowed(model);
    }
    let picture = match number {
        0 => Some(offered.picture.clone()),
        _ => offered.picture.codestream(number).ok().flatten(),
    };
    let explicit = picture.map(|picture| model.explicit(picture.as_ref(), number, asked, allowance));
    Cow::Owned(explicit.unwrap_or_default())
}

/// What a response is worth: whoever opens a session or looks around sees something first.
pub(super) fn class(request: &Request, offered: &OfferedPicture) -> Class {
    let Some(asked) = request.window.as_ref().filter(|_| request.new_channel.is_none()) else {
        return Class::Opening;
    };
    let samples = asked.resolve(offered.picture.header()).region.size();
    let small = u64::from(samples.width) * u64::from(samples.height) <= SMALL_WINDOW
        || request.length.is_some_and(|length| length <= SMALL_LENGTH);
    if small { Class::SmallWindow } else { Class::LargeWindow }
}

/// Samples of a window that goes before larger ones: about a thumbnail.
const SMALL_WINDOW: u64 = 256 << 10;

/// Bytes of a response that goes before longer ones, whatever its window.
const SMALL_LENGTH: u64 = 32 << 10;
