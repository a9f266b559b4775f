//! Standing responses: what a server sends beyond the window that was asked for (docs/jpip-push.md).

use super::catalogue::OfferedPicture;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use wavetile_engine::Size;
use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::view_window::{Rounding, ViewWindow};

/// Body of the end-of-response (reason 255) that tells that the target is not what it was.
pub(super) const TARGET_CHANGED: &[u8] = b"target changed";

/// Numbers of a request's codestreams, from the first again at each call.
pub(super) type Codestreams = Box<dyn Fn() -> Box<dyn Iterator<Item = u32> + Send> + Send>;

/// What is left to do for a response that stands.
pub(super) struct StandingResponse {
    /// Windows to be sent, one after the other.
    pub(super) windows: VecDeque<ViewWindow>,
    pub(super) codestreams: Codestreams,
    /// Bytes that may still be sent.
    pub(super) budget: u64,
    /// The window itself is done.
    pub(super) answered: bool,
    /// Nothing is left to be sent: the target is watched.
    pub(super) watching: bool,
    offered: Arc<OfferedPicture>,
    keep_alive: Duration,
    /// Signs of life that may still be given.
    signs: u32,
    looked: Option<Duration>,
    signed: Option<Duration>,
}

/// What to do while the target is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Wait(Duration),
    /// Give a sign of life.
    Sign,
    /// The target has been replaced, extended or removed.
    Changed,
    /// It has stood for long enough.
    Enough,
}

impl StandingResponse {
    /// `window` is the one that was asked for, of the codestream with `header`.
    pub(super) fn new(
        window: &ViewWindow,
        header: &MainHeader,
        codestreams: Codestreams,
        budget: u64,
        offered: Arc<OfferedPicture>,
        keep_alive: Duration,
    ) -> Self {
        Self {
            windows: windows(window, header),
            codestreams,
            budget,
            answered: false,
            watching: false,
            offered,
            keep_alive: keep_alive.max(LOOK_EVERY),
            signs: MOST_SIGNS,
            looked: None,
            signed: None,
        }
    }

    /// What there is to do at `now`.
    pub(super) fn watch(&mut self, now: Duration) -> Watch {
        let look = self.looked.map_or(now, |at| at.saturating_add(LOOK_EVERY));
        if look <= now {
            self.looked = Some(now);
            if self.offered.has_changed() {
                return Watch::Changed;
            }
        }
        let sign = self.signed.get_or_insert(now).saturating_add(self.keep_alive);
        if sign > now {
            let look = self.looked.map_or(now, |at| at.saturating_add(LOOK_EVERY));
            return Watch::Wait(look.min(sign).saturating_sub(now));
        }
        self.signed = Some(now);
        match self.signs.checked_sub(1) {
            Some(left) => {
                self.signs = left;
                Watch::Sign
            }
            None => Watch::Enough,
        }
    }
}

/// All layers of the window, then what lies around it: twice its size at an eighth, a quarter, half and all of its
/// resolution. Each of these has no more samples than four windows.
fn windows(asked: &ViewWindow, header: &MainHeader) -> VecDeque<ViewWindow> {
    let used = asked.resolve(header);
    let mut windows = VecDeque::from([ViewWindow { layers: None, ..asked.clone() }]);
    for halvings in (0..=3).rev() {
        let part = |length: u32| length.div_ceil(1 << halvings);
        let frame_size = Size::new(part(used.frame_size.width), part(used.frame_size.height));
        let along = |from: u32, to: u32, frame: u32| {
            let length = u64::from(to.saturating_sub(from));
            let centre = (u64::from(from) + u64::from(to)) >> (halvings + 1);
            let start = centre.saturating_sub(length).min(u64::from(frame));
            let end = centre.saturating_add(length).min(u64::from(frame));
            (start as u32, (end - start) as u32)
        };
        let (x, width) = along(used.region.x0, used.region.x1, frame_size.width);
        let (y, height) = along(used.region.y0, used.region.y1, frame_size.height);
        windows.push_back(ViewWindow {
            frame_size,
            rounding: Rounding::Closest,
            offset: (x, y),
            region: Size::new(width, height),
            layers: None,
            components: asked.components.clone(),
        });
    }
    windows
}

/// How often a target is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After so many signs of life a response ends, and may be asked for again: an hour, by default.
const MOST_SIGNS: u32 = 360;
