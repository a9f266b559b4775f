//! The windows that a client wants, in order, and how far each of them is.

use std::collections::VecDeque;
use wavetile_engine::view_window::{Rounding, ViewWindow};

/// What is wanted, most urgent first; never empty. `None` in place of a window: headers and metadata only.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    wishes: Vec<Wish>,
    /// All before it have come.
    first_open: usize,
    /// How often bins were dropped.
    drops: u64,
    /// The same when the first open window became that: since then, none of its own were.
    opened: u64,
    /// The headers have come.
    headers: bool,
    /// Windows that have come whole, the last of them last, for as long as nothing of them is dropped.
    whole: VecDeque<ViewWindow>,
}

#[derive(Clone, Debug)]
struct Wish {
    window: Option<ViewWindow>,
    /// All that the server has of it was sent.
    has_come: bool,
}

impl Wishes {
    pub(super) fn new(window: Option<ViewWindow>) -> Self {
        Self {
            wishes: vec![Wish { window, has_come: false }],
            first_open: 0,
            drops: 0,
            opened: 0,
            headers: false,
            whole: VecDeque::new(),
        }
    }

    /// Whether these are the windows that are wanted.
    pub(super) fn are(&self, windows: &[ViewWindow]) -> bool {
        match windows {
            [] => self.wishes.len() == 1 && self.wishes[0].window.is_none(),
            _ => self.wishes.iter().map(|wish| wish.window.as_ref()).eq(windows.iter().map(Some)),
        }
    }

    /// Puts others in their place; none: headers and metadata only. `may_have`: those that have come before need not be asked
    /// for.
    pub(super) fn set(&mut self, windows: Vec<ViewWindow>, may_have: bool) {
        let has_come = |window: &ViewWindow| may_have && self.whole.iter().any(|whole| holds(whole, window));
        let wish = |window: ViewWindow| Wish { has_come: has_come(&window), window: Some(window) };
        let mut wishes: Vec<Wish> = windows.into_iter().map(wish).collect();
        if wishes.is_empty() {
            wishes.push(Wish { window: None, has_come: may_have && self.headers });
        }
        let first = |wishes: &Self| wishes.wishes.get(wishes.first_open).map(|wish| wish.window.clone());
        let (before, opened) = (first(self), self.opened);
        self.wishes = wishes;
        self.first_open = 0;
        self.skip();
        // What was kept for the list before is kept for this.
        self.opened = if first(self) == before { opened } else { self.drops };
    }

    /// How often bins were dropped so far, for [`note_come`](Self::note_come).
    pub(super) const fn drops(&self) -> u64 {
        self.drops
    }

    /// Windows that are still to come, as many as a request may have.
    pub(super) fn open(&self, most: usize) -> VecDeque<Option<ViewWindow>> {
        let open = self.wishes[self.first_open..].iter().filter(|wish| !wish.has_come);
        let open = open.take(if self.wishes.len() == 1 { 1 } else { most });
        open.map(|wish| wish.window.clone()).collect()
    }

    /// Whether all have come.
    pub(super) fn have_come(&self) -> bool {
        self.first_open == self.wishes.len()
    }

    /// The windows that are to be kept while the first open one comes: it, and those before it.
    pub(super) fn kept(&self) -> impl Iterator<Item = &ViewWindow> {
        self.wishes.iter().take(self.first_open + 1).filter_map(|wish| wish.window.as_ref())
    }

