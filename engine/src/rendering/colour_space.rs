//! Which colour specification of a file counts, and what the channels are by it (T.800 I.5.3.3, T.801 M.11.7.2).

use super::conversion::Conversion;
use super::enumerated;
use super::icc::{self, NotApplied};
use crate::boxes::{CieLab, ColourMethod, ColourSpecification, Container, ContainerKind};
use crate::error::{CodestreamError, Result};

/// What the colour channels of a picture are. It is rendered to sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RenderColour {
    /// One channel, black is 0.
    Grey,
    /// One channel, white is 0.
    InvertedGrey,
    /// Red, green, blue: sRGB, or by a profile.
    Rgb,
    /// sYCC: luma and chroma of sRGB in the full range of values.
    Sycc,
    /// Luma and chroma in the range of values of video.
    VideoYcc,
    /// sRGB with room below black and above white.
    EsRgb,
    /// ROMM RGB.
    RommRgb,
    /// CIELab.
    CieLab,
    /// Cyan, magenta, yellow.
    Cmy,
    /// Cyan, magenta, yellow, black.
    Cmyk,
    /// CMYK, of which the first three are coded as the luma and chroma of what they leave.
    Ycck,
}

impl RenderColour {
    /// "grey", "RGB", "sYCC" and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::InvertedGrey => "bi-level",
            Self::Rgb => "RGB",
            Self::Sycc => "sYCC",
            Self::VideoYcc => "YCbCr",
            Self::EsRgb => "e-sRGB",
            Self::RommRgb => "ROMM-RGB",
            Self::CieLab => "CIELab",
            Self::Cmy => "CMY",
            Self::Cmyk => "CMYK",
            Self::Ycck => "YCCK",
        }
    }

    /// Colour channels: 1, 3 or 4.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey | Self::InvertedGrey => 1,
            Self::Cmyk | Self::Ycck => 4,
            _ => 3,
        }
    }

    /// All that is rendered of it is grey.
    #[must_use]
    pub const fn is_grey(self) -> bool {
        self.channels() == 1
    }
}

/// The colour space that counts.
pub(super) struct ColourSpace {
    pub(super) colour: RenderColour,
    /// A profile's conversion; the others follow from `colour`.
    pub(super) profile: Option<Conversion>,
    pub(super) cie_lab: Option<CieLab>,
    /// A profile describes it, whether or not that takes a conversion.
    pub(super) by_profile: bool,
}

/// What comes of one specification.
enum Reading {
    Space(ColourSpace),
    /// It cannot be read, but the picture can be guessed at.
    Guess(String),
    Unsupported,
}

impl Container {
    /// What `channels` colour channels are: by the first in precedence of the specifications that are supported,
    /// or else by their number.
    pub(super) fn colour_space(&self, channels: usize, notes: &mut Vec<String>) -> Result<ColourSpace> {
        let guess = |notes: &mut Vec<String>, why: Option<String>| {
            let colour = if channels >= 3 { RenderColour::Rgb } else { RenderColour::Grey };
            notes.extend(why.map(|why| format!("{why}: shown as {}", colour.name())));
            ColourSpace { colour, profile: None, cie_lab: None, by_profile: false }
        };
        if self.headers.colour.is_empty() {
            let file = self.kind != ContainerKind::Codestream;
            return Ok(guess(notes, file.then(|| "the file names no colour space".into())));
        }
        let mut ranked: Vec<&ColourSpecification> = self.headers.colour.iter().collect();
        // Stable: the first of equals stays first.
        ranked.sort_by_key(|specification| rank(specification));
        let mut failure = None;
        for specification in ranked {
            match read(specification) {
                Reading::Space(space) if space.colour.channels() <= channels => return Ok(space),
                Reading::Space(space) if space.colour.channels() == 3 => {
                    let why = format!("{} with {channels} channels", specification.describe());
                    failure.get_or_insert(Reading::Guess(why));
                }
                Reading::Space(_) => drop(failure.get_or_insert(Reading::Unsupported)),
                other => drop(failure.get_or_insert(other)),
            }
        }
        match failure {
            Some(Reading::Guess(why)) => Ok(guess(notes, Some(why))),
            _ => {
                let names: Vec<String> =
                    self.headers.colour.iter().map(ColourSpecification::describe).collect();
                let feature = format!(
                    "rendering {channels} channels of {} (its components can be decoded as they are)",
                    names.join(" or ")
                );
                Err(CodestreamError::Unsupported { feature }.into())
            }
        }
    }
}

/// Higher precedence first, then the better approximation.
fn rank(specification: &ColourSpecification) -> (std::cmp::Reverse<i8>, u8) {
    let approximation = match specification.approximation {
        0 => u8::MAX,
        given => given,
    };
    (std::cmp::Reverse(specification.precedence), approximation)
}

fn read(specification: &ColourSpecification) -> Reading {
    let cie_lab = specification.cie_lab;
    match &specification.method {
        ColourMethod::Enumerated(number) => match enumerated::colour_of(*number) {
            Some(colour) => Reading::Space(ColourSpace { colour, profile: None, cie_lab, by_profile: false }),
            None if number.name().is_some() => Reading::Unsupported,
            None => Reading::Guess(format!("{} is not known", specification.describe())),
        },
        ColourMethod::RestrictedIcc(profile) | ColourMethod::AnyIcc(profile) => {
            match icc::conversion(profile) {
                Ok((colour, profile)) => {
                    Reading::Space(ColourSpace { colour, profile, cie_lab, by_profile: true })
                }
                Err(NotApplied::Unsupported) => Reading::Unsupported,
                Err(NotApplied::Broken(why)) => {
                    Reading::Guess(format!("{} is not applied ({why})", specification.describe()))
                }
            }
        }
        ColourMethod::Other(_) => Reading::Guess(format!("{} is not known", specification.describe())),
    }
}
