//! The cache stays within its budget, whatever it is, and pages are the same.

use super::*;

#[test]
fn no_budget_is_exceeded_and_pages_are_the_same() {
    for (name, bytes) in files() {
        let image = open(bytes);
        for budget in [0, 700, 9_000, 60_000, 400_000] {
            let rig = Rig::new(image.clone(), budget);
            let within = || {
                let statistics = rig.cache.statistics();
                assert!(
                    statistics.bytes <= budget && statistics.most_bytes <= budget,
                    "{name}, {budget}: {statistics:?}"
                );
                assert_eq!(
                    (rig.cache.bytes(), rig.cache.most_bytes()),
                    (statistics.bytes, statistics.most_bytes)
                );
            };
            for _ in 0..2 {
                let windows = rig.cover(0, 24, 3);
                for some in windows.chunks(3) {
                    let pages = rig.prepare(some);
                    within();
                    for (page, window) in pages.iter().zip(some) {
                        assert!(texels(page) == rig.reference(*window).0, "{name}, {window:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn states_and_packets_are_held_within_the_budget_too() {
    let (name, bytes) = files().swap_remove(0);
    let (bins, _) = bins(bytes);
    for budget in [0, 5_000, 30_000, 100_000, 1 << 20] {
        let cache = Arc::new(RwLock::new(DataBinCache::new()));
        bins.iter().for_each(|bin| insert(&cache, bin, 0..if is_header(bin.0) { bin.1.len() } else { 0 }));
        let rig = Rig::new(open_stream(&cache), budget);
        let window = Window { reduce: 0, texels: rig.pyramid.level(0) };
        for part in 1..=6 {
            bins.iter().for_each(|bin| insert(&cache, bin, 0..bin.1.len() * part / 6));
            let page = rig.prepare(&[window]).remove(0);
            assert!(texels(&page) == rig.reference(window).0, "{name}, {budget}");
            let statistics = rig.cache.statistics();
            assert!(
                statistics.bytes <= budget && statistics.most_bytes <= budget,
                "{budget}: {statistics:?}"
            );
        }
    }
}

#[test]
fn a_lower_budget_holds_at_once_even_of_what_is_in_use() {
    let (_, bytes) = files().swap_remove(0);
    let rig = Rig::new(open(bytes), 1 << 30);
    let window = Window { reduce: 0, texels: rig.pyramid.level(0) };
    let page = rig.prepare(&[window]).remove(0);
    let full = rig.cache.bytes();
    assert!(full > page.coefficients.iter().map(|words| words.len() as u64 * 4).sum());
    for budget in [full / 2, full / 10, 0] {
        rig.cache.set_budget(budget);
        assert!(rig.cache.bytes() <= budget);
        assert!(texels(&page) == rig.reference(window).0);
    }
    rig.cache.set_budget(full);
    let again = rig.prepare(&[window]).remove(0);
    assert_eq!((again.decoded, again.reused), (page.coefficients.len() as u64, 0));
    assert_eq!(rig.prepare(&[window]).remove(0).decoded, 0);
    assert!(rig.cache.bytes() <= full);
}

#[test]
fn pictures_share_a_cache_and_are_forgotten_one_by_one() {
    let (_, bytes) = files().swap_remove(0);
    let rig = Rig::new(open(bytes.clone()), 1 << 30);
    let window = rig.cover(0, 24, 3)[0];
    let request = [rig.request(window)];
    let other = PageMaker::new(open(bytes), 8, rig.cache.clone());
    let decoded = |maker: &PageMaker| maker.prepare(&request, &Serial).remove(0).unwrap().decoded;
    let count = decoded(&rig.maker);
    assert!(count > 0);
    assert_eq!([decoded(&other), decoded(&other), decoded(&rig.maker)], [count, 0, 0]);
    rig.maker.forget();
    assert_eq!([decoded(&other), decoded(&rig.maker)], [0, count]);
}
