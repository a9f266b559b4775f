//! JPP-stream messages (T.808 Annex A): what a header says, how it is written and read.

use super::vbas::{self, VbasError};
use wavetile_engine::data_bin::DataBinId;

/// Why a response ended (EOR reason codes, T.808 Annex D).
pub mod eor {
    /// Everything of the image has been sent.
    pub const IMAGE_DONE: u8 = 1;
    /// Everything of the view-window has been sent.
    pub const WINDOW_DONE: u8 = 2;
    /// A newer request of the channel took over.
    pub const WINDOW_CHANGE: u8 = 3;
    /// The byte limit of the request was reached.
    pub const BYTE_LIMIT: u8 = 4;
    /// The quality limit of the request was reached.
    pub const QUALITY_LIMIT: u8 = 5;
    /// A limit of the session was reached; the channel is closed.
    pub const SESSION_LIMIT: u8 = 6;
    /// A limit of the response was reached.
    pub const RESPONSE_LIMIT: u8 = 7;
    /// Anything else.
    pub const OTHER: u8 = 255;
}

/// A message stream that cannot be followed any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A number in a message header is broken.
    #[error(transparent)]
    Vbas(#[from] VbasError),
    /// Bits 6 and 5 of the first byte are 00, but it is no end-of-response.
    #[error("message header starts with the forbidden byte {0:#04x}")]
    ForbiddenStart(u8),
    /// A message class that T.808 does not define.
    #[error("message class {0} is reserved")]
    ReservedClass(u64),
    /// The in-class identifier is impossible for the class.
    #[error("data-bin {id} of message class {class} is impossible")]
    BadBin {
        /// The class.
        class: u64,
        /// The in-class identifier.
        id: u64,
    },
    /// Codestream number beyond 32 bits.
    #[error("codestream number {0} exceeds 32 bits")]
    BadCodestream(u64),
    /// Offset and length of a message add up to more than 64 bits.
    #[error("a message ends beyond 64 bits")]
    BadExtent,
    /// The body of an end-of-response is unreasonably long.
    #[error("end-of-response body of {0} bytes")]
    LongEndOfResponse(u64),
}

impl MessageError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Vbas(_) => "message.number",
            Self::ForbiddenStart(_) => "message.start",
            Self::ReservedClass(_) => "message.class",
            Self::BadBin { .. } => "message.bin",
            Self::BadCodestream(_) => "message.codestream",
            Self::BadExtent => "message.extent",
            Self::LongEndOfResponse(_) => "message.end-of-response",
        }
    }
}

/// The header of one message (T.808 A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// Codestream ("CSn").
    pub codestream: u32,
    /// Data-bin: class and in-class identifier.
    pub id: DataBinId,
    /// Auxiliary number of the extended classes (for precincts: layers that are complete).
    pub aux: Option<u64>,
    /// The payload's first byte, counted from the start of the data-bin.
    pub offset: u64,
    /// Payload bytes.
    pub length: u64,
    /// The payload ends with the last byte of the data-bin.
    pub last: bool,
}

/// Class and codestream carry over from message to message; both are 0 at the start of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inherited {
    class: u64,
    codestream: u32,
}

/// Reads the header at the start of `bytes`, which must not be an end-of-response: the header and
/// its length. `None` if `bytes` ends too early.
pub(super) fn read_header(
    bytes: &[u8],
    inherited: &mut Inherited,
) -> Result<Option<(MessageHeader, usize)>, MessageError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let form = first >> 5 & 3;
    if form == 0 {
        return Err(MessageError::ForbiddenStart(first));
    }
    let mut at = 1;
    let mut number = |high: Option<u64>| -> Result<Option<u64>, VbasError> {
        let rest = bytes.get(at..).unwrap_or_default();
        Ok(vbas::read_after(high.unwrap_or(0), rest)?.map(|(value, len)| {
            at += len;
            value
        }))
    };
    let top = u64::from(first & 0x0f);
    let mut now = *inherited;
    let in_class = if first & 0x80 == 0 { Some(top) } else { number(Some(top))? };
    let Some(in_class) = in_class else { return Ok(None) };
    if form >= 2 {
        let Some(class) = number(None)? else { return Ok(None) };
        now.class = class;
    }
    if form == 3 {
        let Some(codestream) = number(None)? else { return Ok(None) };
        now.codestream = u32::try_from(codestream).map_err(|_| MessageError::BadCodestream(codestream))?;
    }
    let id = bin_of(now.class, in_class)?;
    let Some(offset) = number(None)? else { return Ok(None) };
    let Some(length) = number(None)? else { return Ok(None) };
    if offset.checked_add(length).is_none() {
        return Err(MessageError::BadExtent);
    }
    let aux = if now.class & 1 == 1 {
        let Some(aux) = number(None)? else { return Ok(None) };
        Some(aux)
    } else {
        None
    };
    *inherited = now;
    let last = first & 0x10 != 0;
    Ok(Some((MessageHeader { codestream: now.codestream, id, aux, offset, length, last }, at)))
}

