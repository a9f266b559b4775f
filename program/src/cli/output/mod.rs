//! Picture files: which format a name asks for, and what each format can hold.

mod pgx;
mod png;
mod pnm;
mod raw;

use std::io;
use std::path::{Path, PathBuf};
use wavetile_engine::Size;

/// A format, chosen by the ending of a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Portable network graphics, 8 or 16 bits.
    Png,
    /// Portable grey map or pixel map (binary), 8 or 16 bits.
    Pnm(Pnm),
    /// One file for each channel, as T.803 defines it.
    Pgx,
    /// Bare samples: 32-bit little-endian integers, channel after channel, row by row.
    RawI32,
}

/// The two kinds of portable any-map that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pnm {
    /// One channel (P5).
    Grey,
    /// Three channels (P6).
    Colour,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("the name {0:?} does not end in .png, .ppm, .pgm, .pgx or .i32")]
    UnknownEnding(PathBuf),
    #[error("{ending} cannot hold this: {reason}")]
    CannotHold { ending: &'static str, reason: String },
    #[error("cannot write {path:?}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// Channels to be written.
pub(crate) struct Raster<'a> {
    pub(crate) channels: Vec<Channel<'a>>,
    /// The last channel is opacity; formats without it leave it out.
    pub(crate) alpha: bool,
}

/// One channel: `size.area()` samples, row by row.
pub(crate) struct Channel<'a> {
    pub(crate) size: Size,
    /// Bits of a sample, 1 to 32.
    pub(crate) depth: u8,
    pub(crate) signed: bool,
    pub(crate) samples: Samples<'a>,
}

/// Where the samples of a channel lie.
pub(crate) enum Samples<'a> {
    I32(&'a [i32]),
    /// Every `step`-th byte, from `start`.
    Bytes {
        bytes: &'a [u8],
        start: usize,
        step: usize,
    },
    /// Every `step`-th little-endian 16-bit word, from word `start`.
    Words {
        bytes: &'a [u8],
        start: usize,
        step: usize,
    },
}

impl Channel<'_> {
    /// The samples of row `y`.
    fn row(&self, y: u32) -> impl Iterator<Item = i32> + '_ {
        let width = self.size.width as usize;
        let first = y as usize * width;
        (first..first + width).map(|at| match self.samples {
            Samples::I32(samples) => samples[at],
            Samples::Bytes { bytes, start, step } => i32::from(bytes[start + at * step]),
            Samples::Words { bytes, start, step } => {
                let at = 2 * (start + at * step);
                i32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
            }
        })
    }
}

impl OutputFormat {
    /// The format that the ending of `path` asks for, in upper or lower case.
    pub(crate) fn of(path: &Path) -> Result<Self, OutputError> {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("png") => Ok(Self::Png),
            Some("ppm") => Ok(Self::Pnm(Pnm::Colour)),
            Some("pgm") => Ok(Self::Pnm(Pnm::Grey)),
            Some("pgx") => Ok(Self::Pgx),
            Some("i32") => Ok(Self::RawI32),
            _ => Err(OutputError::UnknownEnding(path.to_owned())),
        }
    }

    /// Writes `raster` to `path` and returns the files written: several for PGX with several channels.
    /// `progress(rows)` is called as rows are written.
    pub(crate) fn write(
        self,
        path: &Path,
        raster: &Raster<'_>,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<PathBuf>, OutputError> {
        match self {
            Self::Png => png::write(path, raster, progress),
            Self::Pnm(kind) => pnm::write(path, raster, kind, progress),
            Self::Pgx => pgx::write(path, raster, progress),
            Self::RawI32 => raw::write(path, raster, progress),
        }
    }
}

impl Raster<'_> {
    /// The channels without opacity.
    fn colours(&self) -> &[Channel<'_>] {
        &self.channels[..self.channels.len() - usize::from(self.alpha)]
    }
}

