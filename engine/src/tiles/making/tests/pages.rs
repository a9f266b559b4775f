//! Pages are parts of the whole, and blocks are decoded once.

use super::*;
use crate::byte_source::ByteSource;
use crate::plan::BlockKey;
use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

const ROOMY: u64 = 1 << 30;

fn keys(pages: &[PreparedPage]) -> impl Iterator<Item = BlockKey> + use<'_> {
    pages.iter().flat_map(|page| page.plan.blocks.iter().map(|block| block.origin.key))
}

#[test]
fn pages_of_every_level_are_parts_of_the_whole_and_each_block_is_decoded_once() {
    for (name, bytes) in files() {
        let rig = Rig::new(open(bytes), ROOMY);
        let mut distinct = HashSet::new();
        let mut needed = 0;
        for reduce in (0..=rig.pyramid.coarsest()).rev() {
            let whole = Window { reduce, texels: rig.pyramid.level(reduce) };
            let (wanted, report) = rig.reference(whole);
            let windows = rig.cover(reduce, 24, 3);
            let pages = rig.prepare(&windows);
            for (page, window) in pages.iter().zip(&windows) {
                let part = crop(&wanted, whole.texels, window.texels);
                assert!(texels(page) == part, "{name}, {window:?}");
                assert_eq!(page.damaged_blocks, 0);
                assert!(page.parts.is_complete() || !report.is_complete(), "{name}, {window:?}");
                assert!(!page.parts.bins().is_empty());
                assert_eq!(page.parts.block_count(), page.coefficients.len());
                assert!(page.plan.data.is_empty());
            }
            distinct.extend(keys(&pages));
            needed += keys(&pages).count() as u64;
        }
        let statistics = rig.cache.statistics();
        assert_eq!((statistics.decoded, statistics.resumed), (distinct.len() as u64, 0), "{name}");
        assert_eq!(statistics.reused, needed - statistics.decoded, "{name}");
        assert_eq!(statistics.blocks, statistics.decoded, "{name}");
        assert_eq!((statistics.evicted, statistics.turned_away), (0, 0));
    }
}

#[test]
fn panning_decodes_each_block_once() {
    for (name, bytes) in files() {
        let rig = Rig::new(open(bytes), ROOMY);
        let level = rig.pyramid.level(0);
        let mut distinct = HashSet::new();
        for step in 0..8 {
            let (x, y) = (level.x0 + 16 * step, level.y0 + 16 * (step % 3));
            let texels = Rect::new(x, y, x + 40, y + 30).intersect(level);
            if texels.is_empty() {
                continue;
            }
            let window = Window { reduce: 0, texels };
            let page = rig.prepare(&[window]);
            let before = distinct.len();
            distinct.extend(keys(&page));
            assert_eq!(page[0].decoded, (distinct.len() - before) as u64, "{name}, {window:?}");
            assert!(self::texels(&page[0]) == rig.reference(window).0, "{name}, {window:?}");
        }
    }
}

#[test]
fn a_page_that_cannot_be_made_keeps_no_other_from_being_made() {
    let (_, bytes) = files().swap_remove(0);
    let rig = Rig::new(open(bytes), ROOMY);
    let window = rig.cover(1, 24, 3)[0];
    let good = rig.request(window);
    let outside = Rect::new(1 << 20, 0, 1 << 21, 9);
    let bad = PageRequest { request: good.request.clone().region(outside), ..good.clone() };
    let deep = PageRequest { request: good.request.clone().reduce(40), ..good.clone() };
    let pages = rig.maker.prepare(&[bad.clone(), good.clone(), deep, good], &Serial);
    let made: Vec<bool> = pages.iter().map(Result::is_ok).collect();
    assert_eq!(made, [false, true, false, true]);
    let (one, other) = (pages[1].as_ref().unwrap(), pages[3].as_ref().unwrap());
    assert_eq!((one.reused, other.decoded), (0, 0));
    assert!(texels(one) == rig.reference(window).0 && texels(other) == texels(one));
    assert!(rig.maker.stale(&bad, &mut one.parts.clone()).is_err());
    assert!(rig.maker.prepare(&[], &Serial).is_empty());
}

#[test]
fn fewer_layers_and_other_components_are_pages_of_their_own() {
    for (name, bytes) in files() {
        let rig = Rig::new(open(bytes), ROOMY);
        let window = rig.cover(0, 24, 3)[0];
        let whole = rig.request(window).request;
        let requests = [
            whole.clone().layers(1),
            whole.clone(),
            whole.clone().components(vec![0]),
            whole.clone().layers(1),
            whole.layers(2),
        ];
        for request in requests {
            let page = PageRequest { request: request.clone(), repeat: Repeat::default() };
            let prepared = rig.maker.prepare(&[page], &Serial).remove(0).unwrap();
            let (wanted, report) = Decoder::cpu().render(&rig.image, &request).unwrap();
            assert!(texels(&prepared) == wanted.bytes, "{name}, {request:?}");
            assert_eq!(prepared.coverage.resolutions, report.coverage.resolutions);
        }
    }
}

#[test]
fn edges_are_repeated_around_a_page() {
    for (name, bytes) in files() {
        let rig = Rig::new(open(bytes), ROOMY);
        let level = rig.pyramid.level(0);
        let repeat = Repeat { left: 3, top: 1, right: 5, bottom: 2 };
        let page = PageRequest { repeat, ..rig.request(Window { reduce: 0, texels: level }) };
        let prepared = rig.maker.prepare(&[page], &Serial).remove(0).unwrap();
        assert_eq!(prepared.plan.window, level);
        let (wanted, _) = rig.reference(Window { reduce: 0, texels: level });
        let made = texels(&prepared);
        let texel = FORMAT.bytes() as usize;
        let (width, height) = (level.width() as usize, level.height() as usize);
        assert_eq!(made.len(), (width + 8) * (height + 3) * texel);
        for (at, made) in made.chunks(texel).enumerate() {
            let (x, y) = (at % (width + 8), at / (width + 8));
            let inside = y.saturating_sub(1).min(height - 1) * width + x.saturating_sub(3).min(width - 1);
            assert_eq!(made, &wanted[inside * texel..][..texel], "{name}, {x}, {y}");
        }
    }
}

/// A file of which is known how many bytes were read.
struct Counted(Vec<u8>, AtomicU64);

impl ByteSource for Counted {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn of_blocks_that_are_there_no_byte_is_read_again() {
    for (name, bytes) in files() {
        let file = Arc::new(Counted(bytes, AtomicU64::new(0)));
        let rig = Rig::new(ImageOptions::new().open(file.clone()).unwrap(), ROOMY);
        let windows = rig.cover(0, 24, 3);
        let first = rig.prepare(&windows);
        let read = file.1.load(Ordering::Relaxed);
        assert!(read > 0);
        let again = rig.prepare(&windows);
        assert!(again.iter().all(|page| page.decoded == 0));
        for ((one, other), window) in first.iter().zip(&again).zip(&windows) {
            assert!(texels(one) == texels(other), "{name}, {window:?}");
            assert_eq!(one.parts, other.parts);
            let stale = rig.maker.stale(&rig.request(*window), &mut one.parts.clone()).unwrap();
            assert_eq!(stale, None);
        }
        assert_eq!(file.1.load(Ordering::Relaxed), read, "{name}");
    }
}
