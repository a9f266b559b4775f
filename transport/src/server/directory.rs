//! The pictures under a directory. A target is only ever compared with names that were listed under one root; it never
//! becomes a path.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use wavetile_engine::byte_source::FileSource;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{Limits, Result};

use crate::jpip::ServedPicture;
use crate::jpip::server::catalogue::{Catalogue, OfferedPicture, TargetError, target_id};

/// Opens a listed file.
pub type OpenPicture = Box<dyn Fn(&Path) -> Result<Arc<dyn ServedPicture>> + Send + Sync>;

/// The pictures under a directory, by their relative path with `/` between its parts. Files that a link leads to outside of
/// it are left out. New files are found when they are asked for.
pub struct Directory {
    root: PathBuf,
    open: OpenPicture,
    /// Most pictures to keep open.
    most_open: usize,
    /// Held for look-ups alone: files are listed and opened without it.
    known: Mutex<Known>,
}

struct Known {
    names: BTreeMap<String, PathBuf>,
    listed: Option<Duration>,
    /// Opened pictures, the most recently used last.
    opened: Vec<Opened>,
}

#[derive(Clone)]
struct Opened {
    offered: Arc<OfferedPicture>,
    /// What its file was like.
    stamp: Option<Stamp>,
}

/// What changes when a file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

/// Extensions of files that are listed, in lower case.
pub const EXTENSIONS: [&str; 8] = ["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jph", "jhc"];

/// Directories in directories that are looked into.
const MOST_DEPTH: usize = 32;

/// Files that are listed.
const MOST_FILES: usize = 1 << 20;

/// Least time between two listings.
const LISTING_PAUSE: Duration = Duration::from_secs(2);

impl Directory {
    /// The pictures under `root`, each opened by `open`. Lists them, so it waits for the disk.
    ///
    /// # Errors
    /// `root` is no directory that can be read.
    pub fn new(root: impl AsRef<Path>, open: OpenPicture) -> io::Result<Self> {
        let root = root.as_ref().canonicalize()?;
        let known = Known { names: list(&root)?, listed: None, opened: Vec::new() };
        Ok(Self { root, open, most_open: 64, known: Mutex::new(known) })
    }

    /// The JPEG 2000 files under `root`, read within `limits`. Lists them, so it waits for the disk.
    ///
    /// # Errors
    /// `root` is no directory that can be read.
    pub fn files(root: impl AsRef<Path>, limits: Limits) -> io::Result<Self> {
        let open = move |path: &Path| -> Result<Arc<dyn ServedPicture>> {
            Ok(Arc::new(IndexedFile::open(FileSource::open(path)?, &limits)?))
        };
        Self::new(root, Box::new(open))
    }

    /// Keeps at most this many files open (64 by default, at least 1).
    #[must_use]
    pub fn keep_open(mut self, most: usize) -> Self {
        self.most_open = most.max(1);
        self
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the picture called `name` is. If it is not known, the directory is listed anew, but not all the time.
    fn path(&self, name: &str, now: Duration) -> Result<PathBuf, TargetError> {
        {
            let mut known = self.known();
            if let Some(path) = known.names.get(name) {
                return Ok(path.clone());
            }
            if known.listed.is_some_and(|at| at + LISTING_PAUSE > now) {
                return Err(TargetError::Unknown);
            }
            known.listed = Some(now);
        }
        let names = list(&self.root).map_err(|error| TargetError::Unreadable(error.into()))?;
        let path = names.get(name).cloned();
        self.known().names = names;
        path.ok_or(TargetError::Unknown)
    }
}

impl Catalogue for Directory {
    fn names(&self) -> Vec<String> {
        self.known().names.keys().cloned().collect()
    }

    /// The picture called `name`, opened if it was not, and opened again if its file has changed.
    fn find(&self, name: &str, now: Duration) -> Result<Arc<OfferedPicture>, TargetError> {
        // A file may have gone, or become a link, since it was listed.
        let path = self.path(name, now)?.canonicalize().ok().filter(|path| path.starts_with(&self.root));
        let path = path.ok_or(TargetError::Unknown)?;
        let stamp = Stamp::of(&path);
        let kept = self.known().opened.iter().find(|opened| opened.offered.name == name).cloned();
        let opened = match kept.filter(|opened| opened.stamp == stamp) {
            Some(opened) => opened,
            None => {
                let picture = (self.open)(&path).map_err(TargetError::Unreadable)?;
                let target_id = target_id(name.bytes().chain(stamp.iter().flat_map(Stamp::bytes)));
                let has_changed = move || Stamp::of(&path) != stamp;
                let offered = OfferedPicture::new(name, target_id, picture).with_watch(has_changed);
                Opened { offered: Arc::new(offered), stamp }
            }
        };
        let offered = opened.offered.clone();
        let mut known = self.known();
        // This makes it the last one used. Another request may have opened it meanwhile.
        known.opened.retain(|other| other.offered.name != name);
        if known.opened.len() >= self.most_open {
            known.opened.remove(0);
        }
        known.opened.push(opened);
        Ok(offered)
    }
}

/// All pictures below `root`.
fn list(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut names = BTreeMap::new();
    let mut seen = HashSet::from([root.to_owned()]);
    let mut directories = vec![(root.to_owned(), String::new(), 0)];
    while let Some((directory, prefix, depth)) = directories.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let (Ok(file_name), Ok(path)) = (entry.file_name().into_string(), entry.path().canonicalize())
            else {
                continue;
            };
            if !path.starts_with(root) || names.len() >= MOST_FILES {
                continue;
            }
            let name = format!("{prefix}{file_name}");
            if path.is_dir() {
                if depth < MOST_DEPTH && seen.insert(path.clone()) {
                    directories.push((path, format!("{name}/"), depth + 1));
                }
            } else if path.is_file() && is_picture(Path::new(&file_name)) {
                names.insert(name, path);
            }
        }
    }
    Ok(names)
}

