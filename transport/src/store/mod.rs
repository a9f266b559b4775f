//! A cache of data-bins on disk: what was received of a picture is there when it is opened again, also without its server.
//!
//! A file holds one state of one picture: it is named after the server, the target and the state's identifier
//! (`JPIP-tid`). What a server gives no identifier for is not kept, as nothing would tell that it has changed.
//!
//! Files only grow, by records with checksums (`record`): a program that is killed while it writes loses the record it was
//! writing. Any number of processes can share a folder; they lock a file while they append to it. The store stays within
//! its limit, but for a sixteenth of it for each further process that writes; the files that were not used for longest go first.

mod contents;
mod record;
mod writer;

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wavetile_engine::data_bin::DataBinCache;

pub use contents::Contents;
use record::{Identity, Reader, Record};
pub use writer::Writer;

/// A folder with cached data-bins. Clones share their limit.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    limit: Arc<AtomicU64>,
}

/// What is kept of a picture.
#[derive(Debug)]
pub struct Kept {
    /// Which state of the picture it is.
    pub target_id: String,
    /// The data-bins, as far as they were received, and there is room for them.
    pub bins: DataBinCache,
    /// There was room for all of them.
    pub whole: bool,
}

impl Store {
    /// Uses `folder`, which is made if need be (on Unix for the user alone), for at most `limit` bytes.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: impl Into<PathBuf>, limit: u64) -> io::Result<Self> {
        let folder = folder.into();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self { folder, limit: Arc::new(AtomicU64::new(limit)) })
    }

    /// Most bytes that it may hold.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes how many bytes it may hold, for all clones, and removes what is too much at once: whole files, those that were not
    /// used for longest first. Waits for the disk. A file that is being written goes, too, where it alone is too long.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.trim(None, self.calm());
    }

    /// Up to here nothing needs to be removed.
    fn calm(&self) -> u64 {
        self.limit() - self.limit() / TRIM_SHARE
    }

    /// What is kept of the picture `target` of `server`: of the state that was used last, if of several.
    ///
    /// # Errors
    /// The folder or a file cannot be read. A damaged file is no error: what is sound of it counts.
    pub fn load(&self, server: &str, target: &str) -> io::Result<Option<Kept>> {
        self.load_within(server, target, None)
    }

    /// As [`load`](Self::load), as many of the data-bins as find room in `memory` bytes ([`DataBinCache::memory`]): what was
    /// received first.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_within(&self, server: &str, target: &str, memory: Option<u64>) -> io::Result<Option<Kept>> {
        let prefix = digest(&[server, target]);
        let mut files = self.files()?;
        files.retain(|file| file.name().starts_with(&prefix));
        files.sort_by_key(|file| std::cmp::Reverse(file.used));
        for KeptFile { path, .. } in files {
            let file = match File::open(&path) {
                Ok(file) => file,
                // Another process has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Some(kept) = read(&file, server, target, memory)? {
                // Only to be kept for longer.
                let _ = file.set_modified(SystemTime::now());
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    /// Keeps what is received of the state `target_id` of the picture `target` of `server`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn writer(&self, server: &str, target: &str, target_id: &str) -> io::Result<Writer> {
        let identity = Identity {
            server: server.to_owned(),
            target: target.to_owned(),
            target_id: target_id.to_owned(),
        };
        Writer::open(self.clone(), identity, self.path(server, target, target_id))
    }

    /// What is kept of the state `target_id` of the picture `target` of `server`, to be read bin by bin.
    #[must_use]
    pub fn contents(&self, server: &str, target: &str, target_id: &str) -> Contents {
        Contents::new(self.path(server, target, target_id))
    }

    fn path(&self, server: &str, target: &str, target_id: &str) -> PathBuf {
        let name = format!("{}-{}.{ENDING}", digest(&[server, target]), digest(&[target_id]));
        self.folder.join(name)
    }

    /// Bytes of all files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.files()?.iter().map(|file| file.bytes).sum())
    }

    /// Removes what was not used for longest until the rest has `most` bytes; `but` stays. What cannot be removed now will be
    /// next time.
    fn trim(&self, but: Option<&Path>, most: u64) {
        let Ok(mut files) = self.files() else { return };
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        files.sort_by_key(|file| file.used);
        for file in files.iter().filter(|file| Some(&*file.path) != but) {
            if bytes <= most {
                break;
            }
            if fs::remove_file(&file.path).is_ok() {
                bytes -= file.bytes;
            }
        }
    }

    fn files(&self) -> io::Result<Vec<KeptFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            if let Ok(metadata) = path.metadata() {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push(KeptFile { path, bytes: metadata.len(), used });
            }
        }
        Ok(files)
    }
}

struct KeptFile {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl KeptFile {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What `file` holds, if it is of that picture.
fn read(file: &File, server: &str, target: &str, memory: Option<u64>) -> io::Result<Option<Kept>> {
    let Some(mut reader) = Reader::start(BufReader::new(file))? else { return Ok(None) };
    let target_id = match reader.next()? {
        Some(Record::Identity(identity)) if identity.server == server && identity.target == target => {
            identity.target_id
        }
        _ => return Ok(None),
    };
    let (mut bins, mut whole) = (DataBinCache::new(), true);
    while let Some(record) = reader.next()? {
        let Record::Piece(piece) = record else { continue };
        let most = DataBinCache::most_added(piece.bytes.len());
        if memory.is_some_and(|memory| bins.memory().saturating_add(most) > memory) {
            whole = false;
            break;
        }
        bins.insert(piece.codestream, piece.id, piece.offset, &piece.bytes, piece.last);
    }
    Ok(Some(Kept { target_id, bins, whole }))
}

/// The first half of a SHA-256 of texts, each with its length, in hexadecimal.
fn digest(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

const ENDING: &str = "bins";
/// This part of the limit is kept free, and the store looked through whenever one of its writers has written as much.
const TRIM_SHARE: u64 = 16;

#[cfg(test)]
mod tests;
