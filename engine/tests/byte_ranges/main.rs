//! Pictures that arrive in ranges of bytes: how many it takes, and that they decode to what the whole file does.
#![allow(clippy::unwrap_used)]

mod made_up;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use made_up::{MadeUp, TileParts};
use wavetile_engine::low_level::plan::{CellSize, Target};
use wavetile_engine::source::{PartialFile, PartialSource};
use wavetile_engine::{Component, DecodeRequest, Decoder, Image, Limits, Rect};
use wavetile_testing::shared;

/// What a client asks for before it knows anything.
const FIRST: u64 = 64 << 10;

/// Fetches ranges as a client does, and counts them.
struct Client<'a> {
    whole: &'a [u8],
    file: Arc<PartialFile>,
    ranges: usize,
    rounds: usize,
    bytes: u64,
}

impl<'a> Client<'a> {
    fn new(whole: &'a [u8]) -> Self {
        Self::in_steps(whole, FIRST)
    }

    /// `first`: bytes that are asked for at first.
    fn in_steps(whole: &'a [u8], first: u64) -> Self {
        let source = Arc::new(PartialSource::new(whole.len() as u64));
        let file = Arc::new(PartialFile::new(source, &Limits::default()));
        let mut client = Self { whole, file, ranges: 0, rounds: 0, bytes: 0 };
        client.fetch(std::slice::from_ref(&(0..first.min(whole.len() as u64))));
        client
    }

    fn fetch(&mut self, ranges: &[Range<u64>]) {
        self.rounds += 1;
        for range in ranges {
            self.ranges += 1;
            self.bytes += range.end - range.start;
            let new =
                self.file.source().insert(range.start, &self.whole[range.start as usize..range.end as usize]);
            assert!(new > 0, "{range:?} was there");
        }
    }

    /// Fetches all that `request` needs.
    fn show(&mut self, request: &DecodeRequest) -> Vec<Component> {
        loop {
            let image = Image::open_stream(self.file.clone()).unwrap().image();
            if let Some(image) = &image {
                image.plan(request, Target::Components, CellSize::CPU).unwrap();
            }
            let missing = self.file.source().take_missing();
            if missing.is_empty() {
                let (components, report) = Decoder::cpu().components(&image.unwrap(), request).unwrap();
                assert!(report.is_complete(), "{report:?}");
                return components;
            }
            self.fetch(&missing);
        }
    }
}

fn of_file(bytes: &[u8], request: &DecodeRequest) -> Vec<Component> {
    let image = Image::open(bytes.to_vec()).unwrap();
    let (components, report) = Decoder::cpu().components(&image, request).unwrap();
    assert!(report.is_complete(), "{report:?}");
    components
}

/// 105 million samples, about 1 bit each.
const LARGE: MadeUp = MadeUp {
    size: 10_240,
    tile: 10_240,
    levels: 5,
    layers: 1,
    progression: 2,
    tile_parts: TileParts::Whole,
    tlm: true,
    plt: true,
    bytes: 500,
};

/// What it may take: rounds of requests, ranges in all of them, bytes.
type Most = (usize, usize, u64);

/// Where a server takes several ranges in one request, the rounds are the requests.
#[test]
fn an_overview_of_100_million_pixels_takes_at_most_12_requests() {
    let tiles = MadeUp { tile: 1024, ..LARGE };
    let layers = MadeUp { progression: 0, layers: 3, bytes: 160, ..LARGE };
    let by_resolution = MadeUp { tile_parts: TileParts::ByResolution, ..tiles };
    let overview = DecodeRequest::new().reduce(4);
    let cases: [(&str, MadeUp, Most); 9] = [
        ("one tile, RPCL, TLM and PLT", LARGE, (1, 1, 1 << 16)),
        ("one tile, RPCL", MadeUp { tlm: false, plt: false, ..LARGE }, (3, 3, 1 << 18)),
        (
            "one tile, RPCL, tile-parts, TLM",
            MadeUp { plt: false, tile_parts: TileParts::ByTile, ..LARGE },
            (2, 2, 1 << 17),
        ),
        ("one tile, LRCP, 3 layers, PLT", layers, (4, 4, 1 << 19)),
        // The packets of an overview lie all over the file: nothing but reading it tells where.
        ("one tile, LRCP, 3 layers", MadeUp { plt: false, ..layers }, (9, 9, 1 << 24)),
        ("100 tiles, resolutions first, TLM and PLT", by_resolution, (3, 3, 1 << 18)),
        ("100 tiles, resolutions first, TLM", MadeUp { plt: false, ..by_resolution }, (3, 3, 1 << 18)),
        // A chain of tile-parts, without a word of where it leads.
        ("100 tiles", MadeUp { tlm: false, plt: false, ..tiles }, (12, 24, 1 << 24)),
        // Each is asked for where it stands.
        ("100 tiles, TLM and PLT", tiles, (4, 104, 3 << 20)),
    ];
    for (what, made_up, (rounds, ranges, most)) in cases {
        let bytes = made_up.write();
        let mut client = Client::new(&bytes);
        let found = client.show(&overview);
        println!(
            "{what}: {} rounds, {} ranges, {} of {} bytes",
            client.rounds,
            client.ranges,
            client.bytes,
            bytes.len()
        );
        assert!(client.rounds <= rounds && client.ranges <= ranges && client.bytes <= most, "{what}");
        assert!(found == of_file(&bytes, &overview), "{what}");
        // A closer look at one place.
        let region = Some(Rect::new(5000, 5000, 5600, 5400));
        let closer = DecodeRequest::new().region(region);
        let before = (client.rounds, client.ranges, client.bytes);
        assert!(client.show(&closer) == of_file(&bytes, &closer), "{what}");
        let (rounds, ranges) = (client.rounds - before.0, client.ranges - before.1);
        println!("    and a region: {rounds} rounds, {ranges} ranges, {} bytes", client.bytes - before.2);
        assert!(rounds <= 12, "{what}");
    }
}