fn is_picture(name: &Path) -> bool {
    let extension = name.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

impl Stamp {
    /// `None` if there is no file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self { length: metadata.len(), modified: metadata.modified().ok() })
    }

    fn bytes(&self) -> Vec<u8> {
        let modified =
            self.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        let modified = modified.unwrap_or_default().as_nanos().to_be_bytes();
        self.length.to_be_bytes().into_iter().chain(modified).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::jpip::testing::Synthetic;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use wavetile_testing::running::Folder;

    /// Pictures in `root`, and beside it what is not served.
    fn scratch() -> Folder {
        let folder = Folder::new("directory");
        std::fs::create_dir_all(folder.join("root/deep")).unwrap();
        for file in ["root/a.jp2", "root/deep/b.J2K", "root/notes.txt", "secret.jp2"] {
            folder.file(file, file);
        }
        folder
    }

    fn directory(scratch: &Folder) -> (Directory, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let open: OpenPicture = Box::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Synthetic::new()))
        });
        (Directory::new(scratch.join("root"), open).unwrap(), count)
    }

    #[test]
    fn pictures_are_listed_by_relative_name_and_nothing_else_is_found() {
        let scratch = scratch();
        let (directory, _) = directory(&scratch);
        assert_eq!(directory.names(), ["a.jp2", "deep/b.J2K"]);
        for name in
            ["../secret.jp2", "/a.jp2", "./a.jp2", "deep/../a.jp2", "notes.txt", "", "a.jp2\0", "A.jp2"]
        {
            assert!(matches!(directory.find(name, Duration::ZERO), Err(TargetError::Unknown)), "{name:?}");
        }
        let found = directory.find("deep/b.J2K", Duration::ZERO).unwrap();
        assert_eq!(found.name, "deep/b.J2K");
        assert!(!found.target_id.contains("deep") && found.target_id.len() == 32);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_leave_the_root_are_left_out() {
        use std::os::unix::fs::symlink;
        let scratch = scratch();
        symlink(scratch.join("secret.jp2"), scratch.join("root/out.jp2")).unwrap();
        symlink(&scratch, scratch.join("root/up")).unwrap();
        symlink(scratch.join("root"), scratch.join("root/deep/loop")).unwrap();
        symlink("a.jp2", scratch.join("root/inside.jp2")).unwrap();
        let (directory, _) = directory(&scratch);
        assert_eq!(directory.names(), ["a.jp2", "deep/b.J2K", "inside.jp2"]);
        // A listed file that becomes such a link is not followed either.
        std::fs::remove_file(scratch.join("root/a.jp2")).unwrap();
        symlink(scratch.join("secret.jp2"), scratch.join("root/a.jp2")).unwrap();
        assert!(matches!(directory.find("a.jp2", Duration::ZERO), Err(TargetError::Unknown)));
    }

    #[test]
    fn new_files_are_found_but_the_directory_is_not_read_all_the_time() {
        let scratch = scratch();
        let (directory, _) = directory(&scratch);
        assert!(directory.find("c.jph", Duration::ZERO).is_err());
        std::fs::write(scratch.join("root/c.jph"), "c").unwrap();
        assert!(directory.find("c.jph", Duration::from_secs(1)).is_err());
        assert!(directory.find("c.jph", Duration::from_secs(2)).is_ok());
    }

    #[test]
    fn files_stay_open_up_to_a_bound_and_are_opened_again_when_they_change() {
        let scratch = scratch();
        let (directory, count) = directory(&scratch);
        let directory = directory.keep_open(1);
        let first = directory.find("a.jp2", Duration::ZERO).unwrap().target_id.clone();
        directory.find("a.jp2", Duration::ZERO).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        directory.find("deep/b.J2K", Duration::ZERO).unwrap();
        assert_eq!(directory.find("a.jp2", Duration::ZERO).unwrap().target_id, first);
        assert_eq!(count.load(Ordering::Relaxed), 3);
        std::fs::write(scratch.join("root/a.jp2"), "something else").unwrap();
        assert_ne!(directory.find("a.jp2", Duration::ZERO).unwrap().target_id, first);
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }
}
