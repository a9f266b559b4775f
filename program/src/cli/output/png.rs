//! Portable network graphics: samples as they are, in 8 bits or, above a depth of 8, in 16.

use super::{OutputError, Raster, at, shared_shape};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) fn write(
    path: &Path,
    raster: &Raster<'_>,
    progress: &dyn Fn(u64),
) -> Result<Vec<PathBuf>, OutputError> {
    let (size, depth) = shared_shape(&raster.channels, ".png")?;
    let color_type = match raster.channels.len() {
        1 => png::ColorType::Grayscale,
        2 => png::ColorType::GrayscaleAlpha,
        3 => png::ColorType::Rgb,
        4 => png::ColorType::Rgba,
        count => {
            let reason = format!("there are {count} channels; choose some with --components");
            return Err(OutputError::CannotHold { ending: ".png", reason });
        }
    };
    let bytes_per_sample = if depth > 8 { 2 } else { 1 };
    let file = BufWriter::new(File::create(path).map_err(at(path))?);
    let mut encoder = png::Encoder::new(file, size.width, size.height);
    encoder.set_color(color_type);
    encoder.set_depth(if depth > 8 { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    encoder.set_compression(png::Compression::Fast);
    let failed = |error: png::EncodingError| at(path)(io::Error::other(error));
    let mut writer = encoder.write_header().map_err(failed)?;
    let mut stream = writer.stream_writer().map_err(failed)?;
    let step = raster.channels.len() * bytes_per_sample;
    let mut row = vec![0; size.width as usize * step];
    for y in 0..size.height {
        for (n, channel) in raster.channels.iter().enumerate() {
            let texels = row.chunks_exact_mut(step).map(|texel| &mut texel[n * bytes_per_sample..]);
            for (texel, sample) in texels.zip(channel.row(y)) {
                let bytes = (sample as u16).to_be_bytes();
                texel[..bytes_per_sample].copy_from_slice(&bytes[2 - bytes_per_sample..]);
            }
        }
        stream.write_all(&row).map_err(at(path))?;
        progress(1);
    }
    stream.finish().map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(vec![path.to_owned()])
}
