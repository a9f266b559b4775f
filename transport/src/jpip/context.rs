//! Codestreams by what they are for (`context`, T.808 C.4): compositing layers of a JPX file.

use super::fields::{FieldError, NumberRange};
use super::picture::Picture;
use super::view_window_fields::StreamRange;
use std::fmt;

/// One context of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// Compositing layers: `jpxl<0-4:2>`. Instructions for composing them (`[...]`) change nothing.
    Layers(StreamRange),
    /// Another, as it was written.
    Unknown(String),
}

impl Context {
    /// Parses the decoded value of `context`.
    ///
    /// # Errors
    /// [`FieldError`] if the layers have not the form of T.808.
    pub fn parse_all(value: &str) -> Result<Vec<Self>, FieldError> {
        value.split([',', ';']).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, FieldError> {
        let Some(rest) = text.strip_prefix("jpxl<") else { return Ok(Self::Unknown(text.to_owned())) };
        let error = || FieldError::new("context", text, "the bracket is not closed");
        let (layers, _) = rest.split_once('>').ok_or_else(error)?;
        Ok(Self::Layers(StreamRange::parse("context", layers)?))
    }

    /// The codestreams of `picture` that it stands for, ascending; none if they are not known.
    pub(super) fn codestreams(&self, picture: &dyn Picture) -> Vec<u32> {
        let Self::Layers(layers) = self else { return Vec::new() };
        let last =
            layers.range.to.unwrap_or(u64::MAX).min(u64::from(picture.layer_count()).saturating_sub(1));
        let wanted = (layers.range.from..=last).filter(|&layer| layers.holds(layer));
        let mut found: Vec<u32> = wanted.flat_map(|layer| picture.layer_codestreams(layer as u32)).collect();
        found.retain(|&number| number < picture.codestream_count());
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layers(layers) => write!(f, "jpxl<{layers}>"),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

/// Ranges of codestreams that one context may come to; what is beyond them is not served, and the response says so by
/// naming those that are.
const MOST_RANGES: usize = 256;

/// Codestreams as ranges.
pub(super) fn ranges(numbers: &[u32]) -> Vec<StreamRange> {
    let mut ranges: Vec<StreamRange> = Vec::new();
    for number in numbers.iter().copied().map(u64::from) {
        let count = ranges.len();
        match ranges.last_mut() {
            Some(last) if last.range.to.and_then(|to| to.checked_add(1)) == Some(number) => {
                last.range.to = Some(number);
            }
            _ if count == MOST_RANGES => break,
            _ => ranges.push(StreamRange { range: NumberRange::one(number), step: 1 }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn layers_are_ranges_and_other_contexts_are_kept_as_they_are() {
        let all = Context::parse_all("jpxl<0-4:2>[s0i1],mj2t<1-2+now>,jpxl<7>").unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].to_string(), "jpxl<0-4:2>");
        assert_eq!(all[1], Context::Unknown("mj2t<1-2+now>".to_owned()));
        assert_eq!(all[2].to_string(), "jpxl<7>");
        for wrong in ["jpxl<", "jpxl<>", "jpxl<2-1>", "jpxl<0:0>", "jpxl<x>"] {
            assert!(Context::parse_all(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn codestreams_that_follow_one_another_are_one_range() {
        let text: Vec<String> = ranges(&[0, 1, 2, 5, 7, 8]).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["0-2", "5", "7-8"]);
        let scattered: Vec<u32> = (0..5000).step_by(2).collect();
        assert_eq!(ranges(&scattered).len(), MOST_RANGES);
    }
}
