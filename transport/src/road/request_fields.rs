//! Header fields that a user adds to requests: credentials, mostly.

use std::fmt;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::RoadError;

/// Header fields that go with every request, or with the handshake of WebSocket and WebTransport. They are sent encrypted
/// only, unless [`allow_in_clear`](Self::allow_in_clear) is called, to the server of the address only, and their values are
/// not shown.
#[derive(Clone, Default)]
pub struct RequestFields {
    fields: HeaderMap,
    in_clear: bool,
}

impl RequestFields {
    /// Adds `name: value`.
    ///
    /// # Errors
    /// [`RoadError::Address`] if these are no name and value of a field, or the name is one that the transport itself uses.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), RoadError> {
        let wrong = |reason: &str| RoadError::Address(format!("the header field {name:?}: {reason}"));
        let name: HeaderName = name.parse().map_err(|_| wrong("this is no name of a header field"))?;
        if RESERVED.contains(&name.as_str()) || name.as_str().starts_with("sec-") {
            return Err(wrong("the transport uses this field itself"));
        }
        let mut value: HeaderValue =
            value.trim().parse().map_err(|_| wrong("its value may not have line ends or other controls"))?;
        value.set_sensitive(true);
        self.fields.append(name, value);
        Ok(())
    }

    /// Adds `Authorization: Bearer token` (RFC 6750).
    ///
    /// # Errors
    /// [`RoadError::Address`] if `token` has other characters than a token may have.
    pub fn bearer(&mut self, token: &str) -> Result<(), RoadError> {
        let token = token.trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(fits) {
            let reason = "the bearer token is empty, or has characters that none may have";
            return Err(RoadError::Address(reason.to_owned()));
        }
        self.fields.remove(AUTHORIZATION);
        self.add(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Lets them be sent unencrypted, where everybody on the way can read them.
    pub const fn allow_in_clear(&mut self) {
        self.in_clear = true;
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether they may go over a road that is not encrypted.
    #[must_use]
    pub fn may_go_in_clear(&self) -> bool {
        self.in_clear || self.is_empty()
    }

    /// # Errors
    /// [`RoadError::Address`] if the road is in the clear and that was not allowed.
    #[cfg(feature = "http1")]
    pub(crate) fn check(&self, encrypted: bool) -> Result<(), RoadError> {
        if encrypted || self.may_go_in_clear() {
            return Ok(());
        }
        let reason = "credentials are not sent in the clear: use jpips, https or wss, or allow it by name";
        Err(RoadError::Address(reason.to_owned()))
    }

    #[cfg(any(feature = "http1", feature = "http3"))]
    pub(crate) fn put_into(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.fields {
            headers.append(name, value.clone());
        }
    }

    #[cfg(feature = "webtransport")]
    pub(crate) fn as_text(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }
}

impl fmt::Debug for RequestFields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.fields.keys()).finish()
    }
}

/// Fields that frame messages, or say what the client wants of them.
const RESERVED: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "if-range",
    "keep-alive",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "http2-settings",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_would_break_a_request_is_refused() {
        let mut fields = RequestFields::default();
        for (name, value) in [
            ("a b", "c"),
            ("", "c"),
            ("x", "a\r\nHost: evil"),
            ("Host", "evil"),
            ("content-LENGTH", "1"),
            ("Sec-WebSocket-Key", "x"),
        ] {
            assert!(fields.add(name, value).is_err(), "{name}");
        }
        for token in ["", "a b", "a\nb", "ä"] {
            assert!(fields.bearer(token).is_err(), "{token}");
        }
        assert!(fields.is_empty());
    }

    #[cfg(feature = "http1")]
    #[test]
    fn values_are_not_shown_and_not_sent_in_the_clear() {
        let mut fields = RequestFields::default();
        assert!(fields.check(false).is_ok());
        fields.bearer("secret").unwrap();
        fields.bearer("s3cret").unwrap();
        fields.add("X-Key", " s3cret ").unwrap();
        assert!(!format!("{fields:?}").contains("s3cret"));
        assert!(fields.check(false).is_err() && fields.check(true).is_ok());
        fields.allow_in_clear();
        assert!(fields.check(false).is_ok());
        let mut headers = HeaderMap::new();
        fields.put_into(&mut headers);
        assert_eq!(
            (headers["authorization"].as_bytes(), headers["x-key"].as_bytes()),
            (&b"Bearer s3cret"[..], &b"s3cret"[..])
        );
        assert_eq!(headers.len(), 2);
    }
}
