//! The packets of a precinct as bytes: 8 of parameters, then the data-bin.

use wavetile_engine::codestream::header::MainHeader;
use wavetile_engine::codestream::precinct::{Contribution, Precinct};
use wavetile_engine::codestream::tile::Tile;
use wavetile_engine::{Error, Limits};

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
        let layers = u16::from(layers) + 1;
        let mut header = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0x40, 0];
        for value in [width, height, 0, 0, width, height, 0, 0] {
            header.extend(value.to_be_bytes());
        }
        header.extend([0, 1, 7, 1, 1]);
        // SOP and EPH as they come; code-blocks of 4 x 4 to 32 x 32.
        header.extend([0xFF, 0x52, 0, 12, cod & 6, 0]);
        header.extend(layers.to_be_bytes());
        header.extend([0, 1, code_block & 3, code_block >> 2 & 3, style, 1]);
        header.extend([0xFF, 0x5C, 0, 7, guard & 0xE0, 8 << 3, 9 << 3, 9 << 3, 10 << 3]);
        let header = MainHeader::parse(&header, &Limits::strict()).expect("a sound header");
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
