//! Image header and bits-per-component boxes (T.800 I.5.3.1, I.5.3.2).

use super::box_header::BoxBody;
use crate::error::ContainerError;

/// What the Image Header box says; the codestream's own header is what decoding goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// Height of the image area in grid units ("HEIGHT").
    pub height: u32,
    /// Width of the image area in grid units ("WIDTH").
    pub width: u32,
    /// Components of the codestream ("NC").
    pub components: u16,
    /// Depth of all components ("BPC"); `None` if they differ.
    pub bits: Option<BitDepth>,
    /// The colour space given is an approximation ("UnkC").
    pub colour_space_unknown: bool,
    /// The box structure carries intellectual property information ("IPR").
    pub intellectual_property: bool,
}

/// Depth and sign of samples as boxes code them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitDepth {
    /// Bits of a sample, 1 to 38.
    pub depth: u8,
    /// Samples are signed.
    pub signed: bool,
}

impl BitDepth {
    /// From the coded byte: depth - 1 in the low seven bits, sign in the top bit; `None` above 38 bits.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        let depth = (byte & 0x7f) + 1;
        (depth <= 38).then_some(Self { depth, signed: byte & 0x80 != 0 })
    }
}

impl ImageHeader {
    pub(crate) fn parse(mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        let height = body.u32()?;
        let width = body.u32()?;
        let components = body.u16()?;
        let bits = match body.u8()? {
            255 => None,
            byte => Some(
                BitDepth::from_byte(byte)
                    .ok_or_else(|| body.error(format!("bit depth {} is above 38", (byte & 0x7f) + 1)))?,
            ),
        };
        let compression = body.u8()?;
        if compression != 7 {
            return Err(body.error(format!("compression type {compression} is not 7 (JPEG 2000)")));
        }
        let colour_space_unknown = body.u8()? != 0;
        let intellectual_property = body.u8()? != 0;
        Ok(Self { height, width, components, bits, colour_space_unknown, intellectual_property })
    }
}

/// One entry for each component.
pub(crate) fn parse_bits_per_component(body: &BoxBody<'_>) -> Result<Vec<BitDepth>, ContainerError> {
    let bytes = body.rest();
    if bytes.len() > 16_384 {
        return Err(body.error(format!("{} components are more than 16384", bytes.len())));
    }
    bytes
        .iter()
        .map(|&byte| BitDepth::from_byte(byte).ok_or_else(|| body.error("a bit depth is above 38")))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn body(bytes: &[u8]) -> BoxBody<'_> {
        BoxBody::new(*b"ihdr", 48, bytes)
    }

    #[test]
    fn fields_stand_in_their_order() {
        let header = ImageHeader::parse(body(&[0, 0, 2, 0, 0, 0, 3, 1, 0, 3, 0x8b, 7, 1, 0])).unwrap();
        assert_eq!((header.width, header.height, header.components), (769, 512, 3));
        assert_eq!(header.bits, Some(BitDepth { depth: 12, signed: true }));
        assert!(header.colour_space_unknown && !header.intellectual_property);
        assert_eq!(
            ImageHeader::parse(body(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 255, 7, 0, 0])).unwrap().bits,
            None
        );
    }

    #[test]
    fn broken_headers_name_the_box() {
        for bytes in [&[0, 0, 2, 0, 0, 0, 3][..], &[0, 0, 2, 0, 0, 0, 3, 1, 0, 3, 0x26, 7, 1, 0]] {
            let error = ImageHeader::parse(body(bytes)).unwrap_err().to_string();
            assert!(error.starts_with("'ihdr' box at byte 48: "), "{error}");
        }
        assert!(ImageHeader::parse(body(&[0, 0, 2, 0, 0, 0, 3, 1, 0, 3, 7, 8, 1, 0])).is_err());
    }
}
