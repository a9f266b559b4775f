//! Each limit, crossed by one and kept: hostile claims cost nothing, and what is refused is named.
#![allow(clippy::unwrap_used)]

use wavetile_engine::{DecodeRequest, Decoder, Error, ImageOptions, Limits, Rect};
use wavetile_testing::codestream::{Component, Header};

/// A codestream in the making: grey or many components of 8 bits, reversible, not quantised.
#[derive(Clone)]
struct Codestream {
    image: (u32, u32),
    tile: (u32, u32),
    components: u16,
    layers: u16,
    levels: u8,
    /// log2 of width and height.
    code_block: u8,
    /// log2 of width and height, in all resolutions; 2^15 if not given.
    precinct: Option<u8>,
    /// The packets of the first tile.
    packets: Vec<u8>,
}

impl Default for Codestream {
    fn default() -> Self {
        Self {
            image: (64, 64),
            tile: (64, 64),
            components: 1,
            layers: 1,
            levels: 0,
            code_block: 6,
            precinct: None,
            packets: Vec::new(),
        }
    }
}

impl Codestream {
    fn bytes(&self) -> Vec<u8> {
        let header = Header {
            image: [0, 0, self.image.0, self.image.1],
            tile: [0, 0, self.tile.0, self.tile.1],
            components: vec![Component::GREY; self.components.into()],
            layers: self.layers,
            levels: self.levels,
            code_block: (self.code_block, self.code_block),
            precincts: self.precinct.map_or(Vec::new(), |p| vec![p | p << 4; usize::from(self.levels) + 1]),
            ..Header::default()
        };
        header.codestream(&self.packets)
    }

    /// Opens it and decodes `region`, or all.
    fn decode(&self, limits: &Limits, region: Option<Rect>) -> Result<(), Error> {
        let image = ImageOptions::new().limits(limits.clone()).open(self.bytes())?;
        let request = DecodeRequest::new().region(region);
        Decoder::cpu().components(&image, &request).map(drop)
    }

    /// Decodes under limits that hold `wanted` exactly, and under those that are one less.
    fn crosses(&self, set: fn(&mut Limits, u64), wanted: u64, named: &str) {
        let mut limits = Limits::default();
        set(&mut limits, wanted);
        self.decode(&limits, None).unwrap();
        set(&mut limits, wanted - 1);
        match self.decode(&limits, None) {
            Err(Error::Limit(error)) => {
                assert!(error.what.contains(named), "{error}");
                assert_eq!((error.wanted, error.limit), (wanted, wanted - 1), "{error}");
            }
            other => panic!("{named}: {other:?}"),
        }
    }
}

#[test]
fn dimensions() {
    let set: fn(&mut Limits, u64) = |limits, value| limits.max_dimension = value as u32;
    Codestream { image: (65, 3), ..Codestream::default() }.crosses(set, 65, "width");
    Codestream { image: (3, 65), ..Codestream::default() }.crosses(set, 65, "height");
}

#[test]
fn tiles() {
    let codestream = Codestream { tile: (16, 32), ..Codestream::default() };
    codestream.crosses(|limits, value| limits.max_tiles = value as u32, 8, "tiles");
}

#[test]
fn components() {
    let codestream = Codestream { components: 5, ..Codestream::default() };
    codestream.crosses(|limits, value| limits.max_components = value as u32, 5, "components");
}

#[test]
fn resolutions_per_tile() {
    let codestream = Codestream { components: 5, levels: 32, ..Codestream::default() };
    codestream.crosses(
        |limits, value| limits.max_resolutions_per_tile = value,
        5 * 33,
        "resolution levels of a tile",
    );
}

#[test]
fn code_blocks_per_precinct() {
    // One packet that includes nothing.
    let codestream = Codestream { code_block: 2, packets: vec![0x80], ..Codestream::default() };
    let set: fn(&mut Limits, u64) = |limits, value| limits.max_code_blocks_per_precinct = value;
    codestream.crosses(set, 16 * 16, "code-blocks of a precinct");
}

