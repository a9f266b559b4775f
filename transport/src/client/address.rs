//! Addresses of pictures: `jpip://host:port/name`.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::RoadChoice;
use crate::road::{RoadError, RoadKind};

/// Port of a JPIP server unless its address says otherwise; UDP for HTTP/3 and TCP for HTTP/1.1.
pub const DEFAULT_PORT: u16 = 8433;

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of the picture on the server, percent-decoded, without leading slash.
    pub target: String,
    /// The road that the scheme asks for: `jpip`, `jpips` and `https` leave it open, `http` is HTTP/1.1, `ws` and `wss`
    /// are WebSocket.
    pub road: RoadChoice,
    /// Nothing is sent unencrypted.
    pub secure: bool,
}

impl Address {
    /// `host:port`, with brackets where an IPv6 address needs them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The error of who cannot get there.
    pub(super) fn unreachable(&self, reason: String) -> RoadError {
        RoadError::Unreachable { address: self.authority(), reason }
    }

    /// The server by one name, whatever road leads to it: what was received encrypted is told from what was not.
    pub fn server(&self) -> String {
        let scheme = if self.secure { "jpips" } else { "jpip" };
        format!("{scheme}://{}", self.authority().to_ascii_lowercase())
    }

    /// Parses the address of a server, with or without the name of a picture.
    /// # Errors
    /// [`RoadError::Address`]
    pub fn of_server(text: &str) -> Result<Self, RoadError> {
        let wrong = |reason: &str| RoadError::Address(format!("{text:?}: {reason}"));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("expected jpip://host:port/name"))?;
        let (road, secure, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "jpip" => (RoadChoice::Auto, false, DEFAULT_PORT),
            "jpips" => (RoadChoice::Auto, true, DEFAULT_PORT),
            "https" => (RoadChoice::Auto, true, 443),
            "http" => (RoadChoice::Only(RoadKind::Http1), false, 80),
            "ws" => (RoadChoice::Only(RoadKind::WebSocket), false, 80),
            "wss" => (RoadChoice::Only(RoadKind::WebSocket), true, 443),
            _ => return Err(wrong("the scheme is jpip, http or ws, or jpips, https or wss: encrypted")),
        };
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("']' is missing"))?;
            (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")))
        } else {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (host, Some(port))
        };
        let port = match port.ok_or_else(|| wrong("after ']' comes :port"))? {
            "" => default_port,
            digits => digits.parse().map_err(|_| wrong("the port is not a number up to 65535"))?,
        };
        if host.is_empty() || host.contains(['@', '?', '#', ' ']) {
            return Err(wrong("the host is missing or not a plain name"));
        }
        if name.contains(['?', '#']) {
            return Err(wrong(
                "request fields are made by the client; encode '?' and '#' in names as %3F and %23",
            ));
        }
        let target =
            percent_decode_str(name).decode_utf8().map_err(|_| wrong("the name is not UTF-8"))?.into_owned();
        Ok(Self { host: host.to_owned(), port, target, road, secure })
    }
}

impl FromStr for Address {
    type Err = RoadError;

    fn from_str(text: &str) -> Result<Self, RoadError> {
        let address = Self::of_server(text)?;
        if address.target.is_empty() {
            return Err(RoadError::Address(format!("{text:?}: the name of the picture is missing")));
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address: Address = "jpip://[::1]:7000/a%20b/c.jp2".parse().unwrap();
        assert_eq!(
            (address.host.as_str(), address.port, address.target.as_str()),
            ("::1", 7000, "a b/c.jp2")
        );
        assert_eq!(address.authority(), "[::1]:7000");
        let address: Address = "JPIP://example.org/x.j2k".parse().unwrap();
        assert_eq!((address.authority().as_str(), address.road), ("example.org:8433", RoadChoice::Auto));
        assert_eq!("http://h/x".parse::<Address>().unwrap().port, 80);
        assert_eq!("ws://h:8/x".parse::<Address>().unwrap().road, RoadChoice::Only(RoadKind::WebSocket));
        for (url, secure) in
            [("https://h/x", true), ("jpips://h/x", true), ("wss://h/x", true), ("ws://h/x", false)]
        {
            assert_eq!(url.parse::<Address>().unwrap().secure, secure, "{url}");
        }
        assert_eq!("https://h/x".parse::<Address>().unwrap().road, RoadChoice::Auto);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "x.jp2",
            "ftp://h/x",
            "jpip:///x",
            "jpip://h",
            "jpip://h/",
            "jpip://h:99999/x",
            "jpip://[::1/x",
            "jpip://[::1]7/x",
            "jpip://h/x?len=1",
            "jpip://u@h/x",
            "jpip://h/%ff",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
