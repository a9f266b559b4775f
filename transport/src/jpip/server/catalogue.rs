//! The pictures a server offers. A target is only ever compared with names that were listed under one
//! root; it never becomes a path.

use super::picture::Picture;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use wavetile_engine::byte_source::FileSource;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{Limits, Result};

/// Opens a listed file.
pub type OpenPicture = Box<dyn Fn(&Path) -> Result<Arc<dyn Picture>> + Send>;

/// Pictures by name.
pub struct Catalogue {
    source: Source,
    /// Opened pictures, the most recently used last.
    opened: Vec<Arc<Offered>>,
    /// Most pictures to keep open.
    most_open: usize,
}

enum Source {
    Directory { root: PathBuf, open: OpenPicture, names: BTreeMap<String, PathBuf>, listed: Option<Duration> },
    Memory(BTreeMap<String, Arc<Offered>>),
}

/// A picture that is open.
pub(super) struct Offered {
    pub(super) name: String,
    /// Says nothing about the file but whether it is still the same.
    pub(super) target_id: String,
    pub(super) picture: Arc<dyn Picture>,
    /// Where its file is, and what that was like.
    file: Option<(PathBuf, Option<Stamp>)>,
}

impl Offered {
    /// Whether the file has been replaced, extended or removed since it was opened.
    pub(super) fn has_changed(&self) -> bool {
        self.file.as_ref().is_some_and(|(path, stamp)| Stamp::of(path) != *stamp)
    }
}

/// What changes when a file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

/// Why a target cannot be had.
#[derive(Debug)]
pub(super) enum TargetError {
    Unknown,
    Unreadable(wavetile_engine::Error),
}

/// Extensions of files that are listed, in lower case.
pub const EXTENSIONS: [&str; 8] = ["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jph", "jhc"];

/// Directories in directories that are looked into.
const MOST_DEPTH: usize = 32;

/// Files that are listed.
const MOST_FILES: usize = 1 << 20;

/// Least time between two listings.
const LISTING_PAUSE: Duration = Duration::from_secs(2);

impl Catalogue {
    /// The pictures under a directory, by their relative path with `/` between its parts. Files that a
    /// link leads to outside of `root` are left out. New files are found when they are asked for.
    ///
    /// # Errors
    /// `root` is no directory that can be read.
    pub fn directory(root: impl AsRef<Path>, open: OpenPicture) -> io::Result<Self> {
        let root = root.as_ref().canonicalize()?;
        let names = list(&root)?;
        let source = Source::Directory { root, open, names, listed: None };
        Ok(Self { source, opened: Vec::new(), most_open: 64 })
    }

    /// The JPEG 2000 files under a directory, read within `limits`.
    ///
    /// # Errors
    /// `root` is no directory that can be read.
    pub fn files(root: impl AsRef<Path>, limits: Limits) -> io::Result<Self> {
        let open = move |path: &Path| -> Result<Arc<dyn Picture>> {
            Ok(Arc::new(IndexedFile::open(FileSource::open(path)?, &limits)?))
        };
        Self::directory(root, Box::new(open))
    }

    /// Pictures that are already open, by name.
    pub fn memory(pictures: impl IntoIterator<Item = (String, Arc<dyn Picture>)>) -> Self {
        let offered = pictures.into_iter().map(|(name, picture)| {
            let length =
                picture.bin_len(DataBinId::MainHeader).ok().flatten().map_or(0, |length| length.bytes);
            let header = picture.read_bin(DataBinId::MainHeader, 0..length).unwrap_or_default();
            let target_id = target_id(name.bytes().chain(header));
            (name.clone(), Arc::new(Offered { name, target_id, picture, file: None }))
        });
        Self { source: Source::Memory(offered.collect()), opened: Vec::new(), most_open: 0 }
    }

    /// Keeps at most this many files open (64 by default, at least 1).
    #[must_use]
    pub fn keep_open(mut self, most: usize) -> Self {
        self.most_open = most.max(1);
        self
    }

