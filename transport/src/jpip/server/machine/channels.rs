//! Sessions and channels of a server: opening, closing and forgetting them.

use super::{Refusal, Server};
use crate::jpip::server::catalogue::OfferedPicture;
use crate::jpip::server::session::{Channel, ChannelState, Session, SessionState};
use crate::jpip::wire::request::{CloseChannels, Request, SERVICE_PATH};
use crate::jpip::wire::response::NewChannel;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

impl Server {
    /// Ends the sessions that have been idle for too long. Call it every few seconds.
    pub fn expire(&mut self, now: Duration) {
        let life = self.options.session_life;
        let mut ended = Vec::new();
        for (&number, session) in &mut self.sessions {
            // Besides this one, each response under way holds the state.
            if Arc::strong_count(&session.state) > 1 {
                session.active = now;
            } else if session.active.saturating_add(life) <= now {
                ended.push(number);
            }
        }
        for number in ended {
            self.end_session(number);
        }
        self.schedule.expire(now);
    }

    /// Opens a channel if one is asked for with a transport that is known: in the session of the
    /// request's channel, or in a new one.
    pub(super) fn open_channel(
        &mut self,
        request: &Request,
        offered: &OfferedPicture,
        peer: IpAddr,
        now: Duration,
    ) -> Result<Option<NewChannel>, Refusal> {
        let Some(asked) = &request.new_channel else { return Ok(None) };
        let Some(transport) = asked.iter().find(|name| self.options.transports.contains(name)) else {
            return Ok(None);
        };
        let session = request
            .channel
            .as_ref()
            .and_then(|channel| self.channels.get(channel))
            .map(|known| known.session);
        let session = match session {
            Some(session) => session,
            None => self.open_session(peer, now)?,
        };
        let state = self.sessions.get_mut(&session).ok_or_else(|| Refusal::new(404, "unknown channel"))?;
        if state.channels.len() >= self.options.channels_per_session {
            return Err(Refusal::busy("the session has too many channels"));
        }
        let channel = format!("{:032x}", (self.random)());
        state.channels.push(channel.clone());
        let state = Arc::new(ChannelState::default());
        let opened = Channel { session, target: offered.name.clone(), newest_id: None, state };
        self.channels.insert(channel.clone(), opened);
        let path = Some(SERVICE_PATH.to_owned());
        Ok(Some(NewChannel { channel, path, transport: Some(transport.clone()) }))
    }

    fn open_session(&mut self, peer: IpAddr, now: Duration) -> Result<u64, Refusal> {
        let of_peer = |server: &Self| server.sessions.values().filter(|session| session.peer == peer).count();
        let full = |server: &Self| server.sessions.len() >= server.options.sessions;
        let crowded = |server: &Self| of_peer(server) >= server.options.sessions_per_address;
        if full(self) || crowded(self) {
            self.expire(now);
        }
        if full(self) {
            return Err(Refusal::busy("too many sessions"));
        }
        if crowded(self) {
            return Err(Refusal::busy("too many sessions from this address"));
        }
        let number = self.next_session;
        self.next_session += 1;
        let state = Arc::new(SessionState::new(self.options.model_memory));
        self.sessions.insert(number, Session { peer, channels: Vec::new(), active: now, state });
        Ok(number)
    }

    /// Marks the session of a channel as active; `None` if there is no such channel.
    pub(super) fn touch(&mut self, channel: &str, now: Duration) -> Option<()> {
        let number = self.channels.get(channel)?.session;
        let session = self.sessions.get_mut(&number)?;
        let idle = Arc::strong_count(&session.state) == 1;
        if idle && session.active.saturating_add(self.options.session_life) <= now {
            self.end_session(number);
            return None;
        }
        session.active = session.active.max(now);
        Some(())
    }

    /// Closes channels; whether the request's own is among them. Without a channel of its own, a request
    /// can close those it names.
    pub(super) fn close(&mut self, close: &CloseChannels, own: Option<&str>) -> bool {
        let named = match close {
            CloseChannels::Listed(named) => named.clone(),
            CloseChannels::All => {
                let session = own.and_then(|own| self.channels.get(own)).map(|channel| channel.session);
                let session = session.and_then(|number| self.sessions.get(&number));
                session.map(|session| session.channels.clone()).unwrap_or_default()
            }
        };
        for channel in &named {
            self.close_channel(channel);
        }
        own.is_none_or(|own| named.iter().any(|channel| channel == own))
    }

    fn close_channel(&mut self, channel: &str) {
        let Some(closed) = self.channels.remove(channel) else { return };
        closed.state.advance();
        if let Some(session) = self.sessions.get_mut(&closed.session) {
            session.channels.retain(|name| name != channel);
            if session.channels.is_empty() {
                self.sessions.remove(&closed.session);
            }
        }
    }

    fn end_session(&mut self, number: u64) {
        for channel in self.sessions.get(&number).map(|session| session.channels.clone()).unwrap_or_default()
        {
            self.close_channel(&channel);
        }
    }
}