/// Exchanges entries of TLM, whose sum stays the same.
fn lie(bytes: &mut [u8], first: usize, second: usize) {
    let tlm = bytes.windows(2).position(|pair| pair == [0xFF, 0x55]).unwrap() + 6;
    for offset in 0..6 {
        bytes.swap(tlm + 6 * first + offset, tlm + 6 * second + offset);
    }
}

#[test]
fn a_tlm_that_lies_costs_requests_but_not_the_picture() {
    let small = MadeUp { size: 300, tile: 100, levels: 2, bytes: 50, ..LARGE };
    for tile_parts in [TileParts::Whole, TileParts::ByTile, TileParts::ByResolution] {
        let honest = MadeUp { tile_parts, ..small }.write();
        let whole = of_file(&honest, &DecodeRequest::default());
        assert!(Client::new(&honest).show(&DecodeRequest::default()) == whole);
        let entries = if tile_parts == TileParts::Whole { 9 } else { 27 };
        for first in 0..entries {
            let mut bytes = honest.clone();
            lie(&mut bytes, first, (first + 1) % entries);
            for reduce in [0, 2] {
                let request = DecodeRequest::new().reduce(reduce);
                let mut client = Client::in_steps(&bytes, 300);
                assert!(
                    client.show(&request) == of_file(&bytes, &request),
                    "{tile_parts:?} {first} {reduce}"
                );
            }
            assert!(of_file(&bytes, &DecodeRequest::default()) == whole);
        }
        // One whose sum is wrong is not believed at all.
        let mut bytes = honest.clone();
        let tlm = bytes.windows(2).position(|pair| pair == [0xFF, 0x55]).unwrap() + 6;
        bytes[tlm + 5] ^= 1;
        assert!(Client::in_steps(&bytes, 300).show(&DecodeRequest::default()) == whole);
    }
}

/// Every file of the conformance suite and of others', in pieces.
#[test]
fn any_file_decodes_in_pieces_as_it_does_whole() {
    let Some(testdata) = shared("testdata") else { return };
    let mut seen = 0;
    for folder in ["conformance", "files", "jpx"] {
        for path in pictures(&testdata.join(folder)) {
            let bytes = std::fs::read(&path).unwrap();
            let Ok(image) = Image::open(bytes.clone()) else { continue };
            let reduce = image.levels().min(1);
            let request = DecodeRequest::new().reduce(reduce);
            // Those of millions of samples add nothing but time.
            if image
                .component_rects(&request)
                .is_ok_and(|rects| rects.iter().map(|rect| rect.1.area()).sum::<u64>() > 1 << 20)
            {
                continue;
            }
            let Ok((whole, report)) = Decoder::cpu().components(&image, &request) else { continue };
            if !report.is_complete() {
                continue;
            }
            assert!(Client::in_steps(&bytes, 100).show(&request) == whole, "{}", path.display());
            seen += 1;
        }
    }
    println!("{seen} files");
    assert!(seen > 50, "{seen}");
}

fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pictures(&path));
        } else if path.extension().is_some_and(|ending| {
            ["jp2", "j2k", "j2c", "jpx", "jph", "jhc"].iter().any(|known| ending == *known)
        }) {
            found.push(path);
        }
    }
    found.sort();
    found
}
