//! Pages while their data arrives: what is seen refines, what has not changed is not made again, and in the end all is as if it
//! had been there from the start.

use crate::rig::{Rig, mandelbrot, page, window};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::tiles::{Arrivals, PictureOptions, TileSource, TilesOptions, Wake, Wish};
use wavetile_engine::{DataBinCache, DataBins, DecodeRequest, Image, Limits, Size};
use wavetile_testing::random::Random;

/// A source that brings what the test says.
pub(crate) struct Trickle {
    file: IndexedFile,
    bins: Arc<RwLock<DataBinCache>>,
    log: Mutex<Vec<DataBinId>>,
    ended: AtomicU64,
    replaced: AtomicU64,
    pub(crate) wishes: Mutex<Vec<Wish>>,
}

impl TileSource for Trickle {
    fn want(&self, wishes: &[Wish]) {
        *self.wishes.lock().unwrap() = wishes.to_vec();
    }

    fn generation(&self) -> u64 {
        self.log.lock().unwrap().len() as u64 + self.replaced.load(Ordering::SeqCst)
    }

    fn arrivals(&self, since: u64) -> Arrivals {
        if self.replaced.load(Ordering::SeqCst) > 0 {
            return Arrivals::Replaced;
        }
        let log = self.log.lock().unwrap();
        Arrivals::Bins(log[since as usize..].iter().map(|&bin| (0, bin)).collect())
    }

    fn is_idle(&self) -> bool {
        self.ended.load(Ordering::SeqCst) != 0
    }

    fn wake_by(&self, _: Wake) {}
}

impl Trickle {
    pub(crate) fn new(path: &Path) -> Arc<Self> {
        let file = IndexedFile::open(std::fs::read(path).unwrap(), &Limits::default()).unwrap();
        let source = Self {
            file,
            bins: Arc::default(),
            log: Mutex::default(),
            ended: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            wishes: Mutex::default(),
        };
        for id in [DataBinId::Metadata(0), DataBinId::MainHeader] {
            source.bring(id, 1.0);
        }
        Arc::new(source)
    }

    pub(crate) fn image(&self) -> Image {
        Image::open_stream(self.bins.clone()).unwrap().image().unwrap()
    }

    /// The first part of a bin, as far as it is not there.
    pub(crate) fn bring(&self, id: DataBinId, share: f64) {
        let bin = self.file.bin(0, id).unwrap().unwrap();
        let length = (bin.bytes.len() as f64 * share).ceil() as usize;
        let whole = length == bin.bytes.len();
        self.bins.write().unwrap().insert(0, id, 0, &bin.bytes[..length], whole);
        self.log.lock().unwrap().push(id);
    }

    /// All precincts, those of coarse resolutions first.
    pub(crate) fn precincts(&self) -> Vec<DataBinId> {
        let header = self.file.header();
        let (components, tiles) = (header.size.components.len() as u32, header.tile_count());
        let mut found = Vec::new();
        for tile in 0..tiles {
            for (component, geometry) in (0..).zip(&self.file.tile(tile).unwrap().components) {
                for (level, resolution) in geometry.resolutions.iter().enumerate() {
                    for number in 0..resolution.precinct_count() {
                        let precinct = resolution.first_precinct + number;
                        let id = PrecinctId { tile, component, precinct };
                        found.push((level, DataBinId::Precinct(id.in_class_id(components, tiles).unwrap())));
                    }
                }
            }
        }
        found.sort_by_key(|found| found.0);
        found.into_iter().map(|found| found.1).collect()
    }

    /// Says that something of a bin has come.
    pub(crate) fn claim(&self, id: DataBinId) {
        self.log.lock().unwrap().push(id);
    }

    pub(crate) fn end(&self) {
        self.ended.store(1, Ordering::SeqCst);
    }
}

fn sample() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../program/assets/mandelbrot.jp2")
}

#[test]
fn a_view_refines_to_what_a_decode_gives() {
    let source = Trickle::new(&sample());
    let image = source.image();
    let mut rig = Rig::new(TilesOptions::new(), 64 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::default(), Some(source.clone())).unwrap();
    let views = [window(picture, 3000.0, 3000.0, 2.0, Size::new(600, 500))];
    let report = rig.frame(&views);
    assert!(!report.settled && report.resident == 0 && report.holes > 0, "{report:?}");
    assert!(!source.wishes.lock().unwrap().is_empty());

    for tile in 0..image.header().tile_count() {
        source.bring(DataBinId::TileHeader(tile), 1.0);
    }
    let precincts = source.precincts();
    let mut sharpest = 99;
    for (number, chunk) in precincts.chunks(precincts.len().div_ceil(40)).enumerate() {
        for share in [0.4, 1.0] {
            chunk.iter().for_each(|&id| source.bring(id, share));
            let report = rig.frame(&views);
            assert!(number < 3 || report.holes == 0, "{number}: {report:?}");
            sharpest = sharpest.min(report.missing);
            assert!(!rig.frame(&views).settled, "more is to come");
        }
    }
    source.end();
    let report = rig.settle(&views);
    assert_eq!((report.missing, report.complete), (0, report.visible));
    let reference = mandelbrot();
    for y in 5..=7 {
        for x in 5..=8 {
            rig.check_page(&reference, &DecodeRequest::new(), page(picture, 1, x, y));
        }
    }
    let totals = report.totals;
    assert!(totals.pages_refined > 0, "{totals:?}");
    assert!(rig.frame(&views).totals == totals, "nothing is done where nothing has come");
}

#[test]
fn bytes_in_any_order_end_alike() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let reference = Image::open_file(&path).unwrap();
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let source = Trickle::new(&path);
        let image = source.image();
        let mut rig = Rig::new(TilesOptions::new(), 16 << 20);
        let picture = rig.tiles.add(&image, PictureOptions::default(), Some(source.clone())).unwrap();
        let views = [window(picture, 0.0, 0.0, 1.0, Size::new(96, 64))];
        let mut bins = source.precincts();
        bins.push(DataBinId::TileHeader(0));
        let mut whole = HashSet::new();
        while whole.len() < bins.len() {
            let id = bins[random.below(bins.len() as u32) as usize];
            let share = f64::from(random.below(5)) / 4.0;
            source.bring(id, share);
            if share == 1.0 {
                whole.insert(id);
            }
            rig.frame(&views);
        }
        source.end();
        let report = rig.settle(&views);
        assert_eq!((report.visible, report.complete), (1, 1), "{seed}");
        rig.check_page(&reference, &DecodeRequest::new(), page(picture, 0, 0, 0));
    }
}

#[test]
fn a_picture_that_has_become_another_loses_its_pages() {
    let source = Trickle::new(&sample());
    let image = source.image();
    let mut rig = Rig::new(TilesOptions::new(), 64 << 20);
    let picture = rig.tiles.add(&image, PictureOptions::default(), Some(source.clone())).unwrap();
    let views = [window(picture, 0.0, 0.0, 8.0, Size::new(1024, 1024))];
    (0..image.header().tile_count()).for_each(|tile| source.bring(DataBinId::TileHeader(tile), 1.0));
    source.precincts().into_iter().for_each(|id| source.bring(id, 1.0));
    source.end();
    assert!(rig.settle(&views).resident > 0);
    source.replaced.store(1, Ordering::SeqCst);
    rig.frame(&views);
    rig.frame(&views);
    assert_eq!(rig.tiles.take_replaced(), [picture]);
    rig.tiles.remove(picture);
    let report = rig.frame(&views);
    assert_eq!((report.used, report.visible), (0, 0));
}
