//! `wavetile info`: what the headers of a picture say, as text or as JSON.

mod describe;
mod text;

use super::connection::ConnectionArguments;
use super::remote::Boxes;
use super::target::Target;
use crate::console::{Failure, say};
use serde::Serialize;
use wavetile_engine::Limits;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file, or jpip://HOST:PORT/NAME; or http, ws, and, always encrypted, jpips, https, wss
    target: Target,
    /// Codestream of a file that has several (JPX), counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    codestream: u32,
    /// As JSON, in a stable schema
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let opened =
        arguments.target.open(&arguments.connection, arguments.codestream, Boxes::All, &Limits::default())?;
    let image = opened.image();
    // A file's own container knows the places of the boxes.
    let whole = opened.file().map(|file| file.container().of_codestream(arguments.codestream));
    let container = whole.as_ref().unwrap_or(image.container());
    let info = describe::describe(arguments.target.name(), arguments.codestream, image.header(), container);
    opened.close();
    if arguments.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&info)?))
    } else {
        say(&text::to_text(&info))
    }
}

/// Number of the JSON schema: it grows when a member is renamed, removed or changes its meaning.
/// New members may appear under the same number.
pub(crate) const SCHEMA: u32 = 1;

/// What is told of a picture. Member names are the JSON schema.
#[derive(Debug, Serialize)]
pub(crate) struct Info {
    pub(crate) schema: u32,
    /// As given on the command line.
    pub(crate) target: String,
    /// "codestream", "JP2", "JPX" or "JPH".
    pub(crate) format: &'static str,
    /// Of the image area on the reference grid.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Upper left corner of the image area on the reference grid.
    pub(crate) offset: [u32; 2],
    pub(crate) components: Vec<ComponentInfo>,
    pub(crate) tiles: Tiles,
    /// Quality layers.
    pub(crate) layers: u16,
    pub(crate) progression: &'static str,
    /// Component transform: "RCT", "ICT" or none.
    pub(crate) component_transform: Option<&'static str>,
    pub(crate) sop: bool,
    pub(crate) eph: bool,
    /// Bits that say which parts of the standard are used ("Rsiz").
    pub(crate) capabilities: u16,
    /// The block coder of T.814 is used.
    pub(crate) high_throughput: bool,
    pub(crate) codestreams: Option<usize>,
    /// The one that is told of.
    pub(crate) codestream: u32,
    /// Its label.
    pub(crate) label: Option<String>,
    /// What `decode` shows.
    pub(crate) rendering: RenderingInfo,
    pub(crate) colour: Vec<Colour>,
    pub(crate) palette: Option<PaletteInfo>,
    pub(crate) channels: Option<Vec<Channel>>,
    pub(crate) resolution: Option<ResolutionInfo>,
    pub(crate) comments: Vec<String>,
    pub(crate) metadata: Vec<MetadataInfo>,
    pub(crate) boxes: Vec<BoxEntry>,
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ComponentInfo {
    pub(crate) index: usize,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) depth: u8,
    pub(crate) signed: bool,
    /// Separation of samples in grid units.
    pub(crate) dx: u8,
    pub(crate) dy: u8,
    /// Decomposition levels by the main header.
    pub(crate) levels: u8,
    /// "5/3" or "9/7".
    pub(crate) transform: &'static str,
    /// "none", "derived" or "expounded".
    pub(crate) quantisation: &'static str,
    pub(crate) guard_bits: u8,
    pub(crate) code_block: [u32; 2],
    pub(crate) code_block_style: Vec<&'static str>,
    /// Width and height for each resolution, coarsest first; `null` where there is only one.
    pub(crate) precincts: Option<Vec<[u32; 2]>>,
    /// Region-of-interest shift.
    pub(crate) roi_shift: u8,
}

#[derive(Debug, Serialize)]
pub(crate) struct Tiles {
    pub(crate) count: u32,
    pub(crate) across: u32,
    pub(crate) down: u32,
    /// Nominal size in grid units.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Upper left corner of the first tile on the reference grid.
    pub(crate) offset: [u32; 2],
}

/// The picture at full size, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum RenderingInfo {
    Picture {
        width: u32,
        height: u32,
        /// What the channels are: "grey", "RGB", "sYCC", "CMYK" and others.
        colour: &'static str,
        /// "straight", "premultiplied" or none.
        alpha: Option<&'static str>,
        depth: u8,
        notes: Vec<String>,
    },
    Unavailable {
        error: String,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Colour {
    pub(crate) description: String,
    /// "enumerated", "restricted-icc", "icc" or "other".
    pub(crate) method: &'static str,
    pub(crate) enumerated: Option<u32>,
    pub(crate) icc_bytes: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PaletteInfo {
    pub(crate) entries: u16,
    pub(crate) column_depths: Vec<u8>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Channel {
    pub(crate) channel: u16,
    /// "colour", "opacity", "premultiplied-opacity" or "unspecified".
    pub(crate) kind: &'static str,
    /// 0 is the whole image, 65535 nothing.
    pub(crate) association: u16,
}

/// Grid points per metre: along a row, along a column.
#[derive(Debug, Serialize)]
pub(crate) struct ResolutionInfo {
    pub(crate) capture: Option<[f64; 2]>,
    pub(crate) display: Option<[f64; 2]>,
}

/// One box of what the file says about its pictures.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MetadataInfo {
    /// A document.
    Xml(String),
    /// Hexadecimal identifier, and bytes of what follows it.
    Uuid {
        id: String,
        bytes: usize,
    },
    Label(String),
    /// What the others in an association are about.
    About(Vec<String>),
    Association(Vec<MetadataInfo>),
    /// A box too long to be read.
    TooLong {
        r#type: String,
        offset: u64,
        length: u64,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct BoxEntry {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) boxes: Vec<BoxEntry>,
}
