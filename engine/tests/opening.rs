//! Opening enormous pictures: memory and work follow what is decoded, not what the header claims.
#![allow(clippy::unwrap_used)]

use peak_alloc::PeakAlloc;
use std::sync::{Arc, Mutex, PoisonError};
use wavetile_engine::byte_source::ByteSource;
use wavetile_engine::{DecodeRequest, Decoder, Image, Rect};
use wavetile_testing::codestream::{OneTile, Pointers};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: they measure the memory of the program.
static ALONE: Mutex<()> = Mutex::new(());

const SIZE: (u32, u32) = (200_000, 100_000);

/// A picture in a precinct for every 256 x 256 samples of each resolution, 64 x 64 of the coarsest, whose packets
/// hold a code-block each; the others are empty.
fn enormous(pointers: Pointers) -> OneTile {
    OneTile {
        size: SIZE,
        components: 3,
        levels: 10,
        irreversible: false,
        precincts: (6, 8),
        coded: 1,
        passes: 1,
        bytes: 4,
        pointers,
    }
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
fn open(picture: &OneTile, bytes: Vec<u8>) -> (usize, u64) {
    let source = Arc::new(Counting { bytes, read: Mutex::new(0) });
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let image = Image::open(source.clone()).unwrap();
    assert_eq!(image.area(), Rect::new(0, 0, SIZE.0, SIZE.1));
    let request = DecodeRequest::new().reduce(8);
    let (components, report) = Decoder::cpu().components(&image, &request).unwrap();
    assert_eq!((components.len(), components[0].samples.len()), (3, 782 * 391));
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.coverage.blocks_coded, picture.blocks());
    let peak = MEMORY.peak_usage() - before;
    let read = *source.read.lock().unwrap();
    (peak, read)
}

#[test]
fn an_overview_of_an_enormous_picture_takes_little_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for pointers in [Pointers::None, Pointers::Tlm, Pointers::Plt] {
        let picture = enormous(pointers);
        let bytes = picture.write();
        let whole = bytes.len() as u64;
        let (peak, read) = open(&picture, bytes);
        println!("{pointers:?}: {whole} bytes, {read} read, at most {peak} held");
        assert!(peak < 64 << 20, "{pointers:?}: {peak} bytes held");
        // Of the packets, what the overview has and some ahead; a header with PLT in steps that grow.
        let header = if pointers == Pointers::Plt { 2 * whole } else { 0 };
        assert!(read < header + (1 << 18), "{pointers:?}: {read} of {whole} bytes read");
    }
}

#[test]
fn a_corner_at_full_size_holds_the_index_and_little_more() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for pointers in [Pointers::None, Pointers::Plt] {
        let bytes = enormous(pointers).write();
        let (whole, before) = (bytes.len(), MEMORY.current_usage());
        MEMORY.reset_peak_usage();
        let image = Image::open(bytes).unwrap();
        let last = Rect::new(SIZE.0 - 512, SIZE.1 - 512, SIZE.0, SIZE.1);
        let request = DecodeRequest::new().region(last);
        let (_, report) = Decoder::cpu().components(&image, &request).unwrap();
        assert!(report.is_complete());
        let peak = MEMORY.peak_usage() - before;
        println!("{pointers:?}: {whole} bytes, at most {peak} held");
        assert!(peak < 96 << 20, "{pointers:?}: {peak} bytes held");
    }
}
