//! Opening enormous pictures: memory and work follow what is decoded, not what the header claims.
#![allow(clippy::unwrap_used)]

use peak_alloc::PeakAlloc;
use std::sync::{Arc, Mutex, PoisonError};
use wavetile_engine::image::{DecodeRequest, Image};
use wavetile_engine::source::{ByteSource, IndexedFile};
use wavetile_engine::{Decoder, Limits, Rect};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: they measure the memory of the program.
static ALONE: Mutex<()> = Mutex::new(());

const SIZE: (u32, u32) = (200_000, 100_000);
const LEVELS: u8 = 10;
/// Precincts are 256 x 256, those of the coarsest resolution 64 x 64, a code-block each.
const COARSEST: u8 = 0x66;
const PRECINCT: u8 = 0x88;

/// What the file has beside the packets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pointers {
    None,
    Plt,
    Tlm,
}

fn segment(marker: u16, payload: &[u8]) -> Vec<u8> {
    [&marker.to_be_bytes()[..], &(payload.len() as u16 + 2).to_be_bytes(), payload].concat()
}

/// Precincts of all three components: of the coarsest resolution, and of all others.
fn precincts() -> (usize, usize) {
    let count = |level: u8, exponent: u32| {
        let along = |length: u32| length.div_ceil(1 << level).div_ceil(1 << exponent) as usize;
        3 * along(SIZE.0) * along(SIZE.1)
    };
    (count(LEVELS, 6), (0..LEVELS).map(|level| count(level, 8)).sum())
}

/// A 5/3 picture in one tile with a packet for every precinct. Those of the coarsest resolution hold a
/// code-block each, the others nothing. `progression`: 1 is RLCP, 2 RPCL.
fn enormous(pointers: Pointers, progression: u8) -> Vec<u8> {
    let mut siz = vec![0, 0];
    for number in [SIZE.0, SIZE.1, 0, 0, SIZE.0, SIZE.1, 0, 0] {
        siz.extend(number.to_be_bytes());
    }
    siz.extend([0, 3, 7, 1, 1, 7, 1, 1, 7, 1, 1]);
    // User-defined precincts; one layer, no component transform, 64 x 64 code-blocks.
    let mut cod = vec![1, progression, 0, 1, 0, LEVELS, 4, 4, 0, 1, COARSEST];
    cod.extend([PRECINCT; LEVELS as usize]);
    let mut qcd = vec![2 << 5];
    qcd.extend([10 << 3; 3 * LEVELS as usize + 1]);

    let (coarse, fine) = precincts();
    // Not empty; included; no empty bit-planes; one pass; a length of three bits: 4.
    let coded = [0b1110_0100, 0x12, 0x34, 0x56, 0x78];
    let (mut packets, mut lengths) = (Vec::new(), Vec::new());
    for _ in 0..coarse {
        packets.extend(coded);
        lengths.push(coded.len() as u8);
    }
    packets.resize(packets.len() + fine, 0);
    lengths.resize(coarse + fine, 1);

    let mut tile_header = Vec::new();
    if pointers == Pointers::Plt {
        for (index, lengths) in (0u8..).zip(lengths.chunks(60_000)) {
            tile_header.extend(segment(0xFF58, &[&[index], lengths].concat()));
        }
    }
    let length = (12 + tile_header.len() + 2 + packets.len()) as u32;
    let mut main =
        [vec![0xFF, 0x4F], segment(0xFF51, &siz), segment(0xFF52, &cod), segment(0xFF5C, &qcd)].concat();
    if pointers == Pointers::Tlm {
        main.extend(segment(0xFF55, &[&[0, 0x40][..], &length.to_be_bytes()].concat()));
    }
    let sot = [&[0, 0][..], &length.to_be_bytes(), &[0, 1]].concat();
    [main, segment(0xFF90, &sot), tile_header, vec![0xFF, 0x93], packets, vec![0xFF, 0xD9]].concat()
}

/// A source that counts what is read.
struct Counting {
    bytes: Vec<u8>,
    read: Mutex<u64>,
}

impl ByteSource for Counting {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        *self.read.lock().unwrap() += buffer.len() as u64;
        self.bytes.read_at(offset, buffer)
    }
}

/// Opens the file and decodes an overview of 782 x 391. Returns the most memory held meanwhile, and bytes read.
fn open(bytes: Vec<u8>) -> (usize, u64) {
    let source = Arc::new(Counting { bytes, read: Mutex::new(0) });
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let file = IndexedFile::open(source.clone(), &Limits::default()).unwrap();
    let image = Image::open(&file, &Limits::default()).unwrap().unwrap();
    assert_eq!(image.area(), Rect::new(0, 0, SIZE.0, SIZE.1));
    let request = DecodeRequest { reduce: 8, ..DecodeRequest::default() };
    let (components, report) = Decoder::cpu().components(&image, &file, &request).unwrap();
    assert_eq!((components.len(), components[0].samples.len()), (3, 782 * 391));
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.coverage.blocks_coded, precincts().0 as u64);
    let peak = MEMORY.peak_usage() - before;
    let read = *source.read.lock().unwrap();
    (peak, read)
}

#[test]
fn an_overview_of_an_enormous_picture_takes_little_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for pointers in [Pointers::None, Pointers::Tlm, Pointers::Plt] {
        for progression in [1, 2] {
            let bytes = enormous(pointers, progression);
            let whole = bytes.len() as u64;
            let (peak, read) = open(bytes);
            println!("{pointers:?}, {progression}: {whole} bytes, {read} read, at most {peak} held");
            assert!(peak < 64 << 20, "{pointers:?}, {progression}: {peak} bytes held");
            // Of the packets, what the overview has and some ahead; a header with PLT in steps that grow.
            let header = if pointers == Pointers::Plt { 2 * whole } else { 0 };
            assert!(read < header + (1 << 18), "{pointers:?}, {progression}: {read} of {whole} bytes read");
        }
    }
}

#[test]
fn a_corner_at_full_size_holds_the_index_and_little_more() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for pointers in [Pointers::None, Pointers::Plt] {
        let bytes = enormous(pointers, 2);
        let (whole, before) = (bytes.len(), MEMORY.current_usage());
        MEMORY.reset_peak_usage();
        let file = IndexedFile::open(bytes, &Limits::default()).unwrap();
        let image = Image::open(&file, &Limits::default()).unwrap().unwrap();
        let last = Rect::new(SIZE.0 - 512, SIZE.1 - 512, SIZE.0, SIZE.1);
        let request = DecodeRequest { region: Some(last), ..DecodeRequest::default() };
        let (_, report) = Decoder::cpu().components(&image, &file, &request).unwrap();
        assert!(report.is_complete());
        let peak = MEMORY.peak_usage() - before;
        println!("{pointers:?}: {whole} bytes, at most {peak} held");
        assert!(peak < 96 << 20, "{pointers:?}: {peak} bytes held");
    }
}
