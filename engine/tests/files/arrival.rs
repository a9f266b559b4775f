//! However the bytes of the data-bins arrive, the picture is the same.

use crate::{indexed, open};
use proptest::prelude::*;
use std::path::Path;
use std::sync::{Arc, RwLock};
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DataBinCache, DataBins, DecodeRequest, Decoder, Image};
use wavetile_testing::compare::pairs;
use wavetile_testing::random::Random;
use wavetile_testing::shared;

/// All data-bins of codestream 0.
fn all_bins(file: &IndexedFile) -> Vec<(DataBinId, Vec<u8>, bool)> {
    let header = file.header();
    let mut ids = vec![DataBinId::Metadata(0), DataBinId::MainHeader];
    for tile in 0..header.tile_count() {
        ids.push(DataBinId::TileHeader(tile));
        for (component, geometry) in (0..).zip(&file.tile(tile).unwrap().components) {
            let id = |precinct| PrecinctId { tile, component, precinct };
            let number =
                |precinct| id(precinct).in_class_id(header.size.components.len() as u32, header.tile_count());
            ids.extend((0..geometry.precincts).map(|p| DataBinId::Precinct(number(p).unwrap())));
        }
    }
    let read = |id| {
        let bin = file.bin(0, id).unwrap().unwrap();
        (id, bin.bytes.to_vec(), bin.complete)
    };
    ids.into_iter().map(read).collect()
}

#[test]
fn damage_in_a_precinct_costs_that_precinct_alone() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let (file, image) = indexed(std::fs::read(path).unwrap()).unwrap();
    let decoder = Decoder::cpu();
    // The transform would mix the components.
    let request = DecodeRequest::new().without_component_transform(true);
    let (whole, _) = decoder.components(&image, &request).unwrap();
    let bins = all_bins(&file);
    let mut damaged = 0;
    for broken in 0..bins.len() {
        let DataBinId::Precinct(number) = bins[broken].0 else { continue };
        for pattern in [0x00u8, 0xA5, 0xE7, 0xFE, 0xFF] {
            let mut cache = DataBinCache::new();
            for (index, (id, bytes, complete)) in bins.iter().enumerate() {
                let bad = vec![pattern; bytes.len()];
                cache.insert(0, *id, 0, if index == broken { &bad } else { bytes }, *complete);
            }
            let image = Image::open_stream(Arc::new(cache)).unwrap().image().unwrap();
            let (got, report) = decoder.components(&image, &request).unwrap();
            assert!(report.coverage.damaged_precincts <= 1);
            damaged += report.coverage.damaged_precincts;
            assert!(report.coverage.damaged_precincts == 0 || !report.is_complete());
            // One tile: the precinct's number tells its component.
            let components = whole.len() as u64;
            for (got, whole) in pairs(&got, &whole) {
                let other = u64::from(got.index) != number % components;
                assert!(!other || got.samples == whole.samples);
            }
        }
    }
    assert!(damaged > 10, "only {damaged} damaged precincts were seen as such");
}

/// One message: a bin's number in the list, and a range of its bytes.
type Piece = (usize, usize, usize);

/// Cuts all bins into pieces of these sizes, some of which overlap, shuffles them, and repeats some.
fn pieces(bins: &[(DataBinId, Vec<u8>, bool)], seed: u64, sizes: &[usize]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, (_, bytes, _)) in bins.iter().enumerate() {
        let (mut at, mut turn) = (0, number);
        loop {
            let end = (at + sizes[turn % sizes.len()]).min(bytes.len());
            // Some pieces begin before the last one ended.
            pieces.push((number, at.saturating_sub(turn % 3), end));
            (at, turn) = (end, turn + 1);
            if at == bytes.len() {
                break;
            }
        }
    }
    let mut random = Random::new(seed);
    // Every seventh comes again, anywhere.
    let again: Vec<Piece> = pieces.iter().skip(random.below(7) as usize).step_by(7).copied().collect();
    pieces.extend(again);
    for index in (1..pieces.len()).rev() {
        pieces.swap(index, random.below(index as u32 + 1) as usize);
    }
    pieces
}

