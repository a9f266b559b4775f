//! Portable grey maps and pixel maps, binary (P5, P6): one byte a sample or, above a depth of 8, two,
//! the high one first.

use super::{OutputError, Pnm, Raster, at, shared_shape};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) fn write(
    path: &Path,
    raster: &Raster<'_>,
    kind: Pnm,
    progress: &dyn Fn(u64),
) -> Result<Vec<PathBuf>, OutputError> {
    let colours = raster.colours();
    let (ending, magic, wanted) = match kind {
        Pnm::Grey => (".pgm", "P5", 1),
        Pnm::Colour => (".ppm", "P6", 3),
    };
    let (size, depth) = shared_shape(colours, ending)?;
    // A grey picture is a colour picture whose channels are the same.
    if colours.len() != wanted && colours.len() != 1 {
        let reason = format!(
            "there are {} channels and it takes {wanted}; choose with --components, or write .png, .pgx or .i32",
            colours.len()
        );
        return Err(OutputError::CannotHold { ending, reason });
    }
    let mut file = BufWriter::new(File::create(path).map_err(at(path))?);
    let highest = (1u32 << depth) - 1;
    write!(file, "{magic}\n{} {}\n{highest}\n", size.width, size.height).map_err(at(path))?;
    let bytes_per_sample = if depth > 8 { 2 } else { 1 };
    let step = wanted * bytes_per_sample;
    let mut row = vec![0; size.width as usize * step];
    for y in 0..size.height {
        for n in 0..wanted {
            let channel = &colours[n % colours.len()];
            let texels = row.chunks_exact_mut(step).map(|texel| &mut texel[n * bytes_per_sample..]);
            for (texel, sample) in texels.zip(channel.row(y)) {
                let bytes = (sample as u16).to_be_bytes();
                texel[..bytes_per_sample].copy_from_slice(&bytes[2 - bytes_per_sample..]);
            }
        }
        file.write_all(&row).map_err(at(path))?;
        progress(1);
    }
    file.flush().map_err(at(path))?;
    Ok(vec![path.to_owned()])
}
