//! Numbers, lists and ranges inside request fields (T.808 Annex C), and percent-encoding.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// A request field that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request field {field}={value}: {reason}")]
#[non_exhaustive]
pub struct FieldError {
    /// Name of the field.
    pub field: &'static str,
    /// What it holds, shortened.
    pub value: String,
    /// What is wrong, in words.
    pub reason: &'static str,
}

impl FieldError {
    pub(super) fn new(field: &'static str, value: &str, reason: &'static str) -> Self {
        Self { field, value: value.chars().take(64).collect(), reason }
    }
}

/// `from-to`, `from-` or `from`: unsigned numbers, both ends included; `to` is `None` if open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// First number.
    pub from: u64,
    /// Last number, or `None` for all that exist.
    pub to: Option<u64>,
}

impl NumberRange {
    /// Every number (`*`).
    pub const ALL: Self = Self { from: 0, to: None };

    /// One number.
    #[must_use]
    pub const fn one(number: u64) -> Self {
        Self { from: number, to: Some(number) }
    }

    /// In a form for places where `*` has no meaning.
    pub(super) fn without_star(self) -> String {
        if self == Self::ALL { "0-".to_owned() } else { self.to_string() }
    }

    /// Whether `number` lies inside.
    #[must_use]
    pub fn holds(self, number: u64) -> bool {
        self.from <= number && self.to.is_none_or(|to| number <= to)
    }

    pub(super) fn parse(field: &'static str, text: &str) -> Result<Self, FieldError> {
        let error = |reason| FieldError::new(field, text, reason);
        if text == "*" {
            return Ok(Self::ALL);
        }
        let range = match text.split_once('-') {
            None => Self::one(number(field, text)?),
            Some((from, "")) => Self { from: number(field, from)?, to: None },
            Some((from, to)) => Self { from: number(field, from)?, to: Some(number(field, to)?) },
        };
        if range.to.is_some_and(|to| to < range.from) {
            return Err(error("the range is reversed"));
        }
        Ok(range)
    }
}

impl std::fmt::Display for NumberRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::ALL => f.write_str("*"),
            Self { from, to: Some(to) } if from == to => write!(f, "{from}"),
            Self { from, to: Some(to) } => write!(f, "{from}-{to}"),
            Self { from, to: None } => write!(f, "{from}-"),
        }
    }
}

/// An unsigned decimal number without sign or blanks.
pub(super) fn number<N: TryFrom<u64>>(field: &'static str, text: &str) -> Result<N, FieldError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FieldError::new(field, text, "not an unsigned number"));
    }
    let value: Option<u64> = text.parse().ok();
    value
        .and_then(|value| N::try_from(value).ok())
        .ok_or_else(|| FieldError::new(field, text, "the number is too large"))
}

/// A decimal number above 0, with a fraction or without.
pub(super) fn rate(field: &'static str, text: &str) -> Result<f64, FieldError> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let value: Option<f64> =
        text.parse().ok().filter(|&value: &f64| is_number && value > 0.0 && value.is_finite());
    value.ok_or_else(|| FieldError::new(field, text, "not a number above 0"))
}

/// Undoes percent-encoding; what is not UTF-8 afterwards is an error.
pub(super) fn decode(field: &'static str, text: &str) -> Result<String, FieldError> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(FieldError::new(field, text, "not UTF-8")),
    }
}

/// Percent-encodes what may not stand in the value of a query field. Brackets are encoded, too: some
/// HTTP libraries refuse them.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, &QUERY_VALUE).to_string()
}

/// Percent-encodes a path below the root.
pub(super) fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, &PATH).to_string()
}

const UNSAFE: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Brackets stay as T.808 writes them: there are servers that do not decode them (one dies of it).
const QUERY_VALUE: AsciiSet = UNSAFE.remove(b'[').remove(b']').add(b'&').add(b'+').add(b'=');
const PATH: AsciiSet = UNSAFE;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_round_trip_and_bad_ones_are_refused() {
        for text in ["*", "7", "7-9", "7-", "18446744073709551615"] {
            assert_eq!(NumberRange::parse("model", text).unwrap().to_string(), text);
        }
        for text in ["", "-", "9-7", "-7", "7-9-11", "+7", " 7", "18446744073709551616", "1a"] {
            assert!(NumberRange::parse("model", text).is_err(), "{text:?}");
        }
        assert!(NumberRange::parse("model", "3-5").unwrap().holds(5));
        assert!(!NumberRange::parse("model", "3-5").unwrap().holds(6));
        assert!(NumberRange::parse("model", "3-").unwrap().holds(u64::MAX));
    }

    #[test]
    fn encoding_round_trips() {
        let name = "a b/[1-3]&c=d+e%41 \u{e9}.jp2";
        assert_eq!(decode("target", &encode(name)).unwrap(), name);
        assert_eq!(decode("target", &encode_path(name)).unwrap(), name);
        assert!(decode("target", "%ff").is_err());
    }

    #[test]
    fn numbers_are_checked_against_their_type() {
        assert_eq!(number::<u32>("fsiz", "4294967295"), Ok(u32::MAX));
        assert!(number::<u32>("fsiz", "4294967296").is_err());
    }
}
