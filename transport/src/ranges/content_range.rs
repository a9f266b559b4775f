//! Answers to requests for ranges of bytes (RFC 9110 section 14), read while they arrive.

use std::ops::Range;

/// Where the bytes of an answer lie in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) range: Range<u64>,
    /// Length of the file, if it is told.
    pub(super) len: Option<u64>,
}

impl ContentRange {
    /// Reads a `Content-Range` field: `bytes 0-99/1000`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let rest = value.trim().strip_prefix("bytes")?.trim_start();
        let (range, len) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let len = match len.trim() {
            "*" => None,
            len => Some(len.parse().ok()?),
        };
        let end = last.checked_add(1)?;
        (first < end && len.is_none_or(|len| end <= len)).then_some(Self { range: first..end, len })
    }
}

/// The boundary of a `multipart/byteranges` answer.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/byteranges") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    // RFC 2046 section 5.1.1.
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Reads the body of a `multipart/byteranges` answer, split anywhere.
pub(super) struct Multipart {
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    /// What was not made sense of yet: no more than a head.
    held: Vec<u8>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Before a boundary, or inside the head of a part.
    Head,
    /// Inside a part: what is to come of it.
    Part(Range<u64>),
    /// Behind the last boundary.
    End,
}

/// A head of a part that is longer than this is none.
const LONGEST_HEAD: usize = 8 << 10;

impl Multipart {
    pub(super) fn new(boundary: &str) -> Self {
        Self { delimiter: format!("--{boundary}").into_bytes(), held: Vec::new(), state: State::Head }
    }

    /// Takes in bytes, and hands those of the file with their place to `found`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut found: impl FnMut(u64, &[u8])) -> Result<(), String> {
        loop {
            match &mut self.state {
                State::End => return Ok(()),
                State::Part(left) => {
                    let length = (left.end - left.start).min(bytes.len() as u64);
                    let (part, rest) = bytes.split_at(length as usize);
                    if !part.is_empty() {
                        found(left.start, part);
                    }
                    left.start += length;
                    bytes = rest;
                    if left.start < left.end {
                        return Ok(());
                    }
                    self.state = State::Head;
                }
                State::Head => {
                    // No byte of a part may be taken for its head.
                    let taken = bytes.len().min(LONGEST_HEAD);
                    let before = self.held.len();
                    self.held.extend_from_slice(&bytes[..taken]);
                    let Some((used, state)) = self.head()? else {
                        if self.held.len() > LONGEST_HEAD {
                            return Err("a part of the answer has no proper head".to_owned());
                        }
                        bytes = &bytes[taken..];
                        if bytes.is_empty() {
                            return Ok(());
                        }
                        continue;
                    };
                    bytes = &bytes[used.saturating_sub(before)..];
                    self.held.clear();
                    self.state = state;
                }
            }
        }
    }

    /// Whether the last boundary was there.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::End
    }

    /// The end of the head in what is held, and what follows; `None` if it is not there whole.
    fn head(&self) -> Result<Option<(usize, State)>, String> {
        let Some(at) = find(&self.held, &self.delimiter) else { return Ok(None) };
        let rest = &self.held[at + self.delimiter.len()..];
        if rest.starts_with(b"--") {
            return Ok(Some((self.held.len(), State::End)));
        }
        let Some(end) = find(rest, b"\r\n\r\n") else { return Ok(None) };
        let head = String::from_utf8_lossy(&rest[..end]);
        let place = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-range").then(|| ContentRange::parse(value))?
        });
        let place = place.ok_or("a part of the answer does not say which bytes it has")?;
        Ok(Some((at + self.delimiter.len() + end + 4, State::Part(place.range))))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_or_refused() {
        let parse = ContentRange::parse;
        assert_eq!(parse("bytes 0-99/1000"), Some(ContentRange { range: 0..100, len: Some(1000) }));
        assert_eq!(parse(" bytes 5-5/*"), Some(ContentRange { range: 5..6, len: None }));
        for wrong in [
            "",
            "bytes",
            "bytes */1000",
            "bytes 5-4/9",
            "bytes 0-9/9",
            "items 0-1/9",
            "bytes 0-18446744073709551615/*",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(boundary("multipart/byteranges; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary("Multipart/ByteRanges;charset=x; Boundary=q").as_deref(), Some("q"));
        assert_eq!(boundary("image/jp2"), None);
        assert_eq!(boundary("multipart/byteranges; boundary="), None);
    }

    /// As servers write it.
    fn answer(parts: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (start, part) in parts {
            let last = start + part.len() as u64 - 1;
            bytes.extend(
                format!(
                    "\r\n--B0\r\nContent-Type: image/jp2\r\nContent-Range: bytes {start}-{last}/9999\r\n\r\n"
                )
                .bytes(),
            );
            bytes.extend(part);
        }
        bytes.extend(b"\r\n--B0--\r\n");
        bytes
    }

    fn read(bytes: &[u8], chunk: usize) -> (Vec<(u64, Vec<u8>)>, bool) {
        let (mut reader, mut parts) = (Multipart::new("B0"), Vec::<(u64, Vec<u8>)>::new());
        for chunk in bytes.chunks(chunk) {
            let found = |at, bytes: &[u8]| match parts.last_mut() {
                Some((start, part)) if *start + part.len() as u64 == at => part.extend(bytes),
                _ => parts.push((at, bytes.to_vec())),
            };
            reader.push(chunk, found).unwrap();
        }
        (parts, reader.is_whole())
    }

    proptest! {
        #[test]
        fn parts_come_out_however_they_are_split(
            parts in prop::collection::vec((0u64..100, prop::collection::vec(prop_oneof![Just(b'-'), Just(b'B'), Just(b'0'), Just(b'\r'), Just(b'\n'), any::<u8>()], 1..300)), 1..5),
            chunk in 1usize..700,
        ) {
            // Far apart, so that they stay apart.
            let parts: Vec<_> = (0..).zip(parts).map(|(index, (at, part))| (1000 * index + at, part)).collect();
            prop_assert_eq!(read(&answer(&parts), chunk), (parts, true));
        }

        #[test]
        fn any_answer_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), headed in any::<bool>()) {
            let bytes = [if headed { &b"--B0\r\nContent-Range: bytes 3-30/99\r\n\r\n"[..] } else { b"" }, &bytes].concat();
            let mut reader = Multipart::new("B0");
            let mut last = 0;
            let _ = reader.push(&bytes, |at, bytes| last = at + bytes.len() as u64);
            prop_assert!(last <= 31 || bytes.windows(13).filter(|text| text.eq_ignore_ascii_case(b"content-range")).count() > 1);
        }
    }

    #[test]
    fn heads_without_end_or_place_are_refused() {
        assert!(Multipart::new("B0").push(&[b'x'; 9000], |_, _| ()).is_err());
        assert!(Multipart::new("B0").push(b"--B0\r\nContent-Type: x\r\n\r\n", |_, _| ()).is_err());
        assert!(!read(b"--B0\r\nContent-Range: bytes 0-9/99\r\n\r\nabc", 5).1);
    }
}