/// The bytes of a file arrive in this way, and are decoded four times meanwhile; in the end the picture is that of the
/// file, whether it is opened again or was open all the time.
fn arrives_alike(bytes: Vec<u8>, seed: u64, sizes: &[usize]) -> Result<(), TestCaseError> {
    let (file, image) = indexed(bytes).unwrap();
    let decoder = Decoder::cpu();
    let request = DecodeRequest::default();
    let (wanted, wanted_report) = decoder.components(&image, &request).unwrap();
    let bins = all_bins(&file);
    let pieces = pieces(&bins, seed, sizes);
    let cache = Arc::new(RwLock::new(DataBinCache::new()));
    let open = || Image::open_stream(cache.clone()).unwrap().image();
    let mut early: Option<Image> = None;
    let mut most = 0.0;
    for (count, &(number, from, to)) in pieces.iter().enumerate() {
        let (id, bytes, complete) = &bins[number];
        cache.write().unwrap().insert(0, *id, from as u64, &bytes[from..to], *complete && to == bytes.len());
        if count % (pieces.len() / 4 + 1) == 0 {
            early = early.or_else(open);
            if let Some(image) = &early {
                let (_, report) = decoder.components(image, &request).unwrap();
                prop_assert_eq!(&report.coverage.damage, &wanted_report.coverage.damage);
                prop_assert!(most <= report.completeness());
                most = report.completeness();
            }
        }
    }
    prop_assert!(most <= wanted_report.completeness());
    let late = open().unwrap();
    for image in early.iter().chain([&late]) {
        let (got, report) = decoder.components(image, &request).unwrap();
        prop_assert_eq!(&got, &wanted);
        prop_assert_eq!(&report, &wanted_report);
    }
    let held: u64 = bins.iter().map(|(_, bytes, _)| bytes.len() as u64).sum();
    prop_assert_eq!(cache.read().unwrap().bytes_held(), held);
    Ok(())
}

/// Layers, tiles, tile-parts, precincts, changes of progression, packed headers; both block coders.
const FILES: [&str; 12] = [
    "files/gray-64x64-multilayer-53.j2k",
    "files/gray-33x29-off35-t17-prec16-pcrl-l3-53.j2k",
    "files/gray-64x48-tp-interleaved-53.j2k",
    "files/gray-64x64-tp-layers-53.j2k",
    "files/rgb-48x40-t17-cprl-53.j2k",
    "files/rgb-48x48-cprl-sub3-mp-53.j2k",
    "files/byte_one_poc.j2k",
    "files/pal-32x24.jp2",
    "files/ht_tiles_offsets_rev.j2c",
    "files/ht_tileparts_rc_rgb_rev.j2c",
    "conformance/part4/p1_06.j2k",
    "conformance/part15/ds0_ht_09_b11.j2k",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_and_order_gives_the_same_picture(
        seed in any::<u64>(),
        sizes in prop::collection::vec(1usize..400, 1..6),
    ) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
        arrives_alike(std::fs::read(path).unwrap(), seed, &sizes)?;
    }

    #[test]
    fn any_split_and_order_gives_the_same_picture_of_real_files(
        name in prop::sample::select(&FILES[..]),
        seed in any::<u64>(),
        sizes in prop::collection::vec(1usize..200, 1..6),
    ) {
        let Some(testdata) = shared("testdata") else { return Ok(()) };
        arrives_alike(std::fs::read(testdata.join(name)).unwrap(), seed, &sizes)?;
    }
}

#[test]
fn a_broken_packet_in_a_file_is_named_and_a_cut_file_is_not_broken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let whole = std::fs::read(path).unwrap();
    let decoder = Decoder::cpu();
    let sod = whole.windows(2).position(|marker| marker == [0xFF, 0x93]).unwrap();
    let cut = whole[..sod + (whole.len() - sod) / 2].to_vec();
    let image = open(cut).unwrap();
    let (_, report) = decoder.components(&image, &DecodeRequest::default()).unwrap();
    assert!(!report.is_complete());
    assert_eq!(report.coverage.damage, None);

    let mut seen = 0;
    for pattern in [0x00, 0xA5, 0xE7, 0xFE, 0xFF] {
        let mut broken = whole.clone();
        broken[sod + 2..sod + 42].fill(pattern);
        let image = open(broken).unwrap();
        let (_, report) = decoder.components(&image, &DecodeRequest::default()).unwrap();
        if let Some(damage) = &report.coverage.damage {
            seen += 1;
            assert!(!report.is_complete());
            assert!(damage.to_string().starts_with("packet of tile 0, component "), "{damage}");
        }
    }
    assert!(seen > 0, "no damage was seen");
}
