//! URLs that a server sends, and the one of its directory.

use std::fmt;

use url::Url;

use crate::shown::shown;

/// Octets of a URL at most: servers' are under 200; what is longer only costs memory.
const MAX_OCTETS: usize = 2048;

/// An `https:` URL (RFC 8555 section 6.1) that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link(String);

/// Why a URL is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not `https:`. Nothing of ACME is spoken in the clear.
    #[error("{0:?} is no https: URL")]
    NotHttps(String),
    /// Not a URL, or one that says more than where to ask.
    #[error("{0:?} is no URL of a resource")]
    Malformed(String),
    /// Longer than any server needs.
    #[error("a URL of {0} octets is over the limit of {MAX_OCTETS}")]
    TooLong(usize),
}

impl Link {
    /// Reads a URL. It stays as it was written, since it is signed as it was written (RFC 8555 section 6.4).
    ///
    /// # Errors
    ///
    /// [`LinkError`] when it is not `https:`, has a user, a password or a fragment, or is over 2,048 octets.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        if text.len() > MAX_OCTETS {
            return Err(LinkError::TooLong(text.len()));
        }
        let malformed = || LinkError::Malformed(shown(text));
        // What the parser would correct silently would be signed otherwise than it is asked.
        if !text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\') {
            return Err(malformed());
        }
        let url = Url::parse(text).map_err(|_error| malformed())?;
        if url.scheme() != "https" {
            return Err(LinkError::NotHttps(shown(text)));
        }
        let sent: http::Uri = text.parse().map_err(|_error| malformed())?;
        let same = text.starts_with("https://") && sent.host().is_some_and(|host| Some(host) == url.host_str());
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if same && plain { Ok(Self(text.to_owned())) } else { Err(malformed()) }
    }

    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with its port where it is not 443: for people, and for names of files.
    #[must_use]
    pub fn host(&self) -> String {
        let Ok(url) = Url::parse(&self.0) else { return String::new() };
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_only_a_place_to_ask() {
        let link = Link::parse("https://ca.example:14000/acme/order/1?x=y").unwrap();
        assert_eq!((link.as_str(), &*link.host()), ("https://ca.example:14000/acme/order/1?x=y", "ca.example:14000"));
        assert_eq!(Link::parse("https://[2001:db8::1]/directory").unwrap().host(), "[2001:db8::1]");
        for plain in ["http://ca.example/", "HTTP://ca.example/", "file:///etc/passwd", "ftp://a/", "javascript:1"] {
            assert_eq!(Link::parse(plain), Err(LinkError::NotHttps(plain.to_owned())), "{plain}");
        }
        for bad in [
            "",
            "/order/1",
            "https://",
            "https://user@ca.example/",
            "https://u:p@ca.example/",
            "https://ca.example/#part",
            "https://ca.example/a b",
            "https://ca.example/\r\nHost: x",
            "https://ca.example/\u{e9}",
            "https://ca.example:99999/",
            "https:ca.example/x",
            "https:///ca.example/",
            r"https:\\ca.example\x",
        ] {
            assert!(matches!(Link::parse(bad), Err(LinkError::Malformed(_))), "{bad:?}");
        }
        let long = format!("https://ca.example/{}", "a".repeat(MAX_OCTETS));
        assert_eq!(Link::parse(&long), Err(LinkError::TooLong(long.len())));
    }
}
