//! The form of a cache file: a signature, then records, each with its length and a checksum.
//!
//! ```text
//! file    "WTBINS1\n" record*
//! record  length u32, CRC-32 of the contents u32, contents
//! contents
//!   0  identity: server, target, target id, each with its length u32 before it; the first record, and only it
//!   1  piece: class u8, last u8, codestream u32, number u64, offset u64, bytes
//! ```
//!
//! Numbers are little-endian. Whatever does not agree with its checksum ends the file: it was torn off, or damaged.

use std::io::{self, Read};

use wavetile_engine::data_bin::DataBinId;

use crate::jpip::BinPiece;

pub(super) const SIGNATURE: &[u8; 8] = b"WTBINS1\n";

/// Most bytes of a record's contents; longer pieces are cut.
pub(super) const LONGEST: usize = 1 << 20;

/// Bytes of a piece's contents before its payload.
const PIECE_HEAD: usize = 1 + 1 + 1 + 4 + 8 + 8;

/// Whose bins a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) server: String,
    pub(super) target: String,
    pub(super) target_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Identity(Identity),
    Piece(BinPiece),
}

impl Identity {
    /// Appends its record.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut contents = vec![0];
        for text in [&self.server, &self.target, &self.target_id] {
            contents.extend((text.len() as u32).to_le_bytes());
            contents.extend(text.bytes());
        }
        seal(&contents, out);
    }

    fn read(mut contents: &[u8]) -> Option<Self> {
        let mut text = || {
            let length = u32::from_le_bytes(take(&mut contents)?) as usize;
            let (text, rest) = contents.split_at_checked(length)?;
            contents = rest;
            String::from_utf8(text.to_vec()).ok()
        };
        let identity = Self { server: text()?, target: text()?, target_id: text()? };
        contents.is_empty().then_some(identity)
    }
}

/// Appends the records of a piece.
pub(super) fn write_piece(piece: &BinPiece, out: &mut Vec<u8>) {
    let (class, number) = match piece.id {
        DataBinId::MainHeader => (0, 0),
        DataBinId::TileHeader(tile) => (1, tile.into()),
        DataBinId::Precinct(number) => (2, number),
        DataBinId::Tile(tile) => (3, tile.into()),
        DataBinId::Metadata(number) => (4, number),
    };
    let longest = LONGEST - PIECE_HEAD;
    let count = piece.bytes.len().div_ceil(longest).max(1);
    for index in 0..count {
        let start = index * longest;
        let bytes = &piece.bytes[start..piece.bytes.len().min(start + longest)];
        let last = piece.last && index + 1 == count;
        let mut contents = Vec::with_capacity(PIECE_HEAD + bytes.len());
        contents.extend([1, class, u8::from(last)]);
        contents.extend(piece.codestream.to_le_bytes());
        contents.extend(u64::to_le_bytes(number));
        // Where a bin lies so far behind that this wraps, nothing of it was held.
        contents.extend(piece.offset.wrapping_add(start as u64).to_le_bytes());
        contents.extend(bytes);
        seal(&contents, out);
    }
}

fn read_piece(mut contents: &[u8]) -> Option<BinPiece> {
    let [class, last] = take(&mut contents)?;
    let codestream = u32::from_le_bytes(take(&mut contents)?);
    let number = u64::from_le_bytes(take(&mut contents)?);
    let offset = u64::from_le_bytes(take(&mut contents)?);
    let id = match class {
        0 => DataBinId::MainHeader,
        1 => DataBinId::TileHeader(number.try_into().ok()?),
        2 => DataBinId::Precinct(number),
        3 => DataBinId::Tile(number.try_into().ok()?),
        4 => DataBinId::Metadata(number),
        _ => return None,
    };
    Some(BinPiece { codestream, id, offset, bytes: contents.to_vec(), last: last == 1 })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

fn seal(contents: &[u8], out: &mut Vec<u8>) {
    out.extend((contents.len() as u32).to_le_bytes());
    out.extend(crc32fast::hash(contents).to_le_bytes());
    out.extend(contents);
}

/// Reads records up to the first that is torn off or damaged.
pub(super) struct Reader<R> {
    input: R,
    /// Bytes of the file that are sound.
    sound: u64,
    contents: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Starts at a signature; `None` if there is none.
    pub(super) fn start(mut input: R) -> io::Result<Option<Self>> {
        let mut signature = [0; SIGNATURE.len()];
        let there = read(&mut input, &mut signature)? && signature == *SIGNATURE;
        Ok(there.then_some(Self { input, sound: SIGNATURE.len() as u64, contents: Vec::new() }))
    }

    /// Goes on after `sound` bytes, where `input` stands.
    pub(super) const fn resume(input: R, sound: u64) -> Self {
        Self { input, sound, contents: Vec::new() }
    }

    /// Bytes of the file up to the end of the record that was read last.
    pub(super) const fn sound(&self) -> u64 {
        self.sound
    }

    /// The next record; `None` at the end of what is sound.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let mut head = [0; 8];
        if !read(&mut self.input, &mut head)? {
            return Ok(None);
        }
        let [length, checksum] = [&head[..4], &head[4..]]
            .map(|half| half.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)));
        let length = length as usize;
        if length > LONGEST {
            return Ok(None);
        }
        self.contents.resize(length, 0);
        if !read(&mut self.input, &mut self.contents)? || crc32fast::hash(&self.contents) != checksum {
            return Ok(None);
        }
        let record = match self.contents.split_first() {
            Some((0, rest)) => Identity::read(rest).map(Record::Identity),
            Some((1, rest)) => read_piece(rest).map(Record::Piece),
            _ => None,
        };
        if record.is_some() {
            self.sound += (head.len() + length) as u64;
        }
        Ok(record)
    }
}

/// Fills `bytes`; `false` if the input ends before.
fn read(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
