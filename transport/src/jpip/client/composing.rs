//! The requests of a client: what is in them.

use super::boxes::Naming;
use super::events::Outgoing;
use super::holdings;
use super::machine::{Client, Want};
use super::requests::Sent;
use crate::jpip::client::StreamKind;
use crate::jpip::wire::cache_model::CacheModel;
use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::request::{CloseChannels, Request, SERVICE_PATH};
use crate::jpip::wire::view_window_fields::StreamRange;
use std::collections::BTreeSet;
use std::sync::PoisonError;

impl Client {
    pub(super) fn send_window(&mut self) -> Outgoing {
        let metadata = self.boxes.request(&self.bins);
        let names_boxes = metadata == Some(Naming::Needed);
        let opens_channel = self.options.sessions && !self.refused_session && self.channel.is_none();
        let mut windows = self.wishes.open(self.at_once());
        if windows.is_empty() {
            // Nothing but boxes, or the end of what is under way.
            windows.push_back(None);
        }
        let first_only = self.codestreams == [NumberRange::one(0)];
        let about_lost = match self.channel.is_some() && self.room.has_lost() {
            true => holdings::lost(&self.held(), self.room.lost(), first_only),
            false => Vec::new(),
        };
        let about_lost = CacheModel { statements: about_lost };
        if self.room.take_lost_more() || about_lost.to_string().len() > self.options.model_length {
            // They are too many: all is told anew.
            self.room.forget_lost();
            self.channel.iter_mut().for_each(|channel| channel.broken += 1);
        }
        // What older answers still bring would be sent again, if the server were told now that it is missing.
        let correction = self.requests.is_empty() && self.owes_correction();
        let mut statements = match correction {
            true => holdings::nothing(first_only, self.options.stream == StreamKind::Tiles),
            false => Vec::new(),
        };
        let mut lost = BTreeSet::new();
        let bins = self.bins.clone();
        let bins = bins.read().unwrap_or_else(PoisonError::into_inner);
        let left = self.room.left(&bins);
        if correction || self.channel.is_none() {
            statements.extend(holdings::statements(&bins, first_only, self.options.model_length));
            self.room.forget_lost();
        } else if self.room.has_lost() {
            lost = self.room.take_lost();
            statements = about_lost.statements;
        }
        drop(bins);
        let mut request = Request {
            types: vec![self.options.stream.name().to_owned()],
            streams: self.codestreams.iter().map(|&range| StreamRange { range, step: 1 }).collect(),
            length: self.most_bytes(left),
            window: windows.front().cloned().flatten(),
            then: windows.iter().skip(1).flatten().cloned().collect(),
            model: CacheModel { statements },
            metadata: metadata.map(Naming::into_request),
            ..Request::default()
        };
        let mut path = SERVICE_PATH.to_owned();
        let mut corrects = None;
        match &mut self.channel {
            Some(channel) => {
                request.channel = Some(channel.name.clone());
                request.request_id = Some(channel.next_request);
                channel.next_request += 1;
                path.clone_from(&channel.path);
                corrects = correction.then_some(channel.broken);
            }
            None => request.target = Some(self.options.target.clone()),
        }
        if opens_channel {
            request.new_channel = Some(self.options.transports.clone());
            request.request_id = Some(0);
        }
        let in_session = request.channel.is_some() || opens_channel;
        // What is owed goes first: it waits until no other answer is under way, and one that stands always is.
        let may_stand = in_session && (correction || !self.owes_correction());
        request.push = self.options.push.filter(|_| may_stand && request.window.is_some());
        let has_model = !request.model.is_empty();
        if has_model || request.channel.is_none() {
            // A cache model is meant for one state of the picture only.
            request.target_id = Some(self.target_id.clone().unwrap_or_else(|| "0".to_owned()));
        }
        let names_metadata = request.metadata.is_some() && !names_boxes;
        let id = self.add(Sent {
            channel: request.channel.clone(),
            opens_channel,
            corrects,
            has_model,
            stands: request.push.is_some(),
            names_boxes,
            names_metadata,
            asked: windows.len(),
            drops: self.wishes.drops(),
            windows,
            lost,
            ..Sent::new(self.number)
        });
        self.want = Want::Answer(id);
        Outgoing { id, path_and_query: request.to_path_and_query(&path), length: request.length }
    }

    pub(super) fn send_close(&mut self, channel: String) -> Outgoing {
        let request = Request {
            // Not as a request of the channel that it closes: one server dies of that.
            close: Some(CloseChannels::Listed(vec![channel])),
            length: Some(0),
            ..Request::default()
        };
        let id = self.add(Sent { closes: true, ..Sent::new(self.number) });
        Outgoing { id, path_and_query: request.to_path_and_query(SERVICE_PATH), length: request.length }
    }

    /// Most bytes to ask for, where there is room for `left`. A list that stands asks for more each time: what it gives up in a
    /// session is soon stopped, so there is no need to ask piece by piece.
    fn most_bytes(&self, left: u64) -> Option<u64> {
        let most = match self.options.length {
            Some(length) if self.listed && self.channel.is_some() => Some(length.max(
                (length.saturating_mul(1 << self.lengthened.min(MOST_LENGTHENED))).min(LONGEST_OF_LIST),
            )),
            length => length,
        };
        match self.room.bound() {
            Some(_) => Some(most.unwrap_or(u64::MAX).min(left)),
            None => most,
        }
    }

    fn add(&mut self, sent: Sent) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.requests.insert(id, sent);
        id
    }
}

/// Up to here the length of responses is doubled, ...
const LONGEST_OF_LIST: u64 = 64 << 20;
/// ... so often at most.
const MOST_LENGTHENED: u32 = 16;
