//! Bare samples: every channel after the other, row by row, as little-endian 32-bit integers.

use super::{OutputError, Raster, at};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) fn write(
    path: &Path,
    raster: &Raster<'_>,
    progress: &dyn Fn(u64),
) -> Result<Vec<PathBuf>, OutputError> {
    write_all(path, raster, progress).map_err(at(path))?;
    Ok(vec![path.to_owned()])
}

fn write_all(path: &Path, raster: &Raster<'_>, progress: &dyn Fn(u64)) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for channel in &raster.channels {
        for y in 0..channel.size.height {
            for sample in channel.row(y) {
                file.write_all(&sample.to_le_bytes())?;
            }
            progress(1);
        }
    }
    file.flush()
}
