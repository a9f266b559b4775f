//! What can go wrong, sorted by who must act.

use std::sync::Arc;

/// Any failure of the engine.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The codestream breaks T.800, or needs a part of the standard that is not supported.
    #[error(transparent)]
    Codestream(#[from] CodestreamError),
    /// The boxes around the codestream are broken (T.800 Annex I).
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// Sound, but larger than [`Limits`](crate::Limits) allow. Raise the limit to go on.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Within the limits, but the system has not got the memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The caller asked for something that the picture does not have.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// No graphics device, or it refused.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The file could not be read.
    #[error("cannot read the picture: {0}")]
    Io(Arc<std::io::Error>),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl Error {
    /// A name for this kind of error that stays the same from version to version, for other languages and logs:
    /// `area.kind`, such as `codestream.bad-packet`.
    ///
    /// ```
    /// let refused = wavetile_engine::Image::open(b"GIF89a".to_vec()).unwrap_err();
    /// assert_eq!(refused.code(), "container.unknown-format");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Codestream(error) => error.code(),
            Self::Container(error) => error.code(),
            Self::Limit(_) => "limit",
            Self::Memory(_) => "memory",
            Self::Request(error) => error.code(),
            Self::Device(error) => error.code(),
            Self::Io(_) => "io",
        }
    }
}

/// A [`Result`](std::result::Result) with the engine's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A codestream that cannot be decoded as it stands. Offsets count bytes from the start of the
/// codestream or, for headers that arrived in data-bins, from the start of the bin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodestreamError {
    /// It does not start with SOC, SIZ (T.800 A.4.1, A.5.1).
    #[error("not a JPEG 2000 codestream: it starts with {found:02x?} instead of the SOC and SIZ markers")]
    NotACodestream {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// A marker segment contradicts itself or the standard.
    #[error("{marker} marker segment at byte {offset}: {reason}")]
    BadMarkerSegment {
        /// Its name, such as "SIZ".
        marker: &'static str,
        /// Where its marker stands.
        offset: u64,
        /// What is wrong, in words.
        reason: String,
    },
    /// A marker segment that must be there is not.
    #[error("the {header} has no {marker} marker segment")]
    MissingMarkerSegment {
        /// "main header", or "header of tile 7".
        header: String,
        /// Its name.
        marker: &'static str,
    },
    /// The parameters in force for a tile-component contradict each other or the standard.
    #[error("tile {tile}, component {component}: {reason}")]
    BadTileParameters {
        /// Tile index.
        tile: u32,
        /// Component index.
        component: u32,
        /// What is wrong, in words.
        reason: String,
    },
    /// A tile-part does not fit the codestream.
    #[error("tile-part at byte {offset} (tile {tile}, part {part}): {reason}")]
    BadTilePart {
        /// Where its SOT marker stands.
        offset: u64,
        /// Isot.
        tile: u32,
        /// TPsot.
        part: u32,
        /// What is wrong, in words.
        reason: String,
    },
    /// A packet header contradicts the structure.
    #[error(
        "packet of tile {tile}, component {component}, resolution {resolution}, precinct {precinct}, \
         layer {layer}: {reason}"
    )]
    BadPacket {
        /// Tile index.
        tile: u32,
        /// Component index.
        component: u32,
        /// Resolution level, 0 = coarsest.
        resolution: u32,
        /// Raster index in the resolution.
        precinct: u32,
        /// Quality layer.
        layer: u32,
        /// What is wrong, in words.
        reason: String,
    },
    /// A feature of the standard that is not supported.
    #[error("not supported: {feature}")]
    Unsupported {
        /// Its name and, if known, where it is used.
        feature: String,
    },
}

impl CodestreamError {
    /// See [`Error::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotACodestream { .. } => "codestream.not-a-codestream",
            Self::BadMarkerSegment { .. } => "codestream.bad-marker-segment",
            Self::MissingMarkerSegment { .. } => "codestream.missing-marker-segment",
            Self::BadTileParameters { .. } => "codestream.bad-tile-parameters",
            Self::BadTilePart { .. } => "codestream.bad-tile-part",
            Self::BadPacket { .. } => "codestream.bad-packet",
            Self::Unsupported { .. } => "codestream.unsupported",
        }
    }
}

/// A box structure that cannot be used (T.800 Annex I).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Neither a JP2-family signature nor a codestream.
    #[error("neither a JP2 file nor a JPEG 2000 codestream: it starts with {found:02x?}")]
    UnknownFormat {
        /// The first bytes.
        found: Vec<u8>,
    },
    /// A box contradicts itself or the standard.
    #[error("'{kind}' box at byte {offset}: {reason}")]
    BadBox {
        /// Its four characters.
        kind: String,
        /// Where its header stands.
        offset: u64,
        /// What is wrong, in words.
        reason: String,
    },
    /// A box that must be there is not.
    #[error("the file has no '{kind}' box")]
    MissingBox {
        /// Its four characters.
        kind: &'static str,
    },
}

