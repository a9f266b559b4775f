//! Markers and marker segments (T.800 A.1 and Table A.2).

use super::reader::Reader;
use crate::error::CodestreamError;

/// Start of codestream.
pub const SOC: u16 = 0xFF4F;
/// Start of tile-part.
pub const SOT: u16 = 0xFF90;
/// Start of data.
pub const SOD: u16 = 0xFF93;
/// End of codestream.
pub const EOC: u16 = 0xFFD9;
/// Image and tile size.
pub const SIZ: u16 = 0xFF51;
/// Extended capabilities (T.814 needs it).
pub const CAP: u16 = 0xFF50;
/// Coding style default.
pub const COD: u16 = 0xFF52;
/// Coding style component.
pub const COC: u16 = 0xFF53;
/// Region of interest.
pub const RGN: u16 = 0xFF5E;
/// Quantisation default.
pub const QCD: u16 = 0xFF5C;
/// Quantisation component.
pub const QCC: u16 = 0xFF5D;
/// Progression order change.
pub const POC: u16 = 0xFF5F;
/// Tile-part lengths.
pub const TLM: u16 = 0xFF55;
/// Packet lengths, main header.
pub const PLM: u16 = 0xFF57;
/// Packet lengths, tile-part header.
pub const PLT: u16 = 0xFF58;
/// Packed packet headers, main header.
pub const PPM: u16 = 0xFF60;
/// Packed packet headers, tile-part header.
pub const PPT: u16 = 0xFF61;
/// Start of packet.
pub const SOP: u16 = 0xFF91;
/// End of packet header.
pub const EPH: u16 = 0xFF92;
/// Component registration.
pub const CRG: u16 = 0xFF63;
/// Comment.
pub const COM: u16 = 0xFF64;

/// The marker's name in the standard, or "unknown".
#[must_use]
pub const fn name(marker: u16) -> &'static str {
    match marker {
        SOC => "SOC",
        SOT => "SOT",
        SOD => "SOD",
        EOC => "EOC",
        SIZ => "SIZ",
        CAP => "CAP",
        COD => "COD",
        COC => "COC",
        RGN => "RGN",
        QCD => "QCD",
        QCC => "QCC",
        POC => "POC",
        TLM => "TLM",
        PLM => "PLM",
        PLT => "PLT",
        PPM => "PPM",
        PPT => "PPT",
        SOP => "SOP",
        EPH => "EPH",
        CRG => "CRG",
        COM => "COM",
        _ => "unknown",
    }
}

/// Whether the marker stands alone, without a length and a payload.
#[must_use]
pub const fn stands_alone(marker: u16) -> bool {
    matches!(marker, SOC | SOD | EOC | EPH | 0xFF30..=0xFF3F)
}

/// One marker, with its payload if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerSegment<'a> {
    /// The marker, `0xFF01..=0xFFFE`.
    pub marker: u16,
    /// Where the marker stands, in bytes from the start of what is read.
    pub offset: u64,
    /// What follows the length field; empty for a marker that stands alone.
    pub payload: &'a [u8],
}

impl MarkerSegment<'_> {
    /// An error that points at this segment.
    #[must_use]
    pub fn error(&self, reason: impl Into<String>) -> CodestreamError {
        CodestreamError::BadMarkerSegment {
            marker: name(self.marker),
            offset: self.offset,
            reason: reason.into(),
        }
    }
}

/// Why the next marker segment could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerError {
    /// The bytes end inside a marker segment; more of them may help.
    CutOff {
        /// Where its marker stands.
        offset: u64,
        /// The marker; 0 if not even that is whole.
        marker: u16,
    },
    /// What stands there is not a marker, or its length is below 2.
    Bad(CodestreamError),
}

impl From<MarkerError> for CodestreamError {
    fn from(error: MarkerError) -> Self {
        match error {
            MarkerError::CutOff { offset, marker } => Self::BadMarkerSegment {
                marker: name(marker),
                offset,
                reason: "the bytes end inside it".into(),
            },
            MarkerError::Bad(error) => error,
        }
    }
}

/// Reads marker segments one after another from any slice of a header. It gives every marker no meaning:
/// after SOD, and at EOC, it is for the caller to stop.
#[derive(Clone, Debug)]
pub struct MarkerSegments<'a> {
    reader: Reader<'a>,
    base: u64,
}

impl<'a> MarkerSegments<'a> {
    /// Reads `bytes`, whose first byte has the offset `base` (for offsets and errors only).
    #[must_use]
    pub const fn new(bytes: &'a [u8], base: u64) -> Self {
        Self { reader: Reader::new(bytes), base }
    }

    /// Offset of the next marker, `base` included.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.base + self.reader.position() as u64
    }

    /// The bytes not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// The next marker segment; `None` at the end of the bytes. After an error nothing has moved.
    ///
    /// # Errors
    /// [`MarkerError`]: the bytes end too early, or are not a marker segment.
    pub fn read(&mut self) -> Result<Option<MarkerSegment<'a>>, MarkerError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let offset = self.offset();
        let mut reader = self.reader.clone();
        let bad = |marker, reason: String| {
            MarkerError::Bad(CodestreamError::BadMarkerSegment { marker, offset, reason })
        };
        let marker = reader.u16().ok_or(MarkerError::CutOff { offset, marker: 0 })?;
        if !(0xFF01..=0xFFFE).contains(&marker) {
            return Err(bad("unknown", format!("{marker:04x} is not a marker")));
        }
        let mut payload: &[u8] = &[];
        if !stands_alone(marker) {
            let cut_off = MarkerError::CutOff { offset, marker };
            let length = usize::from(reader.u16().ok_or(cut_off.clone())?);
            let payload_length = length
                .checked_sub(2)
                .ok_or_else(|| bad(name(marker), format!("its length is {length}, which is below 2")))?;
            payload = reader.take(payload_length).ok_or(cut_off)?;
        }
        self.reader = reader;
        Ok(Some(MarkerSegment { marker, offset, payload }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn segments_carry_marker_offset_and_payload() {
        let bytes = [0xFF, 0x4F, 0xFF, 0x64, 0, 5, 0, 1, b'x', 0xFF, 0x30, 0xFF, 0x93];
        let mut segments = MarkerSegments::new(&bytes, 100);
        assert_eq!(segments.read(), Ok(Some(MarkerSegment { marker: SOC, offset: 100, payload: &[] })));
        assert_eq!(
            segments.read(),
            Ok(Some(MarkerSegment { marker: COM, offset: 102, payload: &[0, 1, b'x'] }))
        );
        assert_eq!(segments.read().unwrap().unwrap().marker, 0xFF30);
        assert_eq!(segments.read().unwrap().unwrap().marker, SOD);
        assert_eq!(segments.read(), Ok(None));
    }

    #[test]
    fn every_cut_is_told_from_an_error() {
        let bytes = [0xFF, 0x64, 0, 5, 0, 1, b'x'];
        for length in 1..bytes.len() {
            let mut segments = MarkerSegments::new(&bytes[..length], 0);
            assert!(matches!(segments.read(), Err(MarkerError::CutOff { offset: 0, .. })), "{length}");
            assert_eq!(segments.offset(), 0);
        }
        assert!(matches!(MarkerSegments::new(&[0, 10, 0], 0).read(), Err(MarkerError::Bad(_))));
        assert!(matches!(MarkerSegments::new(&[0xFF, 0x64, 0, 1], 0).read(), Err(MarkerError::Bad(_))));
    }
}