    /// All of `window` was sent that the server took for missing when it was asked for; `since`: [`drops`](Self::drops) at that
    /// time. What was dropped meanwhile may be missing from it.
    pub(super) fn note_come(&mut self, window: Option<&ViewWindow>, since: u64) {
        let (nothing_dropped, first_kept) = (self.drops == since, self.opened <= since);
        let Some(window) = window else {
            self.headers = true;
            self.wishes.iter_mut().filter(|wish| wish.window.is_none()).for_each(|wish| wish.has_come = true);
            self.skip();
            return;
        };
        let mut is_whole = nothing_dropped;
        for (index, wish) in self.wishes.iter_mut().enumerate().skip(self.first_open) {
            let safe = nothing_dropped || (index == self.first_open && first_kept);
            wish.has_come |= safe && wish.window.as_ref().is_none_or(|wanted| holds(window, wanted));
            is_whole |= safe && wish.window.as_ref() == Some(window);
        }
        self.headers = true;
        self.skip();
        if is_whole && !self.whole.iter().any(|whole| holds(whole, window)) {
            self.whole.retain(|whole| !holds(window, whole));
            if self.whole.len() >= MOST_WHOLE {
                self.whole.pop_front();
            }
            self.whole.push_back(window.clone());
        }
    }

    /// Bins were dropped, none of them of windows that are [kept](Self::kept): others may lack something.
    pub(super) fn note_dropped(&mut self) {
        self.drops += 1;
        let kept: Vec<ViewWindow> = self.kept().cloned().collect();
        self.whole.retain(|whole| kept.iter().any(|kept| holds(kept, whole)));
        let come = self.wishes[..self.first_open].iter().filter_map(|wish| wish.window.clone());
        let missing: Vec<ViewWindow> = come.filter(|come| !self.whole.contains(come)).collect();
        self.whole.extend(missing);
        let surplus = self.whole.len().saturating_sub(MOST_WHOLE);
        self.whole.drain(..surplus);
        self.wishes.iter_mut().skip(self.first_open + 1).for_each(|wish| wish.has_come = false);
    }

    /// All of them are to be asked for again.
    pub(super) fn reopen(&mut self) {
        self.whole.clear();
        self.headers = false;
        self.wishes.iter_mut().for_each(|wish| wish.has_come = false);
        self.first_open = 0;
        self.drops += 1;
        self.opened = self.drops;
    }

    fn skip(&mut self) {
        let done = self.wishes[self.first_open..].iter().take_while(|wish| wish.has_come).count();
        if done > 0 {
            self.first_open += done;
            self.opened = self.drops;
        }
    }
}

/// Whether whoever has all of `outer` has all of `inner`: they are of one level as the client names it, and one lies in the
/// other.
fn holds(outer: &ViewWindow, inner: &ViewWindow) -> bool {
    let within = |start: u32, length: u32, outer_start: u32, outer_length: u32| {
        start >= outer_start
            && u64::from(start) + u64::from(length) <= u64::from(outer_start) + u64::from(outer_length)
    };
    let components = match (&outer.components, &inner.components) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => inner.iter().all(|component| outer.contains(component)),
    };
    outer.frame_size == inner.frame_size
        && (outer.rounding == inner.rounding || (is_exact(outer) && is_exact(inner)))
        && outer.layers.is_none_or(|most| inner.layers.is_some_and(|layers| layers <= most))
        && components
        && within(inner.offset.0, inner.region.width, outer.offset.0, outer.region.width)
        && within(inner.offset.1, inner.region.height, outer.offset.1, outer.region.height)
}

/// Of windows that name a level by its size, the rounding says nothing; that they do is known only of those that ask for the
/// closest, as the engine makes them.
fn is_exact(window: &ViewWindow) -> bool {
    window.rounding == Rounding::Closest
}