/// Writes the messages of one response.
#[derive(Clone, Debug, Default)]
pub struct MessageWriter {
    inherited: Inherited,
}

impl MessageWriter {
    /// At the start of a response.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a message header; `header.length` bytes of payload must follow. An auxiliary number
    /// selects the extended class.
    pub fn write_header(&mut self, out: &mut Vec<u8>, header: &MessageHeader) {
        let (class, in_class) = class_of(header.id, header.aux.is_some());
        let next = Inherited { class, codestream: header.codestream };
        let form: u8 = if next.codestream != self.inherited.codestream {
            3
        } else if next.class != self.inherited.class {
            2
        } else {
            1
        };
        let more = more_groups(in_class);
        let top = (in_class.checked_shr(7 * more as u32).unwrap_or(0) & 0x0f) as u8;
        out.push(if more > 0 { 0x80 } else { 0 } | form << 5 | if header.last { 0x10 } else { 0 } | top);
        out.extend((0..more).rev().map(|group| vbas::group_of(in_class, group)));
        if form >= 2 {
            vbas::write(out, class);
        }
        if form == 3 {
            vbas::write(out, u64::from(header.codestream));
        }
        vbas::write(out, header.offset);
        vbas::write(out, header.length);
        if let Some(aux) = header.aux {
            vbas::write(out, aux);
        }
        self.inherited = next;
    }

    /// Bytes that [`write_header`](Self::write_header) would append now.
    #[must_use]
    pub fn header_len(&self, header: &MessageHeader) -> usize {
        let (class, in_class) = class_of(header.id, header.aux.is_some());
        let context = if header.codestream != self.inherited.codestream {
            vbas::len(class) + vbas::len(u64::from(header.codestream))
        } else if class != self.inherited.class {
            vbas::len(class)
        } else {
            0
        };
        1 + more_groups(in_class)
            + context
            + vbas::len(header.offset)
            + vbas::len(header.length)
            + header.aux.map_or(0, vbas::len)
    }

    /// Appends the end-of-response.
    pub fn write_end(&self, out: &mut Vec<u8>, reason: u8, body: &[u8]) {
        out.extend([0, reason]);
        vbas::write(out, body.len() as u64);
        out.extend(body);
    }
}

/// 7-bit groups of an in-class identifier beyond the 4 bits in the first byte.
fn more_groups(in_class: u64) -> usize {
    let bits = (64 - in_class.leading_zeros()) as usize;
    bits.saturating_sub(4).div_ceil(7)
}

fn class_of(id: DataBinId, extended: bool) -> (u64, u64) {
    let extended = u64::from(extended);
    match id {
        DataBinId::Precinct(id) => (extended, id),
        DataBinId::TileHeader(tile) => (2, u64::from(tile)),
        DataBinId::Tile(tile) => (4 + extended, u64::from(tile)),
        DataBinId::MainHeader => (6, 0),
        DataBinId::Metadata(id) => (8, id),
    }
}

