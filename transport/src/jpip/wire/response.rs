//! Response heads (T.808 Annex D): status codes and the `JPIP-*` header fields.

use super::fields::NumberRange;
use super::request::StreamType;
use wavetile_engine::geometry::Rect;
use wavetile_engine::view_window::{ResolvedWindow, ViewWindow};

/// Media type of a JPP-stream.
pub const CONTENT_TYPE: &str = "image/jpp-stream";

/// The media type of a type of stream.
#[must_use]
pub const fn media_type(kind: StreamType) -> &'static str {
    match kind {
        StreamType::Precincts { .. } => CONTENT_TYPE,
        StreamType::Tiles => "image/jpt-stream",
        StreamType::Raw => "application/octet-stream",
    }
}

/// Status and header fields of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// HTTP status code.
    pub status: u16,
    /// What it means, in words.
    pub reason: String,
    /// Names in the case that must stand on HTTP/1.1, and values.
    pub headers: Vec<(&'static str, String)>,
}

impl ResponseHead {
    /// A response whose body is a stream of a media type.
    #[must_use]
    pub fn ok(media_type: &str) -> Self {
        let headers = vec![("Content-Type", media_type.to_owned()), ("Cache-Control", "no-cache".to_owned())];
        Self { status: 200, reason: "OK".to_owned(), headers }
    }

    /// A refusal; the reason is sent as plain text.
    #[must_use]
    pub fn refusal(status: u16, reason: impl Into<String>) -> Self {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        Self { status, reason: reason.into(), headers }
    }

    /// Adds a header field.
    pub(in crate::jpip) fn put(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.push((name, value.into()));
    }

    /// Adds what became of the window, if that is not what was asked for.
    pub(in crate::jpip) fn put_window(&mut self, asked: &ViewWindow, used: &ResolvedWindow, layers: u16) {
        let Rect { x0, y0, .. } = used.region;
        let size = used.region.size();
        if used.frame_size != asked.frame_size {
            self.put("JPIP-fsiz", format!("{},{}", used.frame_size.width, used.frame_size.height));
        }
        if (x0, y0) != asked.offset {
            self.put("JPIP-roff", format!("{x0},{y0}"));
        }
        if size != asked.region {
            self.put("JPIP-rsiz", format!("{},{}", size.width, size.height));
        }
        if asked.layers.is_some_and(|asked| asked > layers) {
            self.put("JPIP-layers", layers.to_string());
        }
        if let (Some(asked), Some(used)) = (&asked.components, &used.components)
            && asked != used
            && !used.is_empty()
        {
            self.put("JPIP-comps", super::view_window_fields::list(used));
        }
    }
}

/// What `JPIP-cnew` says about a new channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewChannel {
    /// Identifier for `cid`.
    pub channel: String,
    /// Path for further requests, without a leading slash; `None` if the server does not say.
    pub path: Option<String>,
    /// Transport that was chosen.
    pub transport: Option<String>,
}

impl NewChannel {
    /// Parses the value; `None` without `cid`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut found = Self::default();
        for part in value.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            match name {
                "cid" => found.channel = value.to_owned(),
                "path" => found.path = Some(value.trim_start_matches('/').to_owned()),
                "transport" => found.transport = Some(value.to_owned()),
                _ => (),
            }
        }
        (!found.channel.is_empty()).then_some(found)
    }
}

impl std::fmt::Display for NewChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cid={}", self.channel)?;
        if let Some(path) = &self.path {
            write!(f, ",path={path}")?;
        }
        if let Some(transport) = &self.transport {
            write!(f, ",transport={transport}")?;
        }
        Ok(())
    }
}

/// The header field `name`, whatever its case.
#[must_use]
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Seconds of a `Retry-After` field.
#[must_use]
pub fn retry_after(headers: &[(String, String)]) -> Option<u64> {
    let range = NumberRange::parse("Retry-After", header(headers, "Retry-After")?).ok()?;
    (range.to == Some(range.from)).then_some(range.from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn new_channels_round_trip_and_foreign_ones_parse() {
        let text = "cid=0,path=jpip,transport=http";
        assert_eq!(NewChannel::parse(text).unwrap().to_string(), text);
        let foreign = NewChannel::parse("cid=6b02f2e174b0dc51,transport=http").unwrap();
        assert_eq!((foreign.channel.as_str(), foreign.path), ("6b02f2e174b0dc51", None));
        assert_eq!(NewChannel::parse("path=/jpip"), None);
        assert_eq!(NewChannel::parse("garbage"), None);
    }

    #[test]
    fn header_names_are_compared_without_case() {
        let headers =
            vec![("jpip-TID".to_owned(), " x ".to_owned()), ("retry-after".to_owned(), "7".to_owned())];
        assert_eq!(header(&headers, "JPIP-tid"), Some("x"));
        assert_eq!(header(&headers, "JPIP-cnew"), None);
        assert_eq!(retry_after(&headers), Some(7));
    }
}
