//! Appends to a cache file that other processes may append to as well.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::record::{Identity, Reader, Record, SIGNATURE, write_piece};
use super::{Store, TRIM_SHARE};
use crate::jpip::BinPiece;

/// Keeps what is received of one state of one picture.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    identity: Identity,
    path: PathBuf,
    file: File,
    /// Bytes of the file that are known to be sound.
    sound: u64,
    /// Bytes written since the store was last kept within its limit.
    since_trim: u64,
}

impl Writer {
    pub(super) fn open(store: Store, identity: Identity, path: PathBuf) -> io::Result<Self> {
        let file = open(&path)?;
        store.trim(Some(&path), store.calm());
        Ok(Self { store, identity, path, file, sound: 0, since_trim: 0 })
    }

    /// Appends `pieces`. `false`: they find no room, as this picture alone takes all that the store may.
    ///
    /// # Errors
    /// The file cannot be written. What it held stays as it was.
    pub fn append(&mut self, pieces: &[BinPiece]) -> io::Result<bool> {
        let mut records = Vec::new();
        for piece in pieces {
            write_piece(piece, &mut records);
        }
        let length = records.len() as u64;
        if self.since_trim.saturating_add(length) >= self.store.limit() / TRIM_SHARE {
            self.store.trim(Some(&self.path), self.store.calm().saturating_sub(length));
            self.since_trim = 0;
        }
        // Another process may have removed it, to keep the limit.
        if std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len()) != self.file.metadata()?.len() {
            (self.file, self.sound) = (open(&self.path)?, 0);
        }
        self.file.lock()?;
        let written = self.append_locked(&records);
        self.file.unlock()?;
        let written = written?;
        if written {
            self.since_trim += length;
        }
        Ok(written)
    }

    /// Changes when the file counts as used.
    #[cfg(test)]
    pub(super) fn touch(&self, time: std::time::SystemTime) -> io::Result<()> {
        self.file.set_modified(time)
    }

    fn append_locked(&mut self, records: &[u8]) -> io::Result<bool> {
        self.find_end()?;
        if self.sound.saturating_add(records.len() as u64) > self.store.calm() {
            return Ok(false);
        }
        self.file.seek(SeekFrom::Start(self.sound))?;
        if let Err(error) = self.file.write_all(records) {
            // The disk is full, most likely: what was written of them is torn.
            self.file.set_len(self.sound)?;
            return Err(error);
        }
        self.sound += records.len() as u64;
        Ok(true)
    }

    /// Takes in what other processes have written meanwhile, and drops a record that one of them did not finish.
    fn find_end(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length == self.sound && length > 0 {
            return Ok(());
        }
        let mut sound = self.sound.min(length);
        if sound > 0 {
            self.file.seek(SeekFrom::Start(sound))?;
            let mut reader = Reader::resume(BufReader::new(&self.file), sound);
            while reader.next()?.is_some() {}
            sound = reader.sound();
        } else {
            self.file.seek(SeekFrom::Start(0))?;
            if let Some(mut reader) = Reader::start(BufReader::new(&self.file))?
                && reader.next()? == Some(Record::Identity(self.identity.clone()))
            {
                while reader.next()?.is_some() {}
                sound = reader.sound();
            }
        }
        if sound < length {
            self.file.set_len(sound)?;
        }
        if sound == 0 {
            let mut head = SIGNATURE.to_vec();
            self.identity.write(&mut head);
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&head)?;
            sound = head.len() as u64;
        }
        self.sound = sound;
        Ok(())
    }
}

fn open(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}
