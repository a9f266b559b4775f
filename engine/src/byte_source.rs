//! Random access to the bytes of a file.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Bytes that can be read at any offset, from many threads at once.
pub trait ByteSource: Send + Sync {
    /// Number of bytes. It does not change.
    fn len(&self) -> u64;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the source ends inside the buffer, else whatever the file
    /// system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// All bytes, if they are in memory anyway.
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    /// Reading what was not read before is costly, as over a network.
    fn is_sparse(&self) -> bool {
        false
    }

    /// Whether there is no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ByteSource for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset).ok().and_then(|start| self.get(start..)?.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

macro_rules! forward {
    ($($generics:ident)? => $source:ty) => {
        impl$(<$generics: ByteSource + ?Sized>)? ByteSource for $source {
            fn len(&self) -> u64 {
                ByteSource::len(&**self)
            }

            fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
                ByteSource::read_at(&**self, offset, buffer)
            }

            fn as_slice(&self) -> Option<&[u8]> {
                ByteSource::as_slice(&**self)
            }

            fn is_sparse(&self) -> bool {
                ByteSource::is_sparse(&**self)
            }
        }
    };
}

forward!(=> Vec<u8>);
forward!(=> &'static [u8]);
forward!(T => Arc<T>);
forward!(T => Box<T>);

/// A file on disk, read where it is needed. Its length is taken when it is opened.
#[derive(Debug)]
pub struct FileSource {
    #[cfg(any(unix, windows))]
    file: File,
    #[cfg(not(any(unix, windows)))]
    file: std::sync::Mutex<File>,
    len: u64,
}

impl FileSource {
    /// Opens the file at `path`. Waits for the file system, as reading does.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Reads from an open file.
    ///
    /// # Errors
    /// The length cannot be had.
    pub fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        #[cfg(not(any(unix, windows)))]
        let file = std::sync::Mutex::new(file);
        Ok(Self { file, len })
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(not(any(unix, windows)))]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(source: &dyn ByteSource) {
        assert_eq!(source.len(), 6);
        let mut buffer = [0; 3];
        source.read_at(2, &mut buffer).unwrap();
        assert_eq!(&buffer, b"cde");
        for offset in [4, 6, 7, u64::MAX] {
            let error = source.read_at(offset, &mut buffer).unwrap_err();
            assert!(matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput));
        }
    }

    #[test]
    fn memory_and_files_answer_alike() {
        check(&b"abcdef".to_vec());
        check(&Arc::<[u8]>::from(*b"abcdef"));
        let folder = wavetile_testing::running::Folder::new("byte-source");
        check(&FileSource::open(folder.file("abcdef", b"abcdef")).unwrap());
    }
}
