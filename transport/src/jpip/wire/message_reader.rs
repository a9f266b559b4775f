//! Incremental reader of the messages of one response (T.808 Annex A). Input may be split anywhere;
//! payload is handed on as it arrives, so nothing but a header is ever held back.

use super::message::{Inherited, MessageError, MessageHeader, read_header};
use super::vbas;
use wavetile_engine::data_bin::DataBinId;

/// What a piece of a response holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageEvent<'a> {
    /// Bytes of a data-bin. A message without payload yields one event without bytes.
    Data {
        /// Codestream.
        codestream: u32,
        /// Data-bin.
        id: DataBinId,
        /// Auxiliary number of the extended classes.
        aux: Option<u64>,
        /// Where the bytes stand in the data-bin.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
        /// These bytes end the data-bin.
        last: bool,
    },
    /// The response ends here.
    EndOfResponse {
        /// Why: see [`eor`](super::message::eor).
        reason: u8,
        /// Usually empty; nothing defines its contents.
        body: Vec<u8>,
    },
}

/// Reads the messages of one response.
#[derive(Debug, Default)]
pub struct MessageReader {
    inherited: Inherited,
    state: State,
    /// The beginning of a header whose rest has not arrived: less than [`MAX_HEADER`] bytes.
    held: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    /// `at` payload bytes of the message have been handed on.
    Payload { header: MessageHeader, at: u64 },
    /// The body of an end-of-response.
    End { reason: u8, length: usize, body: Vec<u8> },
    /// After an error.
    Broken(MessageError),
}

impl MessageReader {
    /// At the start of a response.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the response and calls `event` for everything in them.
    ///
    /// # Errors
    /// [`MessageError`] when the stream cannot be followed; events before it are sound. Every later
    /// call returns the same error.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut event: impl FnMut(MessageEvent<'_>),
    ) -> Result<(), MessageError> {
        if let State::Broken(error) = &self.state {
            return Err(error.clone());
        }
        let result = self.advance(&mut bytes, &mut event);
        if let Err(error) = &result {
            self.held.clear();
            self.state = State::Broken(error.clone());
        }
        result
    }

    /// Whether the bytes so far end between two messages.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Header) && self.held.is_empty()
    }

    fn advance(
        &mut self,
        bytes: &mut &[u8],
        event: &mut impl FnMut(MessageEvent<'_>),
    ) -> Result<(), MessageError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header => self.read_start(bytes, event)?,
                State::Payload { header, at } => {
                    let piece = split(bytes, header.length - *at);
                    let offset = header.offset + *at;
                    *at += piece.len() as u64;
                    let done = *at == header.length;
                    event(data(header, offset, piece, done));
                    if done {
                        self.state = State::Header;
                    }
                }
                State::End { reason, length, body } => {
                    body.extend(split(bytes, (*length - body.len()) as u64));
                    if body.len() == *length {
                        event(MessageEvent::EndOfResponse { reason: *reason, body: std::mem::take(body) });
                        self.state = State::Header;
                    }
                }
                State::Broken(error) => return Err(error.clone()),
            }
        }
        Ok(())
    }

    /// Reads a header or an end-of-response, as far as it has arrived.
    fn read_start(
        &mut self,
        bytes: &mut &[u8],
        event: &mut impl FnMut(MessageEvent<'_>),
    ) -> Result<(), MessageError> {
        let already = self.held.len();
        let start = if already == 0 {
            start_of(bytes, &mut self.inherited)?
        } else {
            let room = MAX_HEADER.saturating_sub(already).min(bytes.len());
            self.held.extend(&bytes[..room]);
            start_of(&self.held, &mut self.inherited)?
        };
        let Some((start, used)) = start else {
            if already == 0 {
                self.held.extend(bytes.iter());
            }
            *bytes = &[];
            return Ok(());
        };
        self.held.clear();
        *bytes = &bytes[used - already..];
        match start {
            Start::Message(header) if header.length == 0 => {
                event(data(&header, header.offset, &[], true));
            }
            Start::Message(header) => self.state = State::Payload { header, at: 0 },
            Start::End { reason, length: 0 } => {
                event(MessageEvent::EndOfResponse { reason, body: Vec::new() });
            }
            Start::End { reason, length } => {
                self.state = State::End { reason, length, body: Vec::new() };
            }
        }
        Ok(())
    }
}

/// No header is longer: a first byte and six numbers.
const MAX_HEADER: usize = 1 + 6 * vbas::MAX_LEN;

/// Bytes of an end-of-response body that are accepted.
const MAX_END_BODY: u64 = 1 << 16;

enum Start {
    Message(MessageHeader),
    End { reason: u8, length: usize },
}

fn start_of(bytes: &[u8], inherited: &mut Inherited) -> Result<Option<(Start, usize)>, MessageError> {
    if bytes.first() != Some(&0) {
        return Ok(read_header(bytes, inherited)?.map(|(header, used)| (Start::Message(header), used)));
    }
    let Some(&reason) = bytes.get(1) else { return Ok(None) };
    let Some((length, used)) = vbas::read(&bytes[2..])? else { return Ok(None) };
    match usize::try_from(length) {
        Ok(length) if length as u64 <= MAX_END_BODY => Ok(Some((Start::End { reason, length }, used + 2))),
        _ => Err(MessageError::LongEndOfResponse(length)),
    }
}

