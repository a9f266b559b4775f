//! Colour specification box (T.800 I.5.3.3; methods and numbers beyond it: T.801 Annex M).

use super::CieLab;
use super::box_header::BoxBody;
use crate::error::ContainerError;

/// One Colour Specification box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColourSpecification {
    /// How the colour space is given.
    pub method: ColourMethod,
    /// Precedence among several boxes ("PREC"), larger first.
    pub precedence: i8,
    /// How well it describes the colours ("APPROX"): 0 unknown, 1 exact, larger is worse.
    pub approximation: u8,
    /// Parameters of the enumerated colour space CIELab, where the file gives them.
    pub cie_lab: Option<CieLab>,
}

/// The colour space itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColourMethod {
    /// A number ("EnumCS", method 1).
    Enumerated(EnumeratedColourSpace),
    /// An ICC profile of the restricted kind (method 2), as it stands in the file.
    RestrictedIcc(Vec<u8>),
    /// Any ICC profile (method 3, T.801), as it stands in the file.
    AnyIcc(Vec<u8>),
    /// Another method; contents not kept.
    Other(u8),
}

/// An enumerated colour space by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnumeratedColourSpace(pub u32);

impl EnumeratedColourSpace {
    /// CIELab (T.801 M.11.7.4.1).
    pub const CIE_LAB: Self = Self(14);
    /// sRGB (IEC 61966-2-1).
    pub const SRGB: Self = Self(16);
    /// Grey with sRGB's transfer function.
    pub const GREY: Self = Self(17);
    /// sYCC (IEC 61966-2-1 Amendment 1).
    pub const SYCC: Self = Self(18);

    /// Its usual name; `None` if the number is not known.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "bi-level",
            1 => "YCbCr(1)",
            3 => "YCbCr(2)",
            4 => "YCbCr(3)",
            9 => "PhotoYCC",
            11 => "CMY",
            12 => "CMYK",
            13 => "YCCK",
            14 => "CIELab",
            15 => "bi-level(2)",
            16 => "sRGB",
            17 => "grey",
            18 => "sYCC",
            19 => "CIEJab",
            20 => "e-sRGB",
            21 => "ROMM-RGB",
            22 => "YPbPr(1125/60)",
            23 => "YPbPr(1250/50)",
            24 => "e-sYCC",
            _ => return None,
        })
    }
}

impl std::fmt::Display for EnumeratedColourSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "colour space {}", self.0),
        }
    }
}

impl ColourSpecification {
    pub(crate) fn parse(mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        let method = body.u8()?;
        let precedence = body.i8()?;
        let approximation = body.u8()?;
        let mut cie_lab = None;
        let method = match method {
            1 => {
                let space = EnumeratedColourSpace(body.u32()?);
                if space == EnumeratedColourSpace::CIE_LAB {
                    cie_lab = CieLab::parse(&mut body)?;
                }
                ColourMethod::Enumerated(space)
            }
            2 => ColourMethod::RestrictedIcc(body.rest().to_vec()),
            3 => ColourMethod::AnyIcc(body.rest().to_vec()),
            other => ColourMethod::Other(other),
        };
        Ok(Self { method, precedence, approximation, cie_lab })
    }

    /// In a few words: "sRGB", "ICC profile (RGB, 546 bytes)".
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.method {
            ColourMethod::Enumerated(space) => space.to_string(),
            ColourMethod::RestrictedIcc(profile) => describe_icc("restricted ICC profile", profile),
            ColourMethod::AnyIcc(profile) => describe_icc("ICC profile", profile),
            ColourMethod::Other(method) => format!("colour method {method}"),
        }
    }

    /// The data colour space that an ICC profile's header names, such as `*b"RGB "`; `None` without a
    /// profile.
    #[must_use]
    pub fn icc_colour_space(&self) -> Option<[u8; 4]> {
        match &self.method {
            ColourMethod::RestrictedIcc(profile) | ColourMethod::AnyIcc(profile) => icc_colour_space(profile),
            _ => None,
        }
    }
}

/// The four-character data colour space at byte 16 of an ICC profile's header.
fn icc_colour_space(profile: &[u8]) -> Option<[u8; 4]> {
    profile.get(16..20).and_then(|name| name.try_into().ok())
}

fn describe_icc(what: &str, profile: &[u8]) -> String {
    match icc_colour_space(profile) {
        Some(space) => {
            let space = space.escape_ascii().to_string();
            format!("{what} ({}, {} bytes)", space.trim_end(), profile.len())
        }
        None => format!("{what} ({} bytes, no header)", profile.len()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(bytes: &[u8]) -> Result<ColourSpecification, ContainerError> {
        ColourSpecification::parse(BoxBody::new(*b"colr", 70, bytes))
    }

    #[test]
    fn enumerated_spaces_keep_their_number_and_have_names() {
        let colour = parse(&[1, 0xff, 1, 0, 0, 0, 18]).unwrap();
        assert_eq!(colour.method, ColourMethod::Enumerated(EnumeratedColourSpace::SYCC));
        assert_eq!((colour.precedence, colour.approximation), (-1, 1));
        assert_eq!(colour.describe(), "sYCC");
        assert_eq!(parse(&[1, 0, 0, 0, 0, 1, 0]).unwrap().describe(), "colour space 256");
        assert!(parse(&[1, 0, 0, 0, 0, 18]).is_err());
    }

    #[test]
    fn profiles_are_kept_as_bytes() {
        let mut bytes = vec![2, 0, 0];
        let mut profile = vec![0; 16];
        profile.extend(b"GRAYrest");
        bytes.extend(&profile);
        let colour = parse(&bytes).unwrap();
        assert_eq!(colour.icc_colour_space(), Some(*b"GRAY"));
        assert_eq!(colour.describe(), "restricted ICC profile (GRAY, 24 bytes)");
        assert_eq!(colour.method, ColourMethod::RestrictedIcc(profile));
        assert_eq!(parse(&[3, 0, 0]).unwrap().icc_colour_space(), None);
    }
}
