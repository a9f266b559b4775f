//! What a file says about its pictures: XML, UUID, label, number list and association boxes (T.800 I.7, T.801 Annex M).

use super::box_header::BoxBody;
use crate::error::ContainerError;

/// One box of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// An XML box: a document. Bytes that are not UTF-8 are replaced.
    Xml(String),
    /// A UUID box: 16 bytes that say what the rest is.
    Uuid {
        /// The identifier.
        id: [u8; 16],
        /// The rest.
        data: Vec<u8>,
    },
    /// A Label box.
    Label(String),
    /// A Number List box: what the boxes beside it in an association are about.
    Numbers(Vec<Entity>),
    /// An Association box: the first of the boxes inside is what the others are about.
    Association(Vec<Metadata>),
    /// A box that was not read, since all metadata of a file together is kept up to [`Metadata::MAX_BYTES`].
    TooLong {
        /// Type of the box.
        kind: [u8; 4],
        /// Where its contents lie in the file (in the data-bin, over JPIP).
        offset: u64,
        /// How long they are.
        length: u64,
    },
}

/// An entry of a number list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// The picture as it is rendered.
    Rendered,
    /// A codestream, by its number.
    Codestream(u32),
    /// A compositing layer, by its number.
    Layer(u32),
    /// Another number.
    Other(u32),
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rendered => f.write_str("the rendered picture"),
            Self::Codestream(number) => write!(f, "codestream {number}"),
            Self::Layer(number) => write!(f, "layer {number}"),
            Self::Other(number) => write!(f, "{number:#010x}"),
        }
    }
}

impl Metadata {
    /// Bytes of contents that are kept of one file.
    pub const MAX_BYTES: u64 = 4 << 20;

    /// Whether the contents of a box of this type are read here.
    pub(super) const fn is(kind: [u8; 4]) -> bool {
        matches!(&kind, b"xml " | b"uuid" | b"lbl " | b"nlst")
    }

    pub(super) fn parse(kind: [u8; 4], mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        Ok(match &kind {
            b"uuid" => Self::Uuid { id: body.array()?, data: body.rest().to_vec() },
            b"nlst" => {
                let numbers = body.rest().chunks_exact(4).map(|bytes| {
                    let number = bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
                    match number >> 24 {
                        0 if number == 0 => Entity::Rendered,
                        1 => Entity::Codestream(number & 0x00FF_FFFF),
                        2 => Entity::Layer(number & 0x00FF_FFFF),
                        _ => Entity::Other(number),
                    }
                });
                Self::Numbers(numbers.collect())
            }
            b"lbl " => Self::Label(text(body.rest())),
            _ => Self::Xml(text(body.rest())),
        })
    }
}

/// Text of a box; writers end it with a zero at times.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