#[test]
fn code_blocks_precincts_and_resolutions_of_a_request() {
    let set: fn(&mut Limits, u64) = |limits, value| limits.max_code_blocks = value;
    let many = Codestream { precinct: Some(2), code_block: 2, ..Codestream::default() };
    many.crosses(set, 256, "precincts in a request");
    // The first of two precincts is counted before the second is looked at.
    let halves = Codestream { image: (128, 64), tile: (128, 64), precinct: Some(6), code_block: 2, ..many };
    let limits = Limits::default().max_code_blocks(255);
    let refused = halves.decode(&limits, None).unwrap_err().to_string();
    assert!(refused.starts_with("code-blocks in a request would be 256"), "{refused}");
    let deep = Codestream { image: (8, 8), tile: (1, 1), levels: 5, ..Codestream::default() };
    deep.crosses(|limits, value| limits.max_code_blocks = 4 * value, 64 * 6, "resolution levels of tiles");
}

#[test]
fn code_blocks_per_byte() {
    // 2^16 code-blocks a packet, a byte a packet: 64 are free, and 64 more need 2^16 a byte.
    let codestream = Codestream {
        image: (1024, 1024),
        tile: (1024, 1024),
        layers: 200,
        code_block: 2,
        packets: vec![0x80; 128],
        ..Codestream::default()
    };
    let decode = |max_code_blocks_per_byte| {
        codestream.decode(&Limits::default().max_code_blocks_per_byte(max_code_blocks_per_byte), None)
    };
    decode(1 << 16).unwrap();
    let refused = decode(1 << 14).unwrap_err();
    assert!(matches!(&refused, Error::Limit(error) if error.what.contains("packet headers")), "{refused}");
}

#[test]
fn bytes_of_a_request() {
    let decode = |codestream: &Codestream, max_bytes: u64, region| match codestream
        .decode(&Limits::default().max_bytes(max_bytes), region)
    {
        Ok(()) => String::new(),
        Err(Error::Limit(error)) => error.what.to_owned(),
        Err(other) => panic!("{other}"),
    };
    let plain = Codestream { image: (1000, 1000), tile: (1000, 1000), ..Codestream::default() };
    assert!(decode(&plain, 3_999_999, None).contains("output"));
    assert!(decode(&plain, 4_000_000, None).contains("tiles"));
    assert_eq!(decode(&plain, 16_000_000, None), "");
    // A corner of a huge picture is a small request.
    let huge = Codestream { image: (1 << 30, 1 << 30), tile: (1 << 30, 1 << 30), ..Codestream::default() };
    assert!(decode(&huge, 4 << 30, None).contains("output"));
    assert_eq!(decode(&huge, 16 << 20, Some(Rect::new(5, 5, 105, 105))), "");
}

#[test]
fn compressed_data_and_coefficients_count() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gradient.jp2");
    let bytes = std::fs::read(path).unwrap();
    let decode = |max_bytes: u64| {
        let limits = Limits::default().max_bytes(max_bytes);
        let image = ImageOptions::new().limits(limits).open(bytes.clone())?;
        Decoder::cpu().components(&image, &DecodeRequest::default()).map(drop)
    };
    // Every limit from too little to enough: each part of what a request holds is what breaks it somewhere.
    let mut named = std::collections::BTreeSet::new();
    let mut limit = 1 << 16;
    while let Err(error) = decode(limit) {
        let Error::Limit(error) = error else { panic!("{error}") };
        assert!(error.wanted > error.limit && error.limit == limit);
        named.insert(error.what);
        limit += 256;
    }
    for part in ["output", "tiles", "compressed data", "coefficients", "samples of a cell"] {
        assert!(named.iter().any(|what| what.contains(part)), "{part}: {named:?}");
    }
}

/// Found by flipping bits of p0_11: each of 16 256 cells looked at each of 65 025 tiles, which took minutes.
#[test]
fn tiles_and_cells_do_not_multiply() {
    let strip = Codestream { image: (65_025 * 128, 1), tile: (128, 1), ..Codestream::default() };
    let start = std::time::Instant::now();
    strip.decode(&Limits::default(), None).unwrap();
    // About a second; more on a busy machine.
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
}
