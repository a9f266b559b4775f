//! The packets of a precinct as bytes: 8 of parameters, then the data-bin.

use wavetile_engine::low_level::codestream::header::MainHeader;
use wavetile_engine::low_level::codestream::precinct::{Contribution, Precinct};
use wavetile_engine::low_level::codestream::tile::Tile;
use wavetile_engine::{Error, Limits};
use wavetile_testing::codestream::Header;

/// A tile of one component, and the data-bin of the only precinct of one of its resolutions.
pub struct PacketsInput<'a> {
    tile: Tile,
    resolution: u32,
    bin: &'a [u8],
}

impl<'a> PacketsInput<'a> {
    /// Reads any bytes; `None` if they are too few for the parameters.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[width, height, layers, cod, code_block, style, guard, resolution], bin) =
            bytes.split_first_chunk()?;
        let (width, height) = (u32::from(width) * 4 + 1, u32::from(height) * 4 + 1);
        // SOP and EPH as they come; code-blocks of 4 x 4 to 32 x 32.
        let header = Header {
            delimiters: cod & 6,
            layers: u16::from(layers) + 1,
            levels: 1,
            code_block: ((code_block & 3) + 2, (code_block >> 2 & 3) + 2),
            style,
            guard_bits: guard >> 5,
            exponent: 9,
            ..Header::untiled(width, height)
        };
        let header = MainHeader::parse(&header.write(), &Limits::strict()).expect("a sound header");
        let tile = Tile::new(&header, 0, header.tile_parameters.clone()).expect("sound parameters");
        Some(Self { tile, resolution: u32::from(resolution & 1), bin })
    }

    /// Reads the packets at once and in pieces, which must come to the same.
    pub fn read(&self) {
        let Some(at_once) = self.read_pieces(self.bin.len().max(1)) else { return };
        for piece in [1, 7] {
            // Byte by byte takes its time.
            if self.bin.len() < 300 * piece {
                assert_eq!(self.read_pieces(piece).as_ref(), Some(&at_once), "pieces of {piece}");
            }
        }
    }

    /// What the packets say, and the error that they end with; `None` for a style that is not supported.
    fn read_pieces(&self, piece: usize) -> Option<(Vec<Contribution>, u16, Option<String>)> {
        let mut precinct = Precinct::new(&self.tile, 0, self.resolution, 0, &Limits::strict()).ok()?;
        let mut held = 0;
        let mut failure = None;
        loop {
            held = (held + piece).min(self.bin.len());
            let complete = held == self.bin.len();
            match precinct.read(&self.bin[..held], complete) {
                Ok(()) => {}
                // With how many bytes the work has to be earned is another matter.
                Err(Error::Limit(_)) => return None,
                Err(error) => failure = Some(error.to_string()),
            }
            if complete {
                return Some((precinct.contributions().to_vec(), precinct.layers, failure));
            }
        }
    }
}