/// The size and depth that all of `channels` share, for formats that interleave unsigned samples of up
/// to 16 bits.
fn shared_shape(channels: &[Channel<'_>], ending: &'static str) -> Result<(Size, u8), OutputError> {
    let cannot = |reason: String| OutputError::CannotHold { ending, reason };
    let Some(first) = channels.first() else { return Err(cannot("there is no channel".into())) };
    for (at, channel) in channels.iter().enumerate() {
        if channel.signed {
            return Err(cannot(format!("channel {at} has signed samples; .pgx and .i32 can")));
        }
        if channel.depth > 16 {
            return Err(cannot(format!(
                "channel {at} has {} bits, more than 16; .pgx and .i32 can",
                channel.depth
            )));
        }
        if (channel.size, channel.depth) != (first.size, first.depth) {
            return Err(cannot("the channels differ in size or depth; .pgx and .i32 can".into()));
        }
    }
    if first.size.area() == 0 {
        return Err(cannot("there are no samples".into()));
    }
    Ok((first.size, first.depth))
}

/// Turns an input-output error into one that names the file.
fn at(path: &Path) -> impl Fn(io::Error) -> OutputError + '_ {
    |error| OutputError::Io { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wavetile_testing::running::Folder;

    /// A directory of this test alone, removed at its end.
    struct Directory(Folder);

    impl Directory {
        fn new(test: &str) -> Self {
            Self(Folder::new(&format!("output-{test}")))
        }

        fn write(&self, name: &str, raster: &Raster<'_>) -> Result<Vec<(String, Vec<u8>)>, OutputError> {
            let path = self.0.join(name);
            let files = OutputFormat::of(&path)?.write(&path, raster, &|_| {})?;
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            Ok(files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect())
        }
    }

    fn channel(samples: &[i32], width: u32, depth: u8, signed: bool) -> Channel<'_> {
        let size = Size::new(width, samples.len() as u32 / width);
        Channel { size, depth, signed, samples: Samples::I32(samples) }
    }

    fn reason(result: Result<Vec<(String, Vec<u8>)>, OutputError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn endings_choose_the_format_and_others_are_refused() {
        assert_eq!(OutputFormat::of(Path::new("a/b.PNG")).unwrap(), OutputFormat::Png);
        assert_eq!(OutputFormat::of(Path::new("b.pgm")).unwrap(), OutputFormat::Pnm(Pnm::Grey));
        for name in ["b", "b.tif", ".png"] {
            assert!(OutputFormat::of(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn pgx_has_one_file_for_each_channel_big_endian() {
        let directory = Directory::new("pgx");
        let channels = vec![channel(&[-2, 300], 2, 12, true), channel(&[7], 1, 3, false)];
        let files = directory.write("x.pgx", &Raster { channels, alpha: false }).unwrap();
        assert_eq!(files[0], ("x_0.pgx".into(), b"PG ML - 12 2 1\n\xff\xfe\x01\x2c".to_vec()));
        assert_eq!(files[1], ("x_1.pgx".into(), b"PG ML + 3 1 1\n\x07".to_vec()));
        let deep = Raster { channels: vec![channel(&[-2], 1, 24, true)], alpha: false };
        let files = directory.write("y.pgx", &deep).unwrap();
        assert_eq!(files, [("y.pgx".into(), b"PG ML - 24 1 1\n\xff\xff\xff\xfe".to_vec())]);
    }

    #[test]
    fn raw_samples_stand_channel_after_channel_little_endian() {
        let directory = Directory::new("raw");
        let channels = vec![channel(&[1, -1], 1, 12, true), channel(&[258], 1, 9, false)];
        let files = directory.write("x.i32", &Raster { channels, alpha: false }).unwrap();
        assert_eq!(files[0].1, [1, 0, 0, 0, 255, 255, 255, 255, 2, 1, 0, 0]);
    }

    #[test]
    fn maps_have_8_or_16_bits_and_leave_opacity_out() {
        let directory = Directory::new("pnm");
        let grey = Raster { channels: vec![channel(&[1, 300], 2, 12, false)], alpha: false };
        assert_eq!(directory.write("x.pgm", &grey).unwrap()[0].1, b"P5\n2 1\n4095\n\x00\x01\x01\x2c");
        assert_eq!(
            directory.write("x.ppm", &grey).unwrap()[0].1,
            b"P6\n2 1\n4095\n\0\x01\0\x01\0\x01\x01\x2c\x01\x2c\x01\x2c"
        );
        let texels = [1, 2, 3, 99, 4, 5, 6, 98];
        let plane = |start| Channel {
            size: Size::new(1, 2),
            depth: 8,
            signed: false,
            samples: Samples::Bytes { bytes: &texels, start, step: 4 },
        };
        let rgba = Raster { channels: (0..4).map(plane).collect(), alpha: true };
        assert_eq!(directory.write("x.ppm", &rgba).unwrap()[0].1, b"P6\n1 2\n255\n\x01\x02\x03\x04\x05\x06");
        assert!(reason(directory.write("x.pgm", &rgba)).starts_with(".pgm cannot hold this: "));
        let two = Raster { channels: (0..2).map(plane).collect(), alpha: false };
        assert!(directory.write("x.ppm", &two).is_err());
    }

    #[test]
    fn png_files_read_back_as_they_were_written() {
        let directory = Directory::new("png");
        let read = |bytes: &[u8]| {
            let mut decoder = ::png::Decoder::new(std::io::Cursor::new(bytes.to_vec()));
            decoder.set_transformations(::png::Transformations::IDENTITY);
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            (info.width, info.height, info.color_type, info.bit_depth, pixels)
        };
        let grey = Raster { channels: vec![channel(&[1, 300], 2, 12, false)], alpha: false };
        assert_eq!(
            read(&directory.write("x.png", &grey).unwrap()[0].1),
            (2, 1, ::png::ColorType::Grayscale, ::png::BitDepth::Sixteen, vec![0, 1, 1, 44])
        );
        let words = [1, 0, 2, 0, 3, 0, 0xff, 0xff];
        let plane = |start| Channel {
            size: Size::new(1, 1),
            depth: 16,
            signed: false,
            samples: Samples::Words { bytes: &words, start, step: 4 },
        };
        let rgba = Raster { channels: (0..4).map(plane).collect(), alpha: true };
        assert_eq!(
            read(&directory.write("y.png", &rgba).unwrap()[0].1),
            (1, 1, ::png::ColorType::Rgba, ::png::BitDepth::Sixteen, vec![0, 1, 0, 2, 0, 3, 255, 255])
        );
    }

    #[test]
    fn what_a_format_cannot_hold_is_said_before_anything_is_written() {
        let directory = Directory::new("refused");
        let refuse = |channels, expected: &str| {
            let text = reason(directory.write("x.png", &Raster { channels, alpha: false }));
            assert!(text.contains(expected), "{text}");
            assert!(!directory.0.join("x.png").exists());
        };
        refuse(vec![channel(&[0], 1, 8, true)], "signed");
        refuse(vec![channel(&[0], 1, 17, false)], "17 bits");
        refuse(vec![channel(&[0], 1, 8, false), channel(&[0, 0], 1, 8, false)], "differ");
        refuse((0..5).map(|_| channel(&[0], 1, 8, false)).collect(), "5 channels");
        refuse(vec![], "no channel");
    }
}
