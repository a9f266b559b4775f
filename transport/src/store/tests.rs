//! What was written is there again, whatever becomes of the file in between.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wavetile_engine::data_bin::{DataBinId, DataBins};
use wavetile_testing::running::Folder;

use super::*;
use crate::jpip::BinPiece;

/// A folder of stores.
struct Stores(Folder);

impl Stores {
    fn new() -> Self {
        Self(Folder::new("store"))
    }

    fn store(&self, limit: u64) -> Store {
        Store::open(&*self.0, limit).unwrap()
    }

    fn file(&self) -> PathBuf {
        let mut paths = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let path = paths.next().unwrap();
        assert!(paths.next().is_none());
        path
    }
}

const SERVER: &str = "jpip://example.org:8433";
const LIMIT: u64 = 1 << 30;

fn piece(number: u64, offset: u64, bytes: &[u8], last: bool) -> BinPiece {
    BinPiece { codestream: 0, id: DataBinId::Precinct(number), offset, bytes: bytes.to_vec(), last }
}

fn pieces() -> Vec<BinPiece> {
    let other = |codestream, id, bytes: &[u8]| BinPiece {
        codestream,
        id,
        offset: 0,
        bytes: bytes.to_vec(),
        last: true,
    };
    vec![
        other(0, DataBinId::MainHeader, b"main header"),
        other(0, DataBinId::Metadata(0), b""),
        other(3, DataBinId::TileHeader(9), b"tile"),
        piece(7, 0, b"abc", false),
        other(1, DataBinId::Tile(2), b"tile-parts"),
        piece(1 << 50, 5, b"after a gap", false),
        piece(7, 3, b"def", true),
    ]
}

fn cache(pieces: &[BinPiece]) -> DataBinCache {
    let mut bins = DataBinCache::new();
    for piece in pieces {
        bins.insert(piece.codestream, piece.id, piece.offset, &piece.bytes, piece.last);
    }
    bins
}

/// Of each bin: codestream, name, bytes from its start, whether these are all, its length if known, bytes in all.
type Contents = Vec<(u32, DataBinId, Vec<u8>, bool, Option<u64>, u64)>;

/// Everything that can be asked of a cache.
fn contents(bins: &DataBinCache) -> Contents {
    let mut contents: Contents = bins
        .ids()
        .map(|(codestream, id)| {
            let bin = bins.bin(codestream, id).unwrap().unwrap();
            let total = bins.ranges(codestream, id).total();
            (codestream, id, bin.bytes.into_owned(), bin.complete, bins.len(codestream, id), total)
        })
        .collect();
    contents.sort();
    contents
}

fn load(store: &Store) -> Contents {
    store.load(SERVER, "a.jp2").unwrap().map_or_else(Vec::new, |kept| contents(&kept.bins))
}

#[test]
fn what_was_written_is_read_again() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    assert!(store.load(SERVER, "a.jp2").unwrap().is_none());
    let mut writer = store.writer(SERVER, "a.jp2", "state 1").unwrap();
    let (first, second) = (&pieces()[..3], &pieces()[3..]);
    assert!(writer.append(first).unwrap() && writer.append(second).unwrap());
    assert!(writer.append(&[]).unwrap());
    let kept = store.load(SERVER, "a.jp2").unwrap().unwrap();
    assert_eq!(kept.target_id, "state 1");
    assert_eq!(contents(&kept.bins), contents(&cache(&pieces())));
    for (server, target) in [(SERVER, "b.jp2"), ("jpips://example.org:8433", "a.jp2"), ("", "")] {
        assert!(store.load(server, target).unwrap().is_none());
    }
    // A long piece is cut, and put together again.
    let long: Vec<u8> = (0..3 * record::LONGEST).map(|i| (i >> 7) as u8).collect();
    writer.append(&[piece(70, 2, &long, true), piece(70, 0, b"xy", false)]).unwrap();
    let kept = store.load(SERVER, "a.jp2").unwrap().unwrap();
    let bin = kept.bins.bin(0, DataBinId::Precinct(70)).unwrap().unwrap();
    assert!(bin.complete && bin.bytes[..2] == *b"xy" && bin.bytes[2..] == long);
}

#[test]
fn the_state_that_was_used_last_is_found() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    for (state, age) in [("new", 10), ("old", 100)] {
        let mut writer = store.writer(SERVER, "a.jp2", state).unwrap();
        writer.append(&pieces()).unwrap();
        writer.touch(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
    }
    assert_eq!(store.load(SERVER, "a.jp2").unwrap().unwrap().target_id, "new");
}