fn bin_of(class: u64, in_class: u64) -> Result<DataBinId, MessageError> {
    let bad = || MessageError::BadBin { class, id: in_class };
    let tile = || u32::try_from(in_class).map_err(|_| bad());
    match class {
        0 | 1 => Ok(DataBinId::Precinct(in_class)),
        2 => Ok(DataBinId::TileHeader(tile()?)),
        4 | 5 => Ok(DataBinId::Tile(tile()?)),
        6 if in_class == 0 => Ok(DataBinId::MainHeader),
        6 => Err(bad()),
        8 => Ok(DataBinId::Metadata(in_class)),
        _ => Err(MessageError::ReservedClass(class)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header(id: DataBinId, codestream: u32, offset: u64, length: u64, last: bool) -> MessageHeader {
        MessageHeader { codestream, id, aux: None, offset, length, last }
    }

    fn headers() -> Vec<MessageHeader> {
        vec![
            header(DataBinId::Metadata(0), 0, 0, 0, true),
            header(DataBinId::MainHeader, 0, 0, 119, true),
            header(DataBinId::TileHeader(65_534), 0, 0, 0, true),
            header(DataBinId::Precinct(0), 0, 0, 51, false),
            header(DataBinId::Precinct(15), 0, 1 << 40, 51, false),
            header(DataBinId::Precinct(16), 7, 0, 16_384, true),
            MessageHeader { aux: Some(3), ..header(DataBinId::Precinct(u64::MAX), 7, 5, 1, true) },
            header(DataBinId::Tile(4), 7, 5, 1, true),
            header(DataBinId::Precinct(1 << 60), u32::MAX, u64::MAX - 1, 1, true),
        ]
    }

    #[test]
    fn headers_round_trip_with_inheritance_and_their_length_is_foretold() {
        let mut writer = MessageWriter::new();
        let mut bytes = Vec::new();
        for header in headers() {
            let expected = writer.header_len(&header);
            let before = bytes.len();
            writer.write_header(&mut bytes, &header);
            assert_eq!(bytes.len() - before, expected, "{header:?}");
        }
        let mut inherited = Inherited::default();
        let mut at = 0;
        for header in headers() {
            for cut in at..bytes.len() {
                let before = inherited;
                match read_header(&bytes[at..cut], &mut inherited).unwrap() {
                    None => assert_eq!(inherited, before),
                    Some(found) => {
                        assert_eq!(found.0, header);
                        inherited = before;
                        break;
                    }
                }
            }
            let (found, used) = read_header(&bytes[at..], &mut inherited).unwrap().unwrap();
            assert_eq!(found, header);
            at += used;
        }
        assert_eq!(at, bytes.len());
    }

    #[test]
    fn the_first_bytes_of_a_recorded_message_are_reproduced() {
        // bb = 3, class 0, codestream 0, id 459, offset 0, length 987, as a public server wrote it,
        // but for the class and codestream, which are inherited here.
        let mut out = Vec::new();
        MessageWriter::new().write_header(&mut out, &header(DataBinId::Precinct(459), 0, 0, 987, false));
        assert_eq!(out, [0xa3, 0x4b, 0x00, 0x87, 0x5b]);
    }

    #[test]
    fn reserved_and_forbidden_forms_are_errors() {
        let read = |bytes: &[u8]| read_header(bytes, &mut Inherited::default());
        assert_eq!(read(&[0x10, 0, 0]), Err(MessageError::ForbiddenStart(0x10)));
        assert_eq!(read(&[0x40, 3, 0, 0]), Err(MessageError::ReservedClass(3)));
        assert_eq!(read(&[0x41, 6, 0, 0]), Err(MessageError::BadBin { class: 6, id: 1 }));
        let mut far = vec![0x60, 0];
        vbas::write(&mut far, 1 << 32);
        assert_eq!(read(&far), Err(MessageError::BadCodestream(1 << 32)));
        let mut long = vec![0x20];
        vbas::write(&mut long, u64::MAX);
        vbas::write(&mut long, 1);
        assert_eq!(read(&long), Err(MessageError::BadExtent));
    }

    #[test]
    fn padded_identifiers_are_accepted() {
        let found = read_header(&[0xa0, 0x80, 0x05, 0x00, 0x01], &mut Inherited::default()).unwrap().unwrap();
        assert_eq!(found, (header(DataBinId::Precinct(5), 0, 0, 1, false), 5));
    }
}
