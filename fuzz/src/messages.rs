//! Messages of one response, split in several ways.

use wavetile_engine::data_bin::DataBinId;
use wavetile_transport::jpip::{MessageEvent, MessageReader};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Byte { codestream: u32, id: DataBinId, aux: Option<u64>, at: u64, byte: u8 },
    Last { codestream: u32, id: DataBinId, end: u64 },
    End { reason: u8, body: Vec<u8> },
    Broken(String),
}

/// Reads messages at once and in pieces, which must come to the same.
pub fn read_messages(bytes: &[u8]) {
    let at_once = read_pieces(bytes, bytes.len().max(1));
    for piece in [1, 3, 100] {
        assert_eq!(read_pieces(bytes, piece), at_once, "pieces of {piece}");
    }
}

fn read_pieces(bytes: &[u8], piece: usize) -> Vec<Seen> {
    let mut reader = MessageReader::new();
    let mut seen = Vec::new();
    for bytes in bytes.chunks(piece) {
        let result = reader.push(bytes, |event| match event {
            MessageEvent::Data { codestream, id, aux, offset, bytes, last } => {
                let places = (0..).map(|place| offset.saturating_add(place));
                seen.extend(places.zip(bytes).map(|(at, &byte)| Seen::Byte {
                    codestream,
                    id,
                    aux,
                    at,
                    byte,
                }));
                if last {
                    seen.push(Seen::Last { codestream, id, end: offset.saturating_add(bytes.len() as u64) });
                }
            }
            MessageEvent::EndOfResponse { reason, body } => seen.push(Seen::End { reason, body }),
        });
        if let Err(error) = result {
            seen.push(Seen::Broken(error.to_string()));
            break;
        }
    }
    seen
}