#[test]
fn a_file_cut_at_any_byte_loses_only_what_was_cut() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    store.writer(SERVER, "a.jp2", "state").unwrap().append(&pieces()).unwrap();
    let path = folder.file();
    let whole = fs::read(&path).unwrap();
    let states: Vec<_> = (0..=pieces().len()).map(|count| contents(&cache(&pieces()[..count]))).collect();
    let mut reached = 0;
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let found = load(&store);
        let state = states.iter().rposition(|state| *state == found).unwrap();
        assert!(state >= reached, "{length}");
        reached = state;
        // What comes next is appended to what is sound.
        store.writer(SERVER, "a.jp2", "state").unwrap().append(&pieces()).unwrap();
        assert_eq!(load(&store), *states.last().unwrap(), "{length}");
    }
    assert_eq!(reached, pieces().len());
}

#[test]
fn damage_at_any_byte_ends_the_file_there() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    store.writer(SERVER, "a.jp2", "state").unwrap().append(&pieces()).unwrap();
    let path = folder.file();
    let whole = fs::read(&path).unwrap();
    let states: Vec<_> = (0..=pieces().len()).map(|count| contents(&cache(&pieces()[..count]))).collect();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        assert!(states[..pieces().len()].contains(&load(&store)), "{at}");
    }
}

#[test]
fn writers_in_several_places_share_a_file() {
    let folder = Stores::new();
    std::thread::scope(|scope| {
        for writer in 0..4u64 {
            let store = folder.store(LIMIT);
            scope.spawn(move || {
                let mut file = store.writer(SERVER, "a.jp2", "state").unwrap();
                for number in 0..50u64 {
                    assert!(
                        file.append(&[piece(writer * 50 + number, 0, &number.to_le_bytes(), true)]).unwrap()
                    );
                }
            });
        }
    });
    let kept = folder.store(LIMIT).load(SERVER, "a.jp2").unwrap().unwrap();
    for number in 0..200u64 {
        let bin = kept.bins.bin(0, DataBinId::Precinct(number)).unwrap().unwrap();
        assert_eq!((&bin.bytes[..], bin.complete), (&(number % 50).to_le_bytes()[..], true));
    }
}

#[test]
fn the_limit_is_kept_and_what_was_used_lately_stays() {
    let folder = Stores::new();
    let limit = 64 << 10;
    let store = folder.store(limit);
    let name = |number: u32| format!("{number}.jp2");
    for number in 0..20 {
        let mut writer = store.writer(SERVER, &name(number), "state").unwrap();
        for part in 0..10 {
            assert!(writer.append(&[piece(part, 0, &[number as u8; 1000], true)]).unwrap());
            assert!(store.bytes().unwrap() <= limit);
        }
        // Older by the number, whatever the clock of the disk can tell apart.
        let time = SystemTime::now() - std::time::Duration::from_secs(1000 - u64::from(number));
        writer.touch(time).unwrap();
        if number >= 1 {
            assert!(store.load(SERVER, &name(0)).unwrap().is_some(), "it is used all the time");
        }
    }
    assert!(
        store.load(SERVER, &name(19)).unwrap().is_some() && store.load(SERVER, &name(5)).unwrap().is_none()
    );

    // One picture alone may fill it, and then no more is kept of it.
    let mut writer = store.writer(SERVER, "large.jp2", "state").unwrap();
    let fitted = (0..200).filter(|&part| writer.append(&[piece(part, 0, &[7; 1000], true)]).unwrap()).count();
    assert!((50..66).contains(&fitted), "{fitted}");
    let kept = store.load(SERVER, "large.jp2").unwrap().unwrap();
    assert_eq!(kept.bins.ids().count(), fitted);
}

#[test]
fn a_writer_whose_file_was_removed_makes_a_new_one() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    let mut writer = store.writer(SERVER, "a.jp2", "state").unwrap();
    writer.append(&[piece(1, 0, b"lost", true)]).unwrap();
    fs::remove_file(folder.file()).unwrap();
    writer.append(&[piece(2, 0, b"kept", true)]).unwrap();
    assert_eq!(load(&store), contents(&cache(&[piece(2, 0, b"kept", true)])));
}