fn data<'a>(header: &MessageHeader, offset: u64, bytes: &'a [u8], done: bool) -> MessageEvent<'a> {
    let MessageHeader { codestream, id, aux, last, .. } = *header;
    MessageEvent::Data { codestream, id, aux, offset, bytes, last: last && done }
}

/// Cuts up to `most` bytes off the front.
fn split<'a>(bytes: &mut &'a [u8], most: u64) -> &'a [u8] {
    let len = usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len()));
    let (piece, rest) = bytes.split_at(len);
    *bytes = rest;
    piece
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::message::{MessageWriter, eor};
    use super::*;
    use proptest::prelude::*;

    type Flat = Vec<(u32, DataBinId, Option<u64>, u64, u8, bool)>;

    type Ends = Vec<(u8, Vec<u8>)>;

    /// One entry for each payload byte, and one for each empty message and each end.
    fn flatten(chunks: &[&[u8]]) -> Result<(Flat, Ends), MessageError> {
        let mut reader = MessageReader::new();
        let (mut flat, mut ends) = (Flat::new(), Vec::new());
        for chunk in chunks {
            reader.push(chunk, |event| match event {
                MessageEvent::Data { codestream, id, aux, offset, bytes, last } => {
                    if bytes.is_empty() {
                        flat.push((codestream, id, aux, offset, 0, last));
                    }
                    for (index, &byte) in bytes.iter().enumerate() {
                        let last = last && index + 1 == bytes.len();
                        flat.push((codestream, id, aux, offset + index as u64, byte, last));
                    }
                }
                MessageEvent::EndOfResponse { reason, body } => ends.push((reason, body)),
            })?;
        }
        Ok((flat, ends))
    }

    fn sample() -> Vec<u8> {
        let mut writer = MessageWriter::new();
        let mut out = Vec::new();
        let mut put = |id, codestream, aux, offset, payload: &[u8], last| {
            let length = payload.len() as u64;
            writer.write_header(&mut out, &MessageHeader { codestream, id, aux, offset, length, last });
            out.extend(payload);
        };
        put(DataBinId::Metadata(0), 0, None, 0, b"", true);
        put(DataBinId::MainHeader, 0, None, 0, &[0; 300], true);
        put(DataBinId::Precinct(700), 1, None, 90, b"packets", false);
        put(DataBinId::Precinct(701), 1, Some(2), 0, b"\0\0\0", true);
        writer.write_end(&mut out, eor::WINDOW_DONE, b"bye");
        out
    }

    #[test]
    fn any_split_yields_the_same_bytes() {
        let bytes = sample();
        let whole = flatten(&[&bytes]).unwrap();
        assert_eq!(whole.1, [(eor::WINDOW_DONE, b"bye".to_vec())]);
        assert_eq!(whole.0.len(), 1 + 300 + 7 + 3);
        for cut in 0..bytes.len() {
            assert_eq!(flatten(&[&bytes[..cut], &bytes[cut..]]).unwrap(), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(flatten(&single).unwrap(), whole);
    }

    #[test]
    fn every_truncation_waits_and_yields_a_prefix() {
        let bytes = sample();
        let whole = flatten(&[&bytes]).unwrap();
        for cut in 0..bytes.len() {
            let (flat, ends) = flatten(&[&bytes[..cut]]).unwrap();
            assert!(ends.is_empty());
            assert_eq!(flat, whole.0[..flat.len()], "cut at {cut}");
        }
    }

    #[test]
    fn payload_is_handed_on_before_the_message_is_whole() {
        let mut reader = MessageReader::new();
        let mut seen = Vec::new();
        let mut push = |bytes: &[u8]| {
            reader
                .push(bytes, |event| {
                    if let MessageEvent::Data { bytes, offset, last, .. } = event {
                        seen.push((offset, bytes.len(), last));
                    }
                })
                .unwrap();
        };
        push(&[0x30, 0x00, 0x04, 1, 2]);
        push(&[3, 4]);
        assert_eq!(seen, [(0, 2, false), (2, 2, true)]);
    }

    #[test]
    fn a_broken_stream_stays_broken() {
        let mut reader = MessageReader::new();
        let error = reader.push(&[0x7f, 0x80], |_| ()).and(reader.push(&[0xff; 40], |_| ()));
        assert!(error.is_err());
        assert_eq!(reader.push(&[0, 2, 0], |_| ()).unwrap_err(), error.unwrap_err());
        let long = [0, 2, 0x8f, 0xff, 0xff, 0x7f];
        let error = MessageReader::new().push(&long, |_| ()).unwrap_err();
        assert!(matches!(error, MessageError::LongEndOfResponse(_)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_splits_agree(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(flatten(&[&bytes]), flatten(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