impl ContainerError {
    /// See [`Error::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat { .. } => "container.unknown-format",
            Self::BadBox { .. } => "container.bad-box",
            Self::MissingBox { .. } => "container.missing-box",
        }
    }
}

/// A limit that the picture or the request would cross.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} would be {wanted}, but the limit is {limit} (see Limits)")]
#[non_exhaustive]
pub struct LimitError {
    /// What is limited, in words.
    pub what: &'static str,
    /// What was wanted.
    pub wanted: u64,
    /// What is allowed.
    pub limit: u64,
}

/// Memory that the system refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system has no {bytes} bytes of memory left for {what}: ask for a region or a reduced size")]
#[non_exhaustive]
pub struct MemoryError {
    /// What it was for, in words.
    pub what: &'static str,
    /// How much was wanted.
    pub bytes: u64,
}

/// A request that does not fit the picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More resolution levels to discard than some tile-component has.
    #[error("cannot discard {reduce} resolution levels: tile {tile}, component {component} has {levels}")]
    TooFewLevels {
        /// What was asked for.
        reduce: u32,
        /// The tile that has fewer.
        tile: u32,
        /// The component that has fewer.
        component: u32,
        /// Its decomposition levels.
        levels: u32,
    },
    /// The region holds no sample of the picture.
    #[error("the region {region} lies outside the image area {image} (reference grid)")]
    EmptyRegion {
        /// What was asked for.
        region: crate::Rect,
        /// The image area.
        image: crate::Rect,
    },
    /// The region lies between the samples that the reduction leaves.
    #[error(
        "the region {region} (reference grid) holds no pixel at 1/2^{reduce} of full size: ask for a larger region, or \
         discard fewer resolution levels"
    )]
    NoPixels {
        /// What was asked for, inside the image area.
        region: crate::Rect,
        /// Resolution levels to discard.
        reduce: u32,
    },
    /// No such codestream.
    #[error("there is no codestream {codestream}: the file has {count}, counted from 0")]
    NoSuchCodestream {
        /// What was asked for.
        codestream: u32,
        /// Codestreams in the file.
        count: u32,
    },
    /// Rows of texels are longer than the distance between them.
    #[error("a stride of {stride} bytes is too short: a row of the picture has {row}")]
    BadStride {
        /// What was given.
        stride: u64,
        /// Bytes of a row.
        row: u64,
    },
    /// The memory for the picture is too small.
    #[error("the picture takes {needed} bytes at this stride, but the buffer has {available}")]
    BufferTooSmall {
        /// Bytes that the picture takes.
        needed: u64,
        /// Bytes that were given.
        available: u64,
    },
    /// No such component.
    #[error("there is no component {component}: the picture has {count}")]
    NoSuchComponent {
        /// What was asked for.
        component: u32,
        /// Components in the codestream.
        count: u32,
    },
    /// Something else in the request cannot be met.
    #[error("{0}")]
    Unmet(String),
}

impl RequestError {
    /// See [`Error::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooFewLevels { .. } => "request.too-few-levels",
            Self::EmptyRegion { .. } => "request.empty-region",
            Self::NoPixels { .. } => "request.no-pixels",
            Self::NoSuchCodestream { .. } => "request.no-such-codestream",
            Self::BadStride { .. } => "request.bad-stride",
            Self::BufferTooSmall { .. } => "request.buffer-too-small",
            Self::NoSuchComponent { .. } => "request.no-such-component",
            Self::Unmet(_) => "request.unmet",
        }
    }
}

/// A graphics device that is missing or refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No adapter.
    #[error("no graphics adapter: {reason} (use the CPU backend, or install a Vulkan driver)")]
    NoAdapter {
        /// What the graphics library said.
        reason: String,
    },
    /// An adapter, but no device.
    #[error("the graphics device refused: {reason}")]
    Refused {
        /// What the graphics library said.
        reason: String,
    },
    /// The device was lost or a buffer could not be mapped.
    #[error("the graphics device failed while {doing}: {reason}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What the graphics library said.
        reason: String,
    },
    /// Built without the `gpu` feature.
    #[error("this build has no GPU backend (feature `gpu` is off)")]
    NotBuilt,
}

impl DeviceError {
    /// See [`Error::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoAdapter { .. } => "device.no-adapter",
            Self::Refused { .. } => "device.refused",
            Self::Failed { .. } => "device.failed",
            Self::NotBuilt => "device.not-built",
        }
    }
}
