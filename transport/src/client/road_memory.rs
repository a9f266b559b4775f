//! What was learnt of the roads to servers.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Address;
use crate::road::RoadKind;

/// Which road to a server worked last, and where it says that HTTP/3 is: tried first the next time. Clones share it; the default
/// is one for the whole program.
#[derive(Clone, Debug)]
pub struct RoadMemory(Arc<Mutex<HashMap<String, Known>>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// What [`RoadChoice::Auto`](super::RoadChoice::Auto) ended with.
    worked: Option<RoadKind>,
    /// UDP port of HTTP/3, by `Alt-Svc`.
    http3_port: Option<u16>,
    until: Instant,
}

impl Default for RoadMemory {
    fn default() -> Self {
        static ALL: LazyLock<RoadMemory> = LazyLock::new(RoadMemory::new);
        ALL.clone()
    }
}

impl RoadMemory {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn worked(&self, address: &Address) -> Option<RoadKind> {
        self.get(address)?.worked
    }

    #[cfg_attr(not(feature = "http3"), allow(dead_code, reason = "there is no HTTP/3 to be had"))]
    pub(super) fn http3_port(&self, address: &Address) -> Option<u16> {
        self.get(address)?.http3_port
    }

    pub(super) fn note(&self, address: &Address, worked: RoadKind) {
        self.change(address, |known| known.worked = Some(worked));
    }

    /// Takes the server's word, which must have come encrypted, for where HTTP/3 is (RFC 7838). Nothing else of
    /// `Alt-Svc` is of use here.
    pub(super) fn note_alternatives(&self, address: &Address, field: &str) {
        let port = field.split(',').find_map(|alternative| {
            let (protocol, place) = alternative.split(';').next()?.split_once('=')?;
            // Other hosts would have to prove that they may speak for this one: they are left alone.
            let port = place.trim().trim_matches('"').strip_prefix(':')?.parse().ok()?;
            (protocol.trim() == "h3").then_some(port)
        });
        let Some(port) = port else { return };
        self.change(address, |known| {
            let port = Some(port).filter(|&port| port != address.port);
            if known.http3_port != port {
                // That road is to be tried.
                *known = Known { http3_port: port, worked: None, ..*known };
            }
        });
    }

    fn get(&self, address: &Address) -> Option<Known> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&address.server()).copied();
        known.filter(|known| known.until > Instant::now())
    }

    fn change(&self, address: &Address, change: impl FnOnce(&mut Known)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if all.len() >= MOST_SERVERS {
            all.retain(|_, known| known.until > now);
        }
        if all.len() >= MOST_SERVERS {
            all.clear();
        }
        // From the first word on: now and then, every road is tried again.
        let new = Known { worked: None, http3_port: None, until: now + LIFE };
        let known = all.entry(address.server()).or_insert(new);
        if known.until <= now {
            *known = new;
        }
        change(known);
    }
}

/// Most servers that are remembered.
const MOST_SERVERS: usize = 1 << 10;
/// A network may have become another one after this time.
const LIFE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_learnt_of_one_server_is_not_said_of_another() {
        let memory = RoadMemory::new();
        let [plain, secure]: [Address; 2] = ["jpip://h/x", "jpips://h/x"].map(|url| url.parse().unwrap());
        memory.note(&plain, RoadKind::Http1);
        assert_eq!((memory.worked(&plain), memory.worked(&secure)), (Some(RoadKind::Http1), None));
        for (field, port) in [
            ("h2=\":1\", h3=\":444\"; ma=60", Some(444)),
            ("h3=\":8433\"", None),
            ("h3=\"elsewhere:5\"", None),
            ("h3=\":99999\"", None),
            ("h3-29=\":7\"", None),
            ("clear", None),
            ("", None),
        ] {
            let memory = RoadMemory::new();
            memory.note_alternatives(&secure, field);
            assert_eq!(memory.http3_port(&secure), port, "{field}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let memory = RoadMemory::new();
        for number in 0..5000 {
            let address: Address = format!("jpip://h{number}/x").parse().unwrap();
            memory.note(&address, RoadKind::Http1);
            assert_eq!(memory.worked(&address), Some(RoadKind::Http1));
        }
        assert!(memory.0.lock().unwrap().len() <= MOST_SERVERS);
    }
}
