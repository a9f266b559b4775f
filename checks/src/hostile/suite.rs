//! The files that hostile input is made of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The shared files, in an order that does not depend on the machine.
pub(crate) struct Suite {
    folder: PathBuf,
    files: Vec<SuiteFile>,
    /// Those read so far.
    held: HashMap<String, Rc<[u8]>>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SuiteFile {
    /// Its path below `testdata`, with forward slashes.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) length: u64,
}

impl SuiteFile {
    /// Broken as it is.
    pub(crate) fn is_malformed(&self) -> bool {
        self.name.starts_with("malformed/")
    }

    /// One of the conformance codestreams and files.
    pub(crate) fn is_conformance(&self) -> bool {
        self.name.starts_with("conformance/")
    }
}

impl Suite {
    /// Lists the files in `shared`.
    pub(crate) fn open(shared: &Path) -> Result<Self, String> {
        let folder = shared.join("testdata");
        let mut files = Vec::new();
        for part in ["malformed", "conformance", "files", "jpx"] {
            list(&folder, part, &mut files).map_err(|error| format!("{part}: {error}"))?;
        }
        files.sort();
        Ok(Self { folder, files, held: HashMap::new() })
    }

    /// All files, by name.
    pub(crate) fn files(&self) -> &[SuiteFile] {
        &self.files
    }

    /// The contents of a file.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Rc<[u8]>, String> {
        if let Some(bytes) = self.held.get(name) {
            return Ok(bytes.clone());
        }
        let bytes = std::fs::read(self.folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        let bytes: Rc<[u8]> = bytes.into();
        self.held.insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// Adds the pictures below `part`.
fn list(folder: &Path, part: &str, files: &mut Vec<SuiteFile>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder.join(part))? {
        let entry = entry?;
        let name = format!("{part}/{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            if !name.ends_with("/ref") && !name.ends_with("/reference") {
                list(folder, &name, files)?;
            }
        } else if PICTURES.iter().any(|ending| name.ends_with(ending)) {
            files.push(SuiteFile { name, length: metadata.len() });
        }
    }
    Ok(())
}

/// What pictures are called. A DICOM file is none that can be opened; it has to be refused.
const PICTURES: [&str; 8] = [".j2k", ".j2c", ".jpc", ".jp2", ".jpx", ".jph", ".jhc", ".dcm"];
