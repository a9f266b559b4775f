//! Pages while their data arrives: only what changes is made again, and it is what the whole would be.

use super::*;
use crate::tiles::making::PageParts;
use wavetile_testing::random::Random;

/// A page that is shown.
struct Shown {
    window: Window,
    parts: PageParts,
    texels: Vec<u8>,
}

/// What was done for all pages.
#[derive(Default)]
struct Done {
    /// Texels made again, of texels of pages that changed.
    made: u64,
    of: u64,
}

impl Shown {
    fn new(rig: &Rig, window: Window) -> Self {
        let page = rig.prepare(&[window]).remove(0);
        let texels = texels(&page);
        Self { window, parts: page.parts, texels }
    }

    /// Makes again what is said to be stale; the page must then be what the decoder makes of all that has come.
    fn bring_up_to_date(&mut self, rig: &Rig, done: &mut Done, name: &str) {
        let (wanted, report) = rig.reference(self.window);
        let Window { reduce, texels: whole } = self.window;
        if let Some(rect) = rig.maker.stale(&rig.request(self.window), &mut self.parts).unwrap() {
            assert!(whole.contains(rect) && !rect.is_empty());
            let page = rig.prepare(&[Window { reduce, texels: rect }]).remove(0);
            paste(&mut self.texels, whole, &texels(&page), rect);
            self.parts = self.parts.merged(&page.parts);
            (done.made, done.of) = (done.made + rect.area(), done.of + whole.area());
        }
        assert!(self.texels == wanted, "{name}, {:?}", self.window);
        assert_eq!(rig.maker.stale(&rig.request(self.window), &mut self.parts).unwrap(), None);
        let complete = report.coverage.resolutions.iter().all(|level| level.present == level.needed);
        if self.parts.is_complete() {
            assert!(complete || report.coverage.damage.is_some(), "{name}, {:?}", self.window);
        }
    }
}

/// Shuffled pieces of bins, none of headers of the file: number of the bin and range.
fn pieces(bins: &[Bin], random: &mut Random, sizes: usize) -> Vec<(usize, std::ops::Range<usize>)> {
    let mut pieces = Vec::new();
    for (number, (_, bytes, _)) in bins.iter().enumerate().filter(|(_, (id, ..))| !is_header(*id)) {
        let mut at = 0;
        loop {
            let end = (at + 1 + random.below(sizes as u32) as usize).min(bytes.len());
            pieces.push((number, at..end));
            at = end;
            if at == bytes.len() {
                break;
            }
        }
    }
    for index in (1..pieces.len()).rev() {
        pieces.swap(index, random.below(index as u32 + 1) as usize);
    }
    pieces
}

#[test]
fn only_what_changes_is_made_again_and_it_is_what_the_whole_would_be() {
    let mut random = Random::new(0x510E_527F_ADE6_82D1);
    let mut done = Done::default();
    let mut resumed = 0;
    for (name, bytes) in files() {
        let (bins, cache) = bins(bytes);
        bins.iter().filter(|(id, ..)| is_header(*id)).for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
        let rig = Rig::new(open_stream(&cache), 1 << 30);
        let mut windows = Vec::new();
        for reduce in 0..=rig.pyramid.coarsest().min(2) {
            let cover = rig.cover(reduce, 24, 3);
            windows.extend(cover.iter().step_by(cover.len().div_ceil(2)).copied());
        }
        let mut shown: Vec<Shown> = windows.into_iter().map(|window| Shown::new(&rig, window)).collect();
        let pieces = pieces(&bins, &mut random, 150);
        let step = pieces.len().div_ceil(24);
        for some in pieces.chunks(step) {
            some.iter().for_each(|(number, range)| insert(&cache, &bins[*number], range.clone()));
            shown.iter_mut().for_each(|page| page.bring_up_to_date(&rig, &mut done, &name));
        }
        assert!(shown.iter().all(|page| page.parts.is_complete()), "{name}");
        resumed += rig.cache.statistics().resumed;
    }
    assert!(done.made < done.of, "all of every page was made again");
    assert!(resumed > 0, "no block was decoded on");
}

#[test]
fn a_packet_makes_the_rectangle_stale_that_its_blocks_reach() {
    let (name, bytes) = files().swap_remove(0);
    let (bins, cache) = bins(bytes);
    bins.iter().filter(|(id, ..)| is_header(*id)).for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
    let rig = Rig::new(open_stream(&cache), 1 << 30);
    let whole = Window { reduce: 0, texels: rig.pyramid.level(0) };
    let mut page = Shown::new(&rig, whole);
    assert_eq!(rig.maker.stale(&rig.request(whole), &mut page.parts).unwrap(), None);
    for bin in bins.iter().filter(|(id, ..)| !is_header(*id)) {
        insert(&cache, bin, 0..bin.1.len());
        let before = page.texels.clone();
        page.bring_up_to_date(&rig, &mut Done::default(), &name);
        let depends = page.parts.bins().iter().any(|(codestream, id)| (*codestream, *id) == (0, bin.0));
        assert!(depends || before == page.texels, "{:?}", bin.0);
    }
    // The parts of nothing know nothing.
    let mut parts = PageParts::default();
    assert_eq!(rig.maker.stale(&rig.request(whole), &mut parts).unwrap(), Some(whole.texels));
}

