//! PGX, the file format of the conformance references (T.803): one file for each channel, a line of
//! text, then big-endian samples in the fewest of 1, 2 or 4 bytes.

use super::{Channel, OutputError, Raster, at};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) fn write(
    path: &Path,
    raster: &Raster<'_>,
    progress: &dyn Fn(u64),
) -> Result<Vec<PathBuf>, OutputError> {
    let mut files = Vec::new();
    for (n, channel) in raster.channels.iter().enumerate() {
        let path = if raster.channels.len() == 1 { path.to_owned() } else { numbered(path, n) };
        write_one(&path, channel, progress).map_err(at(&path))?;
        files.push(path);
    }
    Ok(files)
}

/// `name_N.pgx` beside `name.pgx`.
fn numbered(path: &Path, n: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{n}."));
    name.push(path.extension().unwrap_or_default());
    path.with_file_name(name)
}

fn write_one(path: &Path, channel: &Channel<'_>, progress: &dyn Fn(u64)) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let sign = if channel.signed { '-' } else { '+' };
    writeln!(file, "PG ML {sign} {} {} {}", channel.depth, channel.size.width, channel.size.height)?;
    let unused = match channel.depth {
        0..=8 => 3,
        9..=16 => 2,
        _ => 0,
    };
    for y in 0..channel.size.height {
        for sample in channel.row(y) {
            file.write_all(&sample.to_be_bytes()[unused..])?;
        }
        progress(1);
    }
    file.flush()
}
