//! Codestreams by what they are for (`context`, T.808 C.4): compositing layers of a JPX file.

use super::fields::FieldError;
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
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layers(layers) => write!(f, "jpxl<{layers}>"),
            Self::Unknown(text) => f.write_str(text),
        }
    }
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
}