/// So many windows are remembered to have come.
const MOST_WHOLE: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wavetile_engine::Size;

    fn window(x: u32, width: u32) -> ViewWindow {
        ViewWindow {
            rounding: Rounding::Closest,
            offset: (x, 0),
            region: Size::new(width, 50),
            ..ViewWindow::whole(Size::new(100, 50))
        }
    }

    fn open(wishes: &Wishes) -> Vec<u32> {
        wishes.open(9).into_iter().map(|window| window.unwrap().offset.0).collect()
    }

    #[test]
    fn what_has_come_is_not_asked_for_again_until_something_is_dropped() {
        let mut wishes = Wishes::new(None);
        assert!(wishes.are(&[]) && !wishes.have_come());
        wishes.note_come(None, wishes.drops());
        assert!(wishes.have_come());
        wishes.set(vec![], true);
        assert!(wishes.have_come());
        wishes.set(vec![], false);
        assert!(!wishes.have_come());
        let list = vec![window(0, 10), window(20, 10), window(40, 10)];
        wishes.set(list.clone(), true);
        assert!(wishes.are(&list) && !wishes.are(&list[..2]));
        assert_eq!(open(&wishes), [0, 20, 40]);
        wishes.note_come(Some(&window(15, 30)), wishes.drops());
        assert_eq!(open(&wishes), [0, 40]);
        assert_eq!(wishes.kept().count(), 1);
        wishes.note_come(Some(&window(0, 10)), wishes.drops());
        assert_eq!((open(&wishes), wishes.kept().count()), (vec![40], 3));
        // Parts of what has come, in another order.
        let parts = vec![window(46, 3), window(2, 3), window(16, 1)];
        wishes.set(parts.clone(), true);
        assert_eq!(open(&wishes), [46]);
        wishes.set(parts.clone(), false);
        assert_eq!(open(&wishes), [46, 2, 16]);
        wishes.set(parts.clone(), true);
        wishes.note_dropped();
        assert_eq!(open(&wishes), [46, 2, 16]);
        // What is kept was not dropped.
        wishes.note_come(Some(&parts[0]), wishes.drops());
        wishes.note_dropped();
        wishes.set(vec![window(2, 3), window(47, 1)], true);
        assert_eq!(open(&wishes), [2]);
        wishes.set(parts.clone(), false);
        wishes.note_come(Some(&window(0, 100)), wishes.drops());
        assert!(wishes.have_come());
        wishes.reopen();
        assert_eq!(open(&wishes), [46, 2, 16]);
    }

    #[test]
    fn a_window_of_which_something_was_dropped_while_it_was_on_its_way_has_not_come() {
        let mut wishes = Wishes::new(None);
        wishes.set(vec![window(0, 10), window(20, 10)], true);
        let since = wishes.drops();
        // Nothing of the first, which is kept.
        wishes.note_dropped();
        wishes.note_come(Some(&window(0, 10)), since);
        assert_eq!(open(&wishes), [20]);
        wishes.note_come(Some(&window(20, 10)), since);
        assert_eq!(open(&wishes), [20]);
        // It was asked for again, and nothing of it was dropped since.
        let since = wishes.drops();
        wishes.note_dropped();
        wishes.set(vec![window(20, 10), window(40, 10)], true);
        wishes.note_come(Some(&window(20, 10)), since);
        assert_eq!(open(&wishes), [40]);
        // One that nobody wants is not kept.
        wishes.note_come(Some(&window(60, 10)), since);
        wishes.set(vec![window(60, 10)], true);
        assert_eq!(open(&wishes), [60]);
        let since = wishes.drops();
        wishes.reopen();
        wishes.note_come(Some(&window(60, 10)), since);
        assert_eq!(open(&wishes), [60]);
    }

    #[test]
    fn a_window_holds_another_only_in_the_same_level_with_all_that_it_asks_for() {
        let outer = window(10, 20);
        assert!(holds(&outer, &outer) && holds(&outer, &window(12, 18)));
        assert!(!holds(&outer, &window(9, 5)) && !holds(&outer, &window(12, 19)));
        assert!(!holds(&outer, &ViewWindow { frame_size: Size::new(99, 50), ..outer.clone() }));
        let few = ViewWindow { layers: Some(2), ..outer.clone() };
        assert!(holds(&outer, &few) && !holds(&few, &outer));
        assert!(!holds(&few, &ViewWindow { layers: Some(3), ..outer.clone() }));
        let grey = ViewWindow { components: Some(vec![0]), ..outer.clone() };
        assert!(holds(&outer, &grey) && !holds(&grey, &outer));
        assert!(!holds(&ViewWindow { rounding: Rounding::Down, ..outer.clone() }, &outer));
    }
}