#[test]
fn what_comes_between_looking_and_making_is_found_later() {
    for (name, bytes) in files() {
        let (bins, cache) = bins(bytes);
        let (headers, packets): (Vec<_>, Vec<_>) =
            bins.into_iter().partition(|(id, ..)| !matches!(id, DataBinId::Precinct(_)));
        headers.iter().for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
        let rig = Rig::new(open_stream(&cache), 1 << 30);
        let window = rig.cover(0, 24, 3)[0];
        let mut page = Shown::new(&rig, window);
        for (turn, two) in packets.chunks(2).enumerate().take(60) {
            insert(&cache, &two[0], 0..two[0].1.len());
            let stale = rig.maker.stale(&rig.request(window), &mut page.parts).unwrap();
            // It comes too late to be looked for, and in time to be made.
            two.get(1).into_iter().for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
            if let Some(texels) = stale {
                let part = rig.prepare(&[Window { texels, ..window }]).remove(0);
                paste(&mut page.texels, window.texels, &self::texels(&part), texels);
                page.parts = page.parts.merged(&part.parts);
            }
            if turn % 3 == 2 {
                page.bring_up_to_date(&rig, &mut Done::default(), &name);
            }
        }
    }
}

#[test]
fn tile_headers_may_come_after_the_packets() {
    for (name, bytes) in files() {
        let (mut bins, cache) = bins(bytes);
        bins.sort_by_key(|(id, ..)| matches!(id, DataBinId::TileHeader(_)));
        let (late, early): (Vec<_>, Vec<_>) =
            bins.into_iter().partition(|(id, ..)| matches!(id, DataBinId::TileHeader(_)));
        early.iter().for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
        let rig = Rig::new(open_stream(&cache), 1 << 30);
        let windows = rig.cover(0, 24, 3);
        let mut shown: Vec<Shown> =
            windows.into_iter().step_by(3).map(|window| Shown::new(&rig, window)).collect();
        assert!(shown.iter().all(|page| page.parts.block_count() == 0 && !page.parts.is_complete()));
        for bin in &late {
            insert(&cache, bin, 0..bin.1.len());
            shown.iter_mut().for_each(|page| page.bring_up_to_date(&rig, &mut Done::default(), &name));
        }
        assert!(shown.iter().all(|page| page.parts.is_complete()), "{name}");
    }
}

#[test]
fn broken_packets_are_what_the_decoder_makes_of_them() {
    let mut damaged = 0;
    for (name, bytes) in files() {
        let (bins, _) = bins(bytes);
        let mut random = Random::new(0x9B05_688C_2B3E_6C1F);
        for _ in 0..6 {
            let cache = Arc::new(RwLock::new(DataBinCache::new()));
            for (id, bytes, complete) in &bins {
                let mut bytes = bytes.clone();
                if matches!(id, DataBinId::Precinct(_)) && random.below(3) == 0 && !bytes.is_empty() {
                    let at = random.below(bytes.len() as u32) as usize;
                    bytes[at] = random.word() as u8;
                }
                insert(&cache, &(*id, bytes.clone(), *complete), 0..bytes.len());
            }
            let rig = Rig::new(open_stream(&cache), 1 << 30);
            let windows = rig.cover(0, 40, 3);
            let window = windows[random.below(windows.len() as u32) as usize];
            let request = rig.request(window);
            let wanted = Decoder::cpu().render(&rig.image, &request.request);
            for _ in 0..2 {
                let page = rig.maker.prepare(std::slice::from_ref(&request), &*rig.runner).remove(0);
                match (page, &wanted) {
                    (Ok(page), Ok((picture, report))) => {
                        assert!(texels(&page) == picture.bytes, "{name}, {window:?}");
                        assert_eq!(page.damaged_blocks, report.damaged_blocks, "{name}");
                        assert_eq!(page.coverage.damage, report.coverage.damage, "{name}");
                        damaged += report.damaged_blocks + report.coverage.damaged_precincts;
                    }
                    (page, wanted) => {
                        let errors = (page.err().unwrap(), wanted.as_ref().err().unwrap());
                        assert_eq!(errors.0.to_string(), errors.1.to_string(), "{name}");
                    }
                }
            }
        }
    }
    assert!(damaged > 0, "nothing was found damaged");
}

#[test]
fn bins_that_go_take_their_blocks_along_and_bring_them_back() {
    for (name, bytes) in files() {
        let (bins, cache) = bins(bytes);
        bins.iter().for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
        let rig = Rig::new(open_stream(&cache), 1 << 30);
        let window = rig.cover(0, 40, 3)[0];
        let mut complete = Shown::new(&rig, window);
        let mut random = Random::new(0x1F83_D9AB_FB41_BD6B);
        for _ in 0..4 {
            for bin in bins.iter().filter(|(id, ..)| matches!(id, DataBinId::Precinct(_))) {
                if random.below(3) == 0 {
                    cache.write().unwrap().remove(0, bin.0);
                    let rest = random.below(bin.1.len() as u32 + 1) as usize;
                    insert(&cache, bin, 0..rest);
                }
            }
            // What is shown is not made worse.
            let stale = rig.maker.stale(&rig.request(window), &mut complete.parts).unwrap();
            assert_eq!(stale, None, "{name}");
            assert!(Shown::new(&rig, window).texels == rig.reference(window).0, "{name}");
        }
        bins.iter().for_each(|bin| insert(&cache, bin, 0..bin.1.len()));
        assert!(Shown::new(&rig, window).texels == complete.texels, "{name}");
        rig.maker.forget();
        assert_eq!(rig.cache.statistics().bytes, 0);
        assert!(Shown::new(&rig, window).texels == complete.texels, "{name}");
    }
}
