//! Addresses of files on web servers, and where they lead.

use crate::client::Address;
use crate::road::RoadError;

/// An address, taken apart.
pub(super) struct WebAddress {
    pub(super) address: Address,
    /// With the query.
    pub(super) path: String,
}

impl WebAddress {
    pub(super) fn parse(url: &str) -> Result<Self, RoadError> {
        let wrong = |reason: &str| RoadError::Address(format!("{url:?}: {reason}"));
        let uri: http::Uri = url.parse().map_err(|_| wrong("this is no address; encode spaces as %20"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("expected http or https"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("the host is missing"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let address = Address::of_server(&format!("{scheme}://{authority}"))?;
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self { address, path: path.to_owned() })
    }

    /// It is the name of a file: JPIP would make a query of its own.
    pub(super) fn has_query(&self) -> bool {
        self.path.contains('?')
    }

    /// The address that `location` means, as seen from here. From https it does not lead to http.
    pub(super) fn join(&self, location: &str) -> Result<String, &'static str> {
        let scheme = if self.address.secure { "https" } else { "http" };
        let next = if location.contains("://") {
            location.to_owned()
        } else if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{}{location}", self.address.authority())
        } else {
            let path = self.path.split('?').next().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{}{folder}/{location}", self.address.authority())
        };
        if self.address.secure && !next.starts_with("https://") {
            return Err("it leads from https to an address that is not encrypted");
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_lead_on() {
        let from = WebAddress::parse("https://h:8/a/b.jp2?x=1").unwrap();
        assert_eq!((from.path.as_str(), from.address.port), ("/a/b.jp2?x=1", 8));
        for (location, next) in [
            ("c.jp2", "https://h:8/a/c.jp2"),
            ("/c.jp2?y", "https://h:8/c.jp2?y"),
            ("//other/c", "https://other/c"),
            ("https://other/c", "https://other/c"),
        ] {
            assert_eq!(from.join(location).unwrap(), next);
        }
        assert!(from.join("http://h:8/a").is_err());
        assert_eq!(WebAddress::parse("http://h").unwrap().path, "/");
        for wrong in ["ftp://h/x", "http:///x", "h/x", "http://h/a b"] {
            assert!(WebAddress::parse(wrong).is_err(), "{wrong}");
        }
    }
}