#[test]
fn the_limit_can_be_changed_at_any_time() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    let other = store.clone();
    let mut writers: Vec<_> = (0..4)
        .map(|number| {
            let mut writer = store.writer(SERVER, &format!("{number}.jp2"), "state").unwrap();
            assert!(writer.append(&[piece(1, 0, &[7; 10_000], true)]).unwrap());
            writer.touch(SystemTime::now() - std::time::Duration::from_secs(100 - number)).unwrap();
            writer
        })
        .collect();
    assert!(store.bytes().unwrap() > 40_000);
    other.set_limit(25_000);
    assert_eq!((store.limit(), store.bytes().unwrap() / 10_000), (25_000, 2));
    assert!(store.load(SERVER, "0.jp2").unwrap().is_none() && store.load(SERVER, "3.jp2").unwrap().is_some());
    // Those whose file is gone begin another, within the limit.
    for writer in &mut writers {
        writer.append(&[piece(2, 0, &[8; 3000], true)]).unwrap();
        assert!(store.bytes().unwrap() <= 25_000);
    }
    // One piece that is too long by itself.
    assert!(!writers[0].append(&[piece(3, 0, &[8; 30_000], true)]).unwrap());
    assert!(store.bytes().unwrap() <= 25_000);
    store.set_limit(0);
    assert_eq!(store.bytes().unwrap(), 0);
}

#[test]
fn single_bins_are_read_while_the_file_grows() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    let mut contents = store.contents(SERVER, "a.jp2", "state");
    contents.refresh().unwrap();
    let id = DataBinId::Precinct;
    assert!(contents.read(0, id(1)).unwrap().is_empty());
    let mut writer = store.writer(SERVER, "a.jp2", "state").unwrap();
    let (first, second, third) =
        (piece(1, 0, b"ab", false), piece(2, 0, b"x", true), piece(1, 2, b"cd", true));
    writer.append(&[first.clone(), second.clone()]).unwrap();
    assert!(contents.read(0, id(1)).unwrap().is_empty());
    contents.refresh().unwrap();
    assert_eq!(contents.read(0, id(1)).unwrap(), std::slice::from_ref(&first));
    writer.append(std::slice::from_ref(&third)).unwrap();
    contents.refresh().unwrap();
    contents.refresh().unwrap();
    assert_eq!(contents.read(0, id(1)).unwrap(), [first, third]);
    assert_eq!(contents.read(0, id(2)).unwrap(), [second]);
    assert!(contents.read(1, id(2)).unwrap().is_empty());
    // It was removed, and begun anew.
    fs::remove_file(folder.file()).unwrap();
    contents.refresh().unwrap();
    assert!(contents.read(0, id(2)).unwrap().is_empty());
    writer.append(&[piece(9, 0, b"new", true)]).unwrap();
    contents.refresh().unwrap();
    assert_eq!(contents.read(0, id(9)).unwrap(), [piece(9, 0, b"new", true)]);
}

#[test]
fn no_more_is_loaded_than_there_is_room_for() {
    let folder = Stores::new();
    let store = folder.store(LIMIT);
    let mut writer = store.writer(SERVER, "a.jp2", "state").unwrap();
    for number in 0..10 {
        writer.append(&[piece(number, 0, &[7; 1000], true)]).unwrap();
    }
    for memory in [0, 5000, 10_000, 100_000] {
        let kept = store.load_within(SERVER, "a.jp2", Some(memory)).unwrap().unwrap();
        assert!(kept.bins.memory() <= memory);
        assert_eq!(kept.whole, memory == 100_000);
        assert_eq!(kept.bins.ids().count() == 10, kept.whole);
    }
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), signed in any::<bool>()) {
        let signature = if signed { &record::SIGNATURE[..] } else { &[] };
        let bytes = [signature, &bytes].concat();
        if let Some(mut reader) = Reader::start(&bytes[..]).unwrap() {
            while reader.next().unwrap().is_some() {}
            prop_assert!(reader.sound() <= bytes.len() as u64);
        }
    }

    #[test]
    fn any_pieces_come_back(parts in prop::collection::vec((0u32..3, 0u64..4, 0u64..30, prop::collection::vec(any::<u8>(), 0..20), any::<bool>()), 0..20)) {
        let pieces: Vec<BinPiece> = parts
            .into_iter()
            .map(|(codestream, number, offset, bytes, last)| BinPiece { codestream, id: DataBinId::Precinct(number), offset, bytes, last })
            .collect();
        let mut bytes = record::SIGNATURE.to_vec();
        for piece in &pieces {
            record::write_piece(piece, &mut bytes);
        }
        let mut reader = Reader::start(&bytes[..]).unwrap().unwrap();
        for piece in pieces {
            prop_assert_eq!(reader.next().unwrap(), Some(Record::Piece(piece)));
        }
        prop_assert_eq!(reader.next().unwrap(), None);
        prop_assert_eq!(reader.sound(), bytes.len() as u64);
    }
}