    /// Names of the pictures, as of the last listing.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match &self.source {
            Source::Directory { names, .. } => names.keys().cloned().collect(),
            Source::Memory(pictures) => pictures.keys().cloned().collect(),
        }
    }

    /// The picture called `name`, opened if it was not, and opened again if its file has changed.
    pub(super) fn find(&mut self, name: &str, now: Duration) -> Result<Arc<Offered>, TargetError> {
        let (root, open, path) = match &mut self.source {
            Source::Memory(pictures) => return pictures.get(name).cloned().ok_or(TargetError::Unknown),
            Source::Directory { root, open, names, listed } => {
                if !names.contains_key(name) && listed.is_none_or(|at| at + LISTING_PAUSE <= now) {
                    *names = list(root).map_err(|error| TargetError::Unreadable(error.into()))?;
                    *listed = Some(now);
                }
                (root, open, names.get(name).ok_or(TargetError::Unknown)?)
            }
        };
        // A file may have gone, or become a link, since it was listed.
        let path =
            path.canonicalize().ok().filter(|path| path.starts_with(root)).ok_or(TargetError::Unknown)?;
        let stamp = Stamp::of(&path);
        let kept = self
            .opened
            .iter()
            .position(|offered| offered.name == name)
            .map(|index| self.opened.remove(index));
        let offered = match kept.filter(|offered| offered.file.as_ref().is_some_and(|known| known.1 == stamp))
        {
            Some(offered) => offered,
            None => {
                let picture = open(&path).map_err(TargetError::Unreadable)?;
                let target_id = target_id(name.bytes().chain(stamp.iter().flat_map(Stamp::bytes)));
                Arc::new(Offered { name: name.to_owned(), target_id, picture, file: Some((path, stamp)) })
            }
        };
        if self.opened.len() >= self.most_open {
            self.opened.remove(0);
        }
        self.opened.push(offered.clone());
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

/// FNV-1a, 128 bits: the same after a restart, so that clients keep what they hold.
fn target_id(bytes: impl Iterator<Item = u8>) -> String {
    let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::jpip::testing::Synthetic;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A directory that is removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("wavetile-{name}-{}", std::process::id()));
            std::fs::create_dir_all(path.join("root/deep")).unwrap();
            for file in ["root/a.jp2", "root/deep/b.J2K", "root/notes.txt", "secret.jp2"] {
                std::fs::write(path.join(file), file).unwrap();
            }
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    fn catalogue(scratch: &Scratch) -> (Catalogue, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let open: OpenPicture = Box::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Synthetic::new()))
        });
        (Catalogue::directory(scratch.0.join("root"), open).unwrap(), count)
    }

    #[test]
    fn pictures_are_listed_by_relative_name_and_nothing_else_is_found() {
        let scratch = Scratch::new("list");
        let (mut catalogue, _) = catalogue(&scratch);
        assert_eq!(catalogue.names(), ["a.jp2", "deep/b.J2K"]);
        for name in
            ["../secret.jp2", "/a.jp2", "./a.jp2", "deep/../a.jp2", "notes.txt", "", "a.jp2\0", "A.jp2"]
        {
            assert!(matches!(catalogue.find(name, Duration::ZERO), Err(TargetError::Unknown)), "{name:?}");
        }
        let found = catalogue.find("deep/b.J2K", Duration::ZERO).unwrap();
        assert_eq!(found.name, "deep/b.J2K");
        assert!(!found.target_id.contains("deep") && found.target_id.len() == 32);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_leave_the_root_are_left_out() {
        use std::os::unix::fs::symlink;
        let scratch = Scratch::new("links");
        symlink(scratch.0.join("secret.jp2"), scratch.0.join("root/out.jp2")).unwrap();
        symlink(&scratch.0, scratch.0.join("root/up")).unwrap();
        symlink(scratch.0.join("root"), scratch.0.join("root/deep/loop")).unwrap();
        symlink("a.jp2", scratch.0.join("root/inside.jp2")).unwrap();
        let (mut catalogue, _) = catalogue(&scratch);
        assert_eq!(catalogue.names(), ["a.jp2", "deep/b.J2K", "inside.jp2"]);
        // A listed file that becomes such a link is not followed either.
        std::fs::remove_file(scratch.0.join("root/a.jp2")).unwrap();
        symlink(scratch.0.join("secret.jp2"), scratch.0.join("root/a.jp2")).unwrap();
        assert!(matches!(catalogue.find("a.jp2", Duration::ZERO), Err(TargetError::Unknown)));
    }

    #[test]
    fn new_files_are_found_but_the_directory_is_not_read_all_the_time() {
        let scratch = Scratch::new("new");
        let (mut catalogue, _) = catalogue(&scratch);
        assert!(catalogue.find("c.jph", Duration::ZERO).is_err());
        std::fs::write(scratch.0.join("root/c.jph"), "c").unwrap();
        assert!(catalogue.find("c.jph", Duration::from_secs(1)).is_err());
        assert!(catalogue.find("c.jph", Duration::from_secs(2)).is_ok());
    }

    #[test]
    fn files_stay_open_up_to_a_bound_and_are_opened_again_when_they_change() {
        let scratch = Scratch::new("open");
        let (catalogue, count) = catalogue(&scratch);
        let mut catalogue = catalogue.keep_open(1);
        let first = catalogue.find("a.jp2", Duration::ZERO).unwrap().target_id.clone();
        catalogue.find("a.jp2", Duration::ZERO).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        catalogue.find("deep/b.J2K", Duration::ZERO).unwrap();
        assert_eq!(catalogue.find("a.jp2", Duration::ZERO).unwrap().target_id, first);
        assert_eq!(count.load(Ordering::Relaxed), 3);
        std::fs::write(scratch.0.join("root/a.jp2"), "something else").unwrap();
        assert_ne!(catalogue.find("a.jp2", Duration::ZERO).unwrap().target_id, first);
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }
}
