//! JP2 family files (T.800 Annex I, JPX and JPH as far as they share its boxes): what stands around
//! the codestream.

pub mod box_header;
pub mod channel_definition;
pub mod cie_lab;
pub mod colour;
pub mod fragments;
pub mod header_section;
pub mod image_header;
pub mod metadata;
pub mod palette;
pub mod placeholder;
mod reader;
pub mod resolution;

pub use box_header::BoxInfo;
pub use channel_definition::{ChannelDefinition, ChannelKind};
pub use cie_lab::CieLab;
pub use colour::{ColourMethod, ColourSpecification, EnumeratedColourSpace};
pub use fragments::{Fragment, FragmentTable};
pub use header_section::{HeaderSection, LayerOpacity};
pub use image_header::{BitDepth, ImageHeader};
pub use metadata::{Entity, Metadata};
pub use palette::{ComponentMapping, Palette};
pub use placeholder::Placeholder;
pub use resolution::{GridResolution, Resolutions};

use std::collections::BTreeMap;
use std::ops::Range;

/// The boxes of a file that matter to a decoder, and where its codestreams lie.
///
/// Reading is lenient: what can be understood is kept, the rest is noted in `warnings`, and only a
/// file in which no codestream can be found is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// What kind of file.
    pub kind: ContainerKind,
    /// Brand ("BR" of the File Type box), such as `*b"jp2 "`; `None` for a bare codestream.
    pub brand: Option<[u8; 4]>,
    /// Compatibility list ("CL").
    pub compatible: Vec<[u8; 4]>,
    /// The boxes in file order, at most [`Container::MAX_BOXES`] of them; empty for a bare codestream.
    pub boxes: Vec<BoxInfo>,
    /// Byte ranges of the codestreams, contents of the 'jp2c' boxes, cut to the file's length; of one that lies in
    /// fragments, that of the contents of its 'ftbl' box.
    pub codestreams: Vec<Range<u64>>,
    /// Fragment tables of the codestreams that have one, by their numbers.
    pub fragment_tables: BTreeMap<u32, FragmentTable>,
    /// Headers of single codestreams in order ('jpch' boxes, JPX).
    pub codestream_headers: Vec<HeaderSection>,
    /// Headers of compositing layers in order ('jplh' boxes, JPX).
    pub layer_headers: Vec<HeaderSection>,
    /// What the file says about its pictures, in its order.
    pub metadata: Vec<Metadata>,
    /// Boxes that are elsewhere (JPIP metadata-bins only).
    pub placeholders: Vec<Placeholder>,
    /// The headers that hold for the picture: those of 'jp2h', or ([`Self::of_codestream`]) with a codestream's own.
    pub headers: HeaderSection,
    /// What was wrong but could be passed over, in words.
    pub warnings: Vec<String>,
    /// What the picture is, if that is not supported.
    pub(crate) not_rendered: Option<String>,
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContainerKind {
    /// A bare codestream.
    #[default]
    Codestream,
    /// JP2 (T.800 Annex I).
    Jp2,
    /// JPX (T.801 Annex M).
    Jpx,
    /// JPH (T.814).
    Jph,
}

impl ContainerKind {
    /// "codestream", "JP2", "JPX" or "JPH".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Codestream => "codestream",
            Self::Jp2 => "JP2",
            Self::Jpx => "JPX",
            Self::Jph => "JPH",
        }
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
