//! Reads single data-bins out of a cache file that grows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use wavetile_engine::data_bin::DataBinId;

use super::record::{Reader, Record};
use crate::jpip::BinPiece;

/// What a file holds, and where. Memory is bounded by the number of pieces in it: some hundred bytes for each bin.
#[derive(Debug)]
pub struct Contents {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of the file that were looked through.
    sound: u64,
    /// Where the records of each bin begin.
    places: HashMap<(u32, DataBinId), Vec<u64>>,
}

impl Contents {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, sound: 0, places: HashMap::new() }
    }

    /// Takes in what was written since the last time.
    ///
    /// # Errors
    /// The file cannot be read. That there is none is no error.
    pub fn refresh(&mut self) -> io::Result<()> {
        let length = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if length < self.sound {
            // It was removed, to keep the limit.
            *self = Self::new(std::mem::take(&mut self.path));
        }
        if length <= self.sound {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(File::open(&self.path)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.seek(SeekFrom::Start(self.sound))?;
        let mut reader = match self.sound {
            0 => match Reader::start(BufReader::new(&*file))? {
                Some(reader) => reader,
                None => return Ok(()),
            },
            sound => Reader::resume(BufReader::new(&*file), sound),
        };
        loop {
            let at = reader.sound();
            let Some(record) = reader.next()? else { break };
            if let Record::Piece(piece) = record {
                self.places.entry((piece.codestream, piece.id)).or_default().push(at);
            }
        }
        self.sound = reader.sound();
        Ok(())
    }

    /// The pieces of a bin, in the order in which they were received; none if it is not there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self, codestream: u32, id: DataBinId) -> io::Result<Vec<BinPiece>> {
        let (Some(places), Some(file)) = (self.places.get(&(codestream, id)), &mut self.file) else {
            return Ok(Vec::new());
        };
        let mut pieces = Vec::new();
        for &place in places {
            file.seek(SeekFrom::Start(place))?;
            // The file may have been damaged since.
            if let Some(Record::Piece(piece)) = Reader::resume(BufReader::new(&*file), place).next()?
                && (piece.codestream, piece.id) == (codestream, id)
            {
                pieces.push(piece);
            }
        }
        Ok(pieces)
    }
}
