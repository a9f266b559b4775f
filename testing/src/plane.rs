//! Planes of samples, and references that hold them: PGX (T.803) and PNG.

use crate::compare::{self, Difference};
use image::DynamicImage;
use std::path::Path;

/// One component, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` samples.
    pub samples: Vec<i32>,
}

impl Plane {
    /// One channel of interleaved bytes, `channels` to a texel.
    pub fn of_texels(width: usize, height: usize, texels: &[u8], channel: usize, channels: usize) -> Self {
        let samples = texels.iter().skip(channel).step_by(channels).map(|&value| value.into()).collect();
        Self { width, height, samples }
    }

    /// The top-left part, where this plane is as large as that.
    pub fn top_left(&self, width: usize, height: usize) -> Self {
        let (width, height) = (width.min(self.width), height.min(self.height));
        let rows = self.samples.chunks(self.width.max(1)).take(height);
        Self { width, height, samples: rows.flat_map(|row| &row[..width]).copied().collect() }
    }

    /// How far it is from `wanted`.
    ///
    /// # Errors
    /// They are not of one size.
    pub fn difference(&self, wanted: &Self) -> Result<Difference, String> {
        let size = |plane: &Self| (plane.width, plane.height);
        if size(self) != size(wanted) {
            return Err(format!("{:?} samples instead of {:?}", size(self), size(wanted)));
        }
        compare::difference(&self.samples, &wanted.samples)
    }
}

/// Reads a reference, unscaled: a PGX file of one component, or a PNG of 1 to 4 channels.
///
/// # Errors
/// It cannot be read, or is neither.
pub fn read(path: &Path) -> Result<Vec<Plane>, String> {
    let planes = if path.extension().is_some_and(|extension| extension == "png") {
        image::open(path).map_err(|error| error.to_string()).map(|image| png_planes(&image))
    } else {
        std::fs::read(path).map_err(|error| error.to_string()).and_then(|bytes| pgx_plane(&bytes))
    };
    planes.map_err(|reason| format!("{}: {reason}", path.display()))
}

fn png_planes(image: &DynamicImage) -> Vec<Plane> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let samples: Vec<i32> = match image {
        DynamicImage::ImageLuma16(image) => image.as_raw().iter().map(|&v| v.into()).collect(),
        DynamicImage::ImageLumaA16(image) => image.as_raw().iter().map(|&v| v.into()).collect(),
        DynamicImage::ImageRgb16(image) => image.as_raw().iter().map(|&v| v.into()).collect(),
        DynamicImage::ImageRgba16(image) => image.as_raw().iter().map(|&v| v.into()).collect(),
        other => other.as_bytes().iter().map(|&v| v.into()).collect(),
    };
    let channels = usize::from(image.color().channel_count());
    let plane = |channel| Plane {
        width,
        height,
        samples: samples.iter().skip(channel).step_by(channels).copied().collect(),
    };
    (0..channels).map(plane).collect()
}

/// "PG ML + 8 128 128" and a line feed, then the samples: big-endian for ML, little-endian for LM.
fn pgx_plane(bytes: &[u8]) -> Result<Vec<Plane>, String> {
    let parse = || {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let signed = head.contains('-');
        let head = head.replace(['+', '-'], " ");
        let mut fields = head.split_whitespace().skip(1);
        let little = fields.next()? == "LM";
        let mut number = || fields.next()?.parse::<usize>().ok();
        let (bits, width, height) = (number()?, number()?, number()?);
        let size = match bits {
            1..=8 => 1,
            9..=16 => 2,
            17..=32 => 4,
            _ => return None,
        };
        let unused = 32 - bits;
        let sample = |bytes: &[u8]| {
            let fold = |value: u32, &byte: &u8| value << 8 | u32::from(byte);
            let value = if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) };
            if signed { ((value << unused) as i32) >> unused } else { value as i32 }
        };
        let samples: Vec<i32> = bytes[end + 1..].chunks_exact(size).map(sample).collect();
        (samples.len() == width * height).then(|| vec![Plane { width, height, samples }])
    };
    parse().ok_or_else(|| "not a PGX file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_sample_is_seen() {
        let plane = Plane { width: 3, height: 2, samples: vec![0, 1, 2, 3, 4, 5] };
        assert_eq!(plane.difference(&plane), Ok(Difference::default()));
        let mut wrong = plane.clone();
        wrong.samples[4] -= 3;
        assert_eq!(plane.difference(&wrong), Ok(Difference { peak: 3.0, mean_square: 1.5 }));
    }

    #[test]
    fn planes_of_other_sizes_do_not_compare() {
        let plane = Plane { width: 3, height: 2, samples: vec![0, 1, 2, 3, 4, 5] };
        assert_eq!(plane.top_left(2, 1).samples, [0, 1]);
        assert!(plane.difference(&plane.top_left(2, 2)).is_err());
        assert!(plane.difference(&Plane { width: 2, height: 3, ..plane.clone() }).is_err());
        assert!(plane.difference(&Plane { samples: Vec::new(), ..plane.clone() }).is_err());
        let empty = Plane { width: 0, height: 0, samples: Vec::new() };
        assert!(empty.difference(&plane).is_err() && plane.difference(&empty).is_err());
    }

    #[test]
    fn channels_of_texels_are_taken_apart() {
        let texels = [1, 2, 3, 4, 5, 6];
        assert_eq!(Plane::of_texels(2, 1, &texels, 1, 3).samples, [2, 5]);
    }

    #[test]
    fn pgx_samples_have_any_depth_sign_and_order() {
        let samples = |bytes: &[u8]| pgx_plane(bytes).unwrap().swap_remove(0).samples;
        assert_eq!(samples(b"PG ML + 8 2 1\n\x01\xFF"), [1, 255]);
        assert_eq!(samples(b"PG ML -4 2 1\n\x0F\x07"), [-1, 7]);
        assert_eq!(samples(b"PG LM +12 1 1\n\x34\x02"), [0x234]);
        assert!(pgx_plane(b"PG ML + 8 2 2\n\x01\xFF").is_err());
    }
}
